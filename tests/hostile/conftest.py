"""What the hostile corpus is driven against: the real rooms, by the fixtures of their own tests."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatchway.edge import turned_away
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.server import Listening, serve


def fixtures_of(room: str, file: str = "conftest") -> Any:
    """A file of another room's tests."""
    path = Path(__file__).parents[1] / room / f"{file}.py"
    spec = importlib.util.spec_from_file_location(f"hostile_{room}_{file}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_edge, _conductor = fixtures_of("edge"), fixtures_of("conductor")
_governor, _metrics = fixtures_of("governor"), fixtures_of("metrics")

directory = _edge.directory
mirror = _edge.mirror
house, houses = _conductor.house, _conductor.houses
_quick = _conductor._quick
serve_pages = _metrics.serve
Endpoint = _metrics.Endpoint
eventually = _governor.eventually


class Backend:
    """The real edge before the real desk, over a journal; the governor's rules behind it."""

    def __init__(self, house: Any, health: Health, hub: Hub, listening: Listening) -> None:
        self.house = house
        self.health = health
        self.hub = hub
        self.listening = listening

    def turned_away(self) -> dict[str, int]:
        """What the journal says of it."""
        total: dict[str, int] = {}
        for event in self.house.events():
            for why, count in getattr(event, "counts", {}).items():
                total[why] = total.get(why, 0) + count
        return total

    async def journaled(self, *reasons: str) -> None:
        """Wait until the journal has these reasons."""
        async with asyncio.timeout(30):
            while not all(self.turned_away().get(reason) for reason in reasons):
                await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def dashboard(self) -> AsyncIterator[Any]:
        """One that behaves, and fails on a gap."""
        from websockets.asyncio.client import unix_connect

        async with unix_connect(str(self.listening.backend)) as socket:
            made = _edge.Dashboard(socket)
            await made.subscribe()
            yield made


@pytest.fixture
async def backend(
    house: Any, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Backend]:
    monkeypatch.setattr(turned_away, "EVERY_S", 0.05)
    health, hub = Health(), Hub("boot-1")
    roles = ("operator", "approver", "auditor")
    installation = msgspec.structs.replace(house.installation, everyone=roles)
    async with serve(directory, installation, hub=hub, door=house.desk, health=health) as listening:
        task = asyncio.create_task(turned_away.journal_turned_away(health, house.ledger))
        yield Backend(house, health, hub, listening)
        task.cancel()


@pytest.fixture
def fixtures() -> Any:
    """The module of another room's tests: its conftest, or `room/test_file`."""
    return _loaded


def _loaded(name: str) -> Any:
    room, _, file = name.partition("/")
    key = f"hostile_{room}_{file or 'conftest'}"
    return sys.modules.get(key) or fixtures_of(room, file or "conftest")


corpus = fixtures_of("hostile", "corpus")


@pytest.fixture
def leaks() -> tuple[str, ...]:
    """What must never reach a terminal."""
    return tuple(corpus.LEAKS)


@pytest.fixture
def poison() -> Any:
    """The class `Poison`."""
    return fixtures_of("hostile", "poison").Poison
