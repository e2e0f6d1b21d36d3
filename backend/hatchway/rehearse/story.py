"""What happened, minute by minute, in words: from the records of a rehearsal."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from hatchway.core import events as ev
from hatchway.rehearse.outcome import Result
from hatchway.rehearse.play import Played

MOST_LINES = 24
LATE_S = 2.0  # a change of authority that is older than this was only read again


class Line(Struct, frozen=True):
    """Something that happened `at` seconds after the first share. `who` is empty for the world."""

    at: float
    who: str
    text: str


def story(played: Played, result: Result) -> tuple[Line, ...]:
    """The lines in order; of very many the middle is left out."""
    lines = [Line(told.at, "", told.text) for told in played.told]
    for record, event in zip(played.records, played.events, strict=True):
        at = max(0.0, record.at - played.began)
        if record.at >= played.began - 1.0:
            if isinstance(event, ev.AuthorityChanged) and record.at - event.at > LATE_S:
                lines.append(Line(at, "governor", f"still has it: {event.by} {_did(event)}"))
                continue
            lines += [Line(at, who, text) for who, text in _of(event, played)]
    for when, why in played.unheard[:1]:
        lines.append(Line(when - played.began, "agent", f"its brain is not heard: {why}"))
    for when, code, why in played.refusals:
        if when >= played.began and code in ("fenced", "held"):
            lines.append(Line(when - played.began, "governor", f"refuses: {why}"))
    if result.first is not None:
        first = result.first
        lines.append(Line(first.at, "STOP", f"{first.guard}: {first.why}"))
    lines.sort(key=lambda line: line.at)
    return (*_short(_without_repeats(lines)), _end(played))


def _of(event: ev.Event | ev.Unknown, played: Played) -> Iterator[tuple[str, str]]:
    match event:
        case ev.StepEntered():
            run = played.state.runs[event.run]
            yield "", f"{event.weight} % of the traffic goes to {run.to_version}"
        case ev.VerdictChanged():
            if event.action != "none" or event.word != "UNSURE":
                yield "judge", f"{event.word}: {event.headline}"
        case ev.ProposalMade():
            yield from _of_proposal(event, played)
        case ev.EffectIntended() if event.by.kind == "person" and event.step != 0:
            yield event.by.name, f"{event.weight} %: {event.reason}"
        case ev.EffectFenced():
            yield "governor", f"refuses: {event.why}"
        case ev.EffectDiverged():
            yield "target", event.why
        case ev.AuthorityChanged() if event.op != "adopted":
            yield event.by, _did(event)
        case ev.CommandRefused():
            yield event.by, f"asks: {event.what}; refused: {event.why}"
        case ev.RunStarted() if event.mode == "recommend":
            yield "", f"{event.to_version} is released; the agent only recommends by now"
        case ev.ResidueFound():
            yield "hatchway", f"RESIDUE: {'; '.join(event.left)}"
        case ev.ResidueAccepted():
            yield event.by, f"accepts what is left: {event.reason}"
        case ev.RollbackConfirmed():
            yield "hatchway", f"the rollback is done: {', '.join(event.seen)}"
        case ev.TargetChanged():
            yield (
                "hatchway",
                f"UNATTRIBUTED CHANGE: {event.what} is {event.found}, not {event.wanted}",
            )
        case ev.RunEnded():
            yield "", f"the release ends: {event.outcome.replace('_', ' ')}"
        case _:
            pass


def _did(event: ev.AuthorityChanged) -> str:
    return WORDS.get(event.op, event.op)


WORDS = {
    "pause": "PAUSES the agent",
    "takeover": "TAKES OVER",
    "rollback": "ROLLS BACK by hand",
    "release": "gives control back to the agent",
    "dead-man": "the backend is silent: PAUSED",
}


def _of_proposal(event: ev.ProposalMade, played: Played) -> Iterator[tuple[str, str]]:
    run = played.state.runs[event.run]
    wish = {
        "rollback": f"ROLL BACK to {run.from_version}",
        "promote": "go on with a larger share",
    }.get(event.capability)
    if wish is None:
        does = {"hold": "holds", "page": "calls people"}.get(event.capability)
        if does is not None:
            yield "agent", f"{does}: {event.headline}"
        yield from (("agent", f"offers {e.text}") for e in event.evidence if e.id == "UNDO0")
    elif event.answer == "auto":
        yield "agent", f"does it by itself: {wish}"
    else:
        yield "agent", f"wants to {wish}; it may not by itself ({event.answer})"


def _without_repeats(lines: list[Line]) -> list[Line]:
    """The same thing said again by the same one is said once."""
    kept: list[Line] = []
    said: set[tuple[str, str]] = set()
    for line in lines:
        key = (line.who, line.text.split(":", 1)[0])
        if line.who and key in said and kept and kept[-1].who == line.who:
            continue
        said.add(key)
        kept.append(line)
    return kept


def _short(lines: list[Line]) -> list[Line]:
    if len(lines) <= MOST_LINES:
        return lines
    first, last = lines[: MOST_LINES // 2], lines[-(MOST_LINES // 2 - 1) :]
    left_out = len(lines) - len(first) - len(last)
    return [*first, Line(first[-1].at, "", f"({left_out} more)"), *last]


def _end(played: Played) -> Line:
    at = played.ended - played.began
    who = {"agent": "the agent", "paused": "nobody (paused)"}.get(played.mode, "a person")
    run = next(reversed(played.state.runs.values()), None)
    waits = run is not None and any(i.status == "open" for i in run.items.values())
    more = "; a question waits for a person" if waits else ""
    return Line(at, "", f"end: the canary has {played.weight} %, {who} is in control{more}")
