"""What waits for people, as a document. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hatchway.core.plan import Person
from hatchway.core.state import Item, Run, State
from hatchway.edge import answering
from hatchway.edge import protocol as p
from hatchway.edge.standing import residue_items


def needs_doc(state: State, people: Sequence[Person] = ()) -> p.NeedsDoc:
    """Open items: rollbacks first, then what is of HIGH risk, then the oldest.

    `people` are those that hatchway.yaml lists: by how many names each is known.
    """
    items = [
        (run, item)
        for run in state.runs.values()
        if run.active
        for item in run.items.values()
        if item.status == "open"
    ]
    items.sort(key=_urgent_first)
    asked = tuple(_item(state, run, item, people) for run, item in items)
    return p.NeedsDoc((*asked, *residue_items(state)))


def _urgent_first(pair: tuple[Run, Item]) -> tuple[bool, bool, float]:
    run, item = pair
    return item.capability != "rollback", run.risk != "HIGH", item.asked_at


def _item(state: State, run: Run, item: Item, people: Sequence[Person]) -> p.ItemDoc:
    plan = run.canary
    share = f"{run.weight} % of the traffic"
    match item.capability:
        case "rollback":
            title = f"ROLL BACK {run.service} to {run.from_version}"
            default = "no answer: stays as it is, held"
            changes = f"{share} goes back from {run.to_version} to {run.from_version}"
        case "promote":
            after = run.step + 1
            done = plan is None or after >= len(plan.steps)
            goal = "100%, and finish" if done else f"{plan.steps[after].weight}%"  # type: ignore[union-attr]
            sure = ", NOT SURE" if item.asked_on == "UNSURE" else ""
            title = f"PROMOTE {run.service} {run.to_version} to {goal}{sure}"
            default = "no answer: stays as it is"
            changes = f"{run.to_version} has {share} and gets {goal}"
        case _:
            title = f"APPROVE {run.service} {run.to_version} for {run.environment}"
            default = "no answer: held, asked again"
            changes = _ships(run)
    terms, changed = answering.terms(state, run, item)
    return p.ItemDoc(
        id=item.id,
        kind=item.type,
        capability=item.capability,
        title=title,
        service=run.service,
        run=run.id,
        asked_at=item.asked_at,
        expires_at=item.expires_at,
        risk=run.risk,
        confidence=item.confidence,
        undo=undo_words(run),
        lines=item.lines or run.attention,
        default=default,
        changes=changes,
        risk_reasons=run.risk_reasons,
        record=answering.before_this(state, run, item),
        terms=terms,
        changed=changed,
        who=answering.who(state, run, item),
        barred=answering.barred(run, item, people),
    )


def _ships(run: Run) -> str:
    """What goes live when a release is approved."""
    commits = "1 commit" if len(run.changes) == 1 else f"{len(run.changes)} commits"
    files = "1 file" if len(run.files) == 1 else f"{len(run.files)} files"
    first = f", first for {run.canary.steps[0].weight} % of the traffic" if run.canary else ""
    return f"{commits}, {files}: {run.from_version} to {run.to_version}{first}"


def undo_words(run: Run) -> str:
    """Whether the old version can take the traffic back, and what stays when it does."""
    if run.undo is not None and run.undo.safe != "yes":
        word = "NO" if run.undo.safe == "no" else "NOT SURE"
        return f"{word}: {run.undo.against[0].text}" if run.undo.against else word
    if run.undo is None and any(f.startswith("migrations/") for f in run.files):
        return f"NOT SURE: {run.to_version} migrates the database"
    stays = "".join(f"; {text}" for text in (run.undo.residue[:2] if run.undo else ()))
    return f"YES: {run.from_version} keeps running, traffic goes back to it{stays}"
