"""STOP ALL: one durable change pauses every service and bars every agent; people undo it singly."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

AGENT = {"kind": "agent", "name": "rules"}


@pytest.fixture
def two(cold: Any, splitter_at: Any, wait_for: Any) -> Any:
    """Two services; the canary of shop has 5 %."""
    services = {}
    for name in ("shop", "web"):
        target = {"kind": "haproxy", "socket": f"{name}.sock"}
        services[name] = {"target": target}
        splitter = splitter_at(cold.directory / f"{name}.sock")
        setattr(cold, name, splitter)
    doc = {"services": services, "lease_s": 60}
    (cold.directory / "governor.json").write_text(json.dumps(doc))
    cold.start()
    wait_for(lambda: all(s["observed"] for s in cold.ask(op="status")["statuses"]))
    capsule = {"run": "run-1", "rollback": {"canary": 0}}
    for name in services:
        assert cold.ask(op="arm", service=name, capsule=capsule)["ok"]
    assert apply(cold, "shop", 5)["ok"]
    return cold


def apply(governor: Any, service: str, canary: int, **more: Any) -> dict[str, Any]:
    doc = {"op": "apply", "service": service, "canary": canary, "by": AGENT, **more}
    doc.setdefault("key", f"{service}.{canary}.{os.urandom(3).hex()}")
    doc.setdefault("epoch", status(governor, service)["epoch"])
    answer: dict[str, Any] = governor.ask(**doc)
    return answer


def status(governor: Any, service: str) -> dict[str, Any]:
    found: dict[str, Any] = governor.ask(op="status", service=service)["status"]
    return found


def stop_all(governor: Any, id: str = "s1") -> dict[str, Any]:
    answer: dict[str, Any] = governor.ask(op="stop_all", id=id, by="ana", reason="agents went mad")
    return answer


def test_every_service_is_paused_every_agent_barred_and_no_target_touched(two: Any) -> None:
    before = list(two.shop.commands), list(two.web.commands)
    answer = stop_all(two)
    assert (answer["ok"], answer["services"]) == (True, ["shop", "web"])
    assert "shop is paused" in answer["said"]
    assert "web is paused" in answer["said"]
    for name, share in (("shop", 5), ("web", 0)):
        seen = status(two, name)
        assert (seen["mode"], seen["holder"], seen["epoch"]) == ("paused", "ana", 2)
        assert seen["stop_all"]["by"] == "ana"
        assert seen["observed"]["canary"] == share
        assert apply(two, name, 0)["code"] == "agents_stopped"
    assert (two.shop.commands, two.web.commands) == before
    lines = two.spool()
    assert [(e["service"], e["op"], e["barred"]) for e in lines] == [
        ("shop", "stop_all", True),
        ("web", "stop_all", True),
    ]


def test_it_is_idempotent_by_id(two: Any) -> None:
    first = stop_all(two)
    second = stop_all(two)
    assert (second["ok"], second["replayed"], second["said"]) == (True, True, first["said"])
    assert len(two.spool()) == 2
    assert status(two, "shop")["epoch"] == 2


def test_a_service_that_is_given_back_stays_closed_to_agents_until_they_are_let_in(
    two: Any,
) -> None:
    stop_all(two)
    release = {"op": "release", "by": "ben"}
    assert two.ask(**release, service="shop")["code"] == "reason_needed"
    assert "Agents stay out" in two.ask(**release, service="shop", reason="fixed")["said"]
    assert status(two, "shop")["mode"] == "agent"
    assert status(two, "web")["mode"] == "paused", "singly"
    assert apply(two, "shop", 0)["code"] == "agents_stopped"
    person = {"kind": "person", "name": "ben"}
    assert apply(two, "shop", 10, by=person)["ok"], "people may"
    assert two.ask(op="readmit", by="ben")["code"] == "reason_needed"
    answer = two.ask(op="readmit", by="ben", reason="new brain")
    assert answer["ok"]
    assert "web is paused by ana as before" in answer["said"]
    assert apply(two, "shop", 5)["ok"]
    assert apply(two, "web", 5)["code"] == "held"
    assert two.ask(op="readmit", by="ben", reason="again")["code"] == "nothing_to_release"
    assert [e["op"] for e in two.spool()] == [
        "stop_all", "stop_all", "release", "readmit", "readmit",
    ]  # fmt: skip


def test_no_other_stop_and_no_release_lets_agents_in(two: Any) -> None:
    stop_all(two)
    for op in ("pause", "takeover", "rollback", "release", "takeover", "release"):
        assert two.ask(op=op, service="shop", by="ana", reason="r")["ok"]
        assert apply(two, "shop", 0)["code"] == "agents_stopped"


@pytest.mark.parametrize("lost", ["nothing", "the state file", "an older state file"])
def test_e7_it_is_latched_through_kill_9_and_a_restored_backup(two: Any, lost: str) -> None:
    path = two.directory / "governor" / "state.json"
    backup = path.read_bytes()
    assert stop_all(two)["ok"]
    two.kill()
    if lost == "the state file":
        path.write_text("{half")
    elif lost == "an older state file":
        path.write_bytes(backup)
    two.start()
    for name in ("shop", "web"):
        seen = status(two, name)
        assert seen["mode"] == "paused"
        assert seen["stop_all"]["reason"] == "agents went mad"
        assert apply(two, name, 0)["code"] == "agents_stopped"


def test_a_service_that_is_added_later_is_stopped_too(two: Any, splitter_at: Any) -> None:
    stop_all(two)
    two.kill()
    path = two.directory / "governor.json"
    doc = json.loads(path.read_text())
    doc["services"]["new"] = {"target": {"kind": "haproxy", "socket": "new.sock"}}
    path.write_text(json.dumps(doc))
    splitter_at(two.directory / "new.sock")
    two.start()
    seen = status(two, "new")
    assert (seen["mode"], seen["holder"], seen["stop_all"]["by"]) == ("paused", "ana", "ana")
    assert apply(two, "new", 0)["code"] == "agents_stopped"


def test_a_change_under_way_is_fenced_and_undone(two: Any, wait_for: Any) -> None:
    two.shop.hung = True
    client = two.client()
    client.send(op="apply", service="shop", epoch=1, key="up", canary=50, by=AGENT)
    wait_for(lambda: status(two, "shop")["desired"]["canary"] == 50)
    assert "is undone" in stop_all(two)["said"]
    assert client.receive()["code"] == "fenced"
    two.shop.hung = False
    wait_for(lambda: two.shop.weights == {"stable": 95, "canary": 5})


def test_a_full_disk_does_not_refuse_it(two: Any) -> None:
    import resource

    pid = two.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    answer = stop_all(two)
    assert (answer["ok"], answer["durable"]) == (True, False)
    assert status(two, "web")["mode"] == "paused"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_a_service_that_is_not_configured_while_it_comes_is_stopped_when_it_is_back(
    two: Any, wait_for: Any
) -> None:
    path = two.directory / "governor.json"
    both = path.read_text()
    doc = json.loads(both)
    del doc["services"]["shop"]
    two.kill()
    path.write_text(json.dumps(doc))
    two.start()
    answer = stop_all(two)
    assert (answer["ok"], answer["services"]) == (True, ["web"])
    two.kill()
    path.write_text(both)
    two.start()
    wait_for(lambda: status(two, "shop")["observed"])
    assert (status(two, "shop")["mode"], status(two, "shop")["holder"]) == ("paused", "ana")
    assert apply(two, "shop", 10)["code"] == "agents_stopped"
    two.kill()
    path.write_text(json.dumps(doc))
    two.start()
    assert two.ask(op="readmit", by="ben", reason="new brain")["ok"]
    two.kill()
    path.write_text(both)
    two.start()
    assert apply(two, "shop", 10)["code"] == "held", "paused, and no longer barred"
