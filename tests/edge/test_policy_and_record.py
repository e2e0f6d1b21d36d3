"""The queries `policy` and `record`: the policy's own answer on live facts, and the folded record."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.conductor.in_force import InForce
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.plan import CanaryStage, CanaryStep, PipelinePlan
from hatchway.core.policy import CAPABILITIES, EnvironmentPolicy, InWindow, Policy, Rule
from hatchway.core.state import State
from hatchway.core.windows import FOREVER, Calendar, Span
from hatchway.edge.docs.policy import PolicyDoc, RuleDoc
from hatchway.edge.docs.record import RecordDoc, ScoreDoc
from hatchway.edge.queries.policy import policy_doc
from hatchway.edge.queries.record import record_doc
from hatchway.settings.load import load_policy, shipped
from hatchway.targets.port import Observed, Standing

STEPS = (CanaryStep(5, 100.0), CanaryStep(25, 100.0))
PLAN = PipelinePlan("shop", "shop", "prod", (CanaryStage("canary", (), STEPS),), "plan")
SHIPPED = shipped() / "policy.yaml"


class House:
    """A state, live data and the shipped policy in force, at second 1000."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.state, self.live, self.now = State(), Live(), 1000.0
        self.in_force = InForce(policy or load_policy(SHIPPED))
        self.standing()

    def standing(self, mode: str = "agent", stop_all: str = "") -> None:
        seen = Observed(canary=5, stable=95, inflight=0, total=1, at=self.now)
        said = Standing("shop", 4, mode, "ana", 1, 5, seen, "", "", 0, 0)
        self.live.standing["shop"] = msgspec.structs.replace(said, stop_all=stop_all), self.now

    def tell(self, *events: ev.Event) -> House:
        for event in events:
            seq = self.state.seq + 1
            self.state = evolve(self.state, event, seq=seq, at=self.now, idem="")
        return self

    def at_canary(self, mode: ev.Mode = "act") -> House:
        self.tell(
            ev.RunStarted(
                run="1", service="shop", environment="prod", mode=mode, pace=1.0, commit="c1",
                base="c0", from_version="1.4.0", to_version="1.5.0", plan=PLAN, policy_digest="",
            ),
            ev.StepEntered(run="1", step=0, weight=5),
            ev.VerdictChanged(
                run="1", step=0, word="PASS", action="none", headline="h", evidence=(), confidence=0.9
            ),
        )  # fmt: skip
        self.look()
        return self

    def look(self, healthy: bool | None = True) -> None:
        watched = self.live.watch("1")
        watched.data_at, watched.stable_healthy, watched.regressed = self.now, healthy, ()
        watched.word, watched.confidence = "PASS", 0.9

    def doc(self, drill: str = "") -> PolicyDoc:
        made = policy_doc(self.state, self.live, self.in_force, "prod", "shop", self.now, drill)
        return msgspec.json.decode(msgspec.json.encode(made), type=PolicyDoc)

    def rule(self, capability: str) -> RuleDoc:
        return next(r for r in self.doc().rules if r.capability == capability)


ACTS = msgspec.structs.replace(
    load_policy(SHIPPED),
    environments={
        "prod": msgspec.structs.replace(load_policy(SHIPPED).environments["prod"], mode="act")
    },
)


def test_each_condition_is_told_with_its_fact_and_its_line() -> None:
    house = House(ACTS).at_canary()
    promote = house.rule("promote")
    assert (promote.answer, promote.to_change) == ("auto", ())
    written = SHIPPED.read_text().splitlines()
    assert len(promote.conditions) == 4
    for each in promote.conditions:
        assert each.stands == "met"
        key = each.condition.partition(":")[0]
        assert written[each.line - 1].strip().startswith(key), "the line is where it is written"
    facts = {c.condition.partition(":")[0]: c.fact for c in promote.conditions}
    assert facts["stable_healthy"].startswith("stable_healthy is True, 0 s old, says judge")
    assert "says governor" in facts["control"]


def test_a_fact_that_is_too_old_is_unknown_and_never_met() -> None:
    house = House(ACTS).at_canary()
    house.now += 40
    house.standing()
    promote = house.rule("promote")
    assert promote.answer == "ask"
    stands = {c.condition.partition(":")[0]: c for c in promote.conditions}
    assert stands["stable_healthy"].stands == "unknown"
    assert "40 s old" in stands["stable_healthy"].fact
    assert stands["control"].stands == "met"
    assert promote.fired == "prod.promote.when.verdict"
    assert SHIPPED.read_text().splitlines()[promote.line - 1].strip() == "verdict: [PASS]"
    (would,) = promote.to_change
    assert would == "verdict, data_age_below and stable_healthy would have to be known, and met"


def test_the_way_back_is_asked_about_where_it_is_not_known_to_be_safe() -> None:
    """What the agent's own guard adds to the policy is told as the agent would be told."""
    house = House(ACTS).at_canary()
    rollback = house.rule("rollback")
    assert rollback.answer == "ask"
    assert rollback.to_change == (
        "undo_safe would have to be known, and met",
        "verdict would have to be met",
    )


def test_the_agents_own_guard_stands_where_the_policy_asks_for_nothing() -> None:
    lax = Policy(1, {"prod": EnvironmentPolicy("act", {"rollback": Rule("auto")})})
    rollback = House(lax).at_canary().rule("rollback")
    assert rollback.answer == "ask"
    assert rollback.why.startswith("held instead of rolled back: going back is")


def test_what_the_policy_does_not_name_is_denied_and_said_to_be() -> None:
    bare = Policy(1, {"prod": EnvironmentPolicy("act", {"hold": Rule("auto")})}, lines={"prod": 3})
    house = House(bare)
    promote = house.rule("promote")
    assert (promote.answer, promote.line) == ("deny", 3)
    assert promote.to_change == ("policy.yaml would have to name prod.promote",)
    doc = house.doc()
    assert {r.capability for r in doc.rules} | set(doc.not_named) == set(CAPABILITIES)


def test_in_recommend_mode_the_line_with_the_mode_is_what_decided() -> None:
    promote = House().at_canary().rule("promote")
    assert (promote.answer, promote.fired) == ("ask", "prod.mode")
    assert SHIPPED.read_text().splitlines()[promote.line - 1].strip().startswith("mode: recommend")
    assert promote.to_change == (
        f"prod.mode would have to be act (policy.yaml:{promote.line}): recommend always asks",
    )
    given_back = House(ACTS).at_canary("recommend").rule("promote")
    assert given_back.to_change[0].startswith("this run only recommends, to its end")


def test_when_next_a_window_opens_is_said() -> None:
    rule = Rule("auto", (InWindow(("office",)),))
    house = House(Policy(1, {"prod": EnvironmentPolicy("act", {"promote": rule})}))
    calendar = Calendar(
        name="office", kind="window", source="calendars.yaml:4", spans=(Span(5000.0, 9000.0),),
        until=FOREVER, stale_at=FOREVER,
    )  # fmt: skip
    house.in_force.calendars = {"office": calendar}
    promote = house.at_canary().rule("promote")
    assert (promote.answer, promote.better_at, promote.better) == ("ask", 5000.0, "auto")
    house.now = 6000.0
    promote = house.rule("promote")
    assert (promote.answer, promote.changes_at, promote.changes_to) == ("auto", 9000.0, "ask")


def bars(house: House, drill: str = "") -> dict[str, str]:
    return {bar.what: bar.why for bar in house.doc(drill).bars}


def taken(house: House) -> None:
    house.tell(
        ev.AuthorityChanged(
            service="shop", spool=1, op="takeover", command="", by="ana", reason="odd", epoch=5,
            mode="person", holder="ana", desired=5, direct=False, at=1000.0,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("what", "why", "happen"),
    [
        ("STOP ALL", "by ana", lambda h: h.standing(stop_all="STOP ALL by ana")),
        ("control", "nobody confirms", lambda h: h.live.standing.clear()),
        ("control", "driven by ana: odd", taken),
        (
            "breaker",
            "it got worse",
            lambda h: h.tell(ev.BreakerOpened(service="shop", run="1", why="it got worse")),
        ),
        (
            "freeze",
            "weekend",
            lambda h: h.tell(
                ev.FreezeChanged(
                    environment="prod", stands="closed", freeze="weekend", why="freeze weekend"
                )
            ),
        ),
        (
            "drift",
            "is 40 %",
            lambda h: h.tell(
                ev.TargetChanged(
                    service="shop", what="weight", wanted="5 %", found="40 %", since=1.0, why="w"
                )
            ),
        ),
        (
            "hold",
            "the feed stopped",
            lambda h: h.tell(ev.RunHeld(run="1", cause="no_data", why="the feed stopped")),
        ),
        (
            "quarantine",
            "was rolled back",
            lambda h: h.tell(ev.RunEnded(run="1", outcome="rolled_back", why="w")),
        ),
    ],
)
def test_every_bar_is_named_while_it_stands(what: str, why: str, happen: Any) -> None:
    house = House(ACTS).at_canary()
    assert bars(house) == {}
    happen(house)
    assert why in bars(house)[what]


def test_an_overdue_drill_is_named() -> None:
    assert "no drill" in bars(House(ACTS).at_canary(), "no drill")["drill"]
    assert House(ACTS).at_canary().doc("no drill").level == "recommends only: drill overdue"


def test_without_a_run_and_without_a_governor_everything_is_said_to_be_unknown() -> None:
    house = House(ACTS)
    house.live.standing.clear()
    promote = house.rule("promote")
    assert promote.answer == "ask"
    assert {c.stands for c in promote.conditions} == {"unknown"}
    assert any("nothing is being released" in c.fact for c in promote.conditions)


# --- record -------------------------------------------------------------------------------------


def told(house: House) -> dict[str, ScoreDoc]:
    made = record_doc(house.state.record, "prod", 1.0)
    doc = msgspec.json.decode(msgspec.json.encode(made), type=RecordDoc)
    assert doc.from_nothing == 93
    return {score.capability: score for score in doc.scores}


def test_where_nothing_was_decided_nothing_is_known() -> None:
    scores = told(House())
    assert list(scores) == ["promote", "rollback"]
    promote = scores["promote"]
    assert (promote.low, promote.high, promote.at_most) == (0.0, 1.0, 1.0)
    assert promote.strip == ""


def test_unknown_is_a_band_and_counts_as_wrong_in_the_bound() -> None:
    house = House(ACTS).at_canary()
    wish = ev.ProposalMade(
        run="1", proposal="run-1.proposal.1", capability="promote", step=0, epoch=0, brain="rules-1",
        confidence=0.9, headline="h", evidence=(), digest="", answer="ask", rule="r", why="",
    )  # fmt: skip
    house.tell(wish, msgspec.structs.replace(wish, capability="hold", answer="auto"))
    scores = told(house)
    promote = scores["promote"]
    assert (promote.unknown, promote.going, promote.strip) == (1, 1, "?")
    assert (promote.low, promote.high, promote.at_most) == (0.0, 1.0, 1.0)
    assert promote.labelled
    assert not scores["hold"].labelled
    house.tell(ev.RunEnded(run="1", outcome="promoted", why=""))
    promote = told(house)["promote"]
    assert (promote.right, promote.strip, promote.low, promote.high) == (1, "R", 0.0, 0.0)
    assert 0.9 < promote.at_most < 1.0
    assert promote.clean_needed == 92


def test_the_dashboard_knows_the_struct_of_each_answer() -> None:
    from hatchway_tui.asked import DOCS

    assert DOCS["policy"] is PolicyDoc
    assert DOCS["record"] is RecordDoc
