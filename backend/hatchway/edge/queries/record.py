"""Makes the answer to `record`. It is shown; nothing that the agent may do follows from it."""

from __future__ import annotations

from collections.abc import Callable

from hatchway.core.record import LABELLED, Label, Score, TrackRecord, strip
from hatchway.core.state import State
from hatchway.core.trust import ALPHA, LIMIT, at_most, clean_needed
from hatchway.edge.docs.record import RecordDoc, ScoreDoc
from hatchway.edge.queries.answer import Make

LETTERS: dict[Label, str] = {"right": "R", "wrong": "W", "harmful": "H", "unknown": "?"}


def record_of(state: Callable[[], State], environment: str, clock: Callable[[], float]) -> Make:
    """The query over a state. What it is about does not matter: trust is not of one service."""

    def make(_: str) -> RecordDoc:
        return record_doc(state().record, environment, clock())

    return make


def record_doc(record: TrackRecord, environment: str, at: float) -> RecordDoc:
    """The record as it is shown: traffic first, and a score also where nothing was decided."""
    known = list(record.scores.values())
    for capability in LABELLED:
        if not any((s.environment, s.capability) == (environment, capability) for s in known):
            known.append(Score(environment, capability, ""))
    known.sort(key=lambda s: (s.capability not in LABELLED, s.environment, s.capability, s.brain))
    return RecordDoc(
        at=at,
        scores=tuple(_score(record, score) for score in known),
        limit=LIMIT,
        alpha=ALPHA,
        from_nothing=clean_needed(0, 0),
        runs=len(record.trials),
    )


def _score(record: TrackRecord, score: Score) -> ScoreDoc:
    bad, of = score.wrong + score.harmful, score.decided
    worst = bad + score.unknown
    return ScoreDoc(
        environment=score.environment,
        capability=score.capability,
        brain=score.brain,
        right=score.right,
        wrong=score.wrong,
        harmful=score.harmful,
        unknown=score.unknown,
        going=score.going,
        auto=score.auto,
        ask=score.ask,
        deny=score.deny,
        low=bad / of if of else 0.0,
        high=worst / of if of else 1.0,
        at_most=at_most(worst, of),
        clean_needed=clean_needed(worst, of),
        strip="".join(LETTERS[word] for word in strip(record, score)),
        labelled=score.capability in LABELLED,
    )
