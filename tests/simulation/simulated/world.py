"""One schedule: what happens when, chosen by a seed, and everything that outlives a process."""

from __future__ import annotations

import contextlib
import heapq
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from hatchway.conductor import agent, authority, conductor, weights
from hatchway.core import events as ev
from hatchway.core.state import State
from hatchway.governor import driver, haproxy, keeper, ledger, service, store
from hatchway.governor import requests as governor_requests
from hatchway.governor.target import Inventory
from hatchway.journal.chain import Verifier
from hatchway.journal.memory import MemoryStore
from hatchway.targets import governor as governor_target
from simulated.disk import Disk, Files
from simulated.installation import SERVICE
from simulated.loop import Dead
from simulated.processes import Backend, Governor, Threading, call_once, exchange
from simulated.promises import Broken, Promises
from simulated.target import Sockets, Target

TRUSTED = governor_requests.Peer(1, 0)
STRANGER = governor_requests.Peer(2, 4_000_000)
EPOCH_2026 = 1.77e9


INVENTORY = Inventory(("server canary: 127.0.0.1:80, ready",), process=100)


class Clock:
    """Seconds. The wall clock may jump, the monotonic one never does."""

    def __init__(self, mono: float = 1000.0, skew: float = EPOCH_2026) -> None:
        self.mono = mono
        self.skew = skew

    def monotonic(self) -> float:
        return self.mono

    def time(self) -> float:
        return self.mono + self.skew


class Prefix:
    """A moment of a release, made once: what is on the disks, at the target and in the journal."""

    def __init__(self, world: World) -> None:
        self.mono, self.skew = world.clock.mono, world.clock.skew
        self.disk, self.target = world.disk.copy(), world.target.copy()
        self.records = tuple(world.store.records)
        self.versions, self.idems = dict(world.store.versions), dict(world.store.idems)
        self.state: State = world.backend.ledger.state
        self.head = self.records[-1].seq, self.records[-1].hash
        self.events = tuple(world.events())
        self.intended = dict(world.promises.intended)

    def verifier(self) -> Verifier:
        """One that has read the prefix."""
        verifier = Verifier(self.head)
        verifier._from_the_beginning, verifier._versions = True, dict(self.versions)
        return verifier


class World:
    """The only one at a time that the wired modules see: `World.now`."""

    now: World

    def __init__(
        self, seed: object, prefix: Prefix | None = None, *, tracing: bool = False
    ) -> None:
        World.now = self
        self.dice = random.Random(str(seed))
        self.tracing = tracing
        self.told: list[str] = []
        self.prefix = prefix
        self._heap: list[tuple[float, int, Any, tuple[Any, ...], Any]] = []
        self._count = 0
        self.boundaries = 0
        self.at_boundary: dict[int, Callable[[str], None]] = {}
        self.named: list[str] | None = None  # the boundaries' names, when they are wanted
        self.journal_hangs_until = 0.0
        self.lossy: dict[
            str, float
        ] = {}  # chances by what is lost: request, reply, command, answer
        self.lose_next: set[str] = set()  # what of these is next; also twice, late
        self.slow = 0.0  # the most seconds that a message takes on top
        self.twice = 0.0  # the chance that a request comes twice
        self.deceived = False  # by a target that lied, or an older copy of the governor's state
        self.put_back = False  # an older copy of the governor's state was
        self.graves: list[Backend] = []
        self._events: list[Any] = []
        self.store = MemoryStore()
        if prefix is None:
            self.clock, self.disk, self.target = Clock(), Disk(), Target()
        else:
            self.clock = Clock(prefix.mono, prefix.skew)
            self.disk, self.target = prefix.disk.copy(), prefix.target.copy()
            self.store.records = list(prefix.records)
            self.store.versions, self.store.idems = dict(prefix.versions), dict(prefix.idems)
            self._events = list(prefix.events)
        self.began = self.clock.mono
        self.promises = Promises(self)
        if prefix is not None:
            self.promises.intended = dict(prefix.intended)
        self.governor: Governor = Governor(self)
        self._guarded(self.governor.boot)
        self.backend: Backend = Backend(self)
        self.backend.boot()

    # --- time -----------------------------------------------------------------------------------

    def at(self, when: float, do: Callable[..., Any], *args: Any, owner: Any = None) -> None:
        """Do it then, unless its owner is dead by then."""
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, do, args, owner))

    def soon(
        self, do: Callable[..., Any], *args: Any, after: float = 0.0, owner: Any = None
    ) -> None:
        """Do it `after` seconds and a little later: what is due at once comes in any order."""
        self.at(self.clock.mono + after + self.dice.random() * 0.004, do, *args, owner=owner)

    def last_due(self) -> float:
        """When the last is due of what has been planned."""
        return max((when for when, *_ in self._heap), default=self.clock.mono)

    def step(self) -> bool:
        """One thing that happens. False: nothing will ever happen any more."""
        backend, heap = self.backend, self._heap
        runs = backend.alive and backend.loop.ready and backend.frozen_until <= self.clock.mono
        if runs and (not heap or heap[0][0] > self.clock.mono or self.dice.random() < 0.8):
            backend.loop.run_one(self.dice.randrange)
            return True
        if not heap:
            return False
        when, _, do, args, owner = heapq.heappop(heap)
        self.clock.mono = max(self.clock.mono, when)
        if owner is not None:
            if not owner.alive:
                return True
            if owner.frozen_until > self.clock.mono:
                self.at(owner.frozen_until, do, *args, owner=owner)
                return True
        self._guarded(do, *args)
        return True

    def _guarded(self, do: Callable[..., Any], *args: Any) -> None:
        with contextlib.suppress(Dead):
            do(*args)

    def run(self, seconds: float, until: Callable[[], Any] = lambda: False) -> bool:
        """Let it go on for so long, or until something is true."""
        end, n = self.clock.mono + seconds, 0
        while self.clock.mono < end:
            n += 1
            if n % 4 == 1 and until():
                return True
            if not self.step():
                break
            if self.promises.failed:
                raise Broken(self.promises.failed)
        return bool(until())

    # --- what the fakes ask -----------------------------------------------------------------------

    def boundary(self, what: str, process: Any = None) -> None:
        """A point between two effects, where anything may go wrong. Raises Dead in a killed process."""
        process = process if process is not None else self.governor
        self.boundaries += 1
        if self.named is not None:
            self.named.append(what)
        do = self.at_boundary.pop(self.boundaries, None)
        if do is not None:
            do(what)
        if not process.alive:
            raise Dead

    def meanwhile(self, process: Any, chance: float) -> None:
        """Others go on while a thread of the governor waits for the target."""
        dice = self.dice
        while dice.random() < chance:
            self.step()
            chance = 0.7
        if not process.alive:
            raise Dead

    def wait(self, process: Any, seconds: float, until: Callable[[], bool]) -> None:
        """The same, for as long as the thread waits."""
        end = self.clock.mono + seconds
        while self.clock.mono < end and process.alive and not until():
            if not self.step():
                break
        if not process.alive:
            raise Dead

    def loses(self, what: str) -> bool:
        """Whether one of these is lost now."""
        if what in self.lose_next:
            self.lose_next = set()
            return True
        chance = self.lossy.get(what, 0.0)
        return bool(chance) and self.dice.random() < chance

    def ask_governor(
        self, doc: dict[str, Any], answered: Callable[[Any], None], owner: Any, peer: Any = TRUSTED
    ) -> None:
        """A request travels to the governor, and its answer back."""
        if not self.governor.alive:
            self.soon(answered, ConnectionRefusedError(111, "Connection refused"), owner=owner)
            return
        if self.loses("request"):
            return
        late = self.dice.random() * self.slow
        double = self.twice and self.dice.random() < self.twice
        for _ in range(2 if double or self.loses("twice") else 1):
            self.soon(self._deliver, doc, answered, owner, peer, after=late)
            late += self.dice.random() * 2.0

    def _deliver(self, doc: dict[str, Any], answered: Any, owner: Any, peer: Any) -> None:
        governor = self.governor
        if not governor.alive:
            self.soon(answered, EOFError("connection closed"), owner=owner)
            return
        if governor.frozen_until > self.clock.mono:
            self.at(governor.frozen_until, self._deliver, doc, answered, owner, peer)
            return
        trusted, promises = peer is TRUSTED, self.promises
        pending = [True]

        def reply(answer: dict[str, Any]) -> None:
            pending.clear()
            if self.tracing and doc["op"] not in ("status", "lease", "spool"):
                self.trace(f"governor answers {doc['op']}: {answer}")
            promises.answered(doc, answer, trusted)
            if not self.loses("reply"):
                late = self.dice.random() * self.slow + (1.5 if self.loses("late") else 0.0)
                self.soon(answered, answer, after=late, owner=owner)

        if self.tracing and doc["op"] not in ("status", "lease", "spool"):
            self.trace(f"governor hears {doc}")
        promises.asked(doc, trusted)
        order = governor.keeper._services[SERVICE].order
        try:
            governor.keeper.handle(doc, peer, reply)
        finally:
            if not governor.alive and pending:
                self.soon(answered, EOFError("connection closed"), owner=owner)
        now = governor.keeper._services[SERVICE].order
        if now is not order and doc["op"] == "apply":
            promises.ordered(now.serial, doc)
        promises.governor_says(governor.state)

    def events(self) -> list[Any]:
        """Everything that is in the journal, decoded once."""
        for record in self.store.records[len(self._events) :]:
            self._events.append(ev.decode(record.kind, record.payload))
        return self._events

    def trace(self, words: str) -> None:
        if self.tracing:
            self.told.append(f"{self.clock.mono - self.began:8.3f}  {words}")

    # --- life and death -------------------------------------------------------------------------

    def kill(self, *names: str, back_after: float = 0.5) -> None:
        """kill -9, and start again after a while."""
        if "backend" in names and self.backend.alive:
            self.trace("KILL backend")
            self.backend.alive, self.backend.loop.dead = False, True
            self.graves.append(self.backend)
            self.soon(self.start_backend, after=back_after)
        if "governor" in names and self.governor.alive:
            self.trace("KILL governor")
            self.governor.alive = False
            self.soon(self.target.serve, self, after=self.dice.random())
            self.soon(self.start_governor, after=back_after)

    def power_cut(self) -> None:
        """The machine goes: what was not fsync'ed may be lost."""
        self.trace("POWER CUT")
        after = 0.2 + self.dice.random()
        self.kill("backend", "governor", back_after=after)
        self.disk.power_cut(self.dice)

    def start_backend(self) -> None:
        if not self.backend.alive:
            self.trace("start backend")
            self.backend = Backend(self)
            self.backend.boot()

    def start_governor(self) -> None:
        if not self.governor.alive:
            self.trace("start governor")
            self.governor = Governor(self)
            try:
                self.governor.boot()
            except OSError as error:  # a full disk: it does not start, and is started again
                self.trace(f"governor cannot start: {error}")
                self.governor.alive = False
                self.soon(self.start_governor, after=0.5)

    def heal(self) -> None:
        """Everything that was broken works again."""
        self.trace("HEAL")
        self.lossy, self.slow, self.twice, self.journal_hangs_until = {}, 0.0, 0.0, 0.0
        self.at_boundary.clear()
        self.store.refuses, self.disk.full = "", False
        self.target.heal()
        self.target.serve(self)
        self.backend.frozen_until = self.governor.frozen_until = 0.0

    def bury(self) -> None:
        """Unwind all processes."""
        for backend in (*self.graves, self.backend):
            backend.alive, backend.loop.dead = False, True
            backend.loop.bury()
        self.governor.alive = False


class _Time:
    """The module `time` of the governor's rooms."""

    gmtime, strftime = time.gmtime, time.strftime

    @staticmethod
    def monotonic() -> float:
        return World.now.clock.mono

    @staticmethod
    def time() -> float:
        return World.now.clock.mono + World.now.clock.skew


def _not_here(path: str, **_: object) -> None:
    raise FileNotFoundError(path)


def _boundary(what: str) -> None:
    World.now.boundary(what)


@contextlib.contextmanager
def wired(*, whole: bool = False) -> Iterator[None]:
    """The real modules over the fakes of `World.now`, until the block is left.

    `whole`: also what a target is like besides its weights is read, which takes long.
    """
    files = Files(lambda: World.now.disk, _boundary)
    threading: Any = Threading(lambda: World.now)
    sockets = Sockets(lambda: World.now)
    with contextlib.ExitStack() as stack:

        def put(module: Any, name: str, value: Any) -> None:
            stack.enter_context(mock.patch.object(module, name, value, create=name == "open"))

        for module in (driver, haproxy, keeper, ledger, service):
            put(module, "time", _Time)
        put(driver, "threading", threading)
        put(haproxy, "socket", sockets)
        put(store, "os", files)
        put(store, "open", files.open_file)
        put(governor_target, "_call_once", call_once)
        put(governor_target, "_exchange", exchange)
        # The same order of things with fewer idle rounds.
        put(authority, "READ_EVERY_S", 0.6)
        put(conductor, "LOOK_EVERY_S", 1.0)
        put(conductor, "RETRY_S", 0.3)
        put(haproxy.HAProxy, "observe_every_s", 1.0)
        put(haproxy.HAProxy, "inventory_every_s", 60.0)  # and with every order
        if not whole:
            put(haproxy.HAProxy, "inventory", lambda self: INVENTORY)
        put(haproxy, "open", _not_here)  # /proc: the target's process is not on this machine
        put(weights, "PAUSE_S", 0.5)
        put(weights, "POLL_S", 0.3)
        put(agent, "BRAIN_LOOK_S", 1.0)
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, logging.NOTSET)
        yield
