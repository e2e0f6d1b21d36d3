"""What is wrong in a file, where, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class Trouble(Struct, frozen=True, order=True):
    """One mistake. `line` and `column` count from 1; 0 means the file as a whole."""

    file: str
    line: int
    column: int
    what: str  # 'unknown key "moniter" in a canary step; did you mean "monitor"?'
    write: str = ""  # what to write instead

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        remedy = f"\n  write: {self.write}" if self.write else ""
        return f"{place}: {self.what}{remedy}"


class ConfigError(Exception):
    """Files that cannot be used. `troubles` lists everything found, in reading order."""

    def __init__(self, troubles: Iterable[Trouble]) -> None:
        self.troubles = tuple(sorted(troubles))
        super().__init__("\n".join(map(str, self.troubles)))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like `word`, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - only needed when something is wrong

    by_lower = {k.lower(): k for k in known}
    found = get_close_matches(word[:100].lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""


def unknown(what: str, word: str, known: Iterable[str], where: str = "") -> tuple[str, str]:
    """(what is wrong, what to write) for a word that is none of `known`."""
    words = tuple(known)
    near = nearest(word, words)
    if near:
        return f'{what} {quoted(word)}{where}; did you mean "{near}"?', near
    return f"{what} {quoted(word)}{where}", f"one of {', '.join(words)}" if words else ""


def quoted(text: str) -> str:
    """`text` as it can be shown to a person: short, in quotes, control characters visible."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:60])
    return f'"{shown}..."' if len(text) > 60 else f'"{shown}"'
