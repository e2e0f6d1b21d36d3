"""The query `plan`: what a roll back would do, how long earlier ones took, who is called. Pure."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from hatchway.core.oncall import Roster, on_call
from hatchway.core.plan import Installation
from hatchway.core.residue import SAMPLES
from hatchway.core.state import Effect, Run, State
from hatchway.edge.docs.plan import PlanDoc
from hatchway.edge.queries.answer import NotKnown
from hatchway.judge.words import duration

EARLIER = 10
"""Roll backs that a duration is of, at most."""


def plan_of(
    state: Callable[[], State], installation: Installation, roster: Callable[[], Roster | None],
    clock: Callable[[], float],
) -> Callable[[str], PlanDoc]:  # fmt: skip
    """Makes the plan of a roll back of a service."""

    def make(about: str) -> PlanDoc:
        spec = next((each for each in installation.services if each.name == about), None)
        if spec is None:
            raise NotKnown(f"no service is called {about[:40]!a}")
        now = state()
        runs = [run for run in now.runs.values() if run.service == about]
        run = next((each for each in reversed(runs) if each.capsule or each.effects), None)
        return PlanDoc(
            service=about,
            does=_does(run),
            checks=_checks(run, attests=spec.attests is not None),
            against=tuple(r.text for r in run.undo.against) if run and run.undo else (),
            stays=run.undo.residue if run and run.undo else (),
            before=_before(runs),
            pages=_pages(roster(), clock()),
        )

    return make


def _does(run: Run | None) -> tuple[str, ...]:
    if run is None:
        return ("nothing is in flight: it stays at 0 %, and says so",)
    share = f"from {run.weight} % " if run.active else ""
    return (
        f"canary {share}to 0 %, all traffic to {run.from_version}",
        f"{run.to_version} ({run.commit[:7]}) goes into quarantine",
    )


def _checks(run: Run | None, *, attests: bool) -> tuple[str, ...]:
    """As `core/residue.py` looks at it: until then it is no DONE."""
    said = ["weight 0 read back, nothing under way", "the target as it was before"]
    if attests:
        said.append(f"every instance runs {run.from_version if run else 'the stable version'}")
    symptoms = run.symptoms if run is not None else ()
    if symptoms:
        names = ", ".join(each.metric for each in symptoms)
        said.append(f"{names} as before, {SAMPLES} samples in a row")
    return tuple(said)


def _took(run: Run) -> float | None:
    """From the word to go back until the traffic was seen to be back, in seconds."""
    back = [e for e in run.effects.values() if e.weight == 0 and e.status == "verified"]
    last: Effect | None = max(back, key=lambda e: e.at, default=None)
    began = run.rollback_at or (last.begun if last is not None else 0.0)
    if last is None or not began or last.at < began:
        return None
    return last.at - began


def _before(runs: list[Run]) -> str:
    went = [took for run in runs if run.went_back and (took := _took(run)) is not None]
    if not went:
        return "not known: it was never rolled back before"
    newest = went[-EARLIER:]
    often = "once before" if len(newest) == 1 else f"{len(newest)} times before"
    slowest = f", {duration(max(newest))} at most" if len(newest) > 1 else ""
    return f"{duration(median(newest))} until the traffic is back ({often}{slowest})"


def _pages(roster: Roster | None, now: float) -> str:
    duty = on_call(roster, now)
    if duty.known:
        return f"pages {' and '.join(duty.people)}"
    if duty.people:
        return f"pages everybody: {', '.join(duty.people)}"
    return "pages whoever the notifiers call: no roster says who is on call"
