"""What a person is shown before saying yes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.migrations import SourceFile
from hatchway.core.plan import PipelinePlan, ReleaseStage, RiskRule
from hatchway.core.state import Run, State
from hatchway.forge.port import ChangedFile, Changes
from hatchway.journal.batch import MAX_PAYLOAD
from hatchway.settings.manifest import read_manifest
from hatchway.stages.release import MOST_FILES, request_release


class Forge:
    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self.sources: tuple[SourceFile, ...] = ()
        self.files: dict[tuple[str, str], bytes] = {}

    async def changes(self, base: str, commit: str) -> Changes:
        return self._changes

    async def resolve(self, ref: str) -> str:
        return ref

    async def version(self, commit: str) -> str:
        return commit

    async def difference(self, base: str, commit: str) -> tuple[SourceFile, ...]:
        return self.sources

    async def read(self, commit: str, path: str, most: int) -> SourceFile | None:
        text = self.files.get((commit, path))
        return None if text is None else SourceFile(path, "changed", text, len(text))

    async def checkout(self, commit: str) -> Path:
        return Path()


def run() -> Run:
    rules = (
        RiskRule("migrations/*", "HIGH", "migrates the database"),
        RiskRule("src/*", "LOW", "c"),
    )
    plan = PipelinePlan("shop", "shop", "prod", (ReleaseStage("release", risk_rules=rules),))
    given: dict[str, Any] = dict.fromkeys(("commit", "base", "from_version", "to_version"), "x")
    started = ev.RunStarted(
        run="1", service="shop", environment="prod", mode="act", pace=1.0, plan=plan,
        policy_digest="", **given,
    )  # fmt: skip
    return evolve(State(), started, seq=1, at=0.0, idem="").runs["1"]


async def test_of_very_many_files_the_riskiest_are_listed_and_all_are_assessed() -> None:
    files = [ChangedFile(f"src/{'x' * 3000}{i}", 1, 1) for i in range(20_000)]
    files.append(ChangedFile("migrations/119.sql", 1, 0))
    commits = (ev.Change("c", "ana", "t"),)
    found = await request_release(
        run(), "release", Forge(Changes(commits, tuple(files), 900)), read_manifest
    )
    assert found.risk == "HIGH"
    assert len(found.files) == MOST_FILES
    assert found.files[0].startswith("migrations/119.sql")
    assert any("20001 files" in line for line in found.attention)
    assert any("900 commits" in line for line in found.attention)
    assert len(ev.encode(found)) < MAX_PAYLOAD / 10


async def test_files_are_worded_with_their_lines() -> None:
    files = (ChangedFile("src/a", 3, 1), ChangedFile("src/logo", -1, -1))
    found = await request_release(run(), "release", Forge(Changes((), files, 0)), read_manifest)
    assert found.files == ("src/a  +3 -1", "src/logo  binary")
    assert found.attention == ()
    assert msgspec.json.decode(ev.encode(found))["risk"] == "LOW"
