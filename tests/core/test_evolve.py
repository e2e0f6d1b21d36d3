"""Whatever stands in the journal, the state can be rebuilt from it."""

from __future__ import annotations

from typing import Any

import msgspec

from hatchway.core import events as ev
from hatchway.core.evolve import KEPT_ANSWERS, evolve, said_of_authority
from hatchway.core.state import State

STRANGE: tuple[ev.Event, ...] = (
    ev.StageStarted(run="1", stage="no such stage"),
    ev.StageEnded(run="1", stage="no such stage", status="passed"),
    ev.JobStarted(run="1", stage="no such stage", job="j", attempt=1),
    ev.JobEnded(run="1", stage="no such stage", job="j", attempt=1, status="lost", seconds=1.0,
                why=""),
    ev.JobEnded(run="1", stage="checks", job="never started", attempt=9, status="passed",
                seconds=1.0, why=""),
    ev.ItemOpened(run="1", item="i", type="approval", capability="promote", step=7,
                  expires_at=0.0, binding={"stage": "nowhere", "epoch": "soon"}),
    ev.ItemClosed(run="1", item="never opened", status="accepted", by="ana"),
    ev.EffectVerified(run="1", key="never intended", observed=7),
    ev.EffectDiverged(run="1", key="never intended", observed=None, why=""),
    ev.EffectFenced(run="1", key="never intended", code="no_capsule", why=""),
    ev.StepEntered(run="no such run", step=1, weight=5),
    ev.RunEnded(run="no such run", outcome="failed", why=""),
    ev.AuthorityChanged(service="unheard of", spool=1, op="rollback", command="c", by="ana",
                        reason="", epoch=2, mode="paused", holder="ana", desired=0, direct=True,
                        at=1.0),
    ev.CommandRefused(command="c2", by="ana", what="", code="c", why="w"),
)  # fmt: skip


def test_events_that_fit_nothing_change_nothing_and_stop_nobody(world: Any) -> None:
    world.to_canary()
    for event in STRANGE:
        world.record(event)
    world.propose("promote", "auto")
    world.settle()
    assert world.weights == [5, 25]


def test_the_state_is_the_same_however_often_it_is_rebuilt(world: Any) -> None:
    world.to_canary()
    world.authority("pause")
    again = State()
    for seq, event in enumerate(world.log, 1):
        again = evolve(again, event, seq=seq, at=world.now, idem="")
    assert again == world.state


def test_an_answer_names_what_it_answered(world: Any) -> None:
    world.start()
    world.settle()
    item = next(iter(world.run.items))
    world.record(ev.ItemClosed(run="1", item=item, status="accepted", by="ana"), idem="yes")
    world.authority("pause")
    world.record(ev.CommandRefused(command="no", by="ana", what="release shop", code="c", why="w"))
    answers = world.state.answers
    assert {k: a.what for k, a in answers.items()} == {
        "yes": "accept",
        "pause-1": "pause",
        "no": "release",
    }
    assert answers["no"].code == "c"


def test_the_first_answer_to_an_id_stands(world: Any) -> None:
    refused = ev.CommandRefused(command="id", by="ana", what="a", code="1", why="first")
    world.record(refused)
    world.record(msgspec.structs.replace(refused, why="second"))
    assert world.state.answers["id"].said == "first"


def test_answers_are_kept_to_a_number(world: Any) -> None:
    for i in range(KEPT_ANSWERS + 3):
        world.state = evolve(
            world.state,
            ev.CommandRefused(command=str(i), by="ana", what="a", code="c", why="w"),
            seq=i + 1,
            at=0.0,
            idem="",
        )
    assert len(world.state.answers) == KEPT_ANSWERS
    assert "2" not in world.state.answers


def test_only_the_agents_own_rollbacks_count_against_its_budget(world: Any) -> None:
    world.to_canary()
    for by in (ev.By("person", "ana"), ev.By("agent", "agent")):
        world.record(
            ev.EffectIntended(run="1", key=by.kind, step=0, weight=0, epoch=0, by=by, reason="")
        )
    assert len(world.state.automatic_rollbacks["shop"]) == 1


def test_a_rollback_marks_the_run_whose_traffic_it_took(world: Any) -> None:
    world.to_canary()
    world.authority("rollback", "luis")
    assert (world.run.rollback_from, world.run.rollback_by) == (1, "luis")


def test_a_rollback_while_the_capsule_is_being_renewed_still_marks_the_run(world: Any) -> None:
    world.to_canary()
    world.record(ev.EffectFenced(run="1", key="run-1.step0.1", code="no_capsule", why=""))
    assert world.run.capsule == ""
    world.authority("rollback", "luis")
    assert world.run.rollback_from == 1


def test_every_change_of_control_has_words() -> None:
    for op in ("pause", "takeover", "rollback", "release", "adopted", "dead-man"):
        event = ev.AuthorityChanged(
            service="shop", spool=1, op=op, command="c", by="ana", reason="", epoch=2,
            mode="paused", holder="ana", desired=0, direct=True, at=1.0,
        )  # fmt: skip
        assert said_of_authority(event).strip()


def test_an_old_journal_without_the_newer_fields_is_read() -> None:
    old = b'{"kind":"job.ended","run":"1","stage":"s","job":"j","attempt":1,"status":"passed","seconds":1.0,"why":""}'
    assert isinstance(ev.decode("job.ended", old), ev.JobEnded)
    assert isinstance(ev.decode("job.ended", b'{"kind":"job.ended"}'), ev.Unknown)
    assert isinstance(ev.decode("job.ended", b"\xff"), ev.Unknown)
