"""What the governor promises of every target: the demo's splitter, HAProxy 2.6, your own commands."""

from __future__ import annotations

import time
from typing import Any

AGENT = {"kind": "agent", "name": "rules"}


def test_every_share_is_read_back_and_somebody_is_always_served(steering: Any, plant: Any) -> None:
    steering.arm()
    for percent in (5, 25, 100, 50, 1, 0):
        answer = steering.apply(percent)
        assert answer["observed"]["canary"] == percent, answer
        assert answer["observed"]["stable"] == 100 - percent
        assert plant.share() == percent
    assert plant.raised_first()


def test_fence_and_rollback_are_one_change(steering: Any, plant: Any, wait_for: Any) -> None:
    steering.at(25)
    epoch = steering.status()["epoch"]
    answer = steering.stop("rollback", reason="errors")
    assert (answer["ok"], answer["epoch"], answer["desired"]) == (True, epoch + 1, {"canary": 0})
    (line,) = steering.spool()
    assert (line["op"], line["epoch"], line["desired"]) == ("rollback", epoch + 1, {"canary": 0})
    assert steering.apply(50, key="late", epoch=epoch)["code"] == "fenced"
    wait_for(lambda: steering.status()["drained"])
    assert plant.share() == 0
    assert plant.raised_first()


def test_weight_0_is_not_rolled_back_until_nothing_is_under_way(
    steering: Any, plant: Any, wait_for: Any, stays: Any
) -> None:
    steering.at(100)
    plant.occupy()
    wait_for(lambda: steering.status()["observed"]["canary_inflight"] == 2)
    assert steering.stop("rollback")["ok"]
    wait_for(lambda: steering.status()["observed"]["canary"] == 0)
    stays(lambda: not steering.status()["drained"])
    plant.vacate()
    wait_for(lambda: steering.status()["drained"])


def test_drift_is_detected_named_and_gone_when_it_is_put_back(
    steering: Any, plant: Any, wait_for: Any
) -> None:
    steering.at(5)
    plant.by_hand(60)
    wait_for(lambda: "5 % is wanted and the target has 60 %" in steering.status()["drift"], "drift")
    assert steering.status()["drift_since"] > 0
    plant.by_hand(5)
    wait_for(lambda: not steering.status()["drift"])


def test_e13_one_thing_that_is_not_as_before_is_residue_with_its_name(
    steering: Any, plant: Any, wait_for: Any
) -> None:
    steering.at(5)
    name = plant.disturb()
    steering.stop("rollback")
    wait_for(lambda: steering.status()["drained"])
    wait_for(lambda: name in "; ".join(steering.status()["residue"]))
    plant.calm()
    at = time.time()
    wait_for(lambda: (s := steering.status())["residue_at"] > at and not s["residue"])


def test_a_target_that_lies_fails_an_apply_in_words(
    steering: Any, plant: Any, wait_for: Any
) -> None:
    steering.seen()
    steering.arm()
    plant.deaf(True)
    answer = steering.apply(5)
    assert answer["code"] == "target_failed"
    assert "instead of" in answer["why"]
    plant.deaf(False)
    assert steering.apply(5)["ok"], "the same key again"


def test_a_hung_target_holds_no_stop_back_and_the_way_back_goes_on(
    steering: Any, plant: Any, wait_for: Any
) -> None:
    steering.at(25)
    plant.hang(True)
    began = time.monotonic()
    answer = steering.stop("rollback")
    assert (answer["ok"], answer["done"]) == (True, False)
    assert time.monotonic() - began < 2.0  # 0.4 s, and a busy machine
    wait_for(lambda: steering.status()["target_trouble"])
    assert not steering.status()["drained"]
    plant.hang(False)
    wait_for(lambda: plant.share() == 0)
    wait_for(lambda: steering.status()["drained"])


def test_e4_a_stop_fences_a_change_under_way_and_nothing_of_it_is_begun_afterwards(
    steering: Any, plant: Any, wait_for: Any, stays: Any
) -> None:
    steering.at(5)
    known = len(plant.changes())
    plant.slow(True)
    client = steering.client()
    client.send(op="apply", epoch=1, key="raise", canary=50, by=AGENT)
    wait_for(lambda: len(plant.changes()) > known, "the raise has begun")
    answer = steering.stop("pause")
    assert answer["ok"]
    assert "is undone" in answer["said"]
    begun = [change for change in plant.changes() if "50" in change]
    assert client.receive()["code"] == "fenced"
    plant.slow(False)
    wait_for(plant.settled)  # what lay in its buffers happens now
    at = time.time()
    wait_for(lambda: plant.share() == 5 and steering.status()["observed"]["at"] > at)
    stays(lambda: plant.share() == 5)
    assert [change for change in plant.changes() if "50" in change] == begun
    assert steering.status()["desired"] == {"canary": 5}
