"""A shift is handed over out of the state and the journal, and taken over with exactly that text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.core.handover import FIELDS, waiting
from hatchway.core.oncall import Roster
from hatchway.core.windows import Span
from hatchway.edge.handing import Handing
from hatchway.edge.oncall_items import handover_words, needs_now
from hatchway.edge.protocol import Ack, Refused
from hatchway.edge.shift import Shift
from hatchway.journal.memory import MemoryJournal


class Watch:
    """A house whose shifts are handed over."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.begin()

    def begin(self) -> None:
        house, self.shift = self.house, Shift()
        house.ledger.listen(self.shift.take)
        self.handing = Handing(
            house.ledger, house.live, house.installation, house.in_force, self.shift, house.clock
        )
        house.desk._handing = self.handing

    async def write(self, note: str = "watch the queue", to: str = "luis", **more: Any) -> Any:
        return await self.house.ask("handover", reason=note, item=to, **more)

    async def take(self, by: str = "luis", **more: Any) -> Any:
        written = self.handing.doc().waiting
        assert written is not None
        given = {"item": written.id, "signed": written.digest, "reason": "", **more}
        return await self.house.ask("acknowledge", by=by, **given)

    @property
    def fields(self) -> dict[str, str]:
        found = waiting(self.house.ledger.state.handovers)
        assert found is not None
        assert tuple(field.name for field in found.fields) == FIELDS
        return {field.name: "\n".join(field.lines) for field in found.fields}


@pytest.fixture
def watch(house: Any) -> Watch:
    return Watch(house)


async def test_four_fields_are_taken_from_what_is_and_was_and_only_the_note_is_typed(
    house: Any, watch: Watch
) -> None:
    await house.to_canary()
    await house.ask("pause", reason="errors rise")
    assert isinstance(await watch.write("the batch at 03:00\nthen roll back"), Ack)
    fields = watch.fields
    assert fields["situation"].startswith("shop: WATCH. 1.5.0 has 5 % of the traffic, step 1 of 2")
    assert "shop: PAUSED by ana" in fields["control"]
    assert "errors rise" in fields["control"]
    assert "shop: run 1, 1.4.0 to 1.5.0" in fields["control"]
    assert fields["done"].startswith("since the journal began: 1 stop, 1 run, 1 answer of a person")
    assert "ana: PAUSED by ana: errors rise" in fields["done"]
    assert fields["watch"] == "the batch at 03:00\nthen roll back"


async def test_until_it_is_acknowledged_it_is_said_whose_duty_it_is_and_who_should_read_it(
    house: Any, watch: Watch
) -> None:
    said = await watch.write()
    assert said.said == "handed over to luis; it is your duty until that is acknowledged"
    assert handover_words(house.ledger.state) == (
        "hand-over to luis not acknowledged: still ana's duty"
    )
    (item,) = needs_now(house.ledger.state, house.clock()).items
    assert (item.kind, item.only_for, item.not_for) == ("handover", ("luis",), ("ana",))
    taken = await watch.take(reason="I watch the queue")
    assert taken.said == "hand-over acknowledged by luis; control has not changed"
    assert handover_words(house.ledger.state) == ""
    assert needs_now(house.ledger.state, house.clock()).items == ()
    assert house.of(ev.HandoverAcknowledged)[0].said == "I watch the queue"


async def test_the_wheel_stays_where_it_is_and_that_is_said(house: Any, watch: Watch) -> None:
    await house.to_canary()
    await house.ask("takeover")
    epoch = house.governor.state["shop"].epoch
    await watch.write()
    assert watch.handing.doc().waiting.keeps == ("shop",)  # type: ignore[union-attr]
    assert "handing over does not pass the wheel" in watch.fields["control"]
    assert isinstance(await watch.take(), Ack)
    state = house.governor.state["shop"]
    assert (state.epoch, state.mode, state.holder) == (epoch, "person", "ana")


async def test_a_text_that_was_written_anew_cannot_be_acknowledged_as_the_one_that_was_read(
    house: Any, watch: Watch
) -> None:
    await watch.write()
    read = watch.handing.doc().waiting
    assert read is not None
    await watch.write("something else")
    refused = await watch.take(item=read.id, signed=read.digest)
    assert isinstance(refused, Refused)
    assert refused.code == "changed"
    assert (await watch.take(signed=read.digest)).code == "changed"
    assert isinstance(await watch.take(), Ack)


async def test_what_happened_after_it_was_written_is_counted_for_the_reader(
    house: Any, watch: Watch
) -> None:
    await house.to_canary()
    await watch.write()
    await house.ask("pause")
    assert watch.handing.doc().waiting.since_then == "1 stop"  # type: ignore[union-attr]


async def test_the_next_one_tells_what_happened_since_the_last_was_written(
    house: Any, watch: Watch
) -> None:
    await house.to_canary()
    await watch.write()
    await house.ask("pause", reason="while nobody had acknowledged")
    await watch.take()
    await watch.write(by="luis", to="ana")
    done = watch.fields["done"]
    assert "while nobody had acknowledged" in done
    assert ": 1 stop\n" in done
    assert "run 1:" not in done


async def test_a_backend_that_is_killed_half_way_has_written_it_once_or_not_at_all(
    house: Any, watch: Watch
) -> None:
    first = await watch.write(id="one")
    await house.again()
    watch.begin()
    assert await watch.write(id="one") == first
    assert len(house.of(ev.HandedOver)) == 1
    taken = await watch.take(id="two")
    await house.again()
    watch.begin()
    again = await house.ask(
        "acknowledge", by="luis", id="two", item=house.of(ev.HandedOver)[0].handover
    )
    assert again == taken
    assert len(house.of(ev.HandoverAcknowledged)) == 1


async def test_a_journal_that_cannot_write_hands_nothing_over(
    house: Any, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hatchway.journal.port import Unwritable

    async def full(*_: Any, **__: Any) -> Any:
        raise Unwritable("the disk is full")

    monkeypatch.setattr(house.ledger._journal, "append", full)
    refused = await watch.write()
    assert isinstance(refused, Refused)
    assert refused.code == "journal"
    assert waiting(house.ledger.state.handovers) is None


async def test_the_shift_is_the_same_after_the_journal_was_replayed(
    house: Any, watch: Watch
) -> None:
    await house.to_canary()
    await house.ask("pause")
    await watch.write()
    await watch.take()
    await house.ask("takeover", by="luis")
    replayed = Shift()
    ledger = Ledger(MemoryJournal(house.store, clock=house.clock), lambda: None)
    ledger.listen(replayed.take)
    await ledger.replay()
    assert list(replayed.lines) == list(watch.shift.lines)
    assert (replayed.since, replayed.words) == (watch.shift.since, watch.shift.words)
    assert replayed.words == "1 stop"


async def test_it_is_for_whose_shift_is_next_when_nobody_is_named(house: Any, watch: Watch) -> None:
    now = house.clock()
    house.in_force.roster = Roster(
        people=("ana", "luis"),
        source="team.ics",
        shifts=(Span(now - 60, now + 60, "ana"), Span(now + 60, now + 600, "luis")),
        until=now + 1000,
    )
    await watch.write(to="")
    assert watch.handing.doc().waiting.to == ("luis",)  # type: ignore[union-attr]
    assert watch.handing.doc().next == ("luis",)


async def test_a_name_that_nobody_has_is_refused_where_people_are_listed(
    house: Any, watch: Watch
) -> None:
    from hatchway.core.plan import Person

    listed = msgspec.structs.replace(
        house.installation, people=(Person("ana"), Person("luis", aliases=("Luis M.",)))
    )
    watch.handing._installation = listed
    refused = await watch.write(to="liuis")
    assert (refused.code, refused.todo) == ("no_such_person", "One of: ana, luis.")
    assert isinstance(await watch.write(to="luis m."), Ack)
    assert watch.handing.doc().waiting.to == ("luis",)  # type: ignore[union-attr]


async def test_a_note_is_cut_and_its_lines_are_data(house: Any, watch: Watch) -> None:
    await watch.write("\x1b]52;c;aGk=\x07[@click=quit]x[/foo] " + "y" * 5000)
    note = watch.fields["watch"]
    assert note.startswith("\x1b]52;c;aGk=\x07[@click=quit]x[/foo] ")
    assert len(note) <= 240
