"""What people and the judge do to a world."""

from __future__ import annotations

from typing import Any

from hatchway.brains.port import Sight
from hatchway.core import events as ev
from hatchway.edge.door import StartRequest
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Command
from simulated.installation import SERVICE
from simulated.world import STRANGER, TRUSTED, World


def say(world: World, op: str, by: str, id_: str, *, direct: bool, stranger: bool = False) -> None:
    """A stop, or giving back: over the backend, or straight at the governor's socket."""
    world.trace(f"{by} says {op} ({'direct' if direct else 'backend'}, {id_})")
    if direct:
        doc = {
            "op": op,
            "service": SERVICE,
            "id": id_,
            "by": by,
            "reason": "because",
            "direct": True,
        }
        world.ask_governor(doc, lambda answer: None, None, STRANGER if stranger else TRUSTED)
        return
    command = Command(id=id_, kind=op, service=SERVICE, reason="because")  # type: ignore[arg-type]
    _at_the_door(world, command, by)


def answer(world: World, yes: bool, by: str = "ana") -> None:
    """A yes or a no to what waits for a person."""
    backend = world.backend
    if not backend.alive or not backend.ready or backend.run is None:
        return
    item = next((i for i in backend.run.items.values() if i.status == "open"), None)
    if item is not None:
        kind: Any = "accept" if yes else "reject"
        world.trace(f"{by} says {kind} to {item.id}")
        _at_the_door(world, Command(id=f"{kind}-{item.id}", kind=kind, item=item.id), by)


def _at_the_door(world: World, command: Command, by: str) -> None:
    backend = world.backend
    if backend.alive and backend.ready:
        told = lambda said: world.trace(f"{by} is told: {said}")  # noqa: E731
        backend.loop.create_task(backend.command(command, by, told))


def start(world: World, mode: str) -> None:
    """Start the release. Who asks for one does not approve it."""
    backend = world.backend
    request = StartRequest(id="start", service=SERVICE, mode=mode)  # type: ignore[arg-type]
    backend.loop.create_task(backend.desk.start(request, Identity("rita", uid=2)))


def look(world: World, word: str) -> None:
    """The judge looks, as the watch has it do once a second; one look at a time."""
    backend = world.backend
    if not backend.alive or not backend.ready or backend.looking or backend.loop.dead:
        return
    run = backend.run
    if run is None or not run.active or not 0 <= run.step < len(run.canary.steps):
        return
    sight = Sight(
        word=word,  # type: ignore[arg-type]
        action="rollback" if word == "REGRESS" else "none",
        headline=f"it is {word}",
        evidence=(ev.Evidence("E1", "+", "seen", "edge", world.clock.time()),),
        confidence=0.9,
        stable_healthy=None if word == "NO_DATA" else True,
        blind_for_s=0.0,
        forecast_s=None,
    )
    backend.looking = True
    backend.loop.create_task(backend.look(sight))
