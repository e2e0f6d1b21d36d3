"""The judge stays as fast and as honest as it was: the simulation's short form, with a fixed seed.

What the goals are, where each stands and by how much it is missed: tests/bench/judge/run.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[1] / "bench" / "judge"
GOALS = ("G1", "G2", "G3", "G4", "G5", "G6")

pytestmark = pytest.mark.timeout(600)  # on a busy machine; some 25 s of work


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    """The simulation, imported as its own script does."""
    sys.path.insert(0, str(BENCH))
    try:
        import run

        yield run
    finally:
        sys.path.remove(str(BENCH))


@pytest.fixture(scope="module")
def findings(bench: ModuleType) -> list[Any]:
    found: list[Any] = bench.short_findings()
    return found


def test_no_goal_is_further_away_than_it_was(findings: list[Any]) -> None:
    assert {finding.goal for finding in findings} == set(GOALS)
    worse = [finding.line() for finding in findings if finding.worse_than_guard]
    assert not worse, "\n".join(worse)


def test_a_judge_that_is_slower_is_noticed(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = sys.modules["judged"]
    slow = judged.JudgeConfig
    monkeypatch.setattr(judged, "JudgeConfig", lambda **given: slow(**{"warmup_s": 60.0, **given}))
    assert "G2" in broken(bench, "errors x5", 20)


def test_a_judge_that_cries_wolf_is_noticed(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = sys.modules["judged"]
    kept = judged.JudgeConfig
    hasty = {"rollback_at": 2.0, "hold_at": 2.0, "r0_floor": 1.0, "phi_floor": 1.0}
    monkeypatch.setattr(judged, "JudgeConfig", lambda **given: kept(**hasty, **given))
    assert "G1" in broken(bench, "A/A", 20)


def broken(bench: ModuleType, cell: str, rollouts: int) -> set[str]:
    """The goals whose guard breaks on one cell."""
    tally = bench.tallied(bench.replace(bench.BY_NAME[cell], ways=bench.EVERY_5), rollouts, 20, map)
    goals = sys.modules["goals"]
    return {finding.goal for finding in goals.findings({cell: tally}) if finding.worse_than_guard}
