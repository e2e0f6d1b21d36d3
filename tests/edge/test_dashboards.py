from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from hatchway.edge import protocol
from hatchway.edge.door import Guard
from hatchway.edge.health import Health
from hatchway.edge.identity import Identity

PATIENCE_S = 30.0


async def test_a_dashboard_gets_hello_then_everything_then_what_changes(edge: Any) -> None:
    edge.hub.publish("system", {"name": "x"})
    async with edge.dashboard() as dashboard:
        assert [type(m) for m in dashboard.seen[:2]] == [protocol.Hello, protocol.Snapshot]
        assert dashboard.docs == {"system": {"name": "x"}}
        assert dashboard.hello.boot == "boot-1"
        assert dashboard.hello.you.can == ("pause", "takeover", "rollback", "release", "approve")
        edge.hub.publish("run/1", {"weight": 5})
        edge.hub.remove("system")
        await dashboard.until(lambda: dashboard.docs == {"run/1": {"weight": 5}})


async def test_an_empty_backend_sends_an_empty_snapshot(edge: Any) -> None:
    async with edge.dashboard() as dashboard:
        assert dashboard.docs == {}
        assert dashboard.rev == 0


async def test_beats_come_without_being_asked_and_at_once_when_asked(edge: Any) -> None:
    def beats(dashboard: Any) -> int:
        return sum(isinstance(m, protocol.Beat) for m in dashboard.seen)

    async with edge.dashboard() as dashboard:
        await dashboard.until(lambda: beats(dashboard) >= 3)
        before = beats(dashboard)
        await dashboard.say(protocol.Ping())
        await dashboard.until(lambda: beats(dashboard) > before)


async def test_a_returning_dashboard_gets_only_what_it_missed(edge: Any) -> None:
    edge.hub.publish("system", {"name": "x"})
    edge.hub.publish("run/1", {"weight": 0})
    async with edge.dashboard() as first:
        rev, docs = first.rev, first.docs
    edge.hub.publish("run/1", {"weight": 5})
    edge.hub.remove("system")
    async with edge.connection() as socket:
        again = type(first)(socket)
        again.rev, again.docs = rev, docs
        await again.subscribe(boot="boot-1", since=rev)
        await again.until(lambda: again.docs == {"run/1": {"weight": 5}})
        assert not [m for m in again.seen if isinstance(m, protocol.Snapshot | protocol.Reset)]


async def test_a_dashboard_of_another_boot_is_told_to_start_afresh(edge: Any) -> None:
    edge.hub.publish("system", {"name": "x"})
    async with edge.connection() as socket:
        await socket.send(protocol.encode(protocol.Subscribe(boot="boot-0", since=3)), text=True)
        kinds = [type(protocol.decode_server(await socket.recv())) for _ in range(3)]
        assert kinds == [protocol.Hello, protocol.Reset, protocol.Snapshot]


async def test_a_dashboard_may_subscribe_again_on_the_same_connection(edge: Any) -> None:
    edge.hub.publish("system", {"name": "x"})
    async with edge.dashboard() as dashboard:
        dashboard.docs, dashboard.rev = {}, -1
        await dashboard.subscribe()
        assert dashboard.docs == {"system": {"name": "x"}}
        edge.hub.publish("system", {"name": "y"})
        await dashboard.until(lambda: dashboard.docs == {"system": {"name": "y"}})


async def test_a_hundred_changes_at_once_are_one_delta(edge: Any) -> None:
    async with edge.dashboard() as dashboard:
        seen = len(dashboard.seen)
        for weight in range(100):
            edge.hub.publish("run/1", {"weight": weight})
        await dashboard.until(lambda: dashboard.docs == {"run/1": {"weight": 99}})
        assert sum(isinstance(m, protocol.Delta) for m in dashboard.seen[seen:]) == 1


async def test_a_hundred_dashboards_see_the_same(edge: Any) -> None:
    count = 100
    edge.hub.publish("system", {"name": "x"})

    async def follow() -> None:
        async with edge.dashboard() as dashboard:
            ready.append(dashboard)
            await dashboard.until(lambda: dashboard.docs.get("run/1") == {"weight": 49})
            await dashboard.until(lambda: "system" not in dashboard.docs)
            assert dashboard.docs == {"run/1": {"weight": 49}}

    ready: list[Any] = []
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        for _ in range(count):
            tasks.create_task(follow())
        while len(ready) < count:
            await asyncio.sleep(0.01)
        assert b'clients{socket="unix"} 100.0' in edge.health.render()
        for weight in range(50):
            edge.hub.publish("run/1", {"weight": weight})
            await asyncio.sleep(0)
        edge.hub.remove("system")


async def test_a_command_is_answered_by_its_id_and_reaches_the_door_with_its_sender(
    edge: Any,
) -> None:
    async with edge.dashboard() as dashboard:
        you = dashboard.hello.you
        answer = await dashboard.ask("c-1", "pause", service="shop", reason="smells")
        assert answer == protocol.Ack("c-1", 1, f"pause by {you.name}")
    ((command, who),) = edge.door.asked
    assert command == protocol.Command("c-1", "pause", "shop", reason="smells")
    assert who.name == you.name


async def test_the_same_id_twice_reaches_the_door_twice(edge: Any) -> None:
    async with edge.dashboard() as dashboard:
        first = await dashboard.ask("c-1", "pause")
        dashboard.answers.clear()
        assert await dashboard.ask("c-1", "pause") == first
    assert len(edge.door.asked) == 2
    assert edge.door.done == ["c-1"]


async def test_commands_without_an_id_are_different_commands(edge: Any) -> None:
    async with edge.dashboard() as dashboard:
        await dashboard.say(protocol.Command("", "pause"))
        await dashboard.say(protocol.Command("", "takeover"))
        await dashboard.until(lambda: len(dashboard.answers) == 2)
    assert len(set(edge.door.done)) == 2


async def test_a_pause_does_not_wait_for_an_approval_that_hangs(edge: Any) -> None:
    edge.door.hold["accept"] = asyncio.Event()
    async with edge.dashboard() as dashboard:
        await dashboard.say(protocol.Command("a-1", "accept"))
        assert isinstance(await dashboard.ask("p-1", "pause"), protocol.Ack)
        assert "a-1" not in dashboard.answers
        edge.door.hold["accept"].set()
        await dashboard.until(lambda: "a-1" in dashboard.answers)


async def test_no_flood_of_other_commands_starves_a_stop(edge: Any) -> None:
    async with edge.dashboard() as dashboard:
        for number in range(500):
            await dashboard.say(protocol.Command(f"a-{number}", "accept"))
        for kind in ("pause", "takeover", "rollback"):
            assert isinstance(await dashboard.ask(f"stop-{kind}", kind), protocol.Ack)
        await dashboard.until(lambda: len(dashboard.answers) == 503)
    codes = [a.code for a in dashboard.answers.values() if isinstance(a, protocol.Refused)]
    assert set(codes) == {"too_fast"}
    assert len(codes) > 300


async def test_a_stop_never_waits_for_commands_in_flight(edge: Any) -> None:
    edge.door.hold["accept"] = asyncio.Event()
    async with edge.dashboard() as dashboard:
        for number in range(20):
            await dashboard.say(protocol.Command(f"a-{number}", "accept"))
        assert isinstance(await dashboard.ask("p-1", "pause"), protocol.Ack)
        edge.door.hold["accept"].set()
        await dashboard.until(lambda: len(dashboard.answers) == 21)


async def test_a_pause_is_done_although_its_sender_left(edge: Any) -> None:
    edge.door.hold["pause"] = asyncio.Event()
    async with edge.dashboard() as dashboard:
        await dashboard.say(protocol.Command("p-1", "pause"))
        async with asyncio.timeout(PATIENCE_S):
            while not edge.door.asked:
                await asyncio.sleep(0.01)
    edge.door.hold["pause"].set()
    async with asyncio.timeout(PATIENCE_S):
        while edge.door.done != ["p-1"]:
            await asyncio.sleep(0.01)


async def test_a_door_that_breaks_refuses_in_words_and_keeps_the_edge(edge: Any) -> None:
    edge.door.fail = {"release"}
    async with edge.dashboard() as dashboard:
        refused = await dashboard.ask("r-1", "release", reason="all good")
        assert refused.code == "internal"
        assert "the disk is full" in refused.why
        assert isinstance(await dashboard.ask("p-1", "pause"), protocol.Ack)


async def test_a_door_that_hangs_is_said_to(open_edge: Any) -> None:
    async with open_edge(answer_s=0.05) as edge:
        edge.door.hold["pause"] = asyncio.Event()
        async with edge.dashboard() as dashboard:
            refused = await dashboard.ask("p-1", "pause")
            assert refused.code == "no_answer"
            assert "may still happen" in refused.why
            edge.door.hold["pause"].set()
            async with asyncio.timeout(PATIENCE_S):
                while edge.door.done != ["p-1"]:  # it was not cancelled
                    await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", ["pause", "takeover", "rollback", "release", "accept", "reject"])
async def test_the_server_refuses_a_viewer(open_edge: Any, kind: str) -> None:
    async with open_edge(everyone=("viewer",)) as edge, edge.dashboard() as dashboard:
        assert dashboard.hello.you.can == ()
        refused = await dashboard.ask("c-1", kind, reason="r")
        assert refused.code == "not_allowed"
        assert refused.why.startswith("viewers cannot ")
        assert edge.door.asked == []


@pytest.mark.parametrize("kind", ["pause", "takeover", "rollback", "release", "accept", "reject"])
async def test_the_server_refuses_a_read_only_connection(edge: Any, kind: str) -> None:
    async with edge.dashboard(read_only=True) as dashboard:
        assert dashboard.hello.you.can == ()
        refused = await dashboard.ask("c-1", kind, reason="r")
        assert refused.code == "not_allowed"
        assert "read-only" in refused.why
        assert edge.door.asked == []


async def test_closing_tells_dashboards_that_the_backend_goes_away(open_edge: Any) -> None:
    async with contextlib.AsyncExitStack() as clients:
        async with open_edge() as edge:
            sockets = [await clients.enter_async_context(edge.connection()) for _ in range(3)]
            for socket in sockets[:2]:  # the third has not even subscribed
                await socket.send(protocol.encode(protocol.Subscribe()), text=True)
                await socket.recv()
        async with asyncio.timeout(PATIENCE_S):
            assert [await until_closed(socket) for socket in sockets] == [1001, 1001, 1001]


async def test_closing_lets_a_pause_finish(open_edge: Any) -> None:
    async with open_edge() as edge:
        edge.door.hold["pause"] = asyncio.Event()
        async with edge.dashboard() as dashboard:
            await dashboard.say(protocol.Command("p-1", "pause"))
            async with asyncio.timeout(PATIENCE_S):
                while not edge.door.asked:
                    await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.2, edge.door.hold["pause"].set)
    assert edge.door.done == ["p-1"]


async def test_being_cancelled_still_lets_a_pause_finish_and_says_goodbye(open_edge: Any) -> None:
    opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        async with open_edge() as edge:
            opened.set_result(edge)
            await asyncio.Event().wait()

    running = asyncio.create_task(run())
    edge = await opened
    edge.door.hold["pause"] = asyncio.Event()
    async with edge.dashboard() as dashboard, asyncio.timeout(PATIENCE_S):
        await dashboard.say(protocol.Command("p-1", "pause"))
        while not edge.door.asked:
            await asyncio.sleep(0.01)
        running.cancel()
        assert await until_closed(dashboard.socket) == 1001
        edge.door.hold["pause"].set()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert edge.door.done == ["p-1"]


async def until_closed(socket: Any) -> int | None:
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else None


async def test_every_answer_is_counted() -> None:
    class Yes:
        async def command(self, command: protocol.Command, who: Identity) -> protocol.Ack:
            return protocol.Ack(command.id, 1)

        async def start(self, request: Any, who: Identity) -> protocol.Ack:
            return protocol.Ack(request.id, 1)

    health = Health()
    async with asyncio.TaskGroup() as tasks:
        guard = Guard(Yes(), health, tasks)
        await guard.answer(protocol.Command("1", "pause"), Identity("ana", 1, ("operator",)))
        await guard.answer(protocol.Command("2", "pause"), Identity("luis", 2, ("viewer",)))
    text = health.render()
    assert b'hatchway_commands_total{answer="ack",kind="pause"} 1.0' in text
    assert b'hatchway_commands_total{answer="not_allowed",kind="pause"} 1.0' in text
