"""From a brain's wish to an event: policy answers, and a person is asked where it says so. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from hatchway.brains.port import Wish
from hatchway.core import events as ev
from hatchway.core.facts import Fact, Facts, Known, Missing
from hatchway.core.next import has_spoken
from hatchway.core.policy import Policy, answer
from hatchway.core.state import Run, State

ASK_FOR_S = 1800.0
ROLLBACK_WINDOW_S = 24 * 3600.0
WRITES = frozenset({"promote", "rollback"})


def digest(evidence: Sequence[ev.Evidence]) -> str:
    """SHA-256 of the evidence as it is journaled."""
    return hashlib.sha256(msgspec.json.encode(tuple(evidence), order="deterministic")).hexdigest()


def facts_of(
    state: State,
    run: Run,
    now: float,
    *,
    control_read_at: float | None,
    data_at: float | None,
    stable_healthy: bool | None,
    confidence: float,
) -> Facts:
    """The facts that a policy may ask about, each with its age. Times in seconds since 1970."""
    verdict: Fact = Missing("judge", "no verdict in this step yet")
    if run.verdict is not None:
        verdict = Known(run.verdict.word, data_at or run.verdict.at, "judge")
    control: Fact = Missing("governor", "it does not answer")
    if control_read_at is not None:
        control = Known(state.authority_of(run.service).mode, control_read_at, "governor")
    healthy: Fact = Missing("judge", "stable was not seen")
    if stable_healthy is not None and data_at is not None:
        healthy = Known(stable_healthy, data_at, "judge")
    data: Fact = Missing("metrics", "no sample yet")
    if data_at is not None:
        data = Known(True, data_at, "metrics")
    rollbacks = state.automatic_rollbacks.get(run.service, ())
    recent = sum(1 for at in rollbacks if now - at < ROLLBACK_WINDOW_S)
    return Facts(
        verdict=verdict,
        confidence=Known(confidence, now, "brain"),
        data=data,
        stable_healthy=healthy,
        control=control,
        automatic_rollbacks=Known(recent, now, "journal"),
        risk=Known(run.risk, now, "repository"),
    )


def propose(
    state: State, run: Run, wish: Wish, facts: Facts, policy: Policy, brain: str, now: float
) -> tuple[ev.Event, ...]:
    """The events of one wish; none when the agent has already said so in this step and epoch."""
    epoch = state.authority_of(run.service).epoch
    if has_spoken(run, wish.capability, epoch, now):
        return ()
    said = answer(policy, run.environment, wish.capability, facts, run.mode, now)
    proposal = f"run-{run.id}.proposal.{len(run.proposals) + 1}"
    made = ev.ProposalMade(
        run=run.id,
        proposal=proposal,
        capability=wish.capability,
        step=run.step,
        epoch=epoch,
        brain=brain,
        confidence=wish.confidence,
        headline=wish.headline,
        evidence=wish.evidence,
        digest=digest(wish.evidence),
        answer=said.answer,
        rule=said.rule,
        why=said.why,
    )
    if said.answer != "ask" or wish.capability not in WRITES:
        return (made,)
    opened = ev.ItemOpened(
        run=run.id,
        item=f"{proposal}.item",
        type="recommendation",
        capability=wish.capability,
        step=run.step,
        expires_at=now + ASK_FOR_S,
        confidence=wish.confidence,
        lines=tuple(e.text for e in wish.evidence),
        binding={
            "epoch": str(epoch),
            "step": str(run.step),
            "commit": run.commit,
            "plan": run.plan.digest,
            "policy": run.policy_digest,
            "evidence": made.digest,
        },
    )
    return (made, opened)
