"""Who is asked for a stop is paged once, told when it is over, and never kept awake by a flood."""

from __future__ import annotations

from typing import Any

from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core.decide import Accepted, decide
from hatchway.core.evolve import evolve
from hatchway.core.state import State
from hatchway.notify.told import Told
from hatchway.notify.words import told


class World:
    """A journal of asks, and what people outside are told of each event."""

    def __init__(self) -> None:
        self.state, self.now = State(), 1000.0

    def record(self, *events: ev.Event) -> list[Told]:
        said: list[Told] = []
        for event in events:
            seq = self.state.seq + 1
            self.state = evolve(self.state, event, seq=seq, at=self.now, idem="")
            said += told(event, self.state)
        return said

    def do(self, command: cmd.Command) -> list[Told]:
        outcome = decide(self.state, command, self.now)
        assert isinstance(outcome, Accepted)
        return self.record(*outcome.events)

    def ask(self, by: str = "luis", reason: str = "it burns") -> list[Told]:
        return self.do(cmd.AskOncall(id="i", by=by, service="shop", op="pause", reason=reason))

    def stop(self, op: str, epoch: int) -> list[Told]:
        mode: Any = "person" if op == "takeover" else "paused"
        return self.record(
            ev.AuthorityChanged(
                service="shop", spool=epoch, op=op, command="c", by="ana", reason="", epoch=epoch,
                mode=mode, holder="ana", desired=5, direct=False, at=self.now,
            )
        )  # fmt: skip


def test_an_ask_pages_once_however_many_ask_and_its_end_has_the_same_key() -> None:
    world = World()
    (first,) = world.ask()
    assert (first.kind, first.severity, first.state) == ("asked", "page", "firing")
    assert first.title == "luis asks you to PAUSE shop: it burns"
    assert "hatchway accept pause.ask-1" in first.text
    assert [world.ask(by=f"p{n}") for n in range(5)] == [[]] * 5
    changed, over = world.stop("pause", 2)
    assert changed.kind == "authority"
    assert (over.key, over.state) == (first.key, "resolved")
    assert over.title.startswith("shop: ana paused ")
    assert [each.kind for each in world.stop("takeover", 3)] == ["authority"]


def test_who_asks_again_after_a_minute_pages_again_though_the_condition_is_known() -> None:
    world = World()
    (first,) = world.ask()
    world.now += 61
    (again,) = world.ask()
    assert again.key == ""
    assert again.title.startswith("asked again: luis asks you")
    assert first.key


def test_a_no_is_told_as_the_end_of_it() -> None:
    world = World()
    (first,) = world.ask()
    (over,) = world.do(cmd.Reject(id="n", by="ana", item="pause.ask-1", reason="a test"))
    assert (over.key, over.state) == (first.key, "resolved")
    assert over.title.endswith("Z: a test")


def test_a_hand_over_is_told_until_it_is_acknowledged_and_pages_nobody() -> None:
    world = World()
    write = cmd.HandOver(id="i", by="ana", to=("luis",), fields=(), since=0)
    (first,) = world.do(write)
    assert (first.kind, first.severity) == ("handover", "warning")
    ended, second = world.do(write)
    assert (ended.key, ended.state) == (first.key, "resolved")
    digest = world.state.handovers[-1].digest
    taken: Any = cmd.Acknowledge(id="i", by="luis", handover="handover-2", digest=digest)
    (over,) = world.do(taken)
    assert (over.key, over.state) == (second.key, "resolved")
