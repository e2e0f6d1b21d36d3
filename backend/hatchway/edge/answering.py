"""What an answer to an item is worth, and whose it may be: in words, by the core's own rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hatchway.core import approvals, several
from hatchway.core.people import Who, fold, parts
from hatchway.core.plan import Person, ReleaseStage
from hatchway.core.record import Score, label
from hatchway.core.roles import RIGHTS, listed
from hatchway.core.state import Item, Run, State

MOST_NAMES = 60
KEPT = 500
_barred: dict[str, tuple[Run, Sequence[Person], dict[str, str]]] = {}
"""By item: what it was made of, and what it came to. It is asked many times a second."""


def terms(state: State, run: Run, item: Item) -> tuple[str, tuple[str, ...]]:
    """What a yes is bound to, and what of that is not so any more since it was asked."""
    when = approvals.clock(item.asked_at)
    if item.type == "approval":
        artifact = f", artifact {_short(run.artifact)}" if run.artifact else ""
        bound = f"commit {run.commit[:9]}{artifact}"
        found = approvals.changed(run, item.binding, approvals.terms_of(state, run))
        changes = tuple(approvals.since(item, change) for change in found)
    else:
        bound = f"commit {run.commit[:9]}, at {run.weight} %"
        changes = _moved_on(state, run, item)
    return f"{bound}: {'CHANGED' if changes else 'unchanged'} since {when}", changes


def _short(digest: str) -> str:
    return digest.rpartition(":")[2][:9]


def _moved_on(state: State, run: Run, item: Item) -> tuple[str, ...]:
    """What ends a recommendation, as `core/decide.py` has it."""
    found = []
    if item.epoch != state.authority_of(run.service).epoch:
        found.append("control changed hands since this was recommended")
    if item.step != run.step:
        found.append("the canary has moved on since this was recommended")
    if item.capability != "rollback":
        now = {"plan": run.plan.digest, "policy": run.policy_digest}
        found += [f"the {k} changed since" for k, v in now.items() if item.binding.get(k, v) != v]
    return tuple(found)


def who(state: State, run: Run, item: Item) -> tuple[str, ...]:
    """Who has to say yes, who has, and who may not."""
    authority = state.authority_of(run.service)
    if authority.mode == "person":
        return (f"{authority.holder} has taken over and decides alone",)
    if authority.mode == "paused" and item.type == "recommendation":
        return (f"no yes counts while {authority.holder} has it paused",)
    role = listed(sorted(RIGHTS["approve"]))
    plan = approvals.release_stage(run) if item.type == "approval" else None
    if plan is not None:
        yes, people = approvals.standing(run), approvals.needed(run, plan)
        bound, roles = several.wanted(item.binding)
        people = max(people, bound)
    else:
        yes = several.yes_to(run, item.capability, item.epoch)
        people, roles = several.wanted(item.binding)
    has = ", ".join(each.by for each in yes)
    lines = [f"needs {people} of {role}, has {len(yes)}{': ' + has if has else ''}"]
    if roles:
        lines.append(f"one each of {', '.join(roles)}")
    if plan is not None:
        if plan.signed:
            lines.append("only a signed yes counts")
        apart = [word for word in plan.separation if _named_for(run, word)]
        if apart:
            lines.append(f"not the {listed(apart)}: {', '.join(_apart(run, apart))}")
    return tuple(lines)


def _named_for(run: Run, word: str) -> tuple[str, ...]:
    """The names that a rule of separation keeps apart."""
    match word:
        case "author":
            return run.authors or tuple(change.author for change in run.changes)
        case "pusher":
            return run.pushers
        case _:
            return (run.requester,) if run.requester else ()


def _apart(run: Run, words: Iterable[str]) -> list[str]:
    names = (name for word in words for name in _named_for(run, word))
    return list(dict.fromkeys(name.partition(" <")[0] or name for name in names))[:6]


def barred(run: Run, item: Item, people: Sequence[Person]) -> dict[str, str]:
    """By each name that is known, folded: why this person may not say yes to a release."""
    plan = approvals.release_stage(run)
    if item.type != "approval" or plan is None:
        return {}
    made = _barred.get(item.id)
    if made is None or made[0] is not run or made[1] is not people:
        if len(_barred) >= KEPT:
            _barred.clear()
        made = _barred[item.id] = run, people, _all_barred(run, plan, people)
    return made[2]


def _all_barred(run: Run, plan: ReleaseStage, people: Sequence[Person]) -> dict[str, str]:
    known = {
        Who(p.name, p.name, tuple(filter(None, (p.login, *p.aliases))), p.roles) for p in people
    }
    named = {name for word in ("author", "pusher", "requester") for name in _named_for(run, word)}
    named |= {yes.by for yes in approvals.standing(run)}
    taken = {fold(name) for each in known for name in (each.name, *each.names)}
    others = {part for name in named for part in parts(name)} - taken
    known |= {Who(name, roles=("approver",)) for name in others}
    found: dict[str, str] = {}
    for each in sorted(known, key=lambda each: each.name):
        refused = approvals.not_theirs(run, plan, each)
        if refused is not None:
            words = f"{refused.why} {refused.todo}".strip()
            found |= {fold(name): words for name in (each.name, *each.names)}
    return dict(list(found.items())[:MOST_NAMES])


def before_this(state: State, run: Run, item: Item) -> str:
    """How often the brain that asks was right about this before, in words; empty: it has no part."""
    found = state.record.of_item(run.id, item.id)
    if found is None:
        return ""
    trial, decision = found
    score = state.record.score(trial.environment, decision.capability, decision.brain)
    return record_words(score, but=label(trial, decision))


def record_words(score: Score, but: str = "") -> str:
    """A score in a line. `but`: without one decision, of which this is the label."""
    counts = {w: getattr(score, w) - (w == but) for w in ("right", "wrong", "harmful", "unknown")}
    of = sum(counts.values())
    if not of:
        return f"this rule has decided nothing like it in {score.environment}: nothing is known"
    told = [f"{w} {n}" for w, n in counts.items() if n or w != "harmful"]
    return f"this rule before: {', '.join(told)} of {of} in {score.environment}"
