"""Which guard stopped what: read from the journal of a rehearsal, never from what was expected.

The names are a closed list. `policy:...` and `calendar:...` carry the name of the user's own rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from hatchway.core import events as ev
from hatchway.core.decide_services import why_only_recommends
from hatchway.core.evolve import evolve
from hatchway.core.state import State
from hatchway.rehearse.play import Played

GUARDS: Mapping[str, str] = {
    "undo:fleet": "not every instance runs the version to go back to",
    "undo:migrations": "a migration of the release breaks the old version",
    "undo:schema": "the old version does not read the schema as it is now",
    "undo:config": "the old version never ran with the configuration as it is now",
    "undo:dependents": "another service uses what only the new version offers",
    "undo:manifest": "what a version declares cannot be read",
    "undo:release": "what the release brings was not read",
    "undo:target": "the version to go back to is not well itself",
    "quarantine": "the version was rolled back before",
    "budget": "the automatic rollbacks of the window are used up",
    "breaker": "an action did not help, or made worse what it was to help",
    "expectation": "the deviation was declared, with a bound and an end",
    "residue": "going back left something behind: it is not called done",
    "drift": "the target was changed past the governor",
    "policy": "a rule of your policy",
    "calendar": "a window or calendar of your policy",
    "governor:fence": "the change belongs to an epoch that is over",
    "governor:held": "the service is paused, or with a person",
    "governor:no_capsule": "no way back is stored",
    "governor:no_write_path": "the agent has no write path to this target",
    "governor:dead_man": "the backend fell silent",
    "judge:no_data": "the numbers are missing, old or no numbers",
    "judge:unsure": "the numbers cannot tell yet",
    "judge:flapping": "the metric comes and goes",
    "judge:not_ours": "stable has it too",
    "judge:regress": "the new version is worse",
    "approval:changed": "what was approved is not what would be done",
    "approval:expired": "it was approved too long ago",
    "approval:second_person": "one person is not enough",
    "person": "a person said no",
    "validator": "the proposal is malformed, or beyond what the facts allow",
    "target": "the target does not take the change",
    "drill": "no drill of the stops in time",
}
"""Every guard by name, and what it means."""

ABOUT: Mapping[str, frozenset[str]] = {
    "rollback_by_agent": frozenset({"rollback"}),
    "rollback_done": frozenset({"done"}),
    "raise": frozenset({"raise"}),
    "raise_by_agent": frozenset({"raise"}),
    "held": frozenset({"held"}),
    "promotion": frozenset({"raise"}),
    "agent_in_control": frozenset({"control", "raise"}),
    "stale_write": frozenset({"raise", "control"}),
}
"""What a guard must speak of to have stopped a danger: a rollback, its being called done, a larger
share, who is in control, or that a release is held for nothing."""


class Stop(Struct, frozen=True):
    """A guard did its work `at` seconds after the first share. `about`: rollback, raise, control."""

    at: float
    guard: str
    why: str
    about: frozenset[str]


BOTH = frozenset({"rollback", "raise"})
RAISE = frozenset({"raise"})
BACK = frozenset({"rollback"})
CONTROL = frozenset({"control", "raise"})


def stops(played: Played) -> tuple[Stop, ...]:
    """Every work of a guard from the first share on, in order."""
    found: list[Stop] = []
    state = State()
    for record, event in zip(played.records, played.events, strict=True):
        at = record.at - played.began
        if at >= -1.0:
            found += [Stop(max(0.0, at), *rest) for rest in _of(event)]
            found += [Stop(max(0.0, at), *rest) for rest in _of_start(event, state, record.at)]
        state = evolve(state, event, seq=record.seq, at=record.at, idem=record.idem)
    for when, code, why in played.refusals:
        if when >= played.began and code in _CODES:
            found.append(Stop(when - played.began, _CODES[code], why, CONTROL))
    if played.unheard:
        when, why = played.unheard[0]
        found.append(Stop(when - played.began, "validator", why, BOTH))
    for when, why in played.set_aside:
        found.append(Stop(when - played.began, "expectation", why, BACK | {"held"}))
    return tuple(sorted(found, key=lambda stop: stop.at))


_CODES: Mapping[str, str] = {
    "fenced": "governor:fence",
    "stale": "governor:fence",
    "held": "governor:held",
    "no_capsule": "governor:no_capsule",
    "agent_may_not_write": "governor:no_write_path",
}


def _of(event: ev.Event | ev.Unknown) -> Iterator[tuple[str, str, frozenset[str]]]:
    match event:
        case ev.VerdictChanged():
            yield from _of_verdict(event)
        case ev.ProposalMade(capability="rollback" | "promote"):
            yield from _of_proposal(event)
        case ev.ProposalMade(capability="hold" | "page"):
            if "FLAPPING" in event.headline:
                yield "judge:flapping", event.headline, BOTH
        case ev.RunHeld(cause="quarantine"):
            yield "quarantine", event.why, RAISE
        case ev.RunHeld(cause="drift" | "version"):
            yield "drift", event.why, RAISE
        case ev.RunHeld(cause="target"):
            yield "target", event.why, RAISE
        case ev.EffectDiverged():
            yield "target", event.why, RAISE
        case ev.EffectFenced() if event.code in _CODES:
            yield _CODES[event.code], event.why, CONTROL
        case ev.BreakerOpened():
            yield "breaker", event.why, BOTH
        case ev.ResidueFound():
            yield "residue", "; ".join(event.left), BOTH | {"done"}
        case ev.TargetChanged():
            yield "drift", f"{event.what} is {event.found}, {event.wanted} is wanted", RAISE
        case ev.AuthorityChanged(op="dead-man"):
            yield "governor:dead_man", event.reason, CONTROL
        case ev.ItemClosed(status="rejected"):
            yield "person", f"{event.by} said no", BOTH
        case ev.CommandRefused():
            yield from _of_refusal(event)
        case _:
            pass


EARLY = ("warming up", "waiting for")
"""How the judge's words begin while it could not know yet: nothing is stopped by that."""


def _of_start(
    event: ev.Event | ev.Unknown, state: State, now: float
) -> Iterator[tuple[str, str, frozenset[str]]]:
    """A run in which the agent only recommends, although it was started for it to act."""
    if isinstance(event, ev.RunStarted) and event.mode == "recommend":
        why = why_only_recommends(state, event.service, now)
        if why:
            yield "residue" if "left something behind" in why else "breaker", why, BOTH


def _of_verdict(event: ev.VerdictChanged) -> Iterator[tuple[str, str, frozenset[str]]]:
    said = event.headline
    if event.word == "NO_DATA":
        yield "judge:no_data", said, BOTH
    elif event.word == "REGRESS":
        yield "judge:regress", said, RAISE
    elif "FLAPPING" in said:
        yield "judge:flapping", said, BOTH
    elif "not ours" in said:
        yield "judge:not_ours", said, BOTH
    elif event.word == "UNSURE" and not said.startswith(EARLY):
        yield "judge:unsure", said, BOTH


def _of_proposal(event: ev.ProposalMade) -> Iterator[tuple[str, str, frozenset[str]]]:
    if event.answer == "auto":
        return
    about = BACK if event.capability == "rollback" else RAISE
    for fact in event.evidence:
        kind, _, rule = fact.source.partition(":")
        if kind == "undo" and rule and fact.id.startswith("UNDO"):
            yield UNDO.get(rule, f"undo:{rule}"), fact.text, about
    if not event.rule.startswith("undo"):
        guard = f"calendar:{event.freeze}" if event.freeze else f"policy:{event.rule}"
        yield guard, event.why, about


UNDO: Mapping[str, str] = {"budget": "budget", "quarantine": "quarantine", "breaker": "breaker"}
"""Rules of core/undo.py that are guards with a name of their own."""


def _of_refusal(event: ev.CommandRefused) -> Iterator[tuple[str, str, frozenset[str]]]:
    guard = {
        "changed": "approval:changed",
        "expired": "approval:expired",
        "superseded": "approval:changed",
        "second_person": "approval:second_person",
        "quarantined": "quarantine",
    }.get(event.code)
    if guard is not None:
        yield guard, event.why, RAISE
