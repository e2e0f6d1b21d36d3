from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.edge import protocol
from hatchway.edge.hub import NEW, Hub, is_urgent

KEYS = ("system", "authority/shop", "run/1", "run/2", "needs-you")


class Mirror:
    """What a client has, and the cursor that the server keeps for it while it is connected."""

    def __init__(self) -> None:
        self.docs: dict[str, Any] = {}
        self.boot = ""
        self.rev = -1
        self.cursor: int | None = None

    def connect(self, hub: Hub) -> None:
        self.cursor, reset = hub.place(self.boot, self.rev)
        if reset is not None:
            assert self.cursor == NEW
        self.boot = hub.boot

    def catch_up(self, hub: Hub) -> None:
        if self.cursor is None:
            self.connect(hub)
        assert self.cursor is not None
        for text in hub.since(self.cursor):
            self.take(protocol.decode_server(text))
        self.cursor = hub.rev

    def take(self, message: protocol.ServerMessage) -> None:
        match message:
            case protocol.Snapshot(rev, docs):
                self.rev, self.docs = rev, plain(docs)
            case protocol.Delta(from_rev, to_rev, changed, gone):
                assert from_rev == self.rev
                assert to_rev > from_rev
                assert not set(gone) & set(changed)
                for key in gone:
                    self.docs.pop(key, None)
                self.docs.update(plain(changed))
                self.rev = to_rev


def plain(docs: dict[str, msgspec.Raw]) -> dict[str, Any]:
    return {key: msgspec.json.decode(text) for key, text in docs.items()}


CHANGES = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(KEYS), st.integers(0, 3)),
    st.tuples(st.just("remove"), st.sampled_from(KEYS), st.none()),
    st.tuples(st.just("catch up"), st.integers(0, 2), st.none()),
    st.tuples(st.just("disconnect"), st.integers(0, 2), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(CHANGES, max_size=80), st.integers(0, 3))
def test_whoever_follows_ends_with_exactly_the_documents(
    changes: list[tuple[str, Any, Any]], gone_kept: int
) -> None:
    boot = 0
    hub = Hub("boot-0", gone_kept)
    clients = [Mirror() for _ in range(3)]
    for change, which, value in changes:
        match change:
            case "publish":
                hub.publish(which, {"value": value})
            case "remove":
                hub.remove(which)
            case "catch up":
                clients[which].catch_up(hub)
                assert clients[which].docs == plain(hub.documents())
            case "disconnect":
                clients[which].cursor = None
            case "restart":
                boot += 1
                hub = Hub(f"boot-{boot}", gone_kept)
                for client in clients:
                    client.cursor = None
    for client in clients:
        client.catch_up(hub)
        assert client.docs == plain(hub.documents())
        assert client.rev == hub.rev


def test_a_delta_says_only_what_changed_and_only_the_latest_of_it() -> None:
    hub = Hub("b")
    hub.publish("run/1", {"weight": 5})
    hub.publish("run/2", {"weight": 0})
    cursor = hub.rev
    for weight in range(100):
        hub.publish("run/1", {"weight": weight})
    (text,) = hub.since(cursor)
    delta = protocol.decode_server(text)
    assert isinstance(delta, protocol.Delta)
    assert plain(delta.set) == {"run/1": {"weight": 99}}
    assert (delta.from_rev, delta.to_rev) == (cursor, hub.rev)


def test_a_document_that_did_not_change_is_not_sent_again() -> None:
    hub = Hub("b")
    heard: list[bool] = []
    hub.listen(heard.append)
    assert hub.publish("system", {"name": "x"})
    assert not hub.publish("system", {"name": "x"})
    assert hub.rev == 1
    assert heard == [False]


def test_a_document_that_did_not_change_does_not_hide_older_changes() -> None:
    hub = Hub("b")
    hub.publish("a", 1)
    hub.publish("b", 1)
    hub.publish("a", 1)  # unchanged: must not move before b
    (text,) = hub.since(0)
    delta = protocol.decode_server(text)
    assert isinstance(delta, protocol.Delta)
    assert plain(delta.set) == {"a": 1, "b": 1}


def test_clients_at_the_same_place_share_one_encoding() -> None:
    hub = Hub("b")
    hub.publish("system", {"name": "x"})
    assert hub.since(NEW)[0] is hub.since(NEW)[0]


def test_a_client_of_another_boot_or_from_the_future_starts_afresh() -> None:
    hub = Hub("b2")
    hub.publish("system", {"name": "x"})
    for boot, since in (("b1", 1), ("b2", 7)):
        cursor, reset = hub.place(boot, since)
        assert cursor == NEW
        assert reset is not None
        assert reset.why
    assert hub.place("b2", 1) == (1, None)
    assert hub.place("", 1) == (NEW, None)


def test_a_client_that_missed_a_forgotten_removal_starts_afresh() -> None:
    hub = Hub("b", gone_kept=1)
    hub.publish("run/1", {})
    hub.publish("run/2", {})
    cursor = hub.rev
    hub.remove("run/1")
    assert hub.place("b", cursor) == (cursor, None)
    hub.remove("run/2")
    assert hub.place("b", cursor)[0] == NEW
    messages = [protocol.decode_server(text) for text in hub.since(cursor)]
    assert [type(message) for message in messages] == [protocol.Reset, protocol.Snapshot]


def test_control_and_what_needs_people_are_urgent() -> None:
    hub = Hub("b")
    heard: list[bool] = []
    stop = hub.listen(heard.append)
    hub.publish("metrics/1", {})
    hub.publish("authority/shop", {})
    hub.publish("needs-you", {})
    stop()
    hub.publish("authority/shop", {"more": 1})
    assert heard == [False, True, True]
    assert hub.urgent_rev == 4
    assert not is_urgent("run/authority/1")


def test_half_a_surrogate_pair_does_not_keep_a_document_from_people() -> None:
    hub = Hub("b")
    hub.publish("run/1", protocol.ChangeDoc("1f", "ana", "caf\udce9"))
    assert plain(hub.documents())["run/1"]["title"] == "caf\\udce9"
