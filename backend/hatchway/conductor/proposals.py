"""From a brain's wish to an event: policy answers, and a person is asked where it says so. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec

from hatchway.brains.port import Situation, Wish
from hatchway.brains.unsure import doubts
from hatchway.conductor.undoing import as_fact, automatic_rollbacks, guarded
from hatchway.core import events as ev
from hatchway.core import several
from hatchway.core.bars import STANDING
from hatchway.core.canary import weight_of
from hatchway.core.drills import answer_as_drilled
from hatchway.core.facts import Fact, Facts, Known, Missing
from hatchway.core.monitoring import ASK_FOR_S
from hatchway.core.permission import has_spoken, item_of
from hatchway.core.policy import Policy, PolicyAnswer, answer
from hatchway.core.state import Item, Proposal, Run, State
from hatchway.core.undo import Undo
from hatchway.core.windows import FOREVER, Calendar

WRITES = frozenset({"promote", "rollback"})
MAY_WISH: Mapping[str, frozenset[str]] = {
    "failed": frozenset({"block_deploy", "hold", "page"}),
    "release": frozenset({"open_release", "hold", "page"}),
    "canary": frozenset({"promote", "rollback", "hold", "page"}),
}
"""What makes sense about each topic; a wish for anything else is not understood."""


LONGEST_HEADLINE = 2_000
MOST_EVIDENCE = 500
MOST_WISHES = 8
"""Of one answer of a brain. Nobody could read more, and a journal is no place for a flood."""


def nonsense(wish: object, situation: Situation) -> str:
    """Why a brain's wish is not even put to the policy, in words; empty when it is.

    A brain may word things and be more careful than the judge. It cannot turn a verdict that is not
    PASS into a promotion, or shorten the monitoring: core/monitoring.py says what is due. Where a
    person may go on without being sure, its wish is a question to them, whatever policy says.
    """
    if not isinstance(wish, Wish):
        return f"a {type(wish).__name__} is no wish"
    try:
        msgspec.convert(msgspec.to_builtins(wish), Wish)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        return f"the wish is malformed: {error}"
    if wish.capability not in MAY_WISH[situation.topic]:
        return f"{wish.capability} is no answer to the topic {situation.topic}"
    if not 0.0 <= wish.confidence <= 1.0:
        return f"a confidence of {wish.confidence} is not between 0 and 1"
    if len(wish.headline) > LONGEST_HEADLINE or len(wish.evidence) > MOST_EVIDENCE:
        return f"more than {LONGEST_HEADLINE} characters or {MOST_EVIDENCE} pieces of evidence"
    if situation.sight is not None:
        unseen = next((e.id for e in wish.evidence if e not in situation.sight.evidence), None)
        if unseen is not None:
            return f"it stands on evidence {unseen[:40]!a}, which is not what was seen"
    if wish.capability == "promote":
        return _too_early(situation)
    return ""


def _too_early(situation: Situation) -> str:
    """Why nobody, neither policy nor a person, is asked about a promotion yet; or empty."""
    asks = situation.due == "ask" or (situation.due == "hold" and situation.patience_over)
    if situation.due == "promote" or (asks and situation.a_person_may_go_on):
        return ""
    sight = situation.sight
    if sight is not None and (sight.word, sight.action) == ("PASS", "none"):
        return "it would promote before the monitoring has ended"
    return "it would promote without the verdict PASS"


def without_brain(situation: Situation) -> tuple[Wish, ...]:
    """What stands when the brain is absent or talks nonsense: the deterministic verdict."""
    sight = situation.sight
    if situation.topic == "failed":
        why = f"{situation.stage}: {situation.why}"
        return (_plain("block_deploy", f"{situation.stage} failed", why, situation.now),)
    if situation.topic == "release":
        why = "every stage before the release has passed"
        return (_plain("open_release", f"{situation.run.to_version} is ready", why, situation.now),)
    if sight is not None and sight.word == "REGRESS" and sight.action == "rollback":
        return (
            Wish(
                capability="rollback",
                confidence=sight.confidence,
                headline=sight.headline,
                evidence=sight.evidence,
            ),
        )
    return ()


def _plain(capability: ev.Capability, headline: str, why: str, now: float) -> Wish:
    evidence = (ev.Evidence("E1", "?", why, "pipeline", now),)
    return Wish(capability=capability, confidence=1.0, headline=headline, evidence=evidence)


def digest(evidence: Sequence[ev.Evidence]) -> str:
    """SHA-256 of the evidence as it is journaled."""
    return hashlib.sha256(msgspec.json.encode(tuple(evidence), order="deterministic")).hexdigest()


def facts_of(
    state: State,
    run: Run,
    now: float,
    *,
    control: tuple[str, float] | None,
    data_at: float | None,
    stable_healthy: bool | None,
    confidence: float,
    undo: Undo | None = None,
    regressed: tuple[str, ...] | None = None,
    leads_to: int | None = None,
    calendars: Mapping[str, Calendar] | None = None,
) -> Facts:
    """The facts that a policy may ask about, each with its age. Times in seconds since 1970.

    `control` is the mode that the governor said, and when it did. `regressed` names the metrics
    that the judge calls worse, `leads_to` is the share that it is about.
    """
    verdict: Fact = Missing("judge", "no verdict in this step yet")
    if run.verdict is not None:
        verdict = Known(run.verdict.word, data_at or run.verdict.at, "judge")
    in_control: Fact = Missing("governor", "it does not answer")
    if control is not None:
        in_control = Known(control[0], control[1], "governor")
    healthy: Fact = Missing("judge", "stable was not seen")
    if stable_healthy is not None and data_at is not None:
        healthy = Known(stable_healthy, data_at, "judge")
    data: Fact = Missing("metrics", "no sample yet")
    if data_at is not None:
        data = Known(True, data_at, "metrics")
    worse: Fact = Missing("judge", "no verdict in this step yet")
    if regressed is not None and data_at is not None:
        worse = Known(regressed, data_at, "judge")
    share: Fact = Missing("", "it moves no share")
    if leads_to is not None:
        share = Known(leads_to, now, "pipeline")
    recent = automatic_rollbacks(state, run.service, now)
    return Facts(
        verdict=verdict,
        confidence=Known(confidence, now, "brain"),
        data=data,
        stable_healthy=healthy,
        control=in_control,
        automatic_rollbacks=Known(recent, now, "journal"),
        risk=Known(run.risk, now, "repository"),
        undo_safe=as_fact(undo, now) if undo else Missing("", "nobody looked"),
        regressed=worse,
        weight=share,
        calendars=calendars or {},
    )


def weight_after(run: Run, capability: str) -> int | None:
    """The share in percent that `capability` leads to; None where it moves none."""
    plan = run.canary
    if capability == "rollback":
        return 0
    return weight_of(plan, run.step + 1) if capability == "promote" and plan is not None else None


def no_proof() -> bytes:
    """What stands for a wish that does not come from a look of the judge."""
    return b""


def propose(
    state: State,
    run: Run,
    situation: Situation,
    wish: Wish,
    facts: Facts,
    policy: Policy,
    brain: str,
    now: float,
    proof: Callable[[], bytes] = no_proof,
    undo: Undo | None = None,
    drill: str = "",
) -> tuple[ev.Event, ...]:
    """The events of one wish; none when the agent has already said so in this step and epoch.

    `proof` makes the proof of the verdict that the wish stands on; it is asked only for an event.
    What a person was only asked because a fact was missing for a moment is done by the agent when
    policy allows it after all. A promotion without being sure is never done: a person is asked.
    Nor is a rollback that `undo`, as of this moment, does not know to be safe. With a drill of the
    stops that is overdue (`drill` says why) nothing is done by itself, it is recommended.
    """
    epoch = state.authority_of(run.service).epoch
    if wish.capability == "promote" and run.hold is not None and run.hold.cause in STANDING:
        return ()  # the target does not take it: saying so again and again changes nothing

    def policy_says(mode: ev.Mode) -> PolicyAnswer:
        return answer(policy, run.environment, wish.capability, facts, mode, now)

    said = answer_as_drilled(policy_says, run.mode, drill)
    sight = situation.sight if wish.capability == "promote" else None
    asked_on = sight.word if sight is not None else ""
    unsure = sight is not None and situation.due != "promote"
    if unsure:
        wish, said = _without_being_sure(situation, wish, said)
    if wish.capability == "rollback":
        wish, said = guarded(wish, said, undo or Undo("unknown"))
    said = _never_in_retrospect(run, wish.capability, epoch, said, policy.digest)
    closed = _superseded(run, wish.capability, epoch, asked_on, said, now)
    if closed is None:
        return ()
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
        proof=proof(),
        policy=policy.digest,
        fired=said.fired,
        stood=said.findings,
        people=said.people,
        roles=said.roles,
        freeze=said.freeze,
        until=said.until if said.until < FOREVER else 0.0,
    )
    if said.answer != "ask" or wish.capability not in WRITES:
        return (*closed, made)
    opened = ev.ItemOpened(
        run=run.id,
        item=f"{proposal}.item",
        type="recommendation",
        capability=wish.capability,
        step=run.step,
        expires_at=now + ASK_FOR_S,
        confidence=None if unsure else wish.confidence,
        lines=(*_first_lines(run, wish, said, epoch), *(e.text for e in wish.evidence)),
        binding={
            **({"verdict": asked_on} if asked_on else {}),
            **({"freeze": said.freeze} if said.freeze else {}),
            **(several.bound(said.people, said.roles) if wish.capability == "promote" else {}),
            "epoch": str(epoch),
            "step": str(run.step),
            "commit": run.commit,
            "plan": run.plan.digest,
            "policy": run.policy_digest,
            "evidence": made.digest,
        },
    )
    return (*closed, made, opened)


def _without_being_sure(
    situation: Situation, wish: Wish, said: PolicyAnswer
) -> tuple[Wish, PolicyAnswer]:
    """The wish with its doubts first in the evidence, and an answer that is never `auto`."""
    doubt = doubts(situation)
    if doubt is not None:
        wish = msgspec.structs.replace(wish, evidence=(doubt, *wish.evidence))
    if said.answer == "auto":
        why = "not sure: a person decides, whatever policy allows"
        said = msgspec.structs.replace(said, answer="ask", why=why)
    return wish, said


def _of_here(run: Run, capability: str, epoch: int) -> list[Proposal]:
    """What the agent said about `capability` in this step and epoch, the newest last."""
    here = (capability, run.step, epoch)
    return [p for p in run.proposals.values() if (p.capability, p.step, p.epoch) == here]


def _was_denied(run: Run, capability: str, epoch: int) -> bool:
    said = _of_here(run, capability, epoch)
    return bool(said) and said[-1].answer == "deny"


def _never_in_retrospect(
    run: Run, capability: str, epoch: int, said: PolicyAnswer, digest: str
) -> PolicyAnswer:
    """What people were asked about under one policy is not done by itself under another."""
    before = [p for p in _of_here(run, capability, epoch) if p.answer == "ask"]
    if said.answer == "auto" and any((p.policy or run.policy_digest) != digest for p in before):
        why = "people were asked about this under another policy: it stays for them to decide"
        return msgspec.structs.replace(said, answer="ask", why=why, fired="policy changed")
    return said


def _superseded(
    run: Run, capability: str, epoch: int, asked_on: str, said: PolicyAnswer, now: float
) -> tuple[ev.Event, ...] | None:
    """The end of the question that this answer replaces, if one is open; None: nothing is new."""
    if not has_spoken(run, capability, epoch, now):
        return ()
    asked = _asked(run, capability, epoch)
    if asked is None:
        new = said.answer != "deny" and _was_denied(run, capability, epoch)
        return () if new or _second_person(run, capability, epoch, said) else None
    why = _asked_anew(asked, asked_on, said)
    if not why:
        return None
    closed = ev.ItemClosed(
        run=run.id, item=asked.id, status="superseded", by="hatchway", reason=why
    )
    return (closed,)


def _second_person(run: Run, capability: str, epoch: int, said: PolicyAnswer) -> bool:
    """Whether somebody said yes, nobody said no, and it takes more people than that."""
    here = [i for i in (item_of(run, p) for p in _of_here(run, capability, epoch)) if i]
    if capability != "promote" or said.answer != "ask" or not here:
        return False
    yes = several.yes_to(run, capability, epoch)
    if here[-1].status != "accepted" or not yes:
        return False
    return bool(several.lacking(yes, *several.wanted(here[-1].binding)))


def _first_lines(run: Run, wish: Wish, said: PolicyAnswer, epoch: int) -> tuple[str, ...]:
    """What people have to know before the evidence: the freeze, and that it takes several."""
    lines = [said.why] if said.freeze else []
    if wish.capability == "promote" and said.people > 1:
        so_far = ", ".join(i.by for i in several.yes_to(run, "promote", epoch))
        each = f", one each of {', '.join(said.roles)}" if said.roles else ""
        so_far = f"; so far: {so_far}" if so_far else ""
        lines.append(f"{said.people} people have to say yes{each}{so_far}")
    return tuple(lines)


def _asked_anew(asked: Item, asked_on: str, said: PolicyAnswer) -> str:
    """Why an open question is not the right one any more, in words; empty while it is."""
    if asked_on not in ("", asked.asked_on):
        return f"the verdict is now {asked_on}"
    if said.answer == "auto":
        return "policy allows it by now"
    if said.answer == "deny":
        return f"policy denies it by now: {said.why}"
    if asked.binding.get("freeze", "") != said.freeze:
        return f"a freeze began: {said.freeze}" if said.freeze else "the freeze is over"
    return ""


def _asked(run: Run, capability: str, epoch: int) -> Item | None:
    """The open question about `capability` in this step and epoch."""
    for proposal in run.proposals.values():
        item = item_of(run, proposal)
        here = (proposal.capability, proposal.step, proposal.epoch) == (capability, run.step, epoch)
        if here and item is not None and item.status == "open":
            return item
    return None
