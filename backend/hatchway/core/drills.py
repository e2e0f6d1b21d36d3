"""Drills of the stops: what one found, whether the last one is too long ago, what follows. Pure.

Stops that nobody has tried lately are only believed to work. So an agent acts by itself only while
a drill that passed is recent enough; else `act` counts as `recommend`. Not run is not passed, and
when nothing is known of a drill, it is overdue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hatchway.core.event import EventBase
from hatchway.core.policy import Mode, PolicyAnswer

Stop = Literal["pause", "takeover", "rollback"]
STOPS: tuple[Stop, ...] = ("pause", "takeover", "rollback")
NEEDED_FAULTS = ("healthy", "backend hung", "backend dead", "journal locked")
"""A drill is whole only when each stop was tried under each of these."""

OFF = 0.0
"""`drill_every: off`: nobody is reminded, and nothing is blocked."""


class Cell(Struct, frozen=True, kw_only=True):
    """One stop under one fault. Times are seconds from the start of the command; None: never seen.

    `fence_s` until the governor let nothing older through, `ack_s` until the command had ended,
    `effect_s` until the target showed what was promised (for a rollback: no share for the canary).
    """

    fault: str
    stop: Stop
    status: Literal["passed", "failed", "not_run"]
    why: str = ""  # it failed, or was not run
    fence_s: float | None = None
    ack_s: float | None = None
    effect_s: float | None = None


class Evidence(Struct, frozen=True, kw_only=True):
    """What a drill wrote down: the content of DIR/drills/AT.json. Times in seconds since 1970."""

    drill: str
    environment: str
    installation: str = ""
    service: str
    scratch: bool = False  # of a demo that the drill started for itself: nobody's real target
    began: float
    ended: float = 0.0  # 0: it was cut off
    by: str = ""
    cells: tuple[Cell, ...] = ()
    left: str = ""  # the state that it left things in, in words, when it was cut off


class DrillRecorded(EventBase, frozen=True, kw_only=True, tag="drill.recorded"):
    """A drill of the stops. `digest` is the SHA-256 of its evidence, byte for byte as in the file."""

    evidence: Evidence
    digest: str


class Drill(Struct, frozen=True):
    """A drill as the journal has it. `at` is when it ended, or when it was cut off."""

    drill: str
    environment: str
    at: float
    by: str
    scratch: bool
    passed: bool
    why_not: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()


def why_not_passed(evidence: Evidence) -> tuple[str, ...]:
    """What keeps a drill from having passed, a line each; empty when it has."""
    said = [
        f"{c.stop} with {c.fault}: {c.why or 'failed'}"
        for c in evidence.cells
        if c.status == "failed"
    ]
    passed = {(c.fault, c.stop) for c in evidence.cells if c.status == "passed"}
    failed = {(c.fault, c.stop) for c in evidence.cells if c.status == "failed"}
    for fault in NEEDED_FAULTS:
        missing = [s for s in STOPS if (fault, s) not in passed | failed]
        if missing:
            said.append(f"{' and '.join(missing)} with {fault}: not run")
    if not evidence.ended:
        said.append(f"it was cut off{': ' + evidence.left if evidence.left else ''}")
    return tuple(said)


def as_drill(evidence: Evidence, now: float) -> Drill:
    """What is kept of the evidence. A drill that says it ends later than `now` has ended now."""
    why = why_not_passed(evidence)
    skipped = dict.fromkeys(
        f"{c.fault}: {c.why or 'not run'}" for c in evidence.cells if c.status == "not_run"
    )
    return Drill(
        drill=evidence.drill,
        environment=evidence.environment,
        at=min(evidence.ended or now, now),
        by=evidence.by,
        scratch=evidence.scratch,
        passed=not why,
        why_not=why,
        not_run=tuple(skipped),
    )


def last_passed(drills: Iterable[Drill]) -> Drill | None:
    """The newest drill that passed on real targets."""
    good = [d for d in drills if d.passed and not d.scratch]
    return max(good, key=lambda d: d.at, default=None)


def overdue(drills: Mapping[str, Drill], every_s: float, now: float) -> str:
    """Why a drill is due, in words; empty while none is. `every_s` OFF: never."""
    if every_s == OFF:
        return ""
    last = last_passed(drills.values())
    if last is None:
        return "no drill of the stops has ever passed here (hatchway drill)"
    age = now - last.at
    if 0 <= age <= every_s:
        return ""
    if age < 0:
        return f"the last drill ({last.environment}) is dated in the future: the clock is not right"
    return (
        f"the last drill that passed ({last.environment}) was {age / 86400:.0f} days ago, "
        f"one is due every {every_s / 86400:g} days (hatchway drill)"
    )


def mode_as_drilled(mode: Mode, due: str) -> Mode:
    """The mode in force: with a drill that is due (`due` says why), `act` counts as recommend."""
    return "recommend" if due else mode


def answer_as_drilled(ask: Callable[[Mode], PolicyAnswer], mode: Mode, due: str) -> PolicyAnswer:
    """The policy's answer in the mode in force. What the drill took away is said to be its doing."""
    said = ask(mode_as_drilled(mode, due))
    if not due or mode == "recommend" or said.answer == ask(mode).answer:
        return said
    return replace(said, why=f"act counts as recommend: {due}")


def with_drill(drills: Mapping[str, Drill], new: Drill) -> dict[str, Drill]:
    """The drills that are kept: of each environment the newest, and the newest that passed."""
    key = f"{new.environment} {'scratch ' if new.scratch else ''}{'ok' if new.passed else 'not ok'}"
    known = drills.get(key)
    if known is not None and known.at >= new.at:
        return dict(drills)
    return {**drills, key: new}


def newest(drills: Mapping[str, Drill]) -> list[Drill]:
    """The newest drill of each environment, by name."""
    found: dict[str, Drill] = {}
    for drill in sorted(drills.values(), key=lambda d: d.at):
        found[drill.environment] = drill
    return [found[name] for name in sorted(found)]
