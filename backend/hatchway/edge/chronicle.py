"""What each run's events said, kept as they are appended or replayed, so that no page scans a journal.

Bounded: of very many events of a run the first and the newest are kept and the others counted, and
of very many runs the newest. What was sealed away before this process began is not here.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hatchway.core import events as ev
from hatchway.core.state import Item, Run, State
from hatchway.edge.docs.run import Moment, Wait
from hatchway.edge.words import line_of
from hatchway.journal.port import Record
from hatchway.judge.words import duration

RUNS = 200
FIRST, NEWEST = 40, 120
WAITS = 100

Judged = ev.VerdictChanged | ev.ProposalMade


@dataclass
class Told:
    """What was told of one run."""

    first: list[Moment] = field(default_factory=list)
    newest: deque[Moment] = field(default_factory=lambda: deque(maxlen=NEWEST))
    count: int = 0
    steps: dict[int, float] = field(default_factory=dict)  # when each canary step was entered first
    waits: list[Wait] = field(default_factory=list)
    judged: tuple[Record, Judged] | None = None  # the newest that has a proof

    @property
    def moments(self) -> tuple[Moment, ...]:
        """In order; some in the middle may be missing."""
        return (*self.first, *self.newest)


class Chronicle:
    """Belongs to the event loop; `take` listens to a ledger, from before it replays."""

    def __init__(self) -> None:
        self._runs: dict[str, Told] = {}
        self._newest: dict[str, str] = {}  # by service: its newest run

    def of(self, run: str) -> Told:
        """What was told of a run; nothing when it is not known."""
        return self._runs.get(run) or Told()

    def take(self, record: Record, event: ev.Event | ev.Unknown, state: State) -> None:
        """Keep an event; `state` is the one after it."""
        run = self._run_of(event)
        if not run:
            return
        told = self._runs.get(run)
        if told is None:
            told = self._runs[run] = Told()
            while len(self._runs) > RUNS:
                del self._runs[next(iter(self._runs))]
        _keep(told, record, event, state.runs.get(run))

    def _run_of(self, event: ev.Event | ev.Unknown) -> str:
        run = getattr(event, "run", "")
        service = getattr(event, "service", "")
        if isinstance(event, ev.RunStarted):
            self._newest[service] = run
        return run or self._newest.get(service, "")


def _keep(told: Told, record: Record, event: ev.Event | ev.Unknown, run: Run | None) -> None:
    _time(told, record.at, event)
    if isinstance(event, ev.VerdictChanged | ev.ProposalMade) and event.proof:
        told.judged = record, event
    line = line_of(record, event)
    if line is None:
        return
    told.count += 1
    note = _note(record.at, event, run) if run is not None else ""
    moment = Moment(record.seq, record.at, line.who, line.text, line.tone, note)
    (told.first if len(told.first) < FIRST else told.newest).append(moment)


def _time(told: Told, at: float, event: ev.Event | ev.Unknown) -> None:
    """Note what began to be waited for, and what is not waited for any more."""
    match event:
        case ev.StepEntered():
            told.steps.setdefault(event.step, at)
        case ev.ItemOpened():
            release = event.type == "approval"
            why = "approve the release" if release else event.capability.replace("_", " ")
            _open(told, Wait("person", at, about=event.item, why=why))
        case ev.ItemClosed():
            _close(told, at, event.item, event.by)
        case ev.RunHeld():
            _close(told, at, "hold")
            data = event.cause in ("no_data", "evidence", "unsure")
            _open(told, Wait("data" if data else "held", at, about="hold", why=event.why))
        case ev.RunResumed():
            _close(told, at, "hold")
        case ev.RunEnded():
            for wait in [each for each in told.waits if not each.ended_at]:
                _close(told, at, wait.about)


def _open(told: Told, wait: Wait) -> None:
    told.waits.append(wait)
    if len(told.waits) > WAITS:
        del told.waits[0]


def _close(told: Told, at: float, about: str, by: str = "") -> None:
    for index, wait in enumerate(told.waits):
        if wait.about == about and not wait.ended_at:
            told.waits[index] = Wait(wait.kind, wait.began_at, at, wait.about, wait.why, by)


def _note(at: float, event: ev.Event | ev.Unknown, run: Run) -> str:
    """What the sentence does not say: how long it took, whose rule it was, how a person was known."""
    match event:
        case ev.StageEnded():
            stage = next((s for s in run.stages if s.name == event.stage), None)
            return _took(at, stage.started_at if stage else 0.0)
        case ev.JobEnded():
            return f"after {event.seconds:.1f} s, attempt {event.attempt}"
        case ev.ItemClosed():
            return ", ".join(filter(None, (_answered(run.items.get(event.item)), *_known(event))))
        case ev.ProposalMade():
            fired = f", line {event.fired}" if event.fired and event.fired != event.rule else ""
            rule = f"policy rule {event.rule}{fired}" if event.rule else "no rule of the policy"
            sure = f"{event.confidence:.0%} sure"
            return f"{rule} says {event.answer}; {event.brain} {sure}"
        case ev.VerdictChanged():
            sure = f", {event.confidence:.0%} sure" if event.word in ("PASS", "REGRESS") else ""
            return f"step {event.step + 1}{sure}"
        case ev.EffectVerified():
            effect = run.effects.get(event.key)
            if effect is None:
                return ""
            by = f"{effect.by.name} ({effect.by.kind})"
            return f"by {by}, {max(at - effect.begun, 0.0):.1f} s after it was intended"
        case ev.RunEnded():
            return _took(at, run.started_at)
    return ""


def _took(at: float, since: float) -> str:
    return f"took {duration(at - since)}" if since else ""


def _answered(item: Item | None) -> str:
    if item is None or not item.asked_at or not item.closed_at:
        return ""
    return f"{duration(item.closed_at - item.asked_at)} after it was asked"


def _known(event: ev.ItemClosed) -> tuple[str, ...]:
    roles = f"as {', '.join(event.roles)}" if event.roles else ""
    return roles, event.how
