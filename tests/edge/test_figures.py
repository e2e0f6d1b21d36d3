"""What the page of metrics says of an installation: counted from the journal, or read as it is."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live, Reading
from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.plan import (
    CanaryStage,
    CanaryStep,
    Installation,
    PipelinePlan,
    ReleaseStage,
    ServiceSpec,
    TargetSpec,
)
from hatchway.core.state import State
from hatchway.edge.catalogue import BY_NAME, FAMILIES
from hatchway.edge.figures import Samples, Seen, figures, house
from hatchway.edge.health import page
from hatchway.edge.tally import Tally
from hatchway.journal.memory import MemoryJournal, MemoryStore
from hatchway.journal.port import Record
from hatchway.targets.port import Observed, Standing

AGENT, ANA = ev.By("agent", "agent"), ev.By("person", "ana")
PLAN = PipelinePlan(
    "p",
    "shop",
    "prod",
    (
        ReleaseStage("release"),
        CanaryStage("canary", (), (CanaryStep(weight=5, monitor_s=60.0),)),
    ),
)


def started(service: str = "shop", run: str = "1") -> ev.RunStarted:
    given: dict[str, Any] = dict.fromkeys(("commit", "base", "from_version", "to_version"), "x")
    return ev.RunStarted(
        run=run,
        service=service,
        environment="prod",
        mode="act",
        pace=1.0,
        plan=PLAN,
        policy_digest="",
        **given,
    )


def proposed(capability: Any = "promote", answer: Any = "ask", number: int = 1) -> ev.ProposalMade:
    return ev.ProposalMade(
        run="1",
        proposal=f"run-1.proposal.{number}",
        capability=capability,
        step=0,
        epoch=1,
        brain="rules-1",
        confidence=1.0,
        headline="",
        evidence=(),
        digest="",
        answer=answer,
        rule="",
        why="",
    )


def verdict(word: Any, action: Any = "none") -> ev.VerdictChanged:
    return ev.VerdictChanged(
        run="1", step=0, word=word, action=action, headline="", evidence=(), confidence=1.0
    )


def intended(weight: int, by: ev.By = AGENT, key: str = "") -> ev.EffectIntended:
    key = key or f"run-1.{weight}"
    return ev.EffectIntended(run="1", key=key, step=0, weight=weight, epoch=1, by=by, reason="")


def verified(weight: int) -> ev.EffectVerified:
    return ev.EffectVerified(run="1", key=f"run-1.{weight}", observed=weight)


def control(op: str, mode: Any = "paused", by: str = "ana", **more: Any) -> ev.AuthorityChanged:
    given: dict[str, Any] = {
        "service": "shop",
        "spool": 1,
        "command": "",
        "reason": "",
        "epoch": 2,
        "holder": by if mode != "agent" else "",
        "desired": 0,
        "direct": False,
        "at": 0.0,
    }
    return ev.AuthorityChanged(op=op, mode=mode, by=by, **(given | more))


TO_CANARY = (
    started(),
    ev.CapsuleArmed(run="1", checksum="c"),
    intended(5),
    verified(5),
    ev.StepEntered(run="1", step=0, weight=5),
)


class Told:
    """A state and a tally, folded from events told at given times."""

    def __init__(self, *services: str) -> None:
        target = TargetSpec("haproxy", "s")
        self.services = tuple(ServiceSpec(name, "r", "p", target, (), ()) for name in services)
        self.state, self.tally, self.live = State(), Tally(), Live()

    def tell(self, *events: ev.Event, at: float = 0.0) -> Told:
        for event in events:
            seq = self.state.seq + 1
            record = Record(
                seq=seq,
                stream="",
                version=seq,
                kind=ev.kind_of(event),
                actor="",
                epoch=0,
                at=at,
                cause=0,
                idem="",
                payload=b"",
                prev="",
                hash="",
            )
            self.state = evolve(self.state, event, seq=seq, at=at, idem="")
            self.tally.take(record, event, self.state)
        return self

    def samples(self, now: float = 0.0, **more: Any) -> Samples:
        return figures(Seen(self.state, self.live, self.tally, self.services, now, **more))

    def values(self, family: str, now: float = 0.0, **more: Any) -> dict[Any, float]:
        """The values other than 0 of a family, by its labels but the service, in their names' order."""
        found = read(page(self.samples(now, **more)).decode())
        name = f"hatchway_{family}"
        return {
            key[0] if len(key) == 1 else key: value
            for (sample, labels), value in found.items()
            if sample == name and value
            for key in [tuple(v for k, v in labels if k != "service")]
        }


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def shop() -> Told:
    return Told("shop")


# --- counted from the journal ---------------------------------------------------------------------


def test_decisions_are_counted_by_capability_and_answer(shop: Told) -> None:
    shop.tell(started(), proposed("promote", "ask", 1), proposed("promote", "auto", 2))
    shop.tell(proposed("promote", "auto", 3), proposed("rollback", "deny", 4))
    decisions = shop.values("decisions_total")
    assert decisions == {("ask", "promote"): 1, ("auto", "promote"): 2, ("deny", "rollback"): 1}


def test_verdicts_holds_effects_and_outcomes_are_counted(shop: Told) -> None:
    shop.tell(*TO_CANARY, verdict("UNSURE"), verdict("PASS"), verdict("UNSURE", "hold"))
    shop.tell(ev.RunHeld(run="1", cause="evidence", why=""), ev.RunResumed(run="1", why=""))
    shop.tell(intended(50), ev.EffectDiverged(run="1", key="run-1.50", observed=5, why=""))
    shop.tell(ev.EffectFenced(run="1", key="run-1.50", code="fenced", why=""))
    shop.tell(ev.RunEnded(run="1", outcome="held", why=""))
    assert shop.values("verdict_changes_total") == {"UNSURE": 2, "PASS": 1}
    assert shop.values("holds_total") == {"evidence": 1}
    effects = {"intended": 2, "verified": 1, "diverged": 1, "fenced": 1}
    assert shop.values("effects_total") == effects
    assert shop.values("runs_total") == {"held": 1}


def test_every_value_of_a_label_is_there_before_it_happens(shop: Told) -> None:
    found = read(page(shop.samples()).decode())
    counters = [f.name for f in FAMILIES if f.kind == "counter" and "journal began" in f.since]
    assert len(counters) == 7
    for name in counters:
        assert {value for (sample, _), value in found.items() if sample == name} == {0.0}
    rollbacks = ("hatchway_decisions_total", (("answer", "auto"), ("capability", "rollback")))
    assert rollbacks in found


async def test_counts_go_on_over_a_restart() -> None:
    store, clock = MemoryStore(), lambda: 100.0
    target = TargetSpec("haproxy", "s")
    installation = Installation("prod", "x", (ServiceSpec("shop", "r", "p", target, (), ()),))

    async def begin() -> tuple[Ledger, Any]:
        ledger, tally = Ledger(MemoryJournal(store), lambda: None), Tally()
        ledger.listen(tally.take)
        await ledger.replay()
        return ledger, house(ledger, Live(), tally, installation, clock)

    first, say = await begin()
    job = ev.JobStarted(run="1", stage="release", job="lint", attempt=1)
    stage = ev.StageStarted(run="1", stage="release")
    for event in (started(), stage, job, proposed(), *TO_CANARY[1:], intended(0), verified(0)):
        await first.record(lambda _, e=event: (e,), actor="x")  # type: ignore[misc]
    before = say()
    assert before["hatchway_jobs_running"] == [((), 1)]
    assert before["hatchway_jobs_adopted"] == [((), 0)]
    _, say = await begin()
    after = say()
    assert after.pop("hatchway_jobs_adopted") == [((), 1)]
    (_, timed), (_, timed_before) = (s["hatchway_rollback_seconds"][0] for s in (after, before))
    assert timed.cumulative() == timed_before.cumulative()
    for name in after.keys() - {"hatchway_rollback_seconds"}:
        assert after[name] == before[name], name


# --- rollbacks ------------------------------------------------------------------------------------


def timed(told: Told) -> tuple[float, float]:
    """How many rollbacks were timed, and their seconds altogether."""
    found = read(page(told.samples()).decode())
    return (
        found["hatchway_rollback_seconds_count", ()],
        found["hatchway_rollback_seconds_sum", ()],
    )


def test_a_rollback_is_timed_from_its_order_until_0_was_read_back(shop: Told) -> None:
    shop.tell(*TO_CANARY)
    shop.tell(intended(0), at=10.0)
    assert shop.values("rollback_pending_seconds", now=14.0) == {(): 4.0}
    shop.tell(ev.EffectDiverged(run="1", key="run-1.0", observed=5, why=""), at=11.0)
    assert shop.values("rollback_pending_seconds", now=14.0) == {(): 4.0}
    shop.tell(verified(0), at=15.5)
    assert shop.values("rollback_pending_seconds", now=20.0) == {}
    assert shop.values("rollbacks_total") == {"agent": 1}
    assert timed(shop) == (1, 5.5)


@pytest.mark.parametrize(
    ("order", "kind"),
    [
        (intended(0, AGENT), "agent"),
        (intended(0, ANA), "person"),
        (control("rollback", at=3.0), "person"),
        (control("rollback", at=3.0, direct=True), "governor"),
    ],
)
def test_a_rollback_counts_by_who_ordered_it(shop: Told, order: Any, kind: str) -> None:
    shop.tell(*TO_CANARY).tell(order, at=3.0)
    assert shop.values("rollbacks_total") == {kind: 1}
    assert shop.values("rollback_pending_seconds", now=5.0) == {(): 2.0}
    shop.tell(ev.EffectVerified(run="1", key="governor/shop/1", observed=0), at=4.0)
    assert timed(shop) == (1, 1.0)


def test_a_person_who_overtakes_the_agents_rollback_is_counted_too(shop: Told) -> None:
    shop.tell(*TO_CANARY).tell(intended(0), at=1.0).tell(control("rollback", at=2.0), at=2.0)
    shop.tell(ev.EffectFenced(run="1", key="run-1.0", code="fenced", why=""), at=2.1)
    assert shop.values("rollback_pending_seconds", now=4.0) == {(): 3.0}
    shop.tell(verified(0), at=5.0)
    assert shop.values("rollbacks_total") == {"agent": 1, "person": 1}
    assert timed(shop) == (1, 4.0)


def test_a_refused_rollback_is_not_under_way(shop: Told) -> None:
    shop.tell(*TO_CANARY, intended(0))
    shop.tell(ev.EffectFenced(run="1", key="run-1.0", code="held", why=""))
    assert shop.values("rollback_pending_seconds", now=60.0) == {}


def test_nothing_is_under_way_without_a_run_and_after_its_end(shop: Told) -> None:
    shop.tell(control("rollback"))
    assert shop.values("rollback_pending_seconds", now=60.0) == {}
    shop.tell(*TO_CANARY, intended(0), ev.RunEnded(run="1", outcome="failed", why=""))
    assert shop.values("rollback_pending_seconds", now=60.0) == {}
    assert shop.tally.rolling_back == {}
    assert timed(shop) == (0, 0)


# --- as it is now ---------------------------------------------------------------------------------


def test_who_is_in_control(shop: Told) -> None:
    assert shop.values("authority_mode") == {"agent": 1}
    shop.tell(control("takeover", "person"))
    assert shop.values("authority_mode") == {"person": 1}
    shop.tell(control("pause", by="dead-man", spool=2))
    assert shop.values("authority_mode") == {"paused": 1}
    assert shop.values("dead_man_paused") == {(): 1}
    shop.tell(control("release", "agent", spool=3), control("sing", spool=4))
    assert shop.values("dead_man_paused") == {}
    changes = {"takeover": 1, "dead_man": 1, "release": 1, "other": 1}
    assert shop.values("authority_changes_total") == changes


def test_shares_are_what_the_governor_said_and_nothing_when_it_did_not(shop: Told) -> None:
    assert not [name for name in shop.samples() if "weight" in name or "target" in name]
    seen = Observed(canary=5, stable=95, inflight=0, total=1, at=1.0)

    def standing(observed: Observed | None, trouble: str, drift: str) -> None:
        said = Standing("shop", 1, "agent", "", 0, 25, observed, trouble, drift, 0, 0)
        shop.live.standing["shop"] = said, 1.0

    standing(seen, "", "25 % is wanted and the target has 5 %")
    assert shop.values("canary_weight_desired_ratio") == {(): 0.25}
    assert shop.values("canary_weight_observed_ratio") == {(): 0.05}
    assert shop.values("target_drift") == {(): 1}
    assert shop.values("target_trouble") == {}
    standing(None, "it does not answer", "")
    assert "hatchway_canary_weight_observed_ratio" not in shop.samples()
    assert shop.values("target_trouble") == {(): 1}


def test_the_verdict_and_for_how_long_there_is_none(shop: Told) -> None:
    assert shop.values("verdict") == {}
    shop.tell(*TO_CANARY, verdict("PASS"))
    assert shop.values("verdict") == {"PASS": 1}
    assert shop.values("canary_monitoring") == {(): 1}
    shop.tell(verdict("NO_DATA"), at=10.0)
    assert shop.values("verdict") == {"NO_DATA": 1}
    assert shop.values("blind_seconds", now=75.0) == {(): 65.0}
    shop.tell(verdict("UNSURE"), at=76.0)
    assert shop.values("blind_seconds", now=80.0) == {}
    shop.tell(verdict("REGRESS"), ev.RunEnded(run="1", outcome="rolled_back", why=""))
    assert shop.values("verdict") == shop.values("canary_monitoring") == {}


def test_the_newest_look_and_the_age_of_each_metric(shop: Told) -> None:
    shop.tell(*TO_CANARY)
    assert not [name for name in shop.samples() if "look" in name or "evidence" in name]
    watched = shop.live.watch("1")
    watched.at, watched.e = 100.0, 32.5
    watched.readings = tuple(
        Reading(name, 1.0, 1.0, 1, at, "") for name, at in (("errors", 99.0), ("orders", 0.0))
    )
    assert shop.values("look_age_seconds", now=103.0) == {(): 3.0}
    assert shop.values("sample_age_seconds", now=103.0) == {"errors": 4.0}
    assert shop.values("evidence_odds") == {(): 32.5}
    watched.e = math.inf
    assert shop.values("evidence_odds") == {(): math.inf}
    watched.e = math.nan
    assert "hatchway_evidence_odds" not in shop.samples()
    shop.tell(ev.RunEnded(run="1", outcome="promoted", why=""))
    assert "hatchway_look_age_seconds" not in shop.samples()


def test_a_hold_with_its_cause_and_its_age(shop: Told) -> None:
    shop.tell(*TO_CANARY).tell(ev.RunHeld(run="1", cause="unsure", why=""), at=50.0)
    assert shop.values("hold") == {"unsure": 1}
    assert shop.values("hold_seconds", now=80.0) == {(): 30.0}
    assert shop.values("hold_seconds", now=40.0) == {}  # a clock that was set back
    shop.tell(ev.RunResumed(run="1", why=""))
    assert shop.values("hold") == shop.values("hold_seconds", now=90.0) == {}


def test_what_waits_for_people_and_since_when(shop: Told) -> None:
    def opened(item: str, type: Any, capability: Any) -> ev.ItemOpened:
        return ev.ItemOpened(
            run="1", item=item, type=type, capability=capability, step=0, expires_at=9e9
        )

    shop.tell(*TO_CANARY)
    shop.tell(opened("i1", "recommendation", "promote"), at=10.0)
    shop.tell(opened("i2", "recommendation", "rollback"), at=20.0)
    assert shop.values("items_open") == {"recommendation": 2}
    assert shop.values("items_oldest_age_seconds", now=25.0) == {"recommendation": 15.0}
    shop.tell(ev.ItemClosed(run="1", item="i1", status="accepted", by="ana"))
    assert shop.values("items_oldest_age_seconds", now=25.0) == {"recommendation": 5.0}
    shop.tell(ev.RunEnded(run="1", outcome="held", why=""))
    assert shop.values("items_open") == {}


def test_a_broken_journal_and_failed_appends_are_said(shop: Told) -> None:
    assert shop.values("journal_broken", journal_broken=True) == {(): 1}
    assert shop.values("journal_append_failures_total", append_failures=3) == {(): 3}


# --- labels ---------------------------------------------------------------------------------------


def test_hostile_names_are_escaped() -> None:
    name = 'a"} 1\nhatchway_healthy 0\n# \\'
    told = Told(name).tell(started(name))
    watched = told.live.watch("1")
    watched.at, watched.readings = 1.0, (Reading(name, 1.0, 1.0, 1, 1.0, ""),)
    found = read(page(told.samples(now=2.0)).decode())
    assert found["hatchway_runs_active", (("service", name),)] == 1
    assert found["hatchway_sample_age_seconds", (("metric", name), ("service", name))] == 1
    assert ("hatchway_healthy", ()) not in found


def test_services_that_are_not_configured_are_no_labels() -> None:
    told = Told("shop")
    for number in range(50):
        told.tell(started(f"old-{number}", str(number)), control("pause", service=f"old-{number}"))
    text = page(told.samples()).decode()
    assert 'service="shop"' in text
    assert "old-" not in text


def test_the_page_does_not_grow_with_the_journal(shop: Told) -> None:
    size = len(read(page(shop.samples()).decode()))
    for number in range(100):
        shop.tell(started(run=str(number)), ev.RunEnded(run=str(number), outcome="held", why=""))
    assert len(read(page(shop.samples()).decode())) == size


STEPS: tuple[ev.Event, ...] = (
    *TO_CANARY,
    proposed("rollback", "auto"),
    verdict("NO_DATA"),
    verdict("REGRESS", "rollback"),
    intended(0),
    verified(0),
    ev.EffectDiverged(run="1", key="run-1.0", observed=None, why=""),
    ev.EffectFenced(run="1", key="run-1.0", code="fenced", why=""),
    ev.EffectFenced(run="gone", key="?", code="fenced", why=""),
    control("rollback"),
    control("pause", by="dead-man"),
    control("release", "agent"),
    ev.RunHeld(run="1", cause="target", why=""),
    ev.RunResumed(run="1", why=""),
    ev.RunEnded(run="1", outcome="rolled_back", why=""),
    ev.RunEnded(run="gone", outcome="held", why=""),
)


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.floats(0, 2e9)), max_size=40))
def test_whatever_happened_the_page_can_be_made(happened: list[tuple[ev.Event, float]]) -> None:
    told = Told("shop", "other")
    for event, at in happened:
        told.tell(event, at=at)
    for name, samples in told.samples(now=1e9).items():
        family = BY_NAME[name]
        assert len({labels for labels, _ in samples}) == len(samples)
        for labels, value in samples:
            assert len(labels) == len(family.labels)
            assert family.kind == "histogram" or value >= 0  # type: ignore[operator]
