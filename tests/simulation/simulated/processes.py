"""The two processes that die: a real governor without its socket, a real backend without its edge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchway.brains.port import Sight
from hatchway.brains.rules import RulesBrain
from hatchway.conductor.authority import AuthorityFollower
from hatchway.conductor.conductor import Conductor
from hatchway.conductor.in_force import InForce
from hatchway.conductor.jobs import Jobs
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.conductor.weights import Weights
from hatchway.core import events as ev
from hatchway.edge.desk import Desk
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Command
from hatchway.forge.port import ChangedFile, Changes
from hatchway.governor.keeper import Keeper
from hatchway.governor.ledger import Ledger as GovernorLedger
from hatchway.governor.settings import ServiceSettings, Settings
from hatchway.governor.settings_target import HAProxySettings
from hatchway.governor.store import Store
from hatchway.journal.memory import MemoryJournal
from hatchway.journal.port import JournalError, Record, Unsettled
from hatchway.runners.port import JobResult, JobSpec
from hatchway.settings.manifest import read_manifest
from hatchway.targets.governor import GovernorTarget
from hatchway.targets.port import TargetError
from simulated.installation import INSTALLATION, LEASE_S, PLAN, POLICY, SERVICE
from simulated.loop import Loop

if TYPE_CHECKING:
    from simulated.world import World

SETTINGS = Settings(
    (ServiceSettings(SERVICE, HAProxySettings("/target", "be", "stable", "canary")),), LEASE_S
)
TICK_S = 0.5  # the server calls `work` at least this often; here less often than it does


class News:
    """Stands for the driver's `threading.Event`: waiting gives the thread back to the world."""

    def __init__(self, thread: Thread) -> None:
        self._thread = thread

    def clear(self) -> None:
        self._thread.begins()

    def set(self) -> None:
        self._thread.due(0.0)

    def wait(self, seconds: float) -> None:
        raise Rest(seconds)


class Rest(BaseException):
    """The driver's thread waits for this long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Thread:
    """The driver's thread, run by the world a pass at a time; it is paused at each target call."""

    def __init__(self, governor: Governor) -> None:
        self._governor = governor
        self.running = False
        self._next: object = None
        self.driver: Any = None

    def start(self) -> None:
        self.driver = self._run.__self__
        self.due(0.0)

    def begins(self) -> None:
        self._governor.driver_order = self.driver._order

    def due(self, seconds: float) -> None:
        world = self._governor.world
        ticket = self._next = object()
        world.soon(self._pass, ticket, after=seconds, owner=self._governor)

    def _pass(self, ticket: object) -> None:
        if self._next is not ticket or self.running:
            return
        self.running = True
        try:
            self._run()
        except Rest as rest:
            if self._next is ticket:
                self.due(rest.seconds)
            else:
                self.due(0.0)
        finally:
            self.running = False


class NoLock:
    """Nothing else runs while the driver holds its lock: there is no boundary within."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def acquire(self, timeout: float = -1) -> bool:
        return True

    def release(self) -> None:
        pass


class Threading:
    """The module `threading`, as far as the driver uses it."""

    def __init__(self, world: Any) -> None:
        self._world = world

    def Lock(self) -> NoLock:
        return NoLock()

    def Event(self) -> News:
        self._thread = Thread(self._world().governor)
        return News(self._thread)

    def Thread(self, target: Any, name: str, daemon: bool) -> Thread:
        self._thread._run = target
        return self._thread


class Governor:
    """The real keeper, ledger, store, driver and adapter. `peer` says who is at the other end."""

    name = "governor"

    def __init__(self, world: World) -> None:
        self.world = world
        self.alive = True
        self.frozen_until = 0.0
        self.driver_order: Any = None
        self.keeper: Keeper = None  # type: ignore[assignment]

    def boot(self) -> None:
        store = Store("/g")
        ledger = GovernorLedger(store)
        self.keeper = Keeper(SETTINGS, ledger, lambda: self.world.soon(self.work, owner=self))
        self.world.promises.governor_is_up(self.state)
        self._tick()

    @property
    def state(self) -> Any:
        return self.keeper._ledger.states[SERVICE]

    def work(self) -> None:
        self.keeper.work()
        self.world.promises.governor_says(self.state)

    def _tick(self) -> None:
        self.work()
        self.world.soon(self._tick, after=TICK_S, owner=self)


class Network(GovernorTarget):
    """The real client of the governor; its connections are messages that may be lost or late."""

    def __init__(self, world: World, backend: Backend) -> None:
        super().__init__(Path("/governor.sock"))
        self._socket = self  # type: ignore[assignment]
        self._connection = (self, self)  # type: ignore[assignment]
        self._world = world
        self._backend = backend

    def _drop(self) -> None:
        pass

    async def exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        loop = self._backend.loop
        future = loop.create_future()
        backend = self._backend

        def answered(answer: dict[str, Any] | BaseException) -> None:
            if not future.done():
                if isinstance(answer, BaseException):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

        self._world.boundary("request sent", backend)
        self._world.ask_governor(request, answered, backend)
        answer = await future
        self._world.boundary("answer taken", backend)
        return answer


async def call_once(network: Network, request: dict[str, Any], seconds: float) -> dict[str, Any]:
    """In the place of the function of that name: the same time-out over a connection of its own."""
    try:
        async with asyncio.timeout(seconds):
            return await network.exchange(request)
    except (OSError, EOFError, ValueError, TimeoutError) as error:
        raise TargetError(f"the governor does not answer: {error or 'time-out'}") from error


async def exchange(network: Network, _: object, request: dict[str, Any]) -> dict[str, Any]:
    """In the place of the function of that name."""
    return await network.exchange(request)


class SimulatedJournal(MemoryJournal):
    """The journal's contract with a disk between: writes and answers take time and may hang."""

    def __init__(self, world: World, backend: Backend) -> None:
        super().__init__(world.store, clock=world.clock.time)
        self._world = world
        self._backend = backend

    async def append(self, drafts: Any, expect_head: int | None = None) -> list[Record]:
        world, loop = self._world, self._backend.loop
        world.boundary("journal append", self._backend)
        future = loop.create_future()

        def write() -> None:
            if world.journal_hangs_until > world.clock.mono:
                world.soon(write, after=world.journal_hangs_until - world.clock.mono)
                if not future.done():
                    future.set_exception(Unsettled("the disk hangs within the commit"))
                return
            try:
                answer = self._write(drafts, expect_head)
            except JournalError as error:
                if not future.done():
                    future.set_exception(error)
                return
            world.promises.journaled(answer)
            if self._backend.alive:
                world.boundary("journal written", self._backend)
                if not future.done():
                    future.set_result(answer)

        # The write is the disk's: it also happens when the one who waits for it was cancelled.
        world.soon(write, owner=self._backend)
        return await future

    def _write(self, drafts: Any, expect_head: int | None) -> list[Record]:
        coroutine = super().append(drafts, expect_head)
        try:
            coroutine.send(None)
        except StopIteration as done:
            answer: list[Record] = done.value
            return answer
        raise AssertionError("the journal in memory does not wait")


class Runner:
    """Commands pass at once; what was started is remembered, also over a crash."""

    async def start(self, spec: JobSpec) -> None:
        pass

    async def output(self, key: str) -> AsyncIterator[str]:
        return
        yield

    async def wait(self, key: str) -> JobResult:
        return JobResult(status="passed", exit_code=0, seconds=0.1, why="")

    async def cancel(self, key: str, why: str) -> None:
        pass


class Forge:
    """A repository with one commit to release."""

    async def resolve(self, ref: str) -> str:
        return {"HEAD": "c1", "c1~1": "c0"}.get(ref, ref)

    async def version(self, commit: str) -> str:
        return {"c0": "1.4.0", "c1": "1.5.0"}.get(commit, commit)

    async def changes(self, base: str, commit: str) -> Changes:
        return Changes(
            (ev.Change(commit, "wren", "a title", "wren@example.org"),),
            (ChangedFile("a.py", 1, 0),),
            1,
        )

    async def checkout(self, commit: str) -> Path:
        return Path("/nowhere")

    async def difference(self, base: str, commit: str) -> tuple[Any, ...]:
        return ()

    async def read(self, commit: str, path: str, most: int) -> None:
        return None


FORGES: Any = {SERVICE: Forge()}
RUNNER: Any = Runner()
IN_FORCE = InForce(POLICY)


class Backend:
    """The real ledger, follower, conductor, weights, agent and desk over the simulated journal."""

    name = "backend"

    def __init__(self, world: World) -> None:
        self.world = world
        self.alive = True
        self.frozen_until = 0.0
        self.ready = False
        self.looking = False
        self.loop = Loop(world)
        clock = world.clock.time
        self.live = Live()
        self.ledger = Ledger(SimulatedJournal(world, self), lambda: None)
        if world.prefix is not None:
            # What was journaled before this schedule began was replayed and checked once for all.
            self.ledger.state, self.ledger._verifier = world.prefix.state, world.prefix.verifier()
        self.target = Network(world, self)
        self.follower = AuthorityFollower(self.ledger, self.target, self.live, (SERVICE,), clock)
        self.conductor = Conductor(
            ledger=self.ledger,
            live=self.live,
            brain=RulesBrain(),
            forges=FORGES,
            jobs=Jobs(self.ledger, self.live, RUNNER, FORGES, Path("/nowhere")),
            weights=Weights(self.ledger, self.target, self.follower.read, clock),
            policy=IN_FORCE,
            clock=clock,
            read_manifest=read_manifest,
        )
        self.desk = Desk(
            installation=INSTALLATION,
            pipelines={SERVICE: PLAN},
            policy=IN_FORCE,
            ledger=self.ledger,
            target=self.target,
            follower=self.follower,
            forges=FORGES,
            clock=clock,
        )

    def boot(self) -> None:
        self.loop.create_task(self._boot())

    async def _boot(self) -> None:
        await self.ledger.replay()
        self.ready = True
        self.loop.create_task(self.follower.follow())
        self.loop.create_task(self.conductor.run())

    @property
    def run(self) -> Any:
        return next(reversed(self.ledger.state.runs.values()), None)

    async def look(self, sight: Sight) -> None:
        """What the watch does with a verdict."""
        try:
            await self.conductor.agent.look(self.run.id, sight, self.world.clock.time())
        except (JournalError, TargetError):
            pass
        finally:
            self.looking = False

    async def command(self, command: Command, by: str, told: Any) -> None:
        """A person at the door."""
        told(await self.desk.command(command, Identity(by, uid=1)))
