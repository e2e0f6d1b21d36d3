"""What is asked of those on call is merged, paged for in moderation, and closed by what happens."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.core import asks
from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core.decide import Accepted, Refused, decide
from hatchway.core.state import State


def ask(world: Any, by: str = "luis", op: str = "pause", **more: Any) -> ev.OncallAsked:
    command = cmd.AskOncall(id="i", by=by, service="shop", op=op, reason="it burns", **more)  # type: ignore[arg-type]
    outcome = decide(world.state, command, world.now)
    assert isinstance(outcome, Accepted)
    (event,) = outcome.events
    assert isinstance(event, ev.OncallAsked)
    world.record(event)
    return event


def newest(world: Any) -> asks.Ask:
    return next(reversed(world.state.asks.values()))


def test_others_who_ask_for_the_same_are_merged_into_one_and_page_nobody_again(world: Any) -> None:
    first = ask(world, role="viewer")
    second = ask(world, by="mia")
    assert (first.ask, first.pages, second.ask, second.pages) == (first.ask, True, first.ask, False)
    assert newest(world).title == "luis (viewer) and 1 more ask you to PAUSE shop: it burns"
    assert ask(world, by="mia", op="rollback").ask != first.ask


def test_an_ask_that_nobody_answers_pages_again_after_a_minute_not_before(world: Any) -> None:
    ask(world)
    assert asks.just_asked(world.state.asks, "pause", "shop", "LUIS", world.now + 59.9)
    assert not asks.just_asked(world.state.asks, "pause", "shop", "luis", world.now + 60)
    world.now += 61
    assert ask(world).pages


def test_one_person_does_not_page_for_ever(world: Any) -> None:
    paged = []
    for _ in range(12):
        paged.append(ask(world).pages)
        command = cmd.Reject(id="n", by="ana", item=newest(world).item, reason="no")
        outcome = decide(world.state, command, world.now)
        assert isinstance(outcome, Accepted)
        world.record(*outcome.events)
        world.now += 1
    assert paged == [True] * asks.PAGES_MAX + [False] * 2


@pytest.mark.parametrize(
    ("op", "done", "how"),
    [
        ("pause", "pause", "ana paused"),
        ("pause", "takeover", "ana took over"),
        ("pause", "rollback", "ana rolled back"),
        ("takeover", "pause", ""),
        ("takeover", "takeover", "ana took over"),
        ("rollback", "takeover", ""),
        ("rollback", "rollback", "ana rolled back"),
        ("pause", "release", ""),
    ],
)
def test_an_ask_is_answered_by_what_happens_whoever_does_it(
    world: Any, op: str, done: str, how: str
) -> None:
    ask(world, op=op)
    world.authority(done, "ana")
    became = newest(world).became(world.now)
    assert became.startswith(how or "waits for an answer")


def test_what_had_happened_before_it_was_asked_answers_nothing(world: Any) -> None:
    world.authority("pause", "ana")
    ask(world, op="takeover")
    late = msgspec.structs.replace(
        next(e for e in world.log if isinstance(e, ev.AuthorityChanged)), op="takeover",
        mode="person",
    )  # fmt: skip
    world.record(late)
    assert newest(world).status == "open"


def test_a_no_is_told_with_its_reason_and_closes_once(world: Any) -> None:
    ask(world)
    no = cmd.Reject(id="n", by="ana", item=newest(world).item, reason="it is the test")
    outcome = decide(world.state, no, world.now)
    assert isinstance(outcome, Accepted)
    world.record(*outcome.events)
    assert newest(world).became(world.now).startswith("ana said no ")
    assert newest(world).became(world.now).endswith(": it is the test")
    again = decide(world.state, no, world.now)
    assert isinstance(again, Refused)
    assert again.code == "closed"


def test_only_the_name_of_an_ask_opens_the_right_of_a_stop() -> None:
    assert asks.right_for("rollback.ask-12") == "rollback"
    for item in ("rollback.ask-12x", "release.ask-1", "pause.ask-", "run-1.residue", "pause.ask-٣"):
        assert asks.right_for(item) == "", item


def test_no_agent_asks_and_a_journal_without_asks_still_decodes() -> None:
    command = cmd.AskOncall(id="i", by="Agent", service="shop", op="pause")
    outcome = decide(State(), command, 0.0)
    assert isinstance(outcome, Refused)
    assert outcome.code == "not_a_person"
    assert msgspec.json.decode(b'{"seq": 7}', type=State) == State(seq=7)


def test_no_more_asks_are_kept_than_can_be_looked_through(world: Any) -> None:
    for n in range(asks.KEPT + 5):
        world.record(ev.OncallAsked(ask=f"ask-{n}", op="pause", service="shop", by="luis"))
    assert len(world.state.asks) == asks.KEPT
    assert newest(world).id == f"ask-{asks.KEPT + 4}"
