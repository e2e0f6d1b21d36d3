"""The governor's side of the port, over a socket whose other end may say anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.core.events import By
from hatchway.targets import governor as adapter
from hatchway.targets.governor import GovernorTarget
from hatchway.targets.port import Declined, NotApplied, Observed, TargetError

SEEN = {"canary": 5, "stable": 95, "canary_inflight": 1, "canary_total": 9, "at": 2.0}
STATUS = {
    "service": "shop",
    "epoch": 3,
    "mode": "person",
    "holder": "ana",
    "spool_seq": 7,
    "desired": {"canary": 5},
    "observed": SEEN,
    "target_trouble": "",
    "drift": "d",
    "agent_writes": 1,
    "person_writes": 2,
}
LINE = {
    "seq": 8,
    "id": "x",
    "op": "pause",
    "by": "ana",
    "epoch": 4,
    "mode": "paused",
    "holder": "ana",
    "desired": {"canary": 5},
    "at": 1.0,
    "uid": 0,
    "direct": True,
    "reason": "r",
}
AGENT = By("agent", "agent")


class Peer:
    """Answers each request with the next of `says`: a document, bytes, or nothing at all."""

    def __init__(self) -> None:
        self.says: list[Any] = []
        self.heard: list[dict[str, Any]] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError), contextlib.closing(writer):
            while line := await reader.readline():
                self.heard.append(json.loads(line))
                said = self.says.pop(0) if self.says else {"ok": True, "status": STATUS}
                if said is None:
                    break
                if said == "hang":
                    await asyncio.sleep(3600)
                raw = said if isinstance(said, bytes) else json.dumps(said).encode() + b"\n"
                writer.write(raw)
                if not raw.endswith(b"\n"):
                    break


@pytest.fixture
async def governed(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[Peer, GovernorTarget]]:
    monkeypatch.setattr(adapter, "ANSWER_S", 0.8)
    monkeypatch.setattr(adapter, "APPLY_S", 0.8)
    directory = Path(tempfile.mkdtemp(prefix="hw-"))
    peer, path = Peer(), directory / "governor.sock"
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await peer.serve(reader, writer)

    server = await asyncio.start_unix_server(serve, str(path))
    target = GovernorTarget(path)
    yield peer, target
    target.close()
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await server.wait_closed()
    await asyncio.sleep(0.01)  # transports close a round later
    shutil.rmtree(directory)


Call = Callable[[GovernorTarget], Any]
CALLS: dict[str, Call] = {
    "standing": lambda t: t.standing("shop"),
    "lease": lambda t: t.renew_lease(),
    "arm": lambda t: t.arm("shop", {}),
    "apply": lambda t: t.apply("shop", epoch=1, key="k", canary=5, by=AGENT),
    "stop": lambda t: t.stop("shop", "pause", id="i", by="ana", reason=""),
    "spool": lambda t: t.spool("shop", 7),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "said", [None, "hang", b"", b"{half", b"not json\n", b"[1]\n", b"\xff\n", b"7\n"]
)
async def test_whatever_comes_back_is_a_target_error_and_the_next_call_works(
    governed: Any, call: Call, said: Any
) -> None:
    peer, target = governed
    peer.says = [said]
    with pytest.raises(TargetError):
        await call(target)
    assert (await target.standing("shop")).epoch == 3


@pytest.mark.parametrize("call", ["standing", "spool"])
@pytest.mark.parametrize(
    "said",
    [
        {"ok": True},
        {"ok": True, "status": None, "entries": None},
        {"ok": True, "status": [], "entries": [7]},
        {"ok": True, "status": {**STATUS, "epoch": "x"}, "entries": [{**LINE, "seq": "x"}]},
        {"ok": True, "status": {**STATUS, "observed": {"canary": None}}, "entries": [{}]},
        {"ok": False, "code": "internal", "why": "it failed"},
    ],
)
async def test_an_answer_that_nobody_understands_is_a_target_error(
    governed: Any, call: str, said: Any
) -> None:
    peer, target = governed
    peer.says = [said]
    with pytest.raises(TargetError):
        await CALLS[call](target)


async def test_an_apply_without_what_was_observed_is_not_taken_for_done(governed: Any) -> None:
    peer, target = governed
    for said in ({"ok": True}, {"ok": True, "observed": None}, {"ok": True, "observed": {}}):
        peer.says = [said]
        with pytest.raises(TargetError):
            await CALLS["apply"](target)


async def test_what_the_governor_says_comes_through(governed: Any) -> None:
    peer, target = governed
    standing = await target.standing("shop")
    assert (standing.mode, standing.holder, standing.spool, standing.drift) == (
        "person",
        "ana",
        7,
        "d",
    )
    assert standing.observed == Observed(canary=5, stable=95, inflight=1, total=9, at=2.0)
    peer.says = [{"ok": True, "observed": SEEN}]
    assert await CALLS["apply"](target) == standing.observed
    peer.says = [{"ok": False, "code": "held", "why": "paused"}]
    assert await CALLS["apply"](target) == NotApplied("held", "paused")
    peer.says = [{"ok": True, "entries": [LINE]}]
    (event,) = await target.spool("shop", 7)
    assert (event.op, event.spool, event.desired, event.direct) == ("pause", 8, 5, True)
    peer.says = [{"ok": False, "code": "nothing_to_release", "why": "w", "todo": "t"}]
    with pytest.raises(Declined) as declined:
        await target.stop("shop", "release", id="i", by="ana", reason="r")
    assert (declined.value.code, declined.value.todo) == ("nothing_to_release", "t")


async def test_the_status_keeps_its_connection_and_a_stop_does_not_wait_for_it(
    governed: Any,
) -> None:
    peer, target = governed
    await target.standing("shop")
    await target.standing("shop")
    assert peer.connections == 1
    peer.says = ["hang", {"ok": True, "said": "PAUSED"}]
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(_fails(target.standing("shop")))
        while len(peer.heard) < 3:
            await asyncio.sleep(0.005)
        assert await CALLS["stop"](target) == "PAUSED"
        assert not slow.done()


async def _fails(call: Any) -> None:
    with pytest.raises(TargetError):
        await call


async def test_without_a_socket_it_says_that_the_governor_does_not_answer(tmp_path: Path) -> None:
    target = GovernorTarget(tmp_path / "none.sock")
    for call in CALLS.values():
        with pytest.raises(TargetError, match="does not answer"):
            await call(target)
