"""Random schedules: a prefix, what goes wrong, what people do, and that it heals."""

from __future__ import annotations

import contextlib
import gc
import json
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from simulated import people
from simulated.promises import Broken
from simulated.world import Prefix, World

LOOK_S = 0.7
SETTLES_S = 40.0
"""Virtual seconds after everything is healthy again, within which everything must have settled."""


class Violation(AssertionError):
    """A promise was broken; the message has the seed, the promise and what happened."""


# --- prefixes -------------------------------------------------------------------------------------


def _until(world: World, true: Callable[[], object], word: str = "PASS") -> None:
    for _ in range(400):
        people.look(world, word)
        if world.run(0.2, true):
            return
    raise AssertionError(f"the prefix was not reached: {world.backend.run}")


def _to_canary(mode: str = "act") -> World:
    world = World("prefix")
    people.start(world, mode)
    _until(world, lambda: (run := world.backend.run) and run.release_requested and run.items)
    people.answer(world, True)
    return world


def _at_step(step: int, mode: str = "act") -> World:
    world = _to_canary(mode)
    while world.backend.run is None or world.backend.run.step < step:
        _until(world, lambda: world.backend.run.step >= step or _open(world))
        if world.backend.run.step < step:
            people.answer(world, True)
            world.run(1.0, lambda: not _open(world))
    return world


def _open(world: World) -> bool:
    return any(i.status == "open" for i in world.backend.run.items.values())


def _said(op: str, step: int) -> World:
    world = _at_step(step)
    people.say(world, op, "ana", f"prefix-{op}", direct=False)
    _until(world, lambda: world.backend.ledger.state.authority_of("shop").mode != "agent")
    return world


def _intended(step: int) -> World:
    world = _at_step(step - 1)
    key = f"run-1.step{step}.1"
    _until(world, lambda: key in world.promises.intended)
    return world


def _asked() -> World:
    world = _at_step(0, "recommend")
    _until(world, lambda: _open(world))
    return world


MAKERS: dict[str, Callable[[], World]] = {
    "before the first share": _to_canary,
    "at 5 %": lambda: _at_step(0),
    "at 25 %": lambda: _at_step(1),
    "25 % intended": lambda: _intended(1),
    "100 % intended": lambda: _intended(2),
    "a question is open": _asked,
    "paused at 5 %": lambda: _said("pause", 0),
    "taken over at 25 %": lambda: _said("takeover", 1),
}


@cache
def prefix(name: str) -> Prefix:
    """Made once per process."""
    world = MAKERS[name]()
    made = Prefix(world)
    world.bury()
    return made


# --- what goes wrong ------------------------------------------------------------------------------


def _for_a_while(world: World, undo: Callable[[], object]) -> None:
    world.soon(undo, after=world.dice.uniform(0.1, 2.0))


def kill_backend(world: World) -> None:
    world.kill("backend", back_after=world.dice.random())


def kill_governor(world: World) -> None:
    world.kill("governor", back_after=world.dice.random())


def kill_both(world: World) -> None:
    world.kill("backend", "governor", back_after=world.dice.random())


def journal_refuses(world: World) -> None:
    world.trace("the journal refuses")
    store = world.store
    store.refuses = "database is locked"
    _for_a_while(world, lambda: setattr(store, "refuses", ""))


def journal_hangs(world: World) -> None:
    world.trace("the journal hangs")
    world.journal_hangs_until = world.clock.mono + world.dice.uniform(0.1, 2.0)


def disk_full(world: World) -> None:
    world.trace("the governor's disk is full")
    disk = world.disk
    disk.full = True
    _for_a_while(world, lambda: setattr(disk, "full", False))


def target_hangs(world: World) -> None:
    world.trace("the target hangs")
    world.target.hung = True

    def wakes() -> None:
        world.target.hung = False
        world.target.serve(world)

    _for_a_while(world, wakes)


def target_ill(world: World) -> None:
    ill = world.dice.choice(("down", "deaf", "error", "lie"))
    world.trace(f"the target is ill: {ill}")
    target = world.target
    match ill:
        case "error":
            target.error = "No such server."
        case "lie":
            world.deceived = True
            target.lie = world.dice.choice((0, 5, 25))
        case _:
            setattr(target, ill, True)
    _for_a_while(world, target.heal)


def target_restarts(world: World) -> None:
    world.trace("the target restarts and forgets its weights")
    world.target.weights, world.target.total = {"canary": 0, "stable": 100}, 0
    world.promises.shares.append(0)
    world.target.queue.clear()
    world.target.pid += 1


def lossy(world: World) -> None:
    what = world.dice.choice(("request", "reply", "command", "answer"))
    world.trace(f"{what}s are lost")
    world.lossy[what] = world.dice.choice((0.3, 0.8))
    _for_a_while(world, lambda: world.lossy.pop(what, None))


def slow(world: World) -> None:
    world.trace("messages are slow")
    world.slow = world.dice.choice((0.3, 2.5, 6.0))
    _for_a_while(world, lambda: setattr(world, "slow", 0.0))


def twice(world: World) -> None:
    world.trace("requests come twice")
    world.twice = 0.6
    _for_a_while(world, lambda: setattr(world, "twice", 0.0))


def clock_jumps(world: World) -> None:
    by = world.dice.choice((-3600.0, -20.0, 20.0, 3600.0))
    world.trace(f"the wall clock jumps by {by:g} s")
    world.clock.skew += by


def freeze_backend(world: World) -> None:
    world.trace("the backend is stopped for a while")
    world.backend.frozen_until = world.clock.mono + world.dice.uniform(0.2, 7.0)


def freeze_governor(world: World) -> None:
    world.trace("the governor is stopped for a while")
    world.governor.frozen_until = world.clock.mono + world.dice.uniform(0.2, 3.0)


def older_state(world: World) -> None:
    """An administrator puts an older copy of the governor's state file back, perhaps a very old one."""
    if world.prefix is None or "/g/state.json" not in world.disk.names:
        return
    world.kill("governor")
    world.deceived = world.put_back = True
    doc = json.loads(world.prefix.disk.names["/g/state.json"].data)
    if world.dice.random() < 0.5:
        doc["services"]["shop"]["capsule"] = None  # from before the release
    world.trace("an older copy of the governor's state is put back")
    file = world.disk.names["/g/state.json"]
    file.data = file.synced = json.dumps(doc).encode()


def killed_while_locked(world: World) -> None:
    """The backend dies owing the journal what it did ahead of it."""
    journal_refuses(world)
    world.soon(kill_backend, world, after=world.dice.uniform(0.1, 1.5))


def killed_and_target_away(world: World) -> None:
    """The governor dies, perhaps in the midst of a change, and finds no target when it is back."""
    target = world.target
    kill_governor(world)
    target.down = True
    world.trace("the target is away")
    _for_a_while(world, target.heal)


FAULTS: tuple[Callable[[World], None], ...] = (
    kill_backend,
    kill_governor,
    kill_both,
    World.power_cut,
    journal_refuses,
    journal_hangs,
    disk_full,
    target_hangs,
    target_ill,
    target_restarts,
    lossy,
    slow,
    twice,
    clock_jumps,
    freeze_backend,
    freeze_governor,
    older_state,
    killed_while_locked,
    killed_and_target_away,
)
KILLS = (kill_backend, kill_governor, kill_both, World.power_cut, killed_and_target_away)
OPS = ("pause", "takeover", "rollback", "pause", "takeover", "rollback", "release", "yes", "no")


def _people(world: World, at_most: int) -> None:
    dice = world.dice
    for n in range(dice.randint(0, at_most)):
        op, by = dice.choice(OPS), dice.choice(("ana", "ben"))
        when = world.clock.mono + dice.random() * 1.6
        if op in ("yes", "no"):
            world.at(when, people.answer, world, op == "yes", by)
            continue
        direct, stranger, id_ = dice.random() < 0.5, dice.random() < 0.1, f"{op}-{n}"
        for again in range(2 if dice.random() < 0.3 else 1):
            world.at(when + again * dice.random() * 2.0, _say, world, op, by, id_, direct, stranger)


def _say(world: World, op: str, by: str, id_: str, direct: bool, stranger: bool) -> None:
    people.say(world, op, by, id_, direct=direct, stranger=direct and stranger)


# --- a schedule -----------------------------------------------------------------------------------


def play(
    seed: object, *, tracing: bool = False, favour: Sequence[Callable[[World], None]] = ()
) -> World:
    """One schedule from beginning to end. Raises Violation. One of `favour` goes wrong as well."""
    name = _pick(seed)
    world = World(seed, prefix(name), tracing=tracing)
    World.now = world
    dice = world.dice
    world.trace(f"seed {seed}: {name}")
    word = dice.choice(("PASS", "PASS", "PASS", "REGRESS", "REGRESS", "UNSURE", "NO_DATA"))
    try:
        if favour:
            world.at(world.clock.mono + dice.random() * 0.5, dice.choice(favour), world)
        for _ in range(dice.randint(0, 3)):
            world.at(world.clock.mono + dice.random() * 1.4, dice.choice(FAULTS), world)
        if dice.random() < 0.6:
            kill = dice.choice(KILLS)
            world.at_boundary[dice.randint(1, 90)] = lambda _: kill(world)
        _people(world, 3)
        last = world.last_due()
        _judge(world, word)
        world.run(max(0.8, last + 0.3 - world.clock.mono))
        world.heal()
        settle(world)
    except Broken as error:
        raise Violation(f"seed {seed}: {error}") from error
    finally:
        world.bury()
    if world.backend.loop.errors:
        raise Violation(f"seed {seed}: unheard errors: {world.backend.loop.errors}")
    return world


def quiet(name: str, word: str) -> World:
    """The same with nothing wrong, and everybody saying yes, to the end of the run."""
    world = World(f"quiet {name} {word}", prefix(name))
    try:
        _judge(world, word)
        for _ in range(60):
            people.answer(world, True)
            if world.run(1.0, lambda: not world.backend.run.active):
                break
        settle(world)
    finally:
        world.bury()
    return world


def _pick(seed: object) -> str:
    names = list(MAKERS)
    return names[hash_of(seed) % len(names)]


def hash_of(seed: object) -> int:
    """A number that is the same in every process."""
    return sum(ord(c) * 31**n for n, c in enumerate(str(seed))) % 1_000_003


def _judge(world: World, word: str) -> None:
    people.look(world, word)
    world.soon(_judge, world, word, after=LOOK_S)


def settled(world: World) -> bool:
    """Nothing is under way any more, and everybody knows the same."""
    governor, backend, target = world.governor, world.backend, world.target
    if not (governor.alive and backend.alive and backend.ready) or target.queue:
        return False
    state, journal = governor.state, backend.ledger.state
    if not at_rest(world):
        return False
    known = journal.authority_of("shop")
    if (known.epoch, known.mode, known.spool) != (state.epoch, state.mode, state.spool):
        return False
    run = backend.run
    if backend.conductor._first.owes(run.id) or governor.keeper._ledger._outbox:
        return False
    if not run.active:
        return True
    if any(e.status == "intended" for e in run.effects.values()):
        return False
    # A target that lied about 0 % while somebody took over: it is theirs, and said to be incomplete.
    return not run.rollback_from or (world.deceived and target.percent != state.desired)


def at_rest(world: World) -> bool:
    """The target has what is desired. Less is never made more by itself: then it is said as drift."""
    keeper, state, percent = world.governor.keeper, world.governor.state, world.target.percent
    if percent == state.desired and not world.target.queue:
        return bool(state.confirmed == percent)
    if state.desired is None:
        return False
    left_alone = percent < state.desired or (world.deceived and state.mode != "agent")
    return left_alone and bool(keeper.status("shop")["drift"])


def settle(world: World) -> None:
    """Everything is healthy: it must come to rest, and then every promise must have held."""
    if not world.run(SETTLES_S, lambda: settled(world)):
        if world.governor.alive:
            world.promises.at_the_end()  # which may know better what is wrong
        world.promises.check(False, "converges", why_not(world))
    world.promises.at_the_end()


def why_not(world: World) -> str:
    """What has not settled."""
    if not world.governor.alive or not world.backend.alive:
        return f"alive: governor {world.governor.alive}, backend {world.backend.alive}"
    state, run = world.governor.state, world.backend.run
    return (
        f"target {world.target.weights}, desired {state.desired}, confirmed {state.confirmed}, "
        f"epoch {state.epoch} {state.mode} spool {state.spool}; journal "
        f"{world.backend.ledger.state.authority_of('shop')}; effects {run.effects}; "
        f"active {run.active}, {world.backend.live.trouble}"
    )


@dataclass
class Played:
    """What became of many schedules. Seconds are of this process's CPU and of the wall clock."""

    schedules: int = 0
    broken: list[tuple[object, BaseException]] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0
    boundaries: int = 0
    late: int = 0  # commands that were on the wire before a stop's answer and carried out after it
    below: int = 0  # ended with less at the target than desired, and the drift named


def play_many(
    seeds: Iterable[object],
    most_broken: int = 5,
    favour: Sequence[Callable[[World], None]] = (),
) -> Played:
    """Play schedules until so many are broken."""
    for name in MAKERS:
        prefix(name)
    played = Played()
    cpu, wall = time.process_time(), time.monotonic()
    gc.collect()
    gc.disable()  # a world is full of cycles: they are collected every so often, not all the time
    try:
        for seed in seeds:
            played.schedules += 1
            try:
                world = play(seed, favour=favour)
            except Exception as error:
                played.broken.append((seed, error))
                if len(played.broken) >= most_broken:
                    break
                continue
            played.boundaries += world.boundaries
            played.late += world.promises.late
            played.below += world.target.percent < (world.governor.state.desired or 0)
            if played.schedules % 200 == 0:
                gc.collect()
    finally:
        gc.enable()
    played.cpu_s, played.wall_s = time.process_time() - cpu, time.monotonic() - wall
    return played


def explained(seed: object, error: BaseException) -> str:
    """A violation with its trace: the same seed is played again, and told."""
    with contextlib.suppress(BaseException):
        play(seed, tracing=True)
    told = "\n".join(World.now.told[-200:])
    where = "" if isinstance(error, Violation) else "".join(traceback.format_exception(error))
    return f"{error}\n{where}\n{told}\n\nagain: python tests/simulation/run.py {seed}"
