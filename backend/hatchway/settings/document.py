"""A YAML file as a small tree that knows its lines, read without trusting it.

Built from parser events, not by a loader: no tag is ever resolved, nothing is constructed, and
nesting, size and aliases are bounded before anything looks at the content. A scalar stays text
until a field says what it should be, so `no`, `1e3` and `12:30` mean what they say.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from hatchway.settings.errors import ConfigError, Trouble, quoted

try:
    from yaml._yaml import CParser as _Parser
except ImportError:  # a build of PyYAML without libyaml: the same events, slower
    from yaml import SafeLoader as _Parser  # type: ignore[assignment]

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_NODES = 50_000
MAX_ALIASED_NODES = 1_000
"""How many nodes all aliases of a file may stand for together."""


class Scalar(Struct, frozen=True):
    """A single value as it was written."""

    text: str
    plain: bool  # without quotes
    line: int
    column: int

    @property
    def empty(self) -> bool:
        """Nothing was written (`key:`), or a null."""
        return self.plain and self.text in {"", "~", "null"}


class Items(Struct, frozen=True):
    """A list."""

    items: tuple[Node, ...]
    line: int
    column: int


class Entry(Struct, frozen=True):
    """A key of a mapping and its value."""

    key: Scalar
    value: Node


class Table(Struct, frozen=True):
    """A mapping, in the order of the file."""

    entries: dict[str, Entry]
    line: int
    column: int


Node = Scalar | Items | Table


class Page:
    """One file: its bytes, its tree, and the troubles and notes made while it is read."""

    def __init__(self, file: str, data: bytes) -> None:
        self.file = file
        self.data = data
        self.troubles: list[Trouble] = []
        self.notes: list[Trouble] = []
        self.root: Node | None = None
        try:
            self.root = _Builder(self).build(_text_of(self))
        except ConfigError as error:
            self.troubles.extend(error.troubles)

    def report(self, at: Node | None, what: str, write: str = "") -> None:
        """Note a mistake at a node (or in the file as a whole) and go on reading."""
        line, column = (at.line, at.column) if at else (0, 0)
        self.troubles.append(Trouble(self.file, line, column, what, write))

    def note(self, at: Node | None, what: str, write: str = "") -> None:
        """Note what is allowed and perhaps not meant: it keeps nothing from starting."""
        line, column = (at.line, at.column) if at else (0, 0)
        self.notes.append(Trouble(self.file, line, column, what, write))

    def stop(self, line: int, column: int, what: str, write: str = "") -> ConfigError:
        """The error for a mistake after which reading on makes no sense."""
        return ConfigError([Trouble(self.file, line, column, what, write)])

    def raise_troubles(self) -> None:
        """Raise `ConfigError` if anything was reported."""
        if self.troubles:
            raise ConfigError(self.troubles)


def open_page(path: str | os.PathLike[str]) -> Page:
    """Read a file; its troubles (also: absent, a directory, too large) are in `Page.troubles`."""
    file = os.fspath(path)
    try:
        status = os.stat(file)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError([Trouble(file, 0, 0, "this is not a regular file")])
        with open(file, "rb") as stream:
            return Page(file, stream.read(MAX_BYTES + 1))
    except OSError as error:
        why = (error.strerror or "cannot be read").lower()
        return _unreadable(file, Trouble(file, 0, 0, f"cannot be read: {why}", _where(file)))
    except ConfigError as error:
        return _unreadable(file, *error.troubles)


def _unreadable(file: str, *troubles: Trouble) -> Page:
    page = Page(file, b"{}")
    page.root = None
    page.troubles.extend(troubles)
    return page


def _where(file: str) -> str:
    beside = sorted(p.name for p in Path(file).parent.glob("*.yaml"))[:8]
    return f"one of the files that are there: {', '.join(beside)}" if beside else ""


def _text_of(page: Page) -> str:
    data = page.data
    if len(data) > MAX_BYTES:
        raise page.stop(0, 0, f"larger than {MAX_BYTES:,} bytes: this is not a configuration file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        bad = data[error.start]
        raise page.stop(
            line, 1, f"byte 0x{bad:02x} is not UTF-8", "save the file as UTF-8"
        ) from None
    if not text.strip():
        raise page.stop(0, 0, "the file is empty")
    return text


class _Frame:
    """A list or mapping whose end has not been read yet."""

    def __init__(self, start: Any, is_table: bool) -> None:
        self.place = _place(start)
        self.anchor: str | None = start.anchor
        self.is_table = is_table
        self.items: list[Node] = []
        self.entries: dict[str, Entry] = {}
        self.key: Node | None = None
        self.size = 1

    def node(self) -> Table | Items:
        if self.is_table:
            return Table(self.entries, *self.place)
        return Items(tuple(self.items), *self.place)


def _place(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


class _Builder:
    """Builds the tree with its own stack, so that no nesting can exhaust Python's."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.nodes = 0
        self.aliased = 0
        self.root: Node | None = None

    def build(self, text: str) -> Node:
        try:
            for event in _events(text):
                self._take(event)
        except yaml.YAMLError as error:
            raise self._syntax(error, text) from None
        if self.root is None or (isinstance(self.root, Scalar) and self.root.empty):
            raise self.page.stop(0, 0, "the file says nothing: it holds only comments")
        return self.root

    def _take(self, event: Any) -> None:
        match event:
            case yaml.ScalarEvent():
                self._check(event)
                plain = event.style in {None, ""}
                self._add(Scalar(event.value, plain, *_place(event)), 1, event.anchor)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._check(event)
                if len(self.stack) >= MAX_DEPTH:
                    raise self._at(event, f"nested deeper than {MAX_DEPTH} levels")
                self.stack.append(_Frame(event, isinstance(event, yaml.MappingStartEvent)))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                frame = self.stack.pop()
                self._add(frame.node(), frame.size, frame.anchor)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent() if self.root is not None:
                raise self._at(event, "a second document (---) in one file", "one document a file")

    def _check(self, event: Any) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._at(
                event, f"more than {MAX_NODES:,} values: this is not a configuration file"
            )
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self._at(
                event, f"the tag {quoted(tag)} is not read here", "the value without a tag"
            )

    def _alias(self, event: Any) -> None:
        if event.anchor not in self.anchors:
            raise self._at(
                event, f'the alias "*{event.anchor}" stands for nothing written before it'
            )
        node, size = self.anchors[event.anchor]
        self.aliased += size
        if self.aliased > MAX_ALIASED_NODES:
            raise self._at(
                event,
                f"aliases stand for more than {MAX_ALIASED_NODES:,} values",
                "the values themselves, without anchors and aliases",
            )
        self._add(node, size, None)

    def _add(self, node: Node, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = (node, size)
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        frame.size += size
        if not frame.is_table:
            frame.items.append(node)
        elif frame.key is None:
            frame.key = node
        else:
            self._entry(frame, frame.key, node)
            frame.key = None

    def _entry(self, frame: _Frame, key: Node, value: Node) -> None:
        if not isinstance(key, Scalar):
            self.page.report(key, "a list or mapping as a key", "a name as the key")
        elif key.plain and key.text == "<<":
            self.page.report(key, 'merge keys ("<<") are not read here', "the keys themselves")
        elif key.text in frame.entries:
            first = frame.entries[key.text].key.line
            self.page.report(
                key, f"the key {quoted(key.text)} is here twice (first on line {first})", "it once"
            )
        else:
            frame.entries[key.text] = Entry(key, value)

    def _at(self, event: Any, what: str, write: str = "") -> ConfigError:
        return self.page.stop(*_place(event), what, write)

    def _syntax(self, error: yaml.YAMLError, text: str) -> ConfigError:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        if mark is None:
            position = getattr(error, "position", 0)
            line = text.count("\n", 0, position if isinstance(position, int) else 0) + 1
            return self.page.stop(line, 1, f"cannot be read: {problem}", "printable text only")
        lines = text.splitlines()
        written = lines[mark.line] if mark.line < len(lines) else ""
        if "\t" in written[: len(written) - len(written.lstrip())]:
            return self.page.stop(mark.line + 1, 1, "a tab in the indentation", "spaces")
        context = getattr(error, "context", None)
        words = f"{problem} ({context})" if context else problem
        return self.page.stop(mark.line + 1, mark.column + 1, f"not YAML: {words}")


def _events(text: str) -> Iterator[Any]:
    parser = _Parser(text)
    while True:
        event = parser.get_event()
        yield event
        if isinstance(event, yaml.StreamEndEvent):
            return
