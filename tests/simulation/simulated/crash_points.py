"""The canonical canary run, with one fault at one boundary: every boundary, every fault."""

from __future__ import annotations

from collections.abc import Callable

from simulated import people
from simulated.installation import LEASE_S
from simulated.promises import Broken
from simulated.schedules import Violation, prefix, settle
from simulated.world import World

RUNS = {"5, 25, 100 %": ("before the first share", "PASS"), "rollback": ("at 25 %", "REGRESS")}
ENDS = {"PASS": ("promoted", 100), "REGRESS": ("rolled_back", 0)}
LONGEST_S = 90.0


def _once(*what: str) -> Callable[[World], None]:
    def lose(world: World) -> None:
        world.lose_next = set(what)

    return lose


def _disk_full(world: World) -> None:
    disk = world.disk
    disk.full = True
    world.soon(lambda: setattr(disk, "full", False), after=2.0)


def _locked(world: World) -> None:
    world.store.refuses = "database is locked"
    world.soon(lambda: setattr(world.store, "refuses", ""), after=2.0)


def _jump(by: float) -> Callable[[World], None]:
    def jump(world: World) -> None:
        world.clock.skew += by

    return jump


def _lease_lost(world: World) -> None:
    world.lossy["request"] = 1.0
    world.soon(world.lossy.clear, after=LEASE_S + 1.0)


FAULTS: dict[str, Callable[[World], None]] = {
    "backend killed": lambda world: world.kill("backend"),
    "governor killed": lambda world: world.kill("governor"),
    "both killed": lambda world: world.kill("backend", "governor"),
    "power cut": World.power_cut,
    "time-out, applied": _once("reply", "answer"),
    "time-out, not applied": _once("request", "command"),
    "comes twice": _once("twice"),
    "reply comes late": _once("late"),
    "disk full": _disk_full,
    "journal locked": _locked,
    "clock forward": _jump(3600.0),
    "clock back": _jump(-3600.0),
    "lease lost": _lease_lost,
}
ENDS_ANYWAY = frozenset(FAULTS) - {"clock back", "lease lost"}
"""After the others the release must come to the very end it would have come to."""


def boundaries(run: str) -> list[str]:
    """The names of the boundaries of a run without a fault, in order."""
    world = _play(run, None, 0)
    assert world.named is not None
    return world.named


def crash(run: str, fault: str, at: int) -> World:
    """The run with a fault at its n-th boundary. Raises Violation."""
    try:
        return _play(run, fault, at)
    except Broken as error:
        told = "\n".join(World.now.told[-60:])
        raise Violation(f"{run}, {fault} at boundary {at}: {error}\n{told}") from error


def _play(run: str, fault: str | None, at: int) -> World:
    name, word = RUNS[run]
    world = World(f"canonical {run}", prefix(name), tracing=fault is not None)
    if fault is None:
        world.named = []
    else:
        world.at_boundary[at] = lambda what: _befalls(world, fault, what)
    try:
        _judge(world, word)
        people.answer(world, True)
        ended = world.run(LONGEST_S, lambda: _over(world))
        if fault is None or fault in ENDS_ANYWAY:
            outcome, share = ENDS[word]
            at_end = world.backend.run.outcome if world.backend.run else None
            right = ended and (at_end, world.target.percent) == (outcome, share)
            world.promises.check(right, "ends as it would", f"{at_end}, {world.target.weights}")
        world.heal()
        settle(world)
    finally:
        world.bury()
    return world


def _befalls(world: World, fault: str, what: str) -> None:
    world.trace(f"{fault.upper()} at {what}")
    FAULTS[fault](world)


def _over(world: World) -> bool:
    backend = world.backend
    if not backend.alive or not backend.ready or backend.run is None:
        return False
    paused = backend.ledger.state.authority_of("shop").mode != "agent"
    return not backend.run.active or paused


def _judge(world: World, word: str) -> None:
    people.look(world, word)
    people.answer(world, True)
    world.soon(_judge, world, word, after=0.7)
