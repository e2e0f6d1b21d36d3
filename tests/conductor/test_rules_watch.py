"""A changed policy decides at the next decision, a broken one never, and freezes stop raises only."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatchway.conductor import rules_watch
from hatchway.conductor.rules_watch import Refused, RulesWatch, freezes
from hatchway.core import events as ev
from hatchway.core.oncall import Roster
from hatchway.core.policy import (
    Approvals,
    AutomaticRollbacksBelow,
    ControlIs,
    EnvironmentPolicy,
    Policy,
    Rule,
    VerdictIn,
)
from hatchway.core.schedules import Schedules
from hatchway.core.state import Frozen, State
from hatchway.core.windows import Calendar, Span
from hatchway.settings.load import Rules
from hatchway.settings.reload import Refusal, RulesFiles

PROMOTE = Rule("auto", (VerdictIn(("PASS",)), ControlIs("agent")))
ROLLBACK = Rule("auto", (VerdictIn(("REGRESS",)), AutomaticRollbacksBelow(1)))


def policy(digest: str = "policy", override: int = 0, **rules: Rule) -> Policy:
    """A policy with the freeze `weekend` over prod."""
    named = {
        "promote": PROMOTE,
        "rollback": ROLLBACK,
        "block_deploy": Rule("auto"),
        "open_release": Rule("auto"),
        **rules,
    }
    place = EnvironmentPolicy("act", named, freezes=("weekend",), freeze_override=override)
    return Policy(1, {"prod": place}, digest)


def weekend(*spans: Span, trouble: str = "") -> dict[str, Calendar]:
    known = Calendar(name="weekend", kind="freeze", source="t", spans=spans, trouble=trouble)
    return {"weekend": known}


class Files:
    """Where the rules are, in memory."""

    def __init__(self) -> None:
        self.next: Any = None

    def poll(self) -> Any:
        found, self.next = self.next, None
        if isinstance(found, Exception):
            raise found
        return found

    def owner(self) -> str:
        return "ana"


class Keeper:
    """Calendars that are what they were set to."""

    def __init__(self) -> None:
        self.not_fetched: dict[str, str] = {}
        self.now: dict[str, Calendar] = weekend()
        self.fetched = 0

    def fetch(self) -> None:
        self.fetched += 1

    def calendars(self, now: float) -> dict[str, Calendar]:
        return self.now

    def roster(self, now: float) -> Roster | None:
        return Roster(people=("ana",))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_watch, "LOOK_S", 0.01)
    monkeypatch.setattr(rules_watch, "CALENDARS_S", 0.01)


class Watched:
    """A house whose rules are watched."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.files, self.keeper = Files(), Keeper()

    async def start(self) -> Watched:
        import asyncio

        self.watch = RulesWatch(
            in_force=self.house.in_force,
            schedules=Schedules(),
            files=self.files,
            keeper=lambda schedules: self.keeper,
            ledger=self.house.ledger,
            live=self.house.live,
            clock=self.house.clock,
        )
        await self.watch.begin()
        self.task = asyncio.create_task(self.watch.run())
        return self

    def freeze(self, seconds: float = 3600.0) -> None:
        now = self.house.clock()
        self.keeper.now = weekend(Span(now - 1, now + seconds, "to Mon"))

    def thaw(self) -> None:
        self.keeper.now = weekend()

    async def frozen(self, stands: str) -> None:
        def so() -> bool:
            known = self.house.ledger.state.frozen.get("prod")
            return known is not None and known.stands == stands

        await self.house.until(so, f"the freeze is {stands}")


@pytest.fixture
async def watched(houses: Callable[..., Any]) -> Any:
    """Makes a house with a policy that freezes, watched."""
    made: list[Watched] = []

    async def make(**more: Any) -> Watched:
        house = await houses(policy=policy(**more)).start()
        made.append(await Watched(house).start())
        return made[-1]

    yield make
    for each in made:
        each.task.cancel()


# --- freezes --------------------------------------------------------------------------------------


async def test_s34_in_a_freeze_nothing_goes_forward_and_afterwards_it_does(watched: Any) -> None:
    w = await watched()
    house = w.house
    await house.to_canary()
    w.freeze()
    await w.frozen("closed")
    await house.looking(lambda: house.run.hold is not None)
    assert house.run.hold.cause == "freeze"
    assert "freeze weekend is in force to Mon" in house.run.hold.why

    def denied() -> list[ev.ProposalMade]:
        return [p for p in house.of(ev.ProposalMade) if p.answer == "deny"]

    await house.looking(denied)
    for _ in range(5):
        await house.look("PASS")
    assert house.governor.weight["shop"] == 5
    assert [p.capability for p in denied()] == ["promote"], "said once"
    assert denied()[0].fired == "prod.freezes.weekend"
    w.thaw()
    await house.looking(lambda: house.run.step == 1 or not house.run.active)
    assert house.governor.weight["shop"] > 5


async def test_s34_a_freeze_never_stops_a_rollback_of_the_agent(watched: Any) -> None:
    w = await watched()
    await w.house.to_canary()
    w.freeze()
    await w.frozen("closed")
    await w.house.regress()
    assert await w.house.ended() == "rolled_back"
    assert w.house.governor.weight["shop"] == 0


@pytest.mark.parametrize("stop", ["pause", "takeover", "rollback"])
async def test_s34_a_freeze_never_stops_a_persons_stop(watched: Any, stop: str) -> None:
    w = await watched()
    await w.house.to_canary()
    w.freeze()
    await w.frozen("closed")
    answer = await w.house.ask(stop, service="shop")
    assert not hasattr(answer, "code"), answer
    if stop == "rollback":
        assert await w.house.ended() == "rolled_back"


async def test_s34_a_calendar_in_doubt_counts_as_closed(watched: Any) -> None:
    w = await watched()
    await w.house.to_canary()
    w.keeper.now = weekend(trouble="it was emptied")
    await w.frozen("unknown")
    await w.house.looking(lambda: w.house.run.hold is not None)
    assert "it was emptied" in w.house.run.hold.why
    assert "it was emptied" in w.house.live.trouble["calendar weekend"].words
    assert w.house.governor.weight["shop"] == 5


async def test_an_approval_from_before_the_freeze_starts_nothing_in_it(watched: Any) -> None:
    w = await watched()
    house = w.house
    await house.release()
    item = await house.until(lambda: house.open_item("open_release"))
    w.freeze()
    await w.frozen("closed")
    await house.ask("accept", "ben", item=item.id)
    await house.until(lambda: house.run.hold is not None, "it is held")
    assert house.governor.weight["shop"] == 0
    w.thaw()
    await house.until(lambda: house.run.step == 0, "the first share")


async def test_in_a_freeze_people_are_asked_with_the_freeze_named(watched: Any) -> None:
    w = await watched(override=1)
    house = w.house
    await house.to_canary()
    w.freeze()
    await w.frozen("closed")
    await house.looking(lambda: house.open_item("promote"))
    item = house.open_item("promote")
    assert item.binding["freeze"] == "weekend"
    assert "freeze weekend is in force" in item.lines[0]
    assert "1 person may go on all the same" in item.lines[0]
    await house.ask("accept", "ben", item=item.id)
    await house.looking(lambda: house.run.step == 1 or not house.run.active)
    assert house.governor.weight["shop"] > 5


async def test_a_question_from_before_the_freeze_is_asked_again_with_it(watched: Any) -> None:
    w = await watched(override=1, promote=Rule("ask"))
    house = w.house
    await house.to_canary()
    await house.looking(lambda: house.open_item("promote"))
    first = house.open_item("promote")
    w.freeze()
    await w.frozen("closed")
    await house.looking(lambda: (house.open_item("promote") or first).id != first.id)
    assert house.open_item("promote").binding["freeze"] == "weekend"
    assert house.run.items[first.id].status == "superseded"


async def test_how_a_freeze_stands_outlives_the_backend_and_runs_out(watched: Any) -> None:
    """Nobody reads calendars between the death of a backend and the next: the journal knows."""
    w = await watched()
    house = w.house
    await house.to_canary()
    now = house.clock()
    w.keeper.now = weekend(Span(now + 3600, now + 7200))
    await w.frozen("open")
    w.task.cancel()
    house.skew = 3600.5
    await house.again()
    await house.until(lambda: house.governor.weight["shop"] == 5)
    for _ in range(5):
        await house.look("PASS")
    await house.still()
    assert house.governor.weight["shop"] == 5, "what was known has run out: nothing is raised"


# --- the policy -----------------------------------------------------------------------------------


async def test_a_changed_policy_decides_at_the_next_decision_and_is_journaled(watched: Any) -> None:
    w = await watched(promote=Rule("deny"))
    house = w.house
    await house.to_canary()
    await house.looking(lambda: any(p.answer == "deny" for p in house.of(ev.ProposalMade)))
    w.files.next = (policy("newer"), Schedules())
    await house.until(lambda: house.ledger.state.policy_digest == "newer")
    changed = house.of(ev.PolicyChanged)[-1]
    assert (changed.digest, changed.was, changed.by) == ("newer", "policy", "ana")
    assert "prod.promote: auto, was deny" in changed.changes
    item = await house.until(lambda: house.open_item("open_release"), "it is approved anew")
    await house.ask("accept", "dora", item=item.id)
    await house.looking(lambda: house.run.step == 1 or not house.run.active)
    said = [p for p in house.of(ev.ProposalMade) if p.capability == "promote"]
    assert said[-1].policy == "newer"


async def test_a_more_permissive_policy_never_answers_a_pending_question(watched: Any) -> None:
    w = await watched(promote=Rule("ask"))
    house = w.house
    await house.to_canary()
    await house.looking(lambda: house.open_item("promote"))
    w.files.next = (policy("bold"), Schedules())
    await house.until(lambda: house.in_force.policy.digest == "bold")
    for _ in range(8):
        await house.look("PASS")
    await house.still()
    assert house.governor.weight["shop"] == 5
    assert all(p.answer == "ask" for p in house.of(ev.ProposalMade) if p.capability == "promote")


async def test_a_broken_policy_is_told_and_journaled_and_the_old_one_stays(watched: Any) -> None:
    from hatchway.settings.errors import Trouble

    w = await watched()
    old = w.house.in_force.policy
    w.files.next = Refused((Trouble("config/policy.yaml", 7, 3, "unknown key", "when: ..."),))
    await w.house.until(lambda: w.house.of(ev.PolicyRefused))
    (refused,) = w.house.of(ev.PolicyRefused)
    assert (refused.file, refused.line, refused.column) == ("policy.yaml", 7, 3)
    assert refused.in_force == "policy"
    assert "config/policy.yaml:7:3: unknown key" in w.house.live.trouble["policy"].words
    assert w.house.in_force.policy is old
    w.files.next = (policy("repaired"), Schedules())
    await w.house.until(lambda: w.house.in_force.policy.digest == "repaired")
    assert "policy" not in w.house.live.trouble


async def test_a_policy_that_cannot_be_journaled_does_not_decide_yet(
    watched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hatchway.journal.port import Unwritable

    w = await watched()
    house = w.house
    append = house.ledger._journal.append

    async def full(*_: Any, **__: Any) -> Any:
        raise Unwritable("the disk is full")

    monkeypatch.setattr(house.ledger._journal, "append", full)
    w.files.next = (policy("bold"), Schedules())
    await house.still()
    assert house.in_force.policy.digest == "policy"
    monkeypatch.setattr(house.ledger._journal, "append", append)
    await house.until(lambda: house.in_force.policy.digest == "bold")


async def test_a_backend_journals_the_policy_that_it_starts_with_once(watched: Any) -> None:
    w = await watched()
    w.task.cancel()
    await w.house.again()
    await Watched(w.house).start()
    assert [e.digest for e in w.house.of(ev.PolicyChanged)] == ["policy"]


# --- what is journaled about freezes: pure --------------------------------------------------------


def test_an_unchanged_freeze_is_journaled_once_and_again_before_it_runs_out() -> None:
    calendars = weekend(Span(1_000.0, 2_000.0))
    (first,) = freezes(State(), policy(), calendars, 100.0)
    assert isinstance(first, ev.FreezeChanged)
    assert (first.stands, first.until) == ("open", 1_000.0)
    state = State(frozen={"prod": Frozen("open", "weekend", first.why, 1_000.0)})
    assert freezes(state, policy(), calendars, 500.0) == ()
    (at_once,) = freezes(state, policy(), calendars, 1_000.0)
    assert isinstance(at_once, ev.FreezeChanged)
    assert (at_once.stands, at_once.freeze, at_once.until) == ("closed", "weekend", 2_000.0)


def test_a_freeze_that_is_no_longer_named_is_over() -> None:
    state = State(frozen={"prod": Frozen("closed", "weekend", "why", 2_000.0)})
    bare = msgspec.structs.replace(policy().environments["prod"], freezes=())
    for rules in (Policy(1, {}), Policy(1, {"prod": bare})):
        (event,) = freezes(state, rules, {}, 100.0)
        assert isinstance(event, ev.FreezeChanged)
        assert (event.environment, event.stands) == ("prod", "open")


def test_a_sooner_end_of_what_is_known_is_journaled() -> None:
    state = State(frozen={"prod": Frozen("open", "", "why", 0.0)})
    (event,) = freezes(state, policy(), weekend(Span(1_000.0, 2_000.0)), 100.0)
    assert isinstance(event, ev.FreezeChanged)
    assert event.until == 1_000.0


# --- the files ------------------------------------------------------------------------------------

TEXT = """\
version: 1
environments:
  prod:
    mode: act
    capabilities:
      promote:
        answer: auto
        when:
          verdict: [PASS]
          control: agent
...
"""


@pytest.fixture
def rules(tmp_path: Path) -> RulesFiles:
    from hatchway.settings import load_policy

    (tmp_path / "policy.yaml").write_text(TEXT)
    return RulesFiles(tmp_path, load_policy(tmp_path / "policy.yaml").digest)


def settle(files: RulesFiles) -> Rules | Refusal | None:
    """What two polls in a row say: the first sees that it moved, the second that it is still."""
    files.poll()
    return files.poll()


def test_a_change_is_read_once_it_is_still(rules: RulesFiles, tmp_path: Path) -> None:
    assert settle(rules) is None
    path = tmp_path / "policy.yaml"
    path.write_text(TEXT.replace("mode: act", "mode: recommend"))
    assert rules.poll() is None, "somebody may be writing"
    path.write_text(TEXT.replace("[PASS]", "[PASS]  # yes"))
    assert rules.poll() is None
    found = rules.poll()
    assert isinstance(found, Rules)
    assert found.policy.environments["prod"].mode == "act"
    assert rules.poll() is None


def test_an_atomic_replacement_is_read(rules: RulesFiles, tmp_path: Path) -> None:
    (tmp_path / "new").write_text(TEXT.replace("act", "recommend"))
    os.replace(tmp_path / "new", tmp_path / "policy.yaml")
    found = settle(rules)
    assert isinstance(found, Rules)
    assert found.policy.environments["prod"].mode == "recommend"


def test_a_policy_changed_between_reading_and_watching_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(TEXT)
    assert isinstance(settle(RulesFiles(tmp_path, "the digest of another")), Rules)


def test_a_writer_killed_anywhere_never_brings_half_a_policy_into_force(
    rules: RulesFiles, tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    new = TEXT.replace("mode: act", "mode: act   # bolder").encode()
    for cut in range(len(new)):
        path.write_bytes(new[:cut])
        found = settle(rules)
        assert found is None or isinstance(found, Refusal), (cut, new[:cut])
        if isinstance(found, Refusal):
            assert found.troubles[0].what
    path.write_bytes(new)
    assert isinstance(settle(rules), Rules)


def test_without_an_end_mark_the_begin_of_the_policy_in_force_is_refused(tmp_path: Path) -> None:
    from hatchway.settings import load_policy

    path = tmp_path / "policy.yaml"
    bare = TEXT.removesuffix("...\n")
    path.write_text(bare)
    files = RulesFiles(tmp_path, load_policy(path).digest)
    for cut in range(1, len(bare)):
        path.write_text(bare[:cut])
        assert not isinstance(settle(files), Rules), bare[:cut]


def test_a_policy_that_is_gone_or_a_directory_is_refused(rules: RulesFiles, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.unlink()
    assert isinstance(settle(rules), Refusal)
    path.mkdir()
    assert isinstance(settle(rules), Refusal)


def test_a_calendar_that_the_policy_names_and_nobody_has_is_refused(
    rules: RulesFiles, tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(TEXT.replace("mode: act", "mode: act\n    freezes: [wekend]"))
    (tmp_path / "calendars.yaml").write_text(
        "freezes:\n  weekend: {weekly: fri 14:00 to mon 06:00, zone: Europe/Madrid}\n"
    )
    found = settle(rules)
    assert isinstance(found, Refusal)
    (trouble,) = found.troubles
    assert (trouble.line, trouble.write) == (5, "weekend")


def test_a_changed_calendar_is_noticed_too(rules: RulesFiles, tmp_path: Path) -> None:
    (tmp_path / "calendars.yaml").write_text(
        "freezes:\n  weekend: {weekly: fri 14:00 to mon 06:00, zone: Europe/Madrid}\n"
    )
    found = settle(rules)
    assert isinstance(found, Rules)
    assert found.schedules.names("freeze") == ("weekend",)


# --- several people -------------------------------------------------------------------------------


async def test_where_two_people_decide_one_yes_moves_nothing(watched: Any) -> None:
    w = await watched(promote=Rule("ask", approvals=Approvals(2)))
    house = w.house
    await house.to_canary()
    await house.looking(lambda: house.open_item("promote"))
    first = house.open_item("promote")
    assert "2 people have to say yes" in first.lines
    await house.ask("accept", "ben", item=first.id)
    await house.looking(lambda: house.open_item("promote"))
    second = house.open_item("promote")
    assert second.id != first.id
    assert "2 people have to say yes; so far: ben" in second.lines
    assert house.governor.weight["shop"] == 5
    refused = await house.ask("accept", "ben", item=second.id)
    assert refused.code == "second_person"
    await house.ask("accept", "cleo", item=second.id)
    await house.looking(lambda: house.run.step == 1 or not house.run.active)
    assert house.governor.weight["shop"] > 5


async def test_the_policy_can_want_more_people_for_a_release_than_the_pipeline(
    watched: Any,
) -> None:
    w = await watched(open_release=Rule("auto", approvals=Approvals(2)))
    house = w.house
    await house.release()
    first = await house.until(lambda: house.open_item("open_release"))
    assert any("2 people have to say yes" in line for line in first.lines)
    await house.ask("accept", "ben", item=first.id)
    second = await house.until(
        lambda: (i := house.open_item("open_release")) and i.id != first.id and i
    )
    assert house.governor.weight["shop"] == 0
    await house.ask("accept", "cleo", item=second.id)
    await house.until(lambda: house.run.step == 0, "the first share")


async def test_a_release_approved_in_a_freeze_by_enough_people_begins(watched: Any) -> None:
    w = await watched(override=2)
    house = w.house
    w.freeze()
    await w.frozen("closed")
    await house.release()
    first = await house.until(lambda: house.open_item("open_release"))
    assert first.binding["freeze"] == "weekend"
    assert "2 people may go on all the same" in first.lines[0]
    await house.ask("accept", "ben", item=first.id)
    second = await house.until(
        lambda: (i := house.open_item("open_release")) and i.id != first.id and i
    )
    assert house.governor.weight["shop"] == 0
    await house.ask("accept", "cleo", item=second.id)
    await house.until(lambda: house.run.step == 0, "the first share")
