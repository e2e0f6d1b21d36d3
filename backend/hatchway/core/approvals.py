"""People's yes to a release: what it is bound to, whose it is, how far it goes. Pure.

A yes is bound to the run and to everything that the person could have looked at: the commit, what
is deployed, the pipeline, the policy, what is live. It covers shares up to its maximum, is used by
this run only, and runs out when it is not used in time. Whatever changes voids it, and it is asked
again with the difference. The author, the last pusher and the requester never say yes, and a second
yes comes from a second person.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec

from hatchway.core import events as ev
from hatchway.core import several
from hatchway.core.answers import Refused
from hatchway.core.freeze import passed
from hatchway.core.people import Who, first_named, is_named
from hatchway.core.plan import ReleaseStage
from hatchway.core.roles import why_not
from hatchway.core.says import differences, says
from hatchway.core.state import Frozen, Item, Run, State

BOUND = ("environment", "commit", "artifact", "tag", "plan", "policy", "baseline")
"""What voids a yes when it changes. A binding that an older version wrote has fewer of them."""

MOST_DIFFERENCES = 6

_KEPT_APART = "Who is kept apart stands in the pipeline: separation."


def release_stage(run: Run) -> ReleaseStage | None:
    """The stage that lets people say yes before the canary."""
    return next((s for s in run.plan.stages if isinstance(s, ReleaseStage)), None)


def needed(run: Run, plan: ReleaseStage) -> int:
    """How many people have to say yes: by the pipeline, at the risk found, and by the policy."""
    by_pipeline = plan.approvals_by_risk.get(run.risk, plan.approvals)
    return max(by_pipeline, several.wanted(_last_asked(run))[0], by_policy(run)[0])


def by_policy(run: Run) -> tuple[int, tuple[str, ...]]:
    """How many people, and of which roles, the policy wanted when the release was requested."""
    opened = [p for p in run.proposals.values() if p.capability == "open_release"]
    return (opened[-1].people, opened[-1].roles) if opened else (1, ())


def _last_asked(run: Run) -> dict[str, str]:
    """What the newest question that is open, or was said yes to, is bound to."""
    asked = [i for i in approvals(run) if i.status in ("open", "accepted") and not i.void]
    return asked[-1].binding if asked else {}


def terms_of(state: State, run: Run) -> dict[str, str]:
    """What a yes is bound to, as it is now."""
    return {
        "environment": run.environment,
        "commit": run.commit,
        "artifact": run.artifact,
        "tag": run.ref_commit,
        "plan": run.pipeline_digest or run.plan.digest,
        "policy": run.policy_digest,
        "baseline": state.live_commit(run.service) or run.base,
    }


def digest(item: Item) -> str:
    """SHA-256 of what a yes to the item is worth; what a signature is made over."""
    return digest_of(item.id, item.binding)


def digest_of(item_id: str, binding: dict[str, str]) -> str:
    """The same, of what the journal has of an item."""
    bound = {"item": item_id, **binding}
    return hashlib.sha256(msgspec.json.encode(bound, order="deterministic")).hexdigest()


# --- what has changed -----------------------------------------------------------------------------


def changed(run: Run, binding: dict[str, str], now: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """What of a binding is not so any more: (what happened, from what to what), in words."""
    found = []
    for key in BOUND:
        old, new = binding.get(key, now[key]), now[key]
        if old != new:
            found.append(_in_words(run, key, old, new))
    return tuple(found)


def _in_words(run: Run, key: str, old: str, new: str) -> tuple[str, str]:
    short = f"{_short(old)} -> {_short(new)}"
    match key:
        case "policy" | "plan":
            subject = "policy" if key == "policy" else "pipeline"
            before, after = _said(run, old), _said(run, new)
            if not before or not after:
                return f"{subject} changed", short
            lines = differences(before, after)
            if not lines:
                return f"{subject} changed", f"its wording only, {short}"
            more = len(lines) - MOST_DIFFERENCES
            rest = (f"and {more} more",) if more > 0 else ()
            return f"{subject} changed", "; ".join((*lines[:MOST_DIFFERENCES], *rest))
        case "tag":
            return (
                f"{run.ref or 'what was asked for'} was moved",
                f"{short}; this run ships {short[:9]}",
            )
        case "baseline":
            return "what is live changed", short
        case _:
            return f"{key} changed", short


def _said(run: Run, digest_: str) -> dict[str, str]:
    if digest_ == run.plan.digest:
        return says(run.plan)
    return run.said.get(digest_, {})


def _short(value: str) -> str:
    algorithm, colon, rest = value.rpartition(":")
    return f"{algorithm}{colon}{rest[:9]}" if value else "nothing"


def since(item: Item, change: tuple[str, str]) -> str:
    """A change, as it is shown to the person who is asked again."""
    what, how = change
    if item.status == "accepted":
        return f"{what} since {item.by} said yes at {clock(item.closed_at)}: {how}"
    return f"{what} since this was asked at {clock(item.asked_at)}: {how}"


def clock(at: float) -> str:
    """A time of day, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%MZ")


# --- which yes stands -----------------------------------------------------------------------------


def approvals(run: Run) -> list[Item]:
    """Everything that was asked about the release, the oldest first."""
    return [i for i in run.items.values() if i.type == "approval"]


def standing(run: Run) -> list[Item]:
    """Every yes that is still worth something."""
    return [i for i in approvals(run) if i.status == "accepted" and not i.void]


def used(run: Run) -> bool:
    """Whether the canary was given a share; what was said yes to has then begun."""
    return run.step >= 0 or any(e.weight > 0 for e in run.effects.values())


def covered(run: Run, step: int, now: float) -> bool:
    """Whether enough people said yes to the share of a step, and from when on."""
    return not lacking(run, step, now)


def lacking(run: Run, step: int, now: float) -> str:
    """Why the share of `step` is not covered by people's yes, in words; empty when it is."""
    plan = release_stage(run)
    if plan is None:
        return "no release stage, so nobody could say yes"
    weight = _weight(run, step)
    yes = [i for i in standing(run) if i.max_weight >= weight]
    if len(yes) < needed(run, plan):
        capped = [i.max_weight for i in standing(run) if i.max_weight < weight]
        if capped:
            return f"the yes covers {max(capped)} %, not {weight} %"
        return f"{len(yes)} of {needed(run, plan)} have said yes"
    roles = several.lacking(yes, 1, by_policy(run)[1])
    if roles:
        return roles
    later = max((i.not_before for i in yes), default=0.0)
    return f"not before {clock(later)}" if later > now else ""


def _weight(run: Run, step: int) -> int:
    steps = run.canary.steps if run.canary is not None else ()
    return steps[step].weight if step < len(steps) else 100


def waits_for_people(run: Run, step: int) -> bool:
    """Whether somebody has to be asked before the share of `step`."""
    return bool(lacking(run, step, float("inf")))


def outdated(state: State, run: Run, now: float) -> tuple[ev.Event, ...]:
    """The end of every question and every yes that is bound to what is no longer so."""
    found: list[ev.Event] = []
    terms = terms_of(state, run)
    for item in approvals(run):
        why = "; ".join(since(item, c) for c in changed(run, item.binding, terms))
        if not why and item.status == "open" and _other_freeze(state, run, item, now):
            why = "a freeze began since this was asked"
        if item.status == "open" and why and now <= item.expires_at:
            found.append(
                ev.ItemClosed(
                    run=run.id, item=item.id, status="superseded", by="hatchway", reason=why
                )
            )
        elif item.status == "accepted" and not item.void:
            if not why and now > item.expires_at and not used(run):
                why = f"{item.by}'s yes of {clock(item.closed_at)} was not used in time"
            if why:
                found.append(ev.ApprovalVoided(run=run.id, item=item.id, why=why))
    return tuple(found)


# --- asking ---------------------------------------------------------------------------------------


def question(state: State, run: Run, plan: ReleaseStage, epoch: int, now: float) -> ev.ItemOpened:
    """The next question about a release. Asked again, it says first what is different."""
    asked = approvals(run)
    yes = standing(run)
    people, roles = by_policy(run)
    freeze = overridable(state, run, now)
    if freeze is not None:
        people = max(people, freeze.people)
    return ev.ItemOpened(
        run=run.id,
        item=f"run-{run.id}.approval.{len(asked) + 1}",
        type="approval",
        capability="open_release",
        step=run.step,
        expires_at=now + plan.expires_s,
        lines=(
            *((_freeze_words(freeze),) if freeze is not None else ()),
            *_news(state, run),
            *_conditions(run, plan, people, roles),
            *run.risk_reasons,
        ),
        binding={
            "run": run.id,
            "stage": plan.name,
            **terms_of(state, run),
            "max_weight": "100",
            "not_before": f"{now:.3f}",
            "expires": f"{now + plan.expires_s:.3f}",
            "epoch": str(epoch),
            "not": ",".join(i.by for i in yes),
            **({"freeze": freeze.freeze} if freeze is not None else {}),
            **several.bound(people, roles),
        },
    )


def overridable(state: State, run: Run, now: float) -> Frozen | None:
    """The freeze that people may go on in spite of; None where none is in force, or nobody can."""
    frozen = state.frozen.get(run.environment)
    if frozen is None or frozen.people == 0 or passed(frozen, now):
        return None
    return None if frozen.stands == "open" else frozen


def _other_freeze(state: State, run: Run, item: Item, now: float) -> bool:
    freeze = overridable(state, run, now)
    return freeze is not None and item.binding.get("freeze", "") != freeze.freeze


def _freeze_words(freeze: Frozen) -> str:
    people = "1 person" if freeze.people == 1 else f"{freeze.people} people"
    return f"{freeze.why}: {people} may go on all the same"


def _news(state: State, run: Run) -> tuple[str, ...]:
    """What is different since a yes that is void, or since the last question was asked."""
    terms, asked = terms_of(state, run), approvals(run)
    lines: list[str] = []
    for item in asked:
        if item.void or (item is asked[-1] and item.status == "superseded"):
            changes = changed(run, item.binding, terms)
            lines += [since(item, change) for change in changes] or filter(None, [item.void])
    short = lacking(run, run.step + 1, float("inf"))
    if "covers" in short:
        lines.append(f"asked again: {short}")
    return tuple(dict.fromkeys(lines))


def _conditions(
    run: Run, plan: ReleaseStage, people: int, roles: tuple[str, ...]
) -> tuple[str, ...]:
    """What is asked of the people who say yes, where it is more than one word of one person."""
    number, said = max(people, needed(run, plan)), [i.by for i in standing(run)]
    lines = []
    if number > 1:
        so_far = f"; so far: {', '.join(said)}" if said else ""
        each = f", one each of {', '.join(roles)}" if roles else ""
        lines.append(f"{number} people have to say yes{each}{so_far}")
    if plan.signed:
        lines.append("only a signed yes counts: hatchway accept ITEM --sign KEY")
    return tuple(lines)


# --- who may say yes ------------------------------------------------------------------------------


def refusal(state: State, run: Run, item: Item, who: Who) -> Refused | None:
    """Why `who` may not say yes to a release; None when they may."""
    changes = changed(run, item.binding, terms_of(state, run))
    if changes:
        why = "; ".join(since(item, change) for change in changes)
        return Refused(
            "changed", f"{why}.", "It is asked again; look at the difference, then answer."
        )
    plan = release_stage(run)
    if plan is None:
        return None
    return not_theirs(run, plan, who) or _not_proven(plan, who)


def not_theirs(run: Run, plan: ReleaseStage, who: Who) -> Refused | None:
    """Separation of duties: own work, own request, own rules, own second yes."""
    other = "Somebody who had no part in it has to approve."
    authors = run.authors or tuple(c.author for c in run.changes)
    own = first_named(who, authors) if "author" in plan.separation else ""
    if own:
        return Refused("own_work", f"You wrote part of what ships, as {own}.", other)
    own = first_named(who, run.pushers) if "pusher" in plan.separation else ""
    if own:
        return Refused("own_work", f"You made the newest commit, as {own}.", other)
    if "requester" in plan.separation and is_named(who, run.requester, run.requester_person):
        return Refused("own_request", "You started this run.", f"{other} {_KEPT_APART}")
    rules = tuple(run.said)[1:]  # without those that it started with
    if set(rules) - {run.plan.digest} and not why_not("configure", who.roles):
        why = "Policy or pipeline changed during this run, and you are one who may change them."
        return Refused("own_rules", why, "Somebody who may not change them has to approve.")
    for yes in standing(run):
        if is_named(who, yes.by, yes.person):
            return Refused(
                "second_person",
                "You have already said yes to this.",
                "A second person has to approve.",
            )
    return None


def _not_proven(plan: ReleaseStage, who: Who) -> Refused | None:
    """Whether it is known well enough who this is."""
    sign = "hatchway accept ITEM --sign KEY, with a key that allowed_signers lists."
    if who.shared and not who.signed:
        why = f"{who.name} is an account of several people: it does not say who you are."
        return Refused("unsigned", why, sign)
    if plan.listed and not who.person:
        return Refused(
            "not_listed",
            f"{who.name} is not a person that hatchway.yaml lists, and this release asks for one.",
            "List yourself under people in hatchway.yaml, or sign with a listed person's key.",
        )
    if (plan.signed or who.must_sign) and not who.signed:
        whose = "This release" if plan.signed else "Your yes"
        return Refused("unsigned", f"{whose} needs a signature.", sign)
    return None
