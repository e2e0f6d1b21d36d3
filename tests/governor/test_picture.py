"""E13: done is what is as it was before. The before-picture, residue, drift, what is unfit."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hatchway.governor.target import differences


def left(governor: Any) -> str:
    return "; ".join(governor.status()["residue"])


def clean_since(governor: Any, at: float) -> bool:
    status = governor.status()
    return status["drained"] and not status["residue"] and status["residue_at"] > at


def test_nothing_is_left_after_a_whole_rollback(governor: Any, wait_for: Any) -> None:
    governor.at(25)
    at = time.time()
    governor.stop("rollback")
    wait_for(lambda: clean_since(governor, at))


DEEDS = {
    "a server more": "server c2 is new: 127.0.0.1:8003, ready, weight 7",
    "a server less": "server spare is missing (it was 127.0.0.1:8009, ready, weight 0)",
    "another address": "server stable was 127.0.0.1:8001, ready and is 127.0.0.1:8666, ready",
    "maintenance": "server stable was 127.0.0.1:8001, ready and is 127.0.0.1:8001, maint",
    "another algorithm": "the algorithm of be was roundrobin and is leastconn",
}


@pytest.mark.parametrize("deed", DEEDS)
def test_whatever_is_left_is_named_and_only_until_it_is_put_back(
    governor: Any, wait_for: Any, deed: str
) -> None:
    splitter = governor.splitter
    splitter.weights["spare"], splitter.ports["spare"], splitter.states["spare"] = 0, 8009, 0
    changed = time.time()
    wait_for(lambda: governor.status()["residue_at"] > changed)
    governor.at(25)
    match deed:
        case "a server more":
            splitter.ports["c2"], splitter.states["c2"] = 8003, 0
            splitter.weights["c2"] = 7
        case "a server less":
            del splitter.weights["spare"]
        case "another address":
            splitter.ports["stable"] = 8666
        case "maintenance":
            splitter.states["stable"] = 1
        case "another algorithm":
            splitter.algorithm = "leastconn"
    governor.stop("rollback")
    wait_for(lambda: governor.status()["drained"])
    wait_for(lambda: left(governor) == DEEDS[deed])
    splitter.weights.pop("c2", None)
    splitter.weights["spare"] = 0
    splitter.ports["stable"], splitter.states["stable"] = 8001, 0
    splitter.algorithm = "roundrobin"
    wait_for(lambda: clean_since(governor, time.time() - 1))


def test_what_cannot_be_read_is_not_clean(governor: Any, wait_for: Any) -> None:
    governor.at(25)
    governor.stop("rollback")
    wait_for(lambda: clean_since(governor, 0))
    governor.splitter.error = "Permission denied"
    wait_for(lambda: "whether all is as before is not known" in left(governor))


def test_a_capsule_without_a_picture_is_never_clean(cold: Any, wait_for: Any) -> None:
    cold.splitter.ports.clear()  # its servers cannot be read
    cold.splitter.command, command = (
        lambda line: "No.\n" if "servers state" in line else command(line),
        cold.splitter.command,
    )
    cold.start().seen()
    cold.arm()
    assert "no before-picture was taken" in left(cold)
    refused = cold.apply(5)
    assert refused["code"] == "target_failed", "an inventory that cannot be read is not fit"
    assert cold.splitter.commands == []


def test_the_picture_outlives_the_governor(cold: Any, wait_for: Any) -> None:
    cold.start().at(25)
    cold.kill()
    cold.splitter.ports["stable"] = 8666
    cold.start()
    cold.stop("rollback")
    wait_for(lambda: "server stable was 127.0.0.1:8001" in left(cold))


def test_a_new_capsule_is_a_new_picture_and_the_same_one_is_not(
    governor: Any, wait_for: Any
) -> None:
    governor.at(25)
    governor.splitter.states["canary"] = 8
    wait_for(lambda: "server canary was" in left(governor))
    governor.arm()
    assert "server canary was" in left(governor)
    capsule = {"run": "run-2", "rollback": {"canary": 0}}
    assert governor.ask(op="arm", service="shop", capsule=capsule)["ok"]
    assert left(governor) == ""


@pytest.mark.parametrize("algorithm", ["leastconn", "static-rr", "source", "unknown", ""])
def test_an_algorithm_that_breaks_a_percentage_is_named_before_the_first_share(
    cold: Any, wait_for: Any, algorithm: str
) -> None:
    cold.splitter.algorithm = algorithm
    cold.start().seen()
    cold.arm()
    wait_for(lambda: cold.status()["unfit"])
    (why,) = cold.status()["unfit"]
    assert "write: balance roundrobin" in why
    answer = cold.apply(5)
    assert answer["code"] == "target_failed"
    assert why in answer["why"]
    assert cold.splitter.commands == []


def test_f24_a_third_version_is_drift_with_its_name(governor: Any, wait_for: Any) -> None:
    governor.at(5)
    before = time.time()
    governor.splitter.ports["c2"], governor.splitter.states["c2"] = 8003, 0
    governor.splitter.weights["c2"] = 7
    drift = wait_for(lambda: governor.status()["drift"])
    assert drift == "be/c2 takes traffic too, with weight 7"
    assert before <= governor.status()["drift_since"] <= time.time()
    governor.splitter.states["c2"] = 1
    wait_for(lambda: not governor.status()["drift"])
    assert governor.status()["drift_since"] == 0


def test_f23_weights_changed_by_hand_are_drift_since_then(governor: Any, wait_for: Any) -> None:
    governor.at(5)
    before = time.time()
    governor.splitter.weights = {"stable": 50, "canary": 50}
    wait_for(lambda: "5 % is wanted and the target has 50 %" in governor.status()["drift"])
    since = governor.status()["drift_since"]
    assert before <= since <= time.time()
    wait_for(lambda: governor.status()["observed"]["at"] > since)
    assert governor.status()["drift_since"] == since, "it began once"


@pytest.fixture
def another_process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_on_the_port_is_named_and_takes_no_raise(
    governor: Any, wait_for: Any, another_process: Any
) -> None:
    governor.at(5)
    governor.splitter.pid = another_process.pid  # the socket was taken over; the first one lives
    wait_for(lambda: f"(pid {os.getpid()})" in governor.status()["drift"])
    assert "still runs" in governor.apply(25)["why"]
    governor.stop("rollback")
    wait_for(lambda: governor.status()["drained"])
    assert "another process" in left(governor), "it may still take traffic"


def test_a_restart_is_named_where_the_weights_were_lost(
    governor: Any, wait_for: Any, another_process: Any
) -> None:
    governor.splitter.pid = another_process.pid
    wait_for(lambda: governor.status()["drift"])
    governor.at(0)
    another_process.kill()
    another_process.wait()
    governor.splitter.pid = os.getpid()
    wait_for(lambda: not governor.status()["drift"])
    assert governor.apply(5)["ok"]
    governor.splitter.weights = {"stable": 100, "canary": 0}
    drift = wait_for(lambda: governor.status()["drift"])
    assert f"process {os.getpid()} answers since" in drift


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (("a: 1", "b: 2"), ("a: 1", "b: 2"), []),
        (("a: 1",), ("a: 2",), ["a was 1 and is 2"]),
        (("x",), (), ["x is missing"]),
        ((), ("x",), ["x is new"]),
        (("a: 1", "a: 2"), ("a: 1",), ["a: 2 is missing"]),
        (("a: 1", "a: 1"), ("a: 1",), ["a: 1 is missing"]),
        (("a: 1", "a: 1", "a: 1"), ("a: 1", "a: 1"), ["a: 1 (again) is missing"]),
    ],
)
def test_differences(before: Any, now: Any, said: list[str]) -> None:
    assert differences(before, now) == said


def test_a_long_list_of_differences_is_cut_with_their_number() -> None:
    said = differences(tuple(f"s{n}: a" for n in range(40)), ())
    assert len(said) == 13
    assert said[-1] == "and 28 more differences"
