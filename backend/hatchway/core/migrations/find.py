"""Which files of a release are migrations, and what each does."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hatchway.core.migrations import python, rails
from hatchway.core.migrations.found import (
    MOST_BYTES,
    Framework,
    Migration,
    Seen,
    SourceFile,
    notable,
    unclear,
    worst,
)
from hatchway.core.migrations.sql import read_sql

_FOLDERS = {"migrations", "migration", "migrate", "changesets", "changelogs", "schema_migrations"}
_FLYWAY = re.compile(r"([VUBR])([0-9][0-9._]*)?__.+\.(sql|java|kt)", re.IGNORECASE)
_NUMBERED = re.compile(r"V?([0-9]{1,20}(?:[._][0-9]+)*)(?=[._-]|$)", re.IGNORECASE)
_NO_MIGRATION = (".md", ".rst", ".txt", ".toml", ".lock", ".sum", ".mako", ".ini", ".cfg", ".pyc")
_NO_MIGRATION_NAMES = {"env.py", "readme", ".gitkeep", ".keep", ".gitignore", "license"}
_DUMPS = {"structure.sql"}  # what Rails writes after it has migrated
_NO_SCHEMA_FOLDERS = {"queries", "query", "tests", "test", "spec", "fixtures"}
_DOWN_SECTION = re.compile(
    r"^[ \t]*--[ \t]*(?:\+goose[ \t]+down|migrate:down|//@undo|\+migrate[ \t]+down|rollback)\b.*",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_DOWN_FILE = re.compile(r"(?:[._-](?:down|undo|rollback|revert)|^down)\.sql$", re.IGNORECASE)


def may_be_migration(path: str) -> bool:
    """Whether a file with this path has to be read to know."""
    *folders, name = path.split("/")
    low = name.lower()
    if low in _NO_MIGRATION_NAMES or low.endswith(_NO_MIGRATION):
        return False
    if _FLYWAY.fullmatch(name):
        return True
    lowered = [folder.lower() for folder in folders]
    if "meta" in lowered and low.endswith(".json"):
        return False
    if _FOLDERS & set(lowered):
        return True
    if "versions" in lowered and low.endswith(".py"):
        return True
    if not low.endswith(".sql") or low in _DUMPS or _NO_SCHEMA_FOLDERS & set(lowered):
        return False
    return bool({"sql", "db", "database", "schema", "ddl"} & set(lowered))


def find_migrations(files: Iterable[SourceFile]) -> tuple[Migration, ...]:
    """The migrations among the files that differ, by path.

    What undoes one (.down.sql, U42__) is none by itself: Hatchway never runs it.
    """
    listed = sorted((f for f in files if may_be_migration(f.path)), key=lambda f: f.path)
    undone = {_stem(f.path) for f in listed if _is_down(f.path)}
    found = (_migration(f, undone) for f in listed if not _is_down(f.path))
    return tuple(m for m in found if m is not None)


def _is_down(path: str) -> bool:
    name = path.rpartition("/")[2]
    flyway = _FLYWAY.fullmatch(name)
    return bool(_DOWN_FILE.search(name)) or (flyway is not None and flyway[1] in "uU")


def _stem(path: str) -> str:
    """What a migration and the file that undoes it have in common."""
    folder, _, name = path.rpartition("/")
    flyway = _FLYWAY.fullmatch(name)
    if flyway and flyway[1] in "vVuU":
        return f"{folder}/V{flyway[2]}"
    name = re.sub(r"(?:[._-](?:up|down|undo|rollback|revert))?\.sql$", "", name, flags=re.I)
    return f"{folder}/{'' if name.lower() in ('up', 'down') else name}"


def _migration(file: SourceFile, undone: set[str]) -> Migration | None:
    name = file.path.rpartition("/")[2]
    if file.change == "deleted":
        return _made(
            file, "other", (unclear("is not there any more, and may have run"),), "unknown"
        )
    text, trouble = _text(file)
    if trouble:
        return _made(file, _by_name(file.path), (unclear(trouble),), "unknown")
    changed = (unclear("was changed, and may have run before"),) if file.change == "changed" else ()
    if name.lower().endswith(".sql"):
        framework: Framework = "flyway" if _FLYWAY.fullmatch(name) else "sql"
        up, down = _sections(text)
        seen: tuple[Seen, ...] = read_sql(up)
        has_down = bool(down.strip()) or _stem(file.path) in undone
        return _made(file, framework, (*changed, *seen), "yes" if has_down else "no")
    if name.endswith(".py"):
        return _python(file, text, changed)
    if name.endswith(".rb"):
        seen, back = rails.read_rails(text)
        return _made(file, "rails", (*changed, *seen), back)
    return _made(file, "other", (*changed, unclear("is of a kind that is not read")), "unknown")


def _python(file: SourceFile, text: str, changed: tuple[Seen, ...]) -> Migration | None:
    if not text.strip():
        return None  # __init__.py
    tree = python.parse(text)
    if tree is None:
        return _made(file, "other", (unclear("cannot be read as Python"),), "unknown")
    if python.is_alembic(tree):
        seen, back = python.read_alembic(tree)
        return _made(file, "alembic", (*changed, *seen), back)
    if python.is_django(tree):
        seen, back = python.read_django(tree)
        return _made(file, "django", (*changed, *seen), back)
    if not _FOLDERS & {part.lower() for part in file.path.split("/")[:-1]}:
        return None  # a folder that is only called versions
    return _made(file, "other", (unclear("is Python of a kind that is not read"),), "unknown")


def _made(file: SourceFile, framework: Framework, seen: tuple[Seen, ...], back: str) -> Migration:
    return Migration(
        name=_name(file.path),
        path=file.path[:300],
        framework=framework,
        effect=worst(seen),
        seen=notable(seen)[:20],
        back="yes" if back == "yes" else "no" if back == "no" else "unknown",
    )


def _name(path: str) -> str:
    """The number of a migration, as people call it; else its file's name."""
    folder, _, name = path.rpartition("/")
    number = _NUMBERED.match(name) or _NUMBERED.match(folder.rpartition("/")[2])
    return number[1] if number else name[:60]


def _by_name(path: str) -> Framework:
    name = path.rpartition("/")[2]
    if _FLYWAY.fullmatch(name):
        return "flyway"
    return "sql" if name.lower().endswith(".sql") else "other"


def _text(file: SourceFile) -> tuple[str, str]:
    """The content, or why there is none."""
    if file.size > MOST_BYTES:
        return "", f"is {file.size / 1e6:.1f} MB, too large to be read"
    if file.data is None:
        return "", "cannot be read"
    if b"\0" in file.data:
        return "", "is binary"
    try:
        return file.data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return "", "is not UTF-8"


def _sections(text: str) -> tuple[str, str]:
    """What goes up, and the part that goes down, where both stand in one file."""
    down = _DOWN_SECTION.search(text)
    if down is None:
        return text, ""
    # Whatever comes after goes down, unless another part goes up again.
    again = re.search(r"^[ \t]*--[ \t]*(?:\+goose[ \t]+up|migrate:up|\+migrate[ \t]+up)\b",
                      down[0], re.I | re.M)  # fmt: skip
    up = text[: down.start()]
    if again:
        return up + down[0][again.start() :], down[0][: again.start()]
    return up, down[0].partition("\n")[2]
