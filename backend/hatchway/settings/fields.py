"""Taking typed values out of a mapping. A wrong one is reported, and reading goes on.

Every method gives a value of its type in any case; after the whole file was read, the page's
troubles decide whether any of it may be used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from hatchway.core.plan import SeriesRef
from hatchway.settings.document import Entry, Items, Node, Page, Scalar, Table
from hatchway.settings.errors import nearest, quoted, unknown
from hatchway.settings.words import NotUnderstood, duration_words, seconds, series, series_sum

T = TypeVar("T")


class _Required:
    pass


REQUIRED: Final = _Required()
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,39}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")


def describe(node: Node) -> str:
    """What was written, in a few words."""
    match node:
        case Items():
            return "a list"
        case Table():
            return "a mapping"
        case Scalar():
            return "nothing" if node.empty else quoted(node.text)


class Fields:
    """The keys of one mapping. `what` names it in messages: "a canary step"."""

    def __init__(self, page: Page, node: Node | None, what: str, keys: Iterable[str]) -> None:
        self.page = page
        self.what = what
        self.node = node
        self.keys = tuple(keys)
        self.entries = node.entries if isinstance(node, Table) else {}
        if node is not None and not isinstance(node, Table):
            page.report(node, f"{what} is a mapping, found {describe(node)}", self._shape())
        self.misspelt = {nearest(key, self.keys) for key in self.entries if key not in self.keys}
        for key, entry in self.entries.items():
            if key not in self.keys:
                self._unknown(entry)

    def _unknown(self, entry: Entry) -> None:
        free = [key for key in self.keys if key not in self.entries]
        what, write = unknown("unknown key", entry.key.text, free, f" in {self.what}")
        if write in free:
            value = entry.value
            again = value.text if isinstance(value, Scalar) and value.text.isprintable() else "..."
            write = f"{write}: {again}"
        self.page.report(entry.key, what, write)

    def _shape(self) -> str:
        return f"{self.keys[0]}: ..." if self.keys else ""

    def has(self, key: str) -> bool:
        """Whether something was written for the key."""
        return self.value(key) is not None

    def value(self, key: str) -> Node | None:
        """What was written for the key; None for nothing."""
        entry = self.entries.get(key)
        if entry is None or (isinstance(entry.value, Scalar) and entry.value.empty):
            return None
        return entry.value

    def report(self, key: str, what: str, write: str = "") -> None:
        """Report a mistake at the key's value, or at the mapping when the key is not there."""
        entry = self.entries.get(key)
        at = self.node if entry is None else self.value(key) or entry.key
        self.page.report(at, what, write)

    def _missing(self, key: str, example: str) -> None:
        # Not when the mapping itself is missing or wrong, or the key is there but misspelt.
        if isinstance(self.node, Table) and key not in self.misspelt:
            self.report(key, f'"{key}" is missing in {self.what}', f"{key}: {example}")

    def take(
        self,
        key: str,
        default: T | _Required,
        blank: T,
        example: str,
        convert: Callable[[str, bool], T],
    ) -> T:
        """The key's scalar, converted. `convert` gets (text, was it plain)."""
        node = self.value(key)
        if node is None:
            if isinstance(default, _Required):
                self._missing(key, example)
                return blank
            return default
        if not isinstance(node, Scalar):
            self.report(
                key, f'"{key}" takes one value, found {describe(node)}', f"{key}: {example}"
            )
            return blank
        try:
            return convert(node.text, node.plain)
        except NotUnderstood as error:
            said = f'"{key}" in {self.what}: {error.what}'
            plain = error.write.startswith("one of ") or not error.write
            self.report(key, said, error.write if plain else f"{key}: {error.write}")
            return blank

    def text(
        self,
        key: str,
        default: str | _Required = REQUIRED,
        *,
        example: str = "text",
        pattern: re.Pattern[str] | None = None,
    ) -> str:
        """Printable text; with `pattern`, a name that matches it."""

        def convert(text: str, _: bool) -> str:
            if pattern is not None:
                check_name(text, pattern)
            return clean(text, example)

        return self.take(key, default, "", example, convert)

    def choice(self, key: str, words: Iterable[str], default: str | _Required = REQUIRED) -> str:
        """One of `words`; empty after a mistake."""
        allowed = tuple(words)
        listed = " or ".join(allowed) if len(allowed) < 4 else "one of " + ", ".join(allowed)
        return self.take(key, default, "", listed, lambda text, _: one_of(text, allowed))

    def whole(
        self, key: str, default: int | _Required = REQUIRED, *, low: int, high: int, example: int
    ) -> int:
        """A whole number from `low` to `high`."""

        def convert(text: str, plain: bool) -> int:
            if not plain or not re.fullmatch(r"[+-]?[0-9]{1,15}", text):
                raise NotUnderstood(f"{quoted(text)} is not a whole number", str(example))
            if not low <= int(text) <= high:
                raise NotUnderstood(f"{text} is not between {low} and {high}", str(example))
            return int(text)

        return self.take(key, default, low, str(example), convert)

    def number(
        self,
        key: str,
        default: float | _Required = REQUIRED,
        *,
        low: float,
        high: float,
        example: str,
    ) -> float:
        """A number from `low` to `high`."""

        def convert(text: str, plain: bool) -> float:
            if not plain or not _NUMBER.fullmatch(text):
                raise NotUnderstood(f"{quoted(text)} is not a number", example)
            if not low <= float(text) <= high:
                raise NotUnderstood(f"{text} is not between {low:g} and {high:g}", example)
            return float(text)

        return self.take(key, default, low, example, convert)

    def flag(self, key: str, default: bool | _Required = REQUIRED) -> bool:
        """true or false, written so."""

        def convert(text: str, plain: bool) -> bool:
            if plain and text in {"true", "false"}:
                return text == "true"
            raise NotUnderstood(f"{quoted(text)} is neither true nor false", "true or false")

        return self.take(key, default, False, "true or false", convert)

    def duration(
        self,
        key: str,
        default: float | _Required = REQUIRED,
        *,
        example: str,
        low: float = 1.0,
        high: float = 30 * 86400.0,
    ) -> float:
        """Seconds, from a duration with its unit."""

        def convert(text: str, _: bool) -> float:
            value = seconds(text)
            if not low <= value <= high:
                limits = f"{duration_words(low)} and {duration_words(high)}"
                raise NotUnderstood(f"{text} is not between {limits}", example)
            return value

        return self.take(key, default, low, example, convert)

    def series(self, key: str) -> SeriesRef:
        """A required series reference."""
        return self.take(
            key, REQUIRED, SeriesRef(""), "metric_name", lambda text, _: series(text.strip())
        )

    def series_sum(self, key: str) -> SeriesRef:
        """A required reference to one series, or to several that are counted together."""
        return self.take(
            key, REQUIRED, SeriesRef(""), "metric_name", lambda text, _: series_sum(text.strip())
        )

    def items(
        self, key: str, *, required: bool = False, example: str = "- ..."
    ) -> tuple[Node, ...]:
        """The entries of a list."""
        node = self.value(key)
        if isinstance(node, Items):
            if required and not node.items:
                self.report(key, f'"{key}" in {self.what} is empty', f"{key}: {example}")
            return node.items
        if node is not None:
            self.report(key, f'"{key}" takes a list, found {describe(node)}', f"{key}: {example}")
        elif required:
            self._missing(key, example)
        return ()

    def words(
        self, key: str, allowed: Iterable[str], *, example: str, default: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """A list of words out of `allowed`, none twice."""
        known = tuple(allowed)
        return self.texts(key, default=default, example=example, check=lambda t: one_of(t, known))

    def texts(
        self,
        key: str,
        *,
        example: str,
        default: tuple[str, ...] = (),
        check: Callable[[str], str] | None = None,
    ) -> tuple[str, ...]:
        """A list of different texts."""
        if not self.has(key):
            return default
        found: list[str] = []
        for node in self.items(key, example=example):
            if not isinstance(node, Scalar) or node.empty:
                self.page.report(node, f'"{key}" lists words, found {describe(node)}', example)
            elif node.text in found:
                self.page.report(node, f'{quoted(node.text)} is twice in "{key}"', "it once")
            else:
                try:
                    found.append(check(node.text) if check else clean(node.text, example))
                except NotUnderstood as error:
                    self.page.report(node, f'"{key}": {error.what}', error.write)
        return tuple(found)

    def table(self, key: str, *, required: bool = False, example: str = "...") -> Table | None:
        """A mapping below the key."""
        node = self.value(key)
        if isinstance(node, Table):
            if required and not node.entries:
                self.report(key, f'"{key}" in {self.what} is empty', f"{key}: {{{example}}}")
            return node
        if node is not None:
            self.report(
                key, f'"{key}" takes a mapping, found {describe(node)}', f"{key}: {{{example}}}"
            )
        elif required:
            self._missing(key, f"{{{example}}}")
        return None


def one_of(text: str, allowed: tuple[str, ...]) -> str:
    """`text` if it is one of the words, or NotUnderstood with the nearest."""
    if text in allowed:
        return text
    raise NotUnderstood(*unknown("unknown word", text, allowed))


def check_name(text: str, pattern: re.Pattern[str] = NAME) -> str:
    """`text` if it can be a name, or NotUnderstood."""
    if pattern.fullmatch(text):
        return text
    space = ", space" if pattern is TITLE else ""
    raise NotUnderstood(
        f"{quoted(text)} cannot be a name",
        f"up to 40 letters, digits{space}, - or _, starting with a letter or digit",
    )


def clean(text: str, example: str, *, lines: bool = False, most: int = 4000) -> str:
    """`text` without control characters (with `lines`, line ends and tabs are fine)."""
    if not text.strip():
        raise NotUnderstood("this is blank", example)
    if len(text) > most:
        raise NotUnderstood(f"longer than {most} characters", example)
    bad = next((c for c in text if not c.isprintable() and not (lines and c in "\n\t")), None)
    if bad is not None:
        raise NotUnderstood(f"it holds the invisible character U+{ord(bad):04X}", example)
    return text
