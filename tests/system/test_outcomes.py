"""A release goes from commit to 100 % under the agent's hand, or back when it is not good."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Headless = Callable[..., tuple[dict[str, Any], int]]
WHOLE = ("--pace", "60", "--rate", "300", "--approve", "auto")
QUICK = (*WHOLE, "--pipeline", str(Path(__file__).parent / "quick.yaml"))
BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture(scope="module")
def theory() -> Iterator[ModuleType]:
    """What the judge should make of each fault, imported as the benchmark does."""
    sys.path.insert(0, str(BENCH))
    try:
        import demo_faults

        yield demo_faults
    finally:
        sys.path.remove(str(BENCH))


def beside_theory(theory: ModuleType, journal: Path, fault: str) -> None:
    """The verdict must be the intended one; when it came is printed, and when it should have."""
    said, after = theory.observed(journal, fault)
    assert said == theory.FAULTS[fault].verdict
    expected = theory.simulated(fault, 300, 5, rollouts=20)
    planned = theory.planned(fault, 300, 5)
    print(
        f"\n{fault}: {said} {after:.1f} s after the raise; the judge alone on such figures: "
        f"{expected[2]:.1f} to {expected[-3]:.1f} s"
        + ("" if planned is None else f", planned {planned:.1f} s")
    )


def capabilities(summary: dict[str, Any]) -> list[tuple[str, str]]:
    return [(d["capability"], d["verdict"]) for d in summary["decisions"]]


def test_a_good_release_is_promoted_within_policy(
    headless: Headless, patient_pipeline: Path
) -> None:
    summary, status = headless(*WHOLE, "--mode", "act", "--pipeline", str(patient_pipeline))
    assert (summary["outcome"], status) == ("promoted", 0), summary
    assert summary["max_weight"] == 100
    assert capabilities(summary).count(("promote", "auto")) == 3
    assert all(d["evidence"] for d in summary["decisions"] if d["capability"] == "promote")
    assert summary["journal"]["verified"]
    assert [s["status"] for s in summary["stages"]] == ["passed"] * len(summary["stages"])


def test_in_recommend_mode_each_step_is_a_persons_yes(headless: Headless) -> None:
    summary, status = headless(*QUICK, "--mode", "recommend")
    assert (summary["outcome"], status) == ("promoted", 0), summary
    assert ("promote", "auto") not in capabilities(summary)
    assert capabilities(summary).count(("promote", "accepted")) == 3
    assert summary["target_writes"] == {"agent": 0, "person": 4}


@pytest.mark.parametrize("fault", ["errors", "slow", "orders-drop", "hang"])
def test_a_bad_canary_is_rolled_back_with_no_person(
    headless: Headless, demo_dir: Path, theory: ModuleType, fault: str
) -> None:
    summary, status = headless(*QUICK, "--mode", "act", "--fault", fault)
    assert (summary["outcome"], status) == ("rolled_back", 0), summary
    assert summary["max_weight"] == 5
    assert ("rollback", "auto") in capabilities(summary)
    assert summary["detected_after_s"] is not None
    assert summary["rolled_back_after_s"] >= summary["detected_after_s"]
    beside_theory(theory, demo_dir / "d" / "journal.db", fault)


def test_in_recommend_mode_a_bad_canary_is_reported_and_not_touched(headless: Headless) -> None:
    summary, status = headless(*QUICK, "--mode", "recommend", "--fault", "errors")
    assert (summary["outcome"], status) == ("held", 0), summary
    assert ("rollback", "ask") in capabilities(summary)
    assert summary["target_writes"]["agent"] == 0
    assert summary["max_weight"] == 5


@pytest.mark.parametrize("fault", ["metrics-silent", "both-arms", "dependency-down"])
def test_what_is_not_the_canarys_fault_is_held_and_never_rolled_back(
    headless: Headless, demo_dir: Path, theory: ModuleType, fault: str
) -> None:
    summary, status = headless(*QUICK, "--mode", "act", "--fault", fault)
    assert (summary["outcome"], status) == ("held", 0), summary
    assert not any(c == "rollback" for c, _ in capabilities(summary))
    assert summary["max_weight"] <= 5
    beside_theory(theory, demo_dir / "d" / "journal.db", fault)


@pytest.mark.parametrize(
    ("fault", "stage"), [("test-fails", "unit tests"), ("staging-broken", "staging")]
)
def test_a_broken_commit_never_reaches_traffic(headless: Headless, fault: str, stage: str) -> None:
    summary, status = headless(*WHOLE, "--mode", "act", "--fault", fault)
    assert (summary["outcome"], status) == ("failed", 0), summary
    assert {s["name"]: s["status"] for s in summary["stages"]}[stage] == "failed"
    assert ("block_deploy", "auto") in capabilities(summary)
    assert summary["max_weight"] == 0


def test_a_regression_that_shows_only_at_25_percent_is_found_there(headless: Headless) -> None:
    summary, status = headless(*QUICK, "--mode", "act", "--fault", "errors@25")
    assert (summary["outcome"], status) == ("rolled_back", 0), summary
    assert summary["max_weight"] == 25
