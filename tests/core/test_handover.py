"""A hand-over is the giver's duty until whom it is for has acknowledged exactly its text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core.decide import Accepted, Refused, decide
from hatchway.core.events_of_duty import Field
from hatchway.core.handover import Handover, acknowledged, digest_of, waiting
from hatchway.core.people import Who

FIELDS = (Field("situation", ("shop: STABLE",)), Field("watch", ("the queue",)))


def write(world: Any, by: str = "ana", to: tuple[str, ...] = ("luis",)) -> Handover:
    command = cmd.HandOver(id="i", by=by, to=to, fields=FIELDS, since=0)
    outcome = decide(world.state, command, world.now)
    assert isinstance(outcome, Accepted)
    world.record(*outcome.events)
    found = waiting(world.state.handovers)
    assert found is not None
    return found


def take(world: Any, handover: Handover, by: str = "luis", **more: Any) -> Any:
    given = {"handover": handover.id, "digest": handover.digest, **more}
    outcome = decide(world.state, cmd.Acknowledge(id="i", by=by, **given), world.now)
    if isinstance(outcome, Accepted):
        world.record(*outcome.events)
        return acknowledged(world.state.handovers)
    assert isinstance(outcome, Refused)
    return outcome.code


def test_it_is_the_givers_duty_until_it_is_acknowledged(world: Any) -> None:
    handover = write(world)
    assert (handover.open, handover.by, handover.whom) == (True, "ana", "luis")
    taken = take(world, handover, said="I watch the queue")
    assert (taken.taken_by, taken.said, waiting(world.state.handovers)) == (
        "luis", "I watch the queue", None,
    )  # fmt: skip


def test_only_exactly_the_text_that_was_written_is_acknowledged(world: Any) -> None:
    handover = write(world)
    assert take(world, handover, digest=handover.digest[:-1] + "x") == "changed"
    assert take(world, handover, digest="") == "changed"
    anew = write(world)
    assert take(world, handover) == "changed"
    assert take(world, anew).taken_by == "luis"


@pytest.mark.parametrize("where", ["id", "by", "to", "field", "line"])
def test_every_part_of_the_text_is_under_the_digest(where: str) -> None:
    parts: dict[str, Any] = {"id": "h-1", "by": "ana", "to": ("luis",), "fields": FIELDS}
    before = digest_of(**parts)
    other = {
        "id": {"id": "h-2"}, "by": {"by": "anb"}, "to": {"to": ("luis", "mia")},
        "field": {"fields": (Field("situations", FIELDS[0].lines), FIELDS[1])},
        "line": {"fields": (FIELDS[0], Field("watch", ("the", "queue")))},
    }[where]  # fmt: skip
    assert digest_of(**{**parts, **other}) != before


def test_nobody_takes_their_own_or_what_is_for_somebody_else(world: Any) -> None:
    handover = write(world)
    assert take(world, handover, by="ANA") == "yourself"
    assert take(world, handover, by="mia") == "not_for_you"
    alias = Who("lu", person="luis")
    assert take(world, handover, by="lu", who=alias).taken_by == "lu"
    assert take(world, handover) == "closed"


def test_who_is_not_named_may_take_what_is_for_whoever_comes_next(world: Any) -> None:
    handover = write(world, to=())
    assert handover.whom == "whoever comes next"
    assert take(world, handover, by="mia").taken_by == "mia"


def test_handing_over_and_acknowledging_change_nobodys_control(world: Any) -> None:
    world.to_canary()
    world.authority("takeover", "ana")
    before = world.state.authority, world.run.mode, world.run.version
    take(world, write(world))
    assert (world.state.authority, world.run.mode, world.run.version) == before


def test_nobody_hands_over_to_themselves_and_the_agent_to_nobody(world: Any) -> None:
    for by, to, code in (("ana", ("Ana",), "yourself"), ("agent", (), "not_a_person")):
        command = cmd.HandOver(id="i", by=by, to=to, fields=FIELDS, since=0)
        outcome = decide(world.state, command, world.now)
        assert isinstance(outcome, Refused)
        assert outcome.code == code


def test_an_acknowledgement_that_fits_nothing_changes_nothing(world: Any) -> None:
    handover = write(world)
    world.record(ev.HandoverAcknowledged(handover="another", digest="d", by="luis"))
    assert waiting(world.state.handovers) == handover
    took = take(world, handover)
    world.record(ev.HandoverAcknowledged(handover=handover.id, digest="d", by="mia"))
    assert acknowledged(world.state.handovers) == took


def test_a_hand_over_of_an_older_version_still_decodes() -> None:
    old = b'{"kind":"handover.written","handover":"h","by":"ana","fields":[],"digest":"d"}'
    event = ev.decode("handover.written", old)
    assert isinstance(event, ev.HandedOver)
    assert (event.to, event.keeps) == ((), ())
    assert msgspec.json.decode(ev.encode(event))["kind"] == "handover.written"
