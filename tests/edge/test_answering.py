"""What an item tells of itself: what a yes is bound to, whose it may be, and the rule's record."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.plan import CanaryStage, CanaryStep, Person, PipelinePlan, ReleaseStage
from hatchway.core.state import State
from hatchway.edge import protocol as p
from hatchway.edge.standing import level_words
from hatchway.edge.waiting import needs_doc

STEPS = (CanaryStep(5, 100.0), CanaryStep(100, 1.0))
APART = ("author", "pusher", "requester")
PLAN = PipelinePlan(
    "shop",
    "shop",
    "prod",
    (ReleaseStage("release", approvals=2, separation=APART), CanaryStage("canary", (), STEPS)),
    digest="plan",
)
ANA = Person("ana", login="ana", roles=("operator", "approver"))
CARL = Person("carl", login="cb", roles=("approver",), aliases=("carl@shop.example",))
EVA = Person("eva", roles=("approver",))
BOUND = {
    "environment": "prod", "commit": "c1", "artifact": "sha256:9f31ab2", "tag": "c1", "plan": "plan",
    "policy": "q", "baseline": "c0", "stage": "release", "epoch": "0",
}  # fmt: skip


class Journal:
    """A state, and what happens to it, at 01:50 UTC."""

    def __init__(self, mode: ev.Mode = "act", says: dict[str, str] | None = None) -> None:
        self.state, self.at = State(), 6600.0
        self.tell(
            ev.RunStarted(
                run="1", service="shop", environment="prod", mode=mode, pace=1.0, commit="c1",
                base="c0", from_version="1.4.0", to_version="1.5.0", plan=PLAN, policy_digest="q",
                requester="eva", policy_says=says or {},
            ),
            ev.ReleaseRequested(
                run="1", risk="HIGH", reasons=("HIGH: drops column acct.old_id",), attention=(),
                changes=(ev.Change("c1", "Carl <carl@shop.example>", "t"),), files=("a", "b"),
                authors=("Carl <carl@shop.example>",), artifact="sha256:9f31ab2",
            ),
        )  # fmt: skip

    def tell(self, *events: ev.Event) -> Journal:
        for event in events:
            self.state = evolve(self.state, event, seq=self.state.seq + 1, at=self.at, idem="")
        return self

    def authority(self, op: str, mode: Any, epoch: int = 2) -> Journal:
        return self.tell(
            ev.AuthorityChanged(
                service="shop", spool=epoch, op=op, command="", by="ana", reason="", epoch=epoch,
                mode=mode, holder="ana", desired=0, direct=False, at=self.at,
            )
        )  # fmt: skip

    def approval(self, number: int = 1, **bound: str) -> Journal:
        return self.tell(
            ev.ItemOpened(
                run="1", item=f"run-1.approval.{number}", type="approval", step=-1,
                capability="open_release", expires_at=9e9, binding={**BOUND, **bound},
            )
        )  # fmt: skip

    def recommend(self, capability: ev.Capability, number: int = 1, **bound: str) -> Journal:
        name = f"run-1.proposal.{number}"
        return self.tell(
            ev.ProposalMade(
                run="1", proposal=name, capability=capability, step=-1, epoch=0, brain="rules-1",
                confidence=0.9, headline="h", evidence=(), digest="", answer="ask", rule="r", why="",
            ),
            ev.ItemOpened(
                run="1", item=f"{name}.item", type="recommendation", step=-1, expires_at=9e9,
                capability=capability, confidence=0.9, binding={"epoch": "0", **bound},
            ),
        )  # fmt: skip

    def item(self, *people: Person) -> p.ItemDoc:
        made = msgspec.json.encode(needs_doc(self.state, people))
        return msgspec.json.decode(made, type=p.NeedsDoc).items[0]


@pytest.fixture
def journal() -> Journal:
    return Journal()


def test_an_approval_says_what_it_is_bound_to_and_that_it_is_unchanged(journal: Journal) -> None:
    item = journal.approval().item()
    assert item.terms == "commit c1, artifact 9f31ab2: unchanged since 01:50Z"
    assert item.changed == ()
    assert item.changes == "1 commit, 2 files: 1.4.0 to 1.5.0, first for 5 % of the traffic"
    assert item.risk_reasons == ("HIGH: drops column acct.old_id",)


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        ({"artifact": "sha256:0000"}, "artifact changed since this was asked at 01:50Z"),
        ({"baseline": "b9"}, "what is live changed since this was asked"),
        ({"tag": "b9"}, "was moved since this was asked"),
        ({"policy": "other"}, "policy changed since this was asked"),
    ],
)
def test_what_changed_since_it_was_asked_is_said(
    journal: Journal, bound: dict[str, str], said: str
) -> None:
    item = journal.approval(**bound).item()
    assert ": CHANGED since 01:50Z" in item.terms
    assert len(item.changed) == 1
    assert said in item.changed[0]


def test_a_recommendation_is_over_when_control_changed_hands(journal: Journal) -> None:
    assert journal.recommend("promote").item().changed == ()
    item = journal.authority("takeover", "person").item()
    assert item.changed == ("control changed hands since this was recommended",)
    assert item.who == ("ana has taken over and decides alone",)
    journal.authority("pause", "paused", 3)
    assert journal.item().who == ("no yes counts while ana has it paused",)


def test_going_back_is_not_held_up_by_rules_that_changed(journal: Journal) -> None:
    assert journal.recommend("rollback", plan="old", policy="old").item().changed == ()
    other = Journal().recommend("promote", plan="old", policy="old").item()
    assert other.changed == ("the plan changed since", "the policy changed since")


def test_who_may_answer_and_who_has(journal: Journal) -> None:
    assert journal.approval().item().who == (
        "needs 2 of approver, has 0",
        "not the author and requester: Carl, eva",
    )
    yes = ev.ItemClosed(run="1", item="run-1.approval.1", status="accepted", by="ana")
    item = journal.tell(yes).approval(2).item()
    assert item.who[0] == "needs 2 of approver, has 1: ana"


def test_those_kept_apart_are_told_why_by_every_name_they_have(journal: Journal) -> None:
    yes = ev.ItemClosed(run="1", item="run-1.approval.1", status="accepted", by="ana", person="ana")
    item = journal.approval().tell(yes).approval(2).item(ANA, CARL, EVA)
    assert item.barred["ana"].startswith("You have already said yes")
    for name in ("carl", "cb", "carl@shop.example"):
        assert "You wrote part of what ships" in item.barred[name]
    assert item.barred["eva"].startswith("You started this run")
    assert "luis" not in item.barred


def test_an_author_that_nobody_lists_is_kept_apart_too(journal: Journal) -> None:
    assert set(journal.approval().item().barred) >= {"carl", "carl@shop.example", "eva"}


def test_a_recommendation_says_how_often_its_rule_was_right(journal: Journal) -> None:
    nothing = "this rule has decided nothing like it in prod: nothing is known"
    assert journal.recommend("promote").item().record == nothing
    gone = ev.ItemClosed(run="1", item="run-1.proposal.1.item", status="superseded", by="hatchway")
    item = journal.tell(gone).recommend("promote", 2).item()
    assert item.record == "this rule before: right 0, wrong 0, unknown 1 of 1 in prod"
    by = ev.By("person", "ana")
    back = ev.EffectIntended(run="1", key="k", step=0, weight=0, epoch=0, by=by, reason="r")
    gone = ev.ItemClosed(run="1", item="run-1.proposal.2.item", status="superseded", by="hatchway")
    item = journal.tell(back, gone).recommend("promote", 3).item()
    assert item.record == "this rule before: right 0, wrong 2, unknown 0 of 2 in prod"
    assert journal.approval().item().record == item.record, "the recommendation is still first"


def test_why_it_only_recommends_is_named_however_it_came_about() -> None:
    def level(journal: Journal, drill: str = "") -> str:
        return level_words(journal.state, "shop", drill)

    assert level_words(State(), "shop") == "releases nothing now"
    assert level(Journal()) == "acts within policy"
    assert level(Journal(), "one is due") == "recommends only: drill overdue"
    assert level(Journal("recommend")) == "recommends only: as started"
    assert level(Journal("recommend", {"mode": "recommend"})) == "recommends only: policy"
    given_back = Journal().authority("takeover", "person").authority("release", "agent", 3)
    assert level(given_back) == "recommends only: given back"
    broken = Journal().tell(ev.BreakerOpened(service="shop", run="1", why="it got worse"))
    assert level(broken) == "recommends only: breaker open"


def test_who_is_kept_apart_follows_each_yes(journal: Journal) -> None:
    journal.approval().approval(2)
    assert "luis" not in journal.item().barred
    yes = ev.ItemClosed(run="1", item="run-1.approval.1", status="accepted", by="luis")
    (left,) = needs_doc(journal.tell(yes).state).items
    assert left.id == "run-1.approval.2"
    before = needs_doc(Journal().approval().approval(2).state).items[1].barred
    assert set(left.barred) - set(before) == {"luis"}
