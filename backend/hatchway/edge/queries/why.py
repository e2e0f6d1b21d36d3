"""The query `why`: the newest verdict of a run in figures, computed again from its proof. Pure."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from hatchway.conductor.live import Live
from hatchway.core.events import VerdictChanged
from hatchway.core.state import State
from hatchway.edge.chronicle import Chronicle, Judged
from hatchway.edge.docs.why import Fact, MetricWhy, WhyDoc
from hatchway.edge.queries.answer import NotKnown
from hatchway.edge.queries.run import known_run
from hatchway.journal.port import Record
from hatchway.judge import words
from hatchway.judge.arithmetic import MetricArithmetic, arithmetic
from hatchway.judge.proof import ProofError, Replay, replayed

MOST_FACTS = 8
MOST_E = 1e12
"""No evidence is told to be more: a figure that no JSON can hold would hide all the others."""


def why_of(state: Callable[[], State], chronicle: Chronicle, live: Live) -> Callable[[str], WhyDoc]:
    """Makes the figures of a run's newest verdict; each proof is computed once."""
    made: dict[str, WhyDoc] = {}

    def make(about: str) -> WhyDoc:
        run = known_run(state(), about)
        judged = chronicle.of(run.id).judged
        if judged is None:
            why = "no canary was judged yet" if run.step < 0 else "no verdict has a proof"
            raise NotKnown(f"no figures: {why} in this run")
        doc = made.get(run.id)
        if doc is None or doc.seq != judged[0].seq:
            doc = _worked_out(*judged)
            made.clear()  # what is looked at is one run, or a few in turn
            made[run.id] = doc
        watched = live.watched.get(run.id)
        if watched is None or not watched.word or not run.active:
            return doc
        return replace(
            doc,
            live_at=float(int(watched.at)),
            live_word=watched.word,
            live_e=None if watched.e is None else min(watched.e, MOST_E),
            live_forecast_s=watched.forecast_s,
        )

    return make


def _worked_out(record: Record, event: Judged) -> WhyDoc:
    try:
        replay = replayed(event.proof)
        found = arithmetic(replay)
    except ProofError as error:
        raise NotKnown(f"record {record.seq} cannot be computed again: {error}") from error
    return WhyDoc(
        run=event.run,
        seq=record.seq,
        at=record.at,
        step=event.step,
        word=event.word if isinstance(event, VerdictChanged) else found.word,
        action=found.action,
        headline=event.headline,
        same=replay.same,
        e=min(found.e, MOST_E),
        peak=min(found.peak, MOST_E),
        lead=found.lead,
        hold_at=found.hold_at,
        rollback_at=found.rollback_at,
        healthy_at=found.healthy_at,
        weight=found.weight,
        since_raise_s=found.since_raise_s,
        warming=found.warming,
        stable_healthy=found.stable_healthy,
        forecast_s=replay.verdict.forecast_s,
        metrics=tuple(_metric(replay, metric) for metric in found.metrics),
    )


def _metric(replay: Replay, metric: MetricArithmetic) -> MetricWhy:
    compared = bool(metric.bets) and metric.canary[0] > 0 and metric.stable[0] > 0
    return MetricWhy(
        name=metric.name,
        label=metric.label,
        kind=metric.kind,
        word=metric.word,
        judged=metric.judged,
        compared=compared,
        canary=metric.canary,
        stable=metric.stable,
        ratio=metric.margins.tail if metric.kind == "latency" else metric.margins.ratio,
        measured=words.margins(metric.margins) if metric.bets else "",
        share=metric.share,
        e=min(metric.e, MOST_E),
        healthy=min(metric.healthy_peak, MOST_E),
        excludes=metric.excludes,
        worse=metric.worse,
        trouble=metric.trouble,
        facts=tuple(
            Fact(name, f"{value:.4g}" if isinstance(value, float) else str(value))
            for name, value in list(metric.state.items())[:MOST_FACTS]
        ),
    )
