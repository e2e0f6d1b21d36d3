"""Who may ask for what, and for which service."""

from __future__ import annotations

import json
import os
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from hatchway.governor import requests
from hatchway.governor.authority import Stop
from hatchway.governor.requests import BadRequest, Entries, Peer, Status, read

ME = Peer(pid=1, uid=os.geteuid())
GUEST = Peer(pid=1, uid=54321)  # in the socket's group, with no account name
ONE, TWO = ("shop",), ("shop", "cart")


def test_the_governors_own_account_speaks_for_others() -> None:
    _, request = read({"op": "pause", "by": "ana", "id": "1"}, ME, ONE)
    assert request == Stop(op="pause", id="1", by="ana", uid=ME.uid)


def test_another_account_stops_in_its_own_name() -> None:
    _, request = read({"op": "pause", "by": "ana", "id": "1"}, GUEST, ONE)
    assert request == Stop(op="pause", id="1", by="uid 54321", uid=54321, claimed="ana")


@pytest.mark.parametrize("op", ["lease", "arm", "apply", "release", "readmit"])
def test_another_account_may_not_add_risk(op: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read({"op": op, "reason": "x", "capsule": {"rollback": {"canary": 0}}}, GUEST, ONE)
    assert caught.value.answer["code"] == "not_allowed"


def test_a_capsule_that_could_not_be_written_is_refused() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    capsule = {"rollback": {"canary": 0}, "deep": deep}
    with pytest.raises(BadRequest, match="nested too deeply"):
        read({"op": "arm", "capsule": capsule}, ME, ONE)
    read({"op": "arm", "capsule": {"rollback": {"canary": 0}, "services": [{"a": 1}]}}, ME, ONE)


def test_a_stop_does_not_wait_for_an_account_database_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = threading.Event()

    def hangs(uid: int) -> Any:
        free.wait(30)
        return SimpleNamespace(pw_name="gus")

    monkeypatch.setattr("pwd.getpwuid", hangs)
    monkeypatch.setattr(requests, "_logins", {})
    monkeypatch.setattr(requests, "_asked", {})
    asked: list[tuple[str, str]] = []
    began = time.monotonic()
    for _ in range(20):
        request = read({"op": "pause", "by": "ana", "id": "1"}, GUEST, ONE)[1]
        assert isinstance(request, Stop)
        asked.append((request.by, request.claimed))
    assert time.monotonic() - began < 5, "it is waited for once, and not for long"
    assert set(asked) == {("uid 54321", "ana")}
    free.set()
    requests._asked[GUEST.uid].join(30)
    assert GUEST.login == "gus", "it is known when the database answers"


@pytest.mark.parametrize("op", ["pause", "takeover", "rollback"])
def test_a_service_need_not_be_named_when_there_is_one(op: str) -> None:
    assert read({"op": op}, ME, ONE)[0] == "shop"
    assert read({"op": op, "service": ""}, ME, ONE)[0] == "shop"
    with pytest.raises(BadRequest, match="Which service is not said"):
        read({"op": op}, ME, TWO)
    with pytest.raises(BadRequest, match="There is no service 'x'"):
        read({"op": op, "service": "x"}, ME, ONE)


def test_looking_may_mean_all_services() -> None:
    assert read({"op": "status"}, ME, TWO) == ("", Status())
    assert read({"op": "status", "service": "cart"}, ME, TWO) == ("cart", Status())
    assert read({"op": "spool", "after": 3}, ME, TWO) == ("", Entries(3))


def test_a_stop_without_an_id_gets_one_of_its_own() -> None:
    ids = {getattr(read({"op": "pause"}, ME, ONE)[1], "id", "") for _ in range(5)}
    assert len(ids) == 5


def test_two_services_are_held_apart(cold: Any, wait_for: Any) -> None:
    path = cold.directory / "governor.json"
    config = json.loads(path.read_text())
    config["services"]["cart"] = config["services"]["shop"]
    path.write_text(json.dumps(config))
    cold.start()
    wait_for(lambda: all(s["observed"] for s in cold.ask(op="status")["statuses"]), "both")
    assert cold.ask(op="pause", by="ana")["code"] == "bad_request"
    assert cold.ask(op="pause", service="cart", by="ana")["ok"]
    statuses = {s["service"]: s for s in cold.ask(op="status")["statuses"]}
    assert (statuses["shop"]["mode"], statuses["shop"]["spool_seq"]) == ("agent", 0)
    assert (statuses["cart"]["mode"], statuses["cart"]["spool_seq"]) == ("paused", 1)
    assert cold.ask(op="spool", service="shop", after=0)["entries"] == []
    assert len(cold.ask(op="spool", service="cart", after=0)["entries"]) == 1
