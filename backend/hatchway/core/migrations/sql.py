"""What SQL statements do to a version that does not know them.

Read by tokens, so that a comment, a string or a quoted name hides nothing and invents nothing. Of
several dialects what they share; a statement that is not known is unclear, never harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from hatchway.core.migrations.found import Seen, breaks, unclear

_SHAPES = r"""(?P<space>\s+|--[^\n]*)
      | (?P<comment>/\*(?!M?!))
      | (?P<executed>/\*M?!\d*|\*/)
      | (?P<string>[eEnNbBxX]?'(?:[^'\\]|\'\'|ESCAPE)*'?)
      | (?P<quoted>"(?:[^"\\]|""|ESCAPE)*"?|`(?:[^`]|``)*`?|\[[^\]\n]*\])
      | (?P<dollar>\$(?:[A-Za-z_]\w*)?\$)
      | (?P<word>[^\W\d]\w*)
      | (?P<other>.)"""
_FLAGS = re.VERBOSE | re.DOTALL
_BACKSLASH_ESCAPES = re.compile(_SHAPES.replace("ESCAPE", r"\\."), _FLAGS)
_BACKSLASH_IS_ITSELF = re.compile(_SHAPES.replace("ESCAPE", r"\\"), _FLAGS)
_GO = re.compile(r"^[ \t]*GO(?:[ \t]+\d+)?[ \t]*$", re.IGNORECASE | re.MULTILINE)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_OPEN = "an open quote"
_DYNAMIC = {"EXECUTE", "EXEC", "PREPARE"}


class Token(Struct, frozen=True):
    """A word, a quoted name, a string or a sign. `key` is what is compared; empty but for words."""

    text: str
    key: str = ""


def tokens(text: str, pattern: re.Pattern[str] = _BACKSLASH_ESCAPES) -> Iterator[Token]:
    """The tokens of `text` without comments; what MySQL runs in a comment (/*! */) is there.

    The body of a $$function$$ comes as its tokens, too: it may run.
    """
    at = 0
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:  # no such text: `other` takes any character
            return
        at = match.end()
        kind, said = match.lastgroup, match[0]
        if kind in ("string", "quoted") and not _is_closed(said):
            yield Token("", _OPEN)
        if kind == "comment":
            at = _end_of_comment(text, at)
        elif kind == "word":
            yield Token(said, said.upper())
        elif kind == "quoted":
            yield Token(said[1:-1] or said)
        elif kind == "string":
            yield Token(said, "'")
        elif kind == "dollar":
            yield Token(said, "$$")
        elif kind == "other":
            yield Token(said, said)


def _is_closed(said: str) -> bool:
    first = next(c for c in said if c in "'\"`[")
    return said[-1] == {"[": "]"}.get(first, first) and len(said) > said.index(first) + 1


def _end_of_comment(text: str, at: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, at)
        if edge is None:
            return len(text)
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at


def read_sql(text: str) -> tuple[Seen, ...]:
    """What the statements do, in their order.

    Databases differ in what a backslash means within quotes: where it matters both are read.
    """
    text = _GO.sub(";", text)
    found = _read(text, _BACKSLASH_ESCAPES)
    return (*found, *_read(text, _BACKSLASH_IS_ITSELF)) if "\\" in text else found


def _read(text: str, pattern: re.Pattern[str]) -> tuple[Seen, ...]:
    found: list[Seen] = []
    for statement in _split(list(tokens(text, pattern)), ";"):
        keys = [token.key for token in statement]
        seen = _statement(statement)
        found += seen or _unexpected(keys)
        if _OPEN in keys:
            found.append(unclear("holds a quote that is not closed"))
        if "\\" in keys:
            found.append(unclear("holds a command of the client (\\)"))
    return tuple(found)


_STARTS = {
    *("DROP", "RENAME", "TRUNCATE", "DELETE", "UPDATE", "REVOKE", "MERGE", "CALL", "MODIFY"),
    *("ALTER", "CHANGE"),
}


def _unexpected(keys: list[str]) -> list[Seen]:
    """What may be a second statement: not every database wants a semicolon between two."""
    if keys[0] in ("GRANT", "COMMENT"):
        return []
    for before, key, after in zip(keys, keys[1:], [*keys[2:], ""], strict=False):
        harmless = before in ("ON", "FOR") or (
            key == "ALTER" and after != "TABLE" and keys[0] == key
        )
        if key in _STARTS and not harmless:
            return [unclear(f"holds {key} where a statement of its own may begin")]
    return []


def _split(words: Sequence[Token], at: str) -> Iterator[list[Token]]:
    """The parts between `at` outside of parentheses; none of them empty."""
    part: list[Token] = []
    depth = 0
    for token in words:
        depth += {"(": 1, ")": -1}.get(token.key, 0)
        if token.key == at and (depth <= 0 or at == ";"):
            if part:
                yield part
            part, depth = [], 0
        else:
            part.append(token)
    if part:
        yield part


_SILENT = {
    *("BEGIN", "COMMIT", "START", "SET", "ANALYZE", "VACUUM", "COMMENT", "GRANT", "INSERT"),
    *("SAVEPOINT", "PRAGMA", "USE", "GO", "RESET", "SHOW", "END"),
}
_MAKES = {
    *("TABLE", "INDEX", "VIEW", "SEQUENCE", "SCHEMA", "TYPE", "EXTENSION", "MATERIALIZED"),
    *("TEMPORARY", "TEMP", "UNLOGGED", "DOMAIN", "DATABASE", "ROLE", "USER", "GLOBAL", "LOCAL"),
}


def _statement(words: list[Token]) -> list[Seen]:
    keys = [t.key for t in words]
    first, second = keys[0], keys[1] if len(keys) > 1 else ""
    if "$$" in keys or any(k in _DYNAMIC for k in keys):
        return _code(words, keys)
    match first:
        case "DROP":
            return [_drop(words, keys)]
        case "ALTER":
            return _alter(words, keys)
        case "TRUNCATE":
            return [breaks(f"empties {_name(words[1:])}")]
        case "DELETE":
            return [breaks(f"deletes rows of {_name(words[1:])}")]
        case "REVOKE":
            return [breaks("takes rights away (REVOKE)")]
        case "RENAME":
            return [breaks(f"renames {_name(words[1:])}")]
        case "UPDATE":
            return [unclear(f"rewrites rows of {_name(words[1:])}")]
        case "CREATE":
            return _create(words, keys)
        case _ if first in _SILENT:
            return []
        case "IF" | "DO" | "WITH" | "CALL" | "SELECT" | "DECLARE":
            return _code(words, keys)
    shown = " ".join(t.text for t in words[:3])
    return [
        unclear(f"holds a statement that is not known: {shown[:60]} {second and '...'}".strip())
    ]


def _code(words: list[Token], keys: list[str]) -> list[Seen]:
    """Code within SQL: what it certainly names is seen, what it does besides is unclear."""
    found = []
    inside = words
    if any(k in _DYNAMIC for k in keys):
        inside = [t for w in words for t in (tokens(w.text.strip("'")) if w.key == "'" else (w,))]
    for at, token in enumerate(inside):
        following = inside[at + 1 : at + 2]
        if token.key in ("DROP", "TRUNCATE", "RENAME") and following:
            found.append(breaks(f"runs code with {token.key} {following[0].text[:40]}"))
    return [*found, unclear(f"runs code ({words[0].text[:20]})")]


_DROPPED = {
    *("TABLE", "VIEW", "SCHEMA", "DATABASE", "TYPE", "FUNCTION", "PROCEDURE", "SEQUENCE"),
    *("MATERIALIZED", "DOMAIN", "EXTENSION", "COLUMN", "FOREIGN", "AGGREGATE", "ROLE", "USER"),
}


def _drop(words: list[Token], keys: list[str]) -> Seen:
    what = keys[1] if len(keys) > 1 else ""
    if what in _DROPPED:
        return breaks(f"drops the {what.lower()} {_name(words[2:])}")
    return unclear(f"drops {what.lower()} {_name(words[2:])}".replace("  ", " "))


def _create(words: list[Token], keys: list[str]) -> list[Seen]:
    if keys[1:3] == ["OR", "REPLACE"]:
        what = keys[3].lower() if len(keys) > 3 else ""
        return [unclear(f"replaces the {what} {_name(words[4:])}")]
    if "UNIQUE" in keys[1:2]:
        return [unclear(f"forbids duplicates ({_name(words[3:])})")]
    if any(key in _MAKES for key in keys[1:3]):
        return []
    return [unclear(f"creates a {' '.join(k.lower() for k in keys[1:2])} that may change writes")]


def _alter(words: list[Token], keys: list[str]) -> list[Seen]:
    what = keys[1] if len(keys) > 1 else ""
    if what == "TYPE":
        if "ADD" in keys and "VALUE" in keys:
            return [unclear(f"adds a value to the type {_name(words[2:])}")]
        return [breaks(f"changes the type {_name(words[2:])}")]
    if what in ("FOREIGN", "MATERIALIZED"):
        words, keys = [words[0], *words[2:]], [keys[0], *keys[2:]]
        what = keys[1] if len(keys) > 1 else ""
    if what not in ("TABLE", "VIEW", "INDEX", "SEQUENCE", "SCHEMA", "DATABASE"):
        return [unclear(f"alters {what.lower()} {_name(words[2:])}")]
    rest = words[2:]
    while rest and rest[0].key in ("IF", "EXISTS", "ONLY", "IGNORE"):
        rest = rest[1:]
    length = 1
    while len(rest) > length + 1 and rest[length].key == ".":
        length += 2
    table = "".join(t.text for t in rest[:length])
    found = []
    for action in _split(rest[length:], ","):
        found += _table_action(table, action, [t.key for t in action])
    return found if rest[length:] else [unclear(f"alters {table}")]


def _table_action(table: str, words: list[Token], keys: list[str]) -> list[Seen]:
    """One action of ALTER TABLE."""
    match keys:
        case ["RENAME", *_]:
            to = f".{_column(words[1:])}" if "COLUMN" in keys[1:2] else ""
            return [breaks(f"renames {table}{to}")]
        case ["DROP", "CONSTRAINT" | "INDEX" | "KEY" | "CHECK" | "PRIMARY" | "FOREIGN", *_]:
            return [unclear(f"drops the {keys[1].lower()} {_name(words[2:])} of {table}")]
        case ["DROP", *_]:
            return [breaks(f"drops the column {table}.{_column(words[1:])}")]
        case ["MODIFY" | "CHANGE", *_]:
            return [breaks(f"changes the column {table}.{_column(words[1:])}")]
        case ["ALTER", *_]:
            return [_altered(table, words[1:], keys[1:])]
        case ["ADD", *_]:
            return _added(table, words[1:], keys[1:])
        case ["SET" | "RESET" | "ENGINE" | "COMMENT" | "VALIDATE" | "CLUSTER", *_]:
            return [] if keys[:2] != ["SET", "SCHEMA"] else [breaks(f"moves {table}")]
    return [unclear(f"alters {table}: {' '.join(t.text for t in words[:3])[:40]}")]


def _altered(table: str, words: list[Token], keys: list[str]) -> Seen:
    column = f"{table}.{_column(words)}"
    tail = keys[2:] if keys[:1] == ["COLUMN"] else keys[1:]
    match tail:
        case ["SET", "NOT", "NULL", *_]:
            return breaks(f"{column} may not be empty any more")
        case ["SET" | "DROP", "DEFAULT", *_] | ["DROP", "NOT", "NULL", *_]:
            return unclear(f"{column}: {' '.join(tail[:3]).lower()}")
        case ["SET", "STATISTICS" | "STORAGE" | "COMPRESSION", *_]:
            return Seen("adds", f"tunes {column}")
    return breaks(f"changes the type of {column}")


_CONSTRAINTS = {"CONSTRAINT", "CHECK", "UNIQUE", "FOREIGN", "PRIMARY", "EXCLUDE"}
_FILLS_ITSELF = {"DEFAULT", "GENERATED", "IDENTITY", "SERIAL", "BIGSERIAL", "AUTO_INCREMENT", "AS"}


def _added(table: str, words: list[Token], keys: list[str]) -> list[Seen]:
    if keys[:1] and keys[0] in _CONSTRAINTS:
        return [unclear(f"adds a constraint to {table}")]
    if keys[:1] and keys[0] in ("INDEX", "KEY", "FULLTEXT", "SPATIAL", "PARTITION"):
        return []
    column = f"{table}.{_column(words)}"
    needs = any(keys[i : i + 2] == ["NOT", "NULL"] for i in range(len(keys)))
    if needs and not _FILLS_ITSELF & set(keys):
        return [breaks(f"adds {column}, which may not be empty and has no default")]
    if {"UNIQUE", "PRIMARY", "CHECK", "REFERENCES"} & set(keys) and needs:
        return [unclear(f"adds {column} with a constraint")]
    return []


_FILLERS = {"COLUMN", "IF", "NOT", "EXISTS", "ONLY", "FROM", "TABLE", "INTO", "CONCURRENTLY"}


def _name(words: Sequence[Token]) -> str:
    """The (dotted) name that comes next."""
    rest = [t for t in words if t.key not in _FILLERS]
    name = rest[0].text if rest else "something"
    for dot, part in zip(rest[1::2], rest[2::2], strict=False):
        if dot.key != ".":
            break
        name += f".{part.text}"
    return name[:80]


def _column(words: Sequence[Token]) -> str:
    rest = [t for t in words if t.key not in _FILLERS and t.key != "("]
    return rest[0].text[:60] if rest else "?"
