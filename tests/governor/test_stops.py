"""A running governor: stops and applies, with targets that hang, lie, die and forget."""

from __future__ import annotations

import contextlib
import resource
import signal
import time
from typing import Any

import pytest

STOPS = ["pause", "takeover", "rollback"]


def test_drift_says_whether_it_is_a_change_of_its_own_that_is_not_there_yet(
    governor: Any, wait_for: Any
) -> None:
    governor.at(25)
    wait_for(lambda: governor.status()["observed"]["canary"] == 25)
    governor.splitter.weights["canary"] = 40
    status = wait_for(lambda: (s := governor.status())["drift"] and s)
    assert not status["drift_own"], "25 % was seen: somebody moved it since"
    governor.splitter.weights["canary"] = 25
    wait_for(lambda: not governor.status()["drift"])
    governor.splitter.deaf_to = {"canary"}
    governor.stop("rollback")
    status = wait_for(lambda: (s := governor.status())["drift"] and s)
    assert "keeps trying" in status["drift"]
    assert status["drift_own"], "nobody else changed it"


@pytest.mark.parametrize("op", ["pause", "takeover"])
def test_a_stop_touches_no_weight(governor: Any, op: str) -> None:
    governor.at(5)
    before = list(governor.splitter.commands)
    answer = governor.stop(op)
    assert answer["ok"]
    assert answer["epoch"] == 2
    status = governor.status()
    assert status["mode"] == {"pause": "paused", "takeover": "person"}[op]
    assert status["holder"] == "ana"
    assert status["observed"]["canary"] == 5
    assert governor.splitter.commands == before


def test_a_rollback_is_observed(governor: Any, wait_for: Any) -> None:
    governor.at(25)
    answer = governor.stop("rollback", reason="errors")
    assert (answer["ok"], answer["done"], answer["observed"]["canary"]) == (True, True, 0)
    assert governor.splitter.commands[-2:] == ["stable=100", "canary=0"], "raise first"
    assert min(governor.splitter.sums) > 0
    wait_for(lambda: governor.status()["drained"])


def test_weight_0_is_not_drained_while_requests_are_under_way(governor: Any, wait_for: Any) -> None:
    governor.at(25)
    governor.splitter.inflight = 3
    answer = governor.stop("rollback")
    assert answer["done"]
    wait_for(lambda: governor.status()["observed"]["canary_inflight"] == 3)
    assert not governor.status()["drained"]
    governor.splitter.inflight = 0
    wait_for(lambda: governor.status()["drained"])


def test_weight_0_is_not_drained_while_the_counter_moves(governor: Any, wait_for: Any) -> None:
    governor.at(25)
    governor.stop("rollback")
    wait_for(lambda: governor.status()["drained"])
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        governor.splitter.total += 1  # somebody does not follow the weights
        seen = governor.status()
        if seen["observed"]["canary_total"] > 3:
            assert not seen["drained"]
        time.sleep(0.02)
    wait_for(lambda: governor.status()["drained"])


@pytest.mark.parametrize("op", STOPS)
@pytest.mark.parametrize("illness", ["hung", "error", "dead", "deaf"])
def test_a_sick_target_never_holds_a_stop_back(
    governor: Any, op: str, illness: str, wait_for: Any
) -> None:
    governor.at(25)
    match illness:
        case "hung":
            governor.splitter.hung = True
        case "error":
            governor.splitter.error = "Internal error."
        case "dead":
            governor.splitter.die()
        case "deaf":
            governor.splitter.deaf_to = {"canary"}
    answer = governor.stop(op)
    assert answer["ok"]
    assert answer["epoch"] == 2
    if op == "rollback":
        assert not answer["done"]
        assert answer["left"]
        wait_for(lambda: governor.status()["target_trouble"])


@pytest.mark.parametrize("illness", ["hung", "error", "deaf"])
def test_a_rollback_goes_on_until_it_is_true(governor: Any, illness: str, wait_for: Any) -> None:
    governor.at(25)
    splitter = governor.splitter
    if illness == "hung":
        splitter.hung = True
    elif illness == "error":
        splitter.error = "No."
    else:
        splitter.deaf_to = {"canary"}
    assert not governor.stop("rollback")["done"]
    splitter.hung, splitter.error, splitter.deaf_to = False, "", set()
    wait_for(lambda: governor.status()["drained"])
    assert splitter.weights == {"stable": 100, "canary": 0}


def test_a_rollback_keeps_a_target_down_that_comes_back_with_old_weights(
    governor: Any, wait_for: Any
) -> None:
    governor.at(25)
    governor.stop("rollback")
    governor.splitter.weights = {"stable": 75, "canary": 25}
    wait_for(lambda: governor.splitter.weights["canary"] == 0)


def test_a_pause_lets_an_apply_under_way_fail_and_undoes_it(governor: Any, wait_for: Any) -> None:
    governor.at(5)
    governor.splitter.hung = True
    client = governor.client()
    client.send(
        op="apply", epoch=1, key="run-1.canary.1", canary=25, by={"kind": "agent", "name": "rules"}
    )
    wait_for(lambda: governor.status()["desired"]["canary"] == 25)
    assert "is undone" in governor.stop("pause")["said"]
    late = client.receive()
    assert (late["ok"], late["code"]) == (False, "fenced")
    governor.splitter.hung = False  # what lay in its buffers happens now
    wait_for(lambda: governor.status()["observed"]["at"] > time.time() - 0.4)
    wait_for(lambda: governor.splitter.weights == {"stable": 95, "canary": 5})
    assert governor.status()["desired"] == {"canary": 5}


def test_nothing_of_an_old_epoch_is_sent_after_a_stop_was_answered(governor: Any) -> None:
    governor.at(5)
    splitter = governor.splitter
    for share in (25, 50, 75):
        client = governor.client()
        epoch = governor.status()["epoch"]
        # The first command of a raise is under way while the stop is answered.
        stopped: list[int] = []

        def stop(seen: list[int] = stopped) -> None:
            if not seen:
                seen.append(1)
                assert governor.stop("pause")["ok"]
                seen.append(len(splitter.commands))

        splitter.before_set = stop
        client.send(
            op="apply",
            epoch=epoch,
            key=f"k{share}",
            canary=share,
            by={"kind": "agent", "name": "r"},
        )
        assert client.receive()["code"] == "fenced"
        splitter.before_set = lambda: None
        client.close()
        assert governor.stop("release", reason="test")["ok"]
        assert f"stable={100 - share}" not in splitter.commands, "the second command was never sent"


def test_a_stop_on_the_same_connection_is_not_behind_a_hung_apply(governor: Any) -> None:
    governor.at(5)
    governor.splitter.hung = True
    client = governor.client()
    client.send(op="apply", epoch=1, key="k", canary=25, by={"kind": "agent", "name": "rules"})
    client.send(op="pause", id="p", by="ana")
    assert client.receive()["code"] == "fenced"
    assert client.receive()["mode"] == "paused"


def test_the_same_id_acts_once(governor: Any) -> None:
    first = governor.stop("pause", id="same")
    second = governor.stop("pause", id="same")
    assert second == {**first, "replayed": True}
    assert len(governor.spool()) == 1
    assert governor.stop("takeover", id="same")["epoch"] == 3, "another stop is another stop"


def test_a_lying_target_fails_an_apply_and_is_told(governor: Any) -> None:
    governor.seen()
    governor.arm()
    governor.splitter.deaf_to = {"canary"}
    answer = governor.apply(5)
    assert answer["code"] == "target_failed"
    assert "left be/canary at 0 instead of 5" in answer["why"]
    governor.splitter.deaf_to = set()
    assert governor.apply(5)["ok"], "the same key again"
    assert governor.status()["agent_writes"] == 1


def test_a_raise_that_was_never_seen_is_not_repeated_by_itself(cold: Any, wait_for: Any) -> None:
    cold.start().at(5)
    cold.splitter.deaf_to = {"canary", "stable"}
    assert cold.apply(25)["code"] == "target_failed"
    cold.kill()
    cold.splitter.deaf_to = set()
    before = list(cold.splitter.commands)
    cold.start().seen()
    wait_for(lambda: "25 % is wanted and the target has 5 %" in cold.status()["drift"])
    assert cold.splitter.commands == before
    assert cold.apply(25)["ok"]
    assert cold.splitter.weights["canary"] == 25


def test_a_replayed_key_brings_a_forgetful_target_back(governor: Any, wait_for: Any) -> None:
    governor.at(25)
    governor.splitter.weights = {"stable": 100, "canary": 0}  # a reload
    wait_for(lambda: "lost its weights" in governor.status()["drift"])
    answer = governor.apply(25)
    assert (answer["ok"], answer["replayed"], answer["observed"]["canary"]) == (True, True, 25)
    assert governor.status()["agent_writes"] == 1


def test_a_target_that_gained_weight_while_the_governor_was_dead_is_brought_down(
    cold: Any, wait_for: Any
) -> None:
    cold.start().at(5)
    cold.kill()
    cold.splitter.weights = {"stable": 50, "canary": 50}
    cold.start()
    wait_for(lambda: cold.splitter.weights == {"stable": 95, "canary": 5})


def test_a_first_start_takes_over_what_is_there_and_touches_nothing(cold: Any) -> None:
    cold.splitter.weights = {"stable": 80, "canary": 20}
    status = cold.start().seen()
    assert status["desired"] == {"canary": 20}
    assert status["drift"] == ""
    assert cold.splitter.commands == []


def test_recommendation_mode_has_no_write_path(cold: Any) -> None:
    cold.configure(agent_may_write=False)
    cold.start().seen()
    cold.arm()
    for share in (0, 5, 100):
        assert cold.apply(share)["code"] == "agent_may_not_write"
    assert cold.splitter.commands == []
    assert cold.status()["agent_writes"] == 0
    assert cold.apply(5, kind="person", name="ana")["ok"]


@pytest.mark.parametrize("end", [signal.SIGSTOP, None])
def test_a_silent_backend_pauses_the_agent(cold: Any, wait_for: Any, end: Any) -> None:
    cold.configure(lease_s=1.0)
    cold.start().seen()
    assert cold.status()["mode"] == "agent", "no lease was ever taken"
    assert cold.ask(op="lease")["status"]["lease_age_s"] < 60
    if end is not None:  # a governor that stood still itself has not heard the backend either
        cold.process.send_signal(signal.SIGSTOP)
        cold.process.send_signal(signal.SIGCONT)
    wait_for(lambda: cold.status()["mode"] == "paused")
    (line,) = cold.spool()
    assert (line["op"], line["by"], line["holder"]) == ("pause", "dead-man", "dead-man")


def test_the_dead_man_outlives_the_governor(cold: Any, wait_for: Any) -> None:
    cold.configure(lease_s=1.0)
    cold.start().ask(op="lease")
    cold.kill()
    cold.start()
    wait_for(lambda: cold.status()["holder"] == "dead-man")


@pytest.mark.parametrize("op", STOPS)
def test_a_full_disk_refuses_raises_and_no_stop(governor: Any, op: str, wait_for: Any) -> None:
    governor.at(25)
    pid = governor.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))  # every write fails from now on
    assert governor.apply(50)["code"] == "not_durable"
    assert governor.status()["desired"] == {"canary": 25}
    answer = governor.stop(op, id="once")
    assert answer["ok"]
    assert "Not durable: file too large" in answer["said"]
    assert "Not durable" in governor.stop(op, id="once")["said"]  # and still is not
    assert governor.status()["mode"] != "agent"
    if op == "rollback":
        assert answer["done"]
    assert governor.spool() == []
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    wait_for(lambda: not governor.status()["disk_trouble"])
    assert "Not durable" not in governor.stop(op, id="once")["said"]
    assert [e["op"] for e in governor.spool()] == [op]
    governor.kill()
    governor.start()
    assert governor.status()["mode"] != "agent"


def test_no_client_holds_another_back(governor: Any) -> None:
    silent = [governor.client() for _ in range(20)]
    for number, client in enumerate(silent):
        client.link.sendall(b'{"op": "status"'[: number % 15])
    reader = governor.client()  # asks without end and never reads
    reader.link.settimeout(0.2)
    with contextlib.suppress(TimeoutError, OSError):
        for _ in range(3000):
            reader.send(op="status")
    assert governor.stop("pause")["ok"]


def test_a_crowd_of_clients_does_not_keep_a_stop_out(governor: Any) -> None:
    crowd = [governor.client() for _ in range(260)]
    assert governor.stop("pause")["ok"]
    assert crowd
