"""What a Rails migration does, read line by line; a line that is not known is unclear."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hatchway.core.migrations.found import Seen, breaks, unclear
from hatchway.core.migrations.python import NO_WAY_BACK, Read
from hatchway.core.migrations.sql import read_sql

_SECTION = re.compile(r"^[ \t]*def[ \t]+(?:self\.)?(\w+)", re.MULTILINE)
_COMMENT = re.compile(r"(?<![\w'\"#])#(?!\{)[^\n]*")
_HEREDOC = re.compile(r"<<[~-]?['\"`]?([A-Za-z_]\w*)['\"`]?")
_VERB = re.compile(r"(?:(\w+)\.)?(\w+[?!]?)")
_ARGUMENTS = re.compile(r"[:\"'](\w+)[\"']?")
_ALONE = re.compile(r"[\s(]*")
_REST = re.compile(r"[\s)]*(?:\.(?:squish|strip|strip_heredoc|chomp)[\s)]*)?")
_ENDS = re.compile(r"\r?\n|;|[{}](?:\s*\|[\w, ]*\|)?")  # a block in braces holds statements
_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'")

_BREAKS = {
    "remove_column": "drops the column", "remove_columns": "drops columns of",
    "drop_table": "drops the table", "drop_join_table": "drops the table",
    "rename_column": "renames the column", "rename_table": "renames the table",
    "change_column": "changes the type of", "remove_reference": "drops the column",
    "remove_belongs_to": "drops the column", "remove_timestamps": "drops the columns of",
    "remove": "drops the column", "rename": "renames the column", "change": "changes the type of",
}  # fmt: skip
_ADDS = {
    *("create_table", "create_join_table", "change_table", "add_index", "end", "enable_extension"),
    *("disable_ddl_transaction", "disable_ddl_transaction!", "class", "private", "add_column"),
    *("create_enum", "index", "safety_assured", "add_reference", "add_belongs_to", "say"),
}
_NULL_FALSE = re.compile(r"null:\s*false|:null\s*=>\s*false")
_DEFAULT = re.compile(r"default:|:default\s*=>")
_UNIQUE = re.compile(r"unique:\s*true|:unique\s*=>\s*true")


def read_rails(text: str) -> Read:
    """What `change` or `up` does, and whether there is a `down`."""
    sections = _sections(_COMMENT.sub("", _without_blocks(text)))
    body = sections.get("up", sections.get("change"))
    if body is None:
        return (unclear("has neither change nor up"),), "unknown"
    found = list(_read(body))
    down = sections.get("down", "")
    if "IrreversibleMigration" in down or re.search(r"^\s*raise\b", down, re.MULTILINE):
        return (*found, unclear(NO_WAY_BACK)), "no"
    has_down = any(line.strip() not in ("", "end") for line in down.splitlines())
    return tuple(found), "yes" if has_down or "change" in sections else "no"


def _without_blocks(text: str) -> str:
    """Without what stands between =begin and =end."""
    kept, inside = [], False
    for line in text.split("\n"):
        inside = inside or line.startswith("=begin")
        if not inside:
            kept.append(line)
        inside = inside and not line.startswith("=end")
    return "\n".join(kept)


def _lift(text: str) -> tuple[str, list[str]]:
    """The text with a number for each heredoc, and what they hold; read once, line by line."""
    kept: list[str] = []
    found: list[str] = []
    body: list[str] = []
    tag = ""
    for line in text.split("\n"):
        match = _HEREDOC.search(line)
        if tag:
            if line.strip() == tag:
                found.append("\n".join(body))
                tag, body = "", []
            else:
                body.append(line)
        elif match is None:
            kept.append(line)
        else:
            tag = match[1]
            kept.append(f'{line[: match.start()]}"<heredoc {len(found)}>"{line[match.end() :]}')
    if tag:  # never closed: what follows is seen as if it ran
        found.append("\n".join(body))
    return "\n".join(kept), found


def _sections(text: str) -> dict[str, str]:
    marks = list(_SECTION.finditer(text))
    ends = [m.start() for m in marks[1:]] + [len(text)]
    # What other methods do is not followed: calling one is a line that is not known.
    return {m[1]: text[m.end() : end] for m, end in zip(marks, ends, strict=False)}


def _read(body: str) -> Iterator[Seen]:
    body, heredocs = _lift(body)
    inside = ""  # the table that a block makes or changes
    creates = False
    for line in _lines(body):
        match = _VERB.match(line)
        if match is None:
            if line.strip("()[]{} "):
                yield unclear(f"runs code: {line[:40]}")
            continue
        receiver, verb = match[1], match[2]
        names = _ARGUMENTS.findall(line[match.end() :])
        if verb in ("create_table", "change_table"):
            inside, creates = names[0] if names else "?", verb == "create_table"
        if receiver and receiver not in ("t", "table"):
            yield unclear(f"runs code: {line[:40]}")
        elif receiver:
            if not creates:
                yield from _statement(verb, [inside, *names[:1]], line, in_block=True)
        elif verb == "execute":
            yield from _sql(line, heredocs)
        else:
            yield from _statement(verb, names[:2], line, in_block=False)


def _lines(text: str) -> Iterator[str]:
    """Statements: a line that ends in a comma or an open bracket goes on."""
    kept = ""
    for line in _ENDS.split(text):
        kept = f"{kept} {line.strip()}".strip()
        if kept.endswith((",", "(", "\\")):
            continue
        if kept:
            yield kept
        kept = ""
    if kept:
        yield kept


def _statement(verb: str, names: list[str], line: str, *, in_block: bool) -> Iterator[Seen]:
    where = ".".join(names) or "something"
    if verb in _BREAKS:
        yield breaks(f"{_BREAKS[verb]} {where}")
    elif verb == "change_column_null" and re.search(r"\bfalse\b", line):
        yield breaks(f"{where} may not be empty any more")
    elif verb in ("add_timestamps", "timestamps") and "null: true" not in line:
        if not _DEFAULT.search(line):
            yield breaks(f"adds timestamps to {where}, which may not be empty and have no default")
    elif _NULL_FALSE.search(line) and not _DEFAULT.search(line) and verb != "create_table":
        yield breaks(f"adds {where}, which may not be empty and has no default")
    elif _UNIQUE.search(line):
        yield unclear(f"forbids duplicates ({where})")
    elif not (verb in _ADDS or in_block):
        yield unclear(f"{verb} {where}")


def _sql(line: str, heredocs: list[str]) -> Iterator[Seen]:
    match = _STRING.search(line)
    text = next((g for g in match.groups() if g is not None), "") if match else ""
    number = re.fullmatch(r"<heredoc (\d+)>", text)
    if number:
        text = heredocs[int(number[1])]
    alone = match is not None and _ALONE.fullmatch(line[: match.start()], len("execute"))
    if not text or not alone or not _REST.fullmatch(line, match.end()) or "#{" in text:  # type: ignore[union-attr]
        yield unclear("runs SQL that cannot be seen")
    yield from read_sql(text)
