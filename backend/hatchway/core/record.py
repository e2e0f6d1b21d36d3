"""What became of the agent's decisions: right, wrong, harmful, or not known. Pure.

Labels come from what happened and from what people said about it afterwards, never from a click on
"accept": somebody who says yes may be as wrong as the agent. What is not known is never right.

- A promotion is wrong when anybody went back after it, and right when what it led to was promoted
  and stands. It is harmful when the agent did it by itself, and everybody had it before it was
  taken back.
- A rollback is right when it was seen to be done, with the symptom that it stood on gone; wrong when
  a person said no to it; harmful when the symptom was worse after it than before.
- Whatever else the agent decides moves no traffic. It is counted, and stays unknown.
- A person who reviews the run after its end may say how the agent's last one of these was: that
  settles what is not known, and may make it worse. It makes nothing better than it was seen to be.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hatchway.core import events as ev

Label = Literal["right", "wrong", "harmful", "unknown"]
LABELS: tuple[Label, ...] = ("right", "wrong", "harmful", "unknown")
LABELLED = ("promote", "rollback")
"""Capabilities of which the journal can tell how they turned out."""

KEPT = 48
"""The newest decisions of a score that are shown one by one."""


class Decision(Struct, frozen=True, array_like=True):
    """What a brain decided, in the journal's record `seq`."""

    seq: int
    proposal: str
    capability: str
    brain: str
    answer: str  # of the policy: auto, ask or deny


class Trial(Struct, frozen=True):
    """A run, as far as it tells how the decisions in it turned out. Numbers are of records."""

    service: str
    environment: str
    decisions: tuple[Decision, ...] = ()
    outcome: str = ""
    ended: int = 0
    back: int = 0  # the newest one that tells of traffic going back
    going: tuple[str, ...] = ()  # keys of effects that take traffic back
    rollbacks: tuple[str, ...] = ()  # questions about going back
    said_no: bool = False  # a person, to one of them
    symptom: bool = False  # of a regression was seen
    confirmed: bool = False  # its rollback was seen to be done
    made_worse: int = 0
    verdict: Label | Literal[""] = ""  # of people who reviewed it


class Score(Struct, frozen=True):
    """How often one brain decided one thing in one environment, and how that turned out.

    `going` of the unknown ones are in runs that have not ended. `newest` are (run, record).
    """

    environment: str
    capability: str
    brain: str
    right: int = 0
    wrong: int = 0
    harmful: int = 0
    unknown: int = 0
    going: int = 0
    auto: int = 0
    ask: int = 0
    deny: int = 0
    newest: tuple[tuple[str, int], ...] = ()

    @property
    def decided(self) -> int:
        """How many decisions there were."""
        return self.right + self.wrong + self.harmful + self.unknown


class TrackRecord(Struct, frozen=True):
    """Everything that is known of the agent's decisions. `scores` by `key_of`."""

    trials: dict[str, Trial] = {}
    latest: dict[str, str] = {}  # the newest run of each service
    scores: dict[str, Score] = {}

    def score(self, environment: str, capability: str, brain: str) -> Score:
        """One score; an empty one where nothing was decided."""
        found = self.scores.get(key_of(environment, capability, brain))
        return found or Score(environment, capability, brain)

    def of_item(self, run: str, item: str) -> tuple[Trial, Decision] | None:
        """The decision that a question to people is about; None for one without."""
        trial = self.trials.get(run)
        for decision in reversed(trial.decisions) if trial is not None else ():
            if item == f"{decision.proposal}.item":
                return trial, decision  # type: ignore[return-value]  # there is a trial here
        return None


def key_of(environment: str, capability: str, brain: str) -> str:
    """What trust is earned for: one capability, in one environment, by one version of a brain."""
    return f"{environment}/{capability}/{brain}"


def label(trial: Trial, decision: Decision) -> Label:
    """How a decision turned out, as far as the journal knows and people said."""
    seen = _seen(trial, decision)
    moved = [d for d in trial.decisions if d.capability in LABELLED]
    if not trial.verdict or not moved or decision != moved[-1]:
        return seen
    said = trial.verdict
    return said if seen == "unknown" or _WORSE.index(said) > _WORSE.index(seen) else seen


_WORSE: tuple[Label, ...] = ("right", "wrong", "harmful")


def _seen(trial: Trial, decision: Decision) -> Label:
    """How it turned out by what happened alone."""
    if decision.capability == "promote":
        return _promoted(trial, decision)
    if decision.capability == "rollback":
        if trial.made_worse > decision.seq:
            return "harmful"
        if trial.said_no:
            return "wrong"
        return "right" if trial.confirmed and trial.symptom else "unknown"
    return "unknown"


def _promoted(trial: Trial, decision: Decision) -> Label:
    if trial.back > decision.seq:
        everybody = trial.outcome == "promoted" and trial.back > trial.ended
        last = max(d.seq for d in trial.decisions if d.capability == "promote")
        alone = decision.answer == "auto" and decision.seq == last
        return "harmful" if everybody and alone else "wrong"
    return "right" if trial.outcome == "promoted" else "unknown"


def recorded(record: TrackRecord, event: ev.Event | ev.Unknown, seq: int) -> TrackRecord:
    """The record after `event`, the journal's number `seq`. The same one when it says nothing new."""
    match event:
        case ev.RunStarted():
            trial = record.trials.get(event.run) or Trial(event.service, event.environment)
            latest = {**record.latest, event.service: event.run}
            return replace(record, latest=latest, trials={**record.trials, event.run: trial})
        case ev.AuthorityChanged() if event.op == "rollback":
            return _with(record, record.latest.get(event.service, ""), back=seq)
        case ev.BreakerOpened():
            return _with(record, event.run, made_worse=seq)
        case (
            ev.ProposalMade()
            | ev.EffectIntended()
            | ev.EffectVerified()
            | ev.EffectDiverged()
            | ev.EffectFenced()
            | ev.ItemOpened()
            | ev.ItemClosed()
            | ev.VerdictChanged()
            | ev.RollbackConfirmed()
            | ev.RunEnded()
            | ev.RunReviewed()
        ):
            trial_now = record.trials.get(event.run)
            changes = _changes(trial_now, event, seq) if trial_now is not None else {}
            return _with(record, event.run, **changes) if changes else record
        case _:
            return record


def _changes(trial: Trial, event: ev.Event, seq: int) -> dict[str, object]:
    """What an event of a run changes of its trial; nothing, mostly."""
    match event:
        case ev.ProposalMade():
            made = Decision(seq, event.proposal, event.capability, event.brain, event.answer)
            return {"decisions": (*trial.decisions, made)}
        case ev.EffectIntended() if event.weight == 0:
            return {"back": seq, "going": (*trial.going, event.key)}
        case ev.EffectVerified() | ev.EffectDiverged() | ev.EffectFenced():
            return {"back": seq} if event.key in trial.going else {}
        case ev.ItemOpened() if event.capability == "rollback":
            return {"rollbacks": (*trial.rollbacks, event.item)}
        case ev.ItemClosed() if event.status == "rejected" and event.item in trial.rollbacks:
            return {"said_no": True}
        case ev.VerdictChanged() if event.symptoms and not trial.symptom:
            return {"symptom": True}
        case ev.RollbackConfirmed():
            return {"confirmed": True}
        case ev.RunReviewed() if event.verdict:
            return {"verdict": event.verdict}
        case ev.RunEnded():
            return {"outcome": event.outcome, "ended": seq}
        case _:
            return {}


def _with(record: TrackRecord, run: str, **changes: object) -> TrackRecord:
    """The record with what became of a run changed, and the scores with it."""
    old = record.trials.get(run)
    if old is None:
        return record
    new = replace(old, **changes)
    known, scores = len(old.decisions), dict(record.scores)
    over = old.outcome or old.verdict
    # one more decision says nothing of those before it while the run goes on
    for decision in old.decisions if "decisions" not in changes or over else ():
        if _words(old, decision) != _words(new, decision):
            _count(scores, old, decision, -1)
            _count(scores, new, decision, +1)
    for decision in new.decisions[known:]:
        _count(scores, new, decision, +1)
        key = _key(new, decision)
        newest = (*scores[key].newest, (run, decision.seq))[-KEPT:]
        scores[key] = replace(scores[key], newest=newest)
    return replace(record, trials={**record.trials, run: new}, scores=scores)


def _words(trial: Trial, decision: Decision) -> tuple[Label, bool]:
    """How it turned out, and whether that is not over."""
    word = label(trial, decision)
    return word, word == "unknown" and not trial.outcome


def _key(trial: Trial, decision: Decision) -> str:
    return key_of(trial.environment, decision.capability, decision.brain)


def _count(scores: dict[str, Score], trial: Trial, decision: Decision, by: int) -> None:
    key = _key(trial, decision)
    known = scores.get(key) or Score(trial.environment, decision.capability, decision.brain)
    word, going = _words(trial, decision)
    changes = {word: getattr(known, word) + by, "going": known.going + by * going}
    if decision.answer in ("auto", "ask", "deny"):
        changes[decision.answer] = getattr(known, decision.answer) + by
    scores[key] = replace(known, **changes)


def of_run(events: Iterable[tuple[int, ev.Event | ev.Unknown]]) -> TrackRecord:
    """The record of (number, event) alone: of one run, say."""
    record = TrackRecord()
    for seq, event in events:
        record = recorded(record, event, seq)
    return record


def strip(record: TrackRecord, score: Score) -> tuple[Label, ...]:
    """How the newest decisions of a score turned out, the newest last."""
    found: list[Label] = []
    for run, seq in score.newest:
        trial = record.trials[run]
        found += [label(trial, d) for d in trial.decisions if d.seq == seq]
    return tuple(found)
