"""The built-in brain: deterministic rules, offline, always there."""

from __future__ import annotations

from hatchway.brains.port import Sight, Situation, Wish
from hatchway.brains.unsure import unsaid
from hatchway.core.events import Evidence

PAGE_WHEN_BLIND_S = 60.0


class RulesBrain:
    """Answers: should we roll back? should we block? may this go on?"""

    name = "rules-1"

    async def propose(self, situation: Situation) -> tuple[Wish, ...]:
        return wishes(situation)


def wishes(situation: Situation) -> tuple[Wish, ...]:
    """The rules themselves, pure."""
    match situation.topic:
        case "failed":
            return (_block(situation),)
        case "release":
            return (_open_release(situation),)
        case "canary" if situation.sight is not None:
            said = _canary(situation, situation.sight)
            return (*said, *unsaid(said, situation))
    return ()


def _block(situation: Situation) -> Wish:
    facts = [f"{situation.stage}: {situation.why}", *situation.tail]
    return Wish(
        capability="block_deploy",
        confidence=1.0,
        headline=f"{situation.stage} failed: this commit should not ship",
        evidence=tuple(
            Evidence(f"E{i}", "-", text, "runner", situation.now) for i, text in enumerate(facts, 1)
        ),
    )


def _open_release(situation: Situation) -> Wish:
    run = situation.run
    passed = [s.name for s in run.stages if s.status == "passed"]
    facts = [f"passed: {', '.join(passed)}", *run.risk_reasons]
    return Wish(
        capability="open_release",
        confidence=1.0,
        headline=f"{run.to_version} is ready: {len(run.changes)} commits, risk {run.risk}",
        evidence=tuple(
            Evidence(f"E{i}", "+", text, "pipeline", situation.now)
            for i, text in enumerate(facts, 1)
        ),
    )


def _canary(situation: Situation, sight: Sight) -> tuple[Wish, ...]:
    def wish(capability: str, headline: str, confidence: float) -> Wish:
        match capability:
            case "rollback" | "promote" | "hold" | "page":
                return Wish(
                    capability=capability,
                    confidence=confidence,
                    headline=headline,
                    evidence=sight.evidence,
                )
            case _:
                raise ValueError(capability)

    if sight.word == "REGRESS" and sight.action == "rollback":
        return (wish("rollback", sight.headline, sight.confidence),)
    if sight.word == "NO_DATA":
        hold = wish("hold", sight.headline, 1.0)
        if sight.blind_for_s >= PAGE_WHEN_BLIND_S:
            return (hold, wish("page", f"blind for {sight.blind_for_s:.0f} s", 1.0))
        return (hold,)
    if sight.action != "none":
        return (wish("hold", sight.headline, sight.confidence),)
    if sight.stable_healthy is False:
        return (wish("hold", "stable itself is not healthy: not a time to go on", 1.0),)
    if situation.due == "promote":
        return (wish("promote", sight.headline, sight.confidence),)
    return ()  # nothing is certain: what is owed then is said in any case
