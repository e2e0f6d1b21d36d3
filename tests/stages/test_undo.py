"""Whether a release can be undone, read from a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatchway.core import events as ev
from hatchway.core.migrations import MOST_BYTES, SourceFile
from hatchway.core.undo import Undo
from hatchway.forge.port import Changes
from hatchway.journal.batch import MAX_PAYLOAD
from hatchway.settings.manifest import read_manifest
from hatchway.stages.undo import MOST_MIGRATIONS, undo_of_release


class Forge:
    """A repository as a dictionary; what is above `most` bytes has no content."""

    def __init__(self, old: dict[str, bytes], new: dict[str, bytes]) -> None:
        self.trees = {"old": old, "new": new}
        self.asked: list[str] = []

    async def difference(self, base: str, commit: str) -> tuple[SourceFile, ...]:
        old, new = self.trees[base], self.trees[commit]
        return tuple(
            SourceFile(p, "added" if p not in old else "deleted" if p not in new else "changed")
            for p in sorted({*old, *new})
            if old.get(p) != new.get(p)
        )

    async def read(self, commit: str, path: str, most: int) -> SourceFile | None:
        self.asked.append(path)
        data = self.trees[commit].get(path)
        if data is None:
            return None
        return SourceFile(path, "changed", data if len(data) <= most else None, len(data))

    async def resolve(self, ref: str) -> str:
        return ref

    async def version(self, commit: str) -> str:
        return commit

    async def changes(self, base: str, commit: str) -> Changes:
        return Changes((), (), 0)

    async def checkout(self, commit: str) -> Path:
        return Path()


async def undo(old: dict[str, bytes], new: dict[str, bytes]) -> Undo:
    return await undo_of_release("old", "new", Forge(old, new), read_manifest)


async def test_a_release_of_code_alone_is_safe_to_undo() -> None:
    said = await undo({"a.py": b"1"}, {"a.py": b"2"})
    assert (said.safe, said.residue) == ("yes", ())


@pytest.mark.parametrize(
    ("content", "safe", "words"),
    [
        (b"DROP TABLE a;", "no", "migration 0042 drops the table a"),
        (b"DROP TABLE a;\r\n", "no", "drops the table a"),
        (b"-- " + b"x" * MOST_BYTES, "unknown", "too large to be read"),
        (b"\x89PNG\x00", "unknown", "is binary"),
        (b"DROP \xff", "unknown", "is not UTF-8"),
        (b"CREATE TABLE a (b int);", "unknown", "counts as"),
    ],
)
async def test_what_a_new_migration_does_is_read(content: bytes, safe: str, words: str) -> None:
    said = await undo({}, {"migrations/0042_a.sql": content})
    assert said.safe == safe
    assert any(words in r.text for r in said.against), said


async def test_a_migration_that_the_new_version_lacks_is_seen() -> None:
    said = await undo({"migrations/9.sql": b"x"}, {})
    assert said.safe == "unknown"
    assert "not there any more" in said.against[0].text


async def test_only_what_may_be_a_migration_is_read() -> None:
    forge = Forge({}, {"a.py": b"1", "migrations/1.sql": b"SET x=1"})
    await undo_of_release("old", "new", forge, read_manifest)
    assert forge.asked == [".hatchway.yaml", ".hatchway.yaml", "migrations/1.sql"]


async def test_of_very_many_the_worst_is_told_and_it_fits_into_the_journal() -> None:
    many = {f"migrations/{n:04}_{'x' * 250}.sql": b"SELECT f()" for n in range(1000)}
    many["migrations/0001_drop.sql"] = b"DROP TABLE a"
    forge = Forge({}, many)
    said = await undo_of_release("old", "new", forge, read_manifest)
    assert len(forge.asked) <= MOST_MIGRATIONS + 2
    assert said.safe == "no"
    assert said.against[0].text == "migration 0001 drops the table a"
    event = ev.ReleaseRequested(
        run="1", risk="HIGH", reasons=(), attention=(), changes=(), files=(), undo=said
    )
    assert len(ev.encode(event)) < MAX_PAYLOAD / 10


async def test_a_declaration_that_is_too_large_is_none_that_can_be_read() -> None:
    said = await undo({}, {".hatchway.yaml": b"#" * 2_000_000})
    assert said.safe == "unknown"
