"""The text of a hand-over, out of the state and the journal. Nothing in it is from memory. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hatchway.conductor.live import Live
from hatchway.core.asks import clock_s
from hatchway.core.breaker import is_open
from hatchway.core.drills import overdue
from hatchway.core.events_of_duty import Field
from hatchway.core.handover import NOTE_MAX
from hatchway.core.oncall import Roster
from hatchway.core.plan import Installation
from hatchway.core.state import Run, State
from hatchway.edge.on_duty import duty_words, freeze_words
from hatchway.edge.oncall_items import ask_items
from hatchway.edge.shift import Shift
from hatchway.edge.standing import rollback_words
from hatchway.edge.waiting import needs_doc

LINE_MAX = 240
LINES_MAX = 30


def fields_of(
    state: State, live: Live, installation: Installation, shift: Shift, roster: Roster | None,
    now: float, note: str,
) -> tuple[Field, ...]:  # fmt: skip
    """All five fields; the note is the only one that somebody typed."""
    services = [service.name for service in installation.services]
    told = sorted((_situation(state, live, name, now) for name in services), key=_grave_first)
    situation = [line for lines in told for line in lines]
    trouble = [f"trouble: {each.words}" for each in live.trouble.values() if not each.run]
    if live.governor_trouble:
        trouble.insert(0, f"the governor: {live.governor_trouble}")
    drill = overdue(state.drills, installation.drill_every_s, now)
    if drill:
        trouble.append(drill)
    written = note.strip()[:NOTE_MAX].splitlines()
    return (
        Field("situation", _short([*situation, *trouble])),
        Field("control", _short(line for name in services for line in _control(state, live, name))),
        Field("waits", _short(_waits(state, installation, roster, now)) or ("nothing waits",)),
        Field("done", _done(shift)),
        Field("watch", _short(line for line in written if line.strip()) or ("nothing was added",)),
    )


def keeps(state: State, by: str) -> tuple[str, ...]:
    """Services whose wheel `by` has."""
    return tuple(
        name for name, a in state.authority.items() if a.mode == "person" and a.holder == by
    )


def _short(lines: Iterable[str]) -> tuple[str, ...]:
    told = [line if len(line) <= LINE_MAX else line[: LINE_MAX - 1] + "…" for line in lines]
    if len(told) > LINES_MAX:
        told = [*told[: LINES_MAX - 1], f"and {len(told) - LINES_MAX + 1} more"]
    return tuple(told)


_GRAVE = ("NOT WELL", "WATCH", "STABLE")


def _grave_first(lines: list[str]) -> int:
    return next((i for i, word in enumerate(_GRAVE) if f": {word}. " in lines[0]), 0)


def _situation(state: State, live: Live, name: str, now: float) -> list[str]:
    """How grave it is, in one of three words, and why."""
    run = state.active_run(name)
    bad = [d.words for d in state.drift.get(name, {}).values()]
    back = state.last_back(name)
    if back is not None and back.unsettled and back.residue:
        bad.append(rollback_words(back))
    careful: list[str] = []
    breaker = state.breakers.get(name)
    if breaker is not None and is_open(breaker, now):
        careful.append(f"the breaker is open: {breaker.why}")
    if run is not None:
        verdict = f"{run.verdict.word}: {run.verdict.headline}" if run.verdict is not None else ""
        (bad if verdict.startswith("REGRESS") else careful).append(
            f"{_where(run)}. {verdict}".rstrip(". ")
        )
        if run.hold is not None:
            careful.append(f"held since {clock_s(run.hold.since)}: {run.hold.why}")
    if state.authority_of(name).mode != "agent":
        careful.append("the agent is stopped")
    standing, _ = live.standing.get(name, (None, 0.0))
    if standing is None:
        careful.append("the governor has not been heard, so nothing of this is read back")
    elif standing.drift or standing.trouble:
        bad.append(standing.drift or standing.trouble)
    word = "NOT WELL" if bad else "WATCH" if careful else "STABLE"
    last = next((r for r in reversed(state.runs.values()) if r.service == name), None)
    calm = []
    if not bad and not careful and last is not None and last.outcome is not None:
        calm = [f"run {last.id} ended {clock_s(last.ended_at)}: {last.outcome.replace('_', ' ')}"]
    why = [*bad, *careful, *calm] or ["nothing is released"]
    return [f"{name}: {word}. {why[0]}", *(f"{name}: {text}" for text in why[1:])]


def _where(run: Run) -> str:
    """Where a run is: `1.5.0 has 5 %`, or the stage it is in."""
    plan = run.canary
    if plan is not None and 0 <= run.step < len(plan.steps):
        return f"{run.to_version} has {run.weight} % of the traffic, step {run.step + 1} of {len(plan.steps)}"
    stage = next((s.name for s in run.stages if s.status in ("running", "waiting")), "")
    return f"{run.to_version} is in {stage}" if stage else f"{run.to_version} has not gone out yet"


def _control(state: State, live: Live, name: str) -> list[str]:
    """Who has the wheel, since when and why, and what runs."""
    authority = state.authority_of(name)
    since = f" since {clock_s(authority.since)}" if authority.since else ""
    reason = f": {authority.reason}" if authority.reason else ""
    match authority.mode:
        case "agent":
            said = [f"{name}: the agent is in control{since}"]
        case "paused":
            said = [f"{name}: PAUSED by {authority.holder}{since}{reason}"]
        case _:
            said = [
                f"{name}: {authority.holder} has the wheel{since}{reason}",
                f"{name}: handing over does not pass the wheel: who is next takes over",
            ]
    standing, _ = live.standing.get(name, (None, 0.0))
    if standing is not None and standing.stop_all:
        said.insert(0, f"{name}: {standing.stop_all}; no agent may do anything")
    run = state.active_run(name)
    if run is None:
        return [*said, f"{name}: nothing runs"]
    agent = "acts within policy" if run.mode == "act" else "recommends only"
    started = (
        f"run {run.id}, {run.from_version} to {run.to_version}, since {clock_s(run.started_at)}"
    )
    return [*said, f"{name}: {started}; the agent {agent}"]


def _waits(
    state: State, installation: Installation, roster: Roster | None, now: float
) -> list[str]:
    said = []
    for item in (*ask_items(state, now), *needs_doc(state).items):
        until = f", until {clock_s(item.expires_at)}" if item.expires_at else ""
        default = f"; {item.default}" if item.default else ""
        said.append(f"{item.title}, asked {clock_s(item.asked_at)}{until}{default}")
    for name, expected in state.expectations.items():
        said += [
            f"{name}: {each.metric} up to {each.at_most:g} is expected until "
            f"{clock_s(each.expires_at)}, says {each.by}"
            for each in expected.values()
            if each.expires_at > now
        ]
    freeze = freeze_words(state.frozen.get(installation.environment), now)
    if freeze:
        said.append(f"freeze: {freeze}")
    duty = duty_words(roster, now)
    if duty:
        said.append(f"on call: {duty}")
    return said


def _done(shift: Shift) -> tuple[str, ...]:
    """What happened since the last acknowledged hand-over, the newest first."""
    since = f"since {clock_s(shift.since_at)}" if shift.since else "since the journal began"
    lines = [f"{since}: {shift.words or 'nothing that a person has to know'}"]
    lines += [
        f"{clock_s(line.at)} {line.who}: {line.text} (#{line.seq})"
        for line in reversed(shift.lines)
    ]
    told = list(_short(lines))
    if shift.left_out and len(told) < LINES_MAX:
        told.append(f"and {shift.left_out} more in the journal")
    return tuple(told)


def named_in(note: str) -> tuple[str, str]:
    """`@luis the rest` as ("luis", "the rest"): whom a typed note is for."""
    if not note.startswith("@"):
        return "", note
    name, _, rest = note[1:].partition(" ")
    return name.strip(), rest.strip()


def parted(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return " or ".join(names)
