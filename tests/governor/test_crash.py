"""kill -9 of the governor, again and again, at moments that nobody chose."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from typing import Any

import pytest

KILLS = 10


def storm(governor: Any, seed: int) -> list[dict[str, Any]]:
    """Send changes as fast as they are answered until the governor dies; what was answered."""
    chance = random.Random(seed)
    answered: list[dict[str, Any]] = []
    with contextlib.suppress(OSError, ValueError):
        client = governor.client()
        for number in range(10_000):
            op = chance.choice(["pause", "takeover", "rollback", "release", "apply"])
            if op == "apply":
                epoch = client.ask(op="status")["status"]["epoch"]
                client.ask(
                    op="apply",
                    epoch=epoch,
                    key=f"{seed}.{number}",
                    canary=chance.choice([5, 25, 50]),
                    by={"kind": "agent", "name": "rules"},
                )
                continue
            answer = client.ask(op=op, id=f"{seed}.{number}", by="ana", reason="storm")
            if answer["ok"]:
                answered.append(answer)
    return answered


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_9_loses_no_answered_change_and_doubles_none(cold: Any, seed: int) -> None:
    cold.start().seen()
    cold.arm()
    chance = random.Random(seed)
    answered: list[dict[str, Any]] = []
    for kill in range(KILLS):
        more: list[dict[str, Any]] = []
        thread = threading.Thread(
            target=lambda n=kill, m=more: m.extend(storm(cold, seed * 100 + n))
        )
        thread.start()
        time.sleep(chance.uniform(0.0, 0.12))  # the moment of the kill, not a wait
        cold.kill()
        thread.join()
        answered += more
        cold.start()
        status, spool = cold.status(), cold.spool()
        assert [e["seq"] for e in spool] == list(range(1, len(spool) + 1)), "no gap, no double"
        assert len({e["id"] for e in spool}) == len(spool)
        by_id = {e["id"]: e for e in spool}
        for answer in answered:
            line = by_id[answer["id"]]
            assert (line["seq"], line["epoch"]) == (answer["seq"], answer["epoch"])
        epochs = [e["epoch"] for e in spool]
        assert epochs == sorted(set(epochs)), "the epoch never falls"
        if spool:
            last = spool[-1]
            assert (status["epoch"], status["mode"]) == (last["epoch"], last["mode"])
            assert status["spool_seq"] == last["seq"]
        for answer in more[-1:]:
            again = cold.ask(op=answer["op"], id=answer["id"], by="ana", reason="storm")
            assert again["replayed"]
            assert again["epoch"] == answer["epoch"]
    assert min(cold.splitter.sums, default=100) > 0, "somebody always serves"


def test_a_rollback_that_was_durable_happens_after_the_crash(cold: Any, wait_for: Any) -> None:
    cold.start().at(50)
    cold.splitter.hung = True
    assert not cold.stop("rollback")["done"]
    cold.kill()
    cold.splitter.hung = False
    cold.splitter.weights = {"stable": 50, "canary": 50}
    cold.start()
    wait_for(lambda: cold.splitter.weights == {"stable": 100, "canary": 0})
    assert cold.status()["mode"] == "paused"


@pytest.mark.parametrize("kill_at", range(4))
def test_a_kill_between_the_fsync_and_the_target(cold: Any, kill_at: int, wait_for: Any) -> None:
    """The governor dies while the target is told: at its first, second ... command."""
    cold.start().at(50)
    told = 0

    def die() -> None:
        nonlocal told
        told += 1
        if told == kill_at + 1:
            cold.process.kill()

    cold.splitter.before_set = die
    client = cold.client()
    with contextlib.suppress(OSError, ValueError):
        client.ask(op="rollback", id="r", by="ana")
        cold.kill()
    cold.process.wait(30)
    cold.splitter.before_set = lambda: None
    cold.start()
    wait_for(lambda: cold.splitter.weights == {"stable": 100, "canary": 0})
    assert [e["id"] for e in cold.spool()] == ["r"]
    assert cold.stop("rollback", id="r")["replayed"]
    assert min(cold.splitter.sums) > 0


@pytest.mark.parametrize("op", ["pause", "takeover", "rollback"])
def test_a_stop_is_latched_over_restarts_and_another_configuration(cold: Any, op: str) -> None:
    cold.start().seen()
    cold.stop(op, reason="hands off")
    for may in (True, False):
        cold.kill()
        cold.configure(agent_may_write=may)
        status = cold.start().status()
        assert status["mode"] == ("person" if op == "takeover" else "paused")
        assert (status["holder"], status["reason"]) == ("ana", "hands off")
