"""A backend without its edge, over memory: journal, governor, target, runner and repository.

The governor decides with the real one's own pure rules; only its disk and its socket are missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hatchway.brains.port import Sight
from hatchway.brains.rules import RulesBrain
from hatchway.conductor import agent, authority, conductor, jobs, weights
from hatchway.conductor.authority import AuthorityFollower
from hatchway.conductor.conductor import Conductor
from hatchway.conductor.in_force import InForce
from hatchway.conductor.jobs import Jobs
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.conductor.weights import Weights
from hatchway.core import events as ev
from hatchway.core.migrations import SourceFile
from hatchway.core.plan import (
    CanaryStage,
    CanaryStep,
    CommandStage,
    Installation,
    JobPlan,
    Person,
    PipelinePlan,
    ReleaseStage,
    ServiceSpec,
    TargetSpec,
)
from hatchway.core.policy import (
    AutomaticRollbacksBelow,
    ControlIs,
    DataAgeBelow,
    EnvironmentPolicy,
    Policy,
    Rule,
    StableHealthy,
    VerdictIn,
)
from hatchway.core.state import Run
from hatchway.edge.desk import Desk
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Command
from hatchway.forge.port import ChangedFile, Changes
from hatchway.governor import authority as au
from hatchway.journal.memory import MemoryJournal, MemoryStore
from hatchway.runners.port import JobResult, JobSpec, RunnerError
from hatchway.settings.manifest import read_manifest
from hatchway.targets.governor import spool_line, stop_all_said
from hatchway.targets.port import Declined, NotApplied, Observed, Standing, TargetError

DEADLINE_S = 20.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same order of things, without the waiting."""
    monkeypatch.setattr(conductor, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(conductor, "RETRY_S", 0.02)
    monkeypatch.setattr(weights, "PAUSE_S", 0.02)
    monkeypatch.setattr(weights, "POLL_S", 0.002)
    monkeypatch.setattr(weights, "DRAIN_S", 0.1)
    monkeypatch.setattr(authority, "READ_EVERY_S", 0.01)
    monkeypatch.setattr(authority, "LEASE_EVERY_S", 0.05)
    monkeypatch.setattr(jobs, "TRY_AGAIN_S", 0.01)
    monkeypatch.setattr(agent, "BRAIN_S", 0.1)
    monkeypatch.setattr(agent, "BRAIN_LOOK_S", 0.1)


class Governor:
    """The governor's rules over a target of one number a service."""

    def __init__(self, *services: str) -> None:
        self.state = {name: au.Authority(name) for name in services}
        self.weight = dict.fromkeys(services, 0)
        self.spooled: dict[str, list[dict[str, Any]]] = {name: [] for name in services}
        self.raises: list[tuple[str, int]] = []  # key and weight of each write that raised
        self.writes: list[tuple[str, int]] = []
        self.before_apply: Callable[[str, int], None] = lambda key, canary: None
        self.silent = ""  # what every call fails with
        self.loses_replies = 0  # applies that are done and not answered
        self.deaf = False  # the target does not take what it is given
        self.hangs: asyncio.Event | None = None  # an apply that raises waits here before it is done
        self.inflight = 0
        self.drift: dict[str, str] = {}  # in words, by service
        self.residue: tuple[str, ...] = ()  # what differs from the before-picture
        self.poison: set[str] = set()  # services whose status nobody understands
        self._seq = 0
        self._reads = 0
        for name in services:
            self._observe(name)

    def _decide(self, name: str, request: Any) -> dict[str, Any]:
        state, answer, effects = au.decide(self.state[name], request, time.time(), self._seq + 1)
        self.state[name] = state
        for effect in effects:
            if isinstance(effect, au.Spool):
                self._seq += 1
                self.spooled[name].append(effect.entry)
            if isinstance(effect, au.Drive) and not self.deaf:
                if (state.desired or 0) > self.weight[name]:
                    self.raises.append((effect.key, state.desired or 0))
                self.weight[name] = state.desired or 0
        return answer

    def _observe(self, name: str, key: str = "") -> dict[str, Any]:
        self._reads += 1
        seen = {
            "canary": self.weight[name],
            "stable": 100 - self.weight[name],
            "canary_inflight": self.inflight,
            "canary_total": 7,
            "at": float(self._reads),
        }
        self._decide(name, au.Observed(self.weight[name], seen, key))
        return seen

    def _answer(self) -> None:
        if self.silent:
            raise TargetError(self.silent)

    async def standing(self, service: str) -> Standing:
        await asyncio.sleep(0)
        self._answer()
        if service in self.poison:
            raise TargetError("not understood")
        seen = self._observe(service)
        state = self.state[service]
        return Standing(
            service=service,
            epoch=state.epoch,
            mode=state.mode,
            holder=state.holder,
            spool=state.spool,
            desired=state.desired or 0,
            observed=_observed(seen),
            trouble="",
            drift=self.drift.get(service, ""),
            residue=self.residue,
            agent_writes=state.agent_writes,
            person_writes=state.person_writes,
            stop_all=stop_all_said(state.barred),
        )

    async def renew_lease(self) -> None:
        self._answer()

    async def arm(self, service: str, capsule: dict[str, Any]) -> None:
        self._answer()
        self._decide(service, au.Arm(capsule))

    async def apply(
        self, service: str, *, epoch: int, key: str, canary: int, by: ev.By
    ) -> Observed | NotApplied:
        await asyncio.sleep(0)
        self._answer()
        self.before_apply(key, canary)
        if self.hangs is not None and canary > 0:
            await self.hangs.wait()
        self.writes.append((key, canary))
        request = au.Apply(epoch=epoch, key=key, canary=canary, kind=by.kind, name=by.name)
        answer = self._decide(service, request)
        if self.loses_replies:
            self.loses_replies -= 1
            self._observe(service, key)
            raise TargetError("connection closed")
        if not answer["ok"]:
            return NotApplied(answer["code"], answer["why"])
        if "observed" in answer:
            return _observed(answer["observed"])
        if self.weight[service] != canary:
            return NotApplied("target_failed", "the target does not have the weights")
        return _observed(self._observe(service, key))

    async def stop(self, service: str, op: str, *, id: str, by: str, reason: str) -> str:
        await asyncio.sleep(0)
        self._answer()
        for name in (service,) if service else tuple(self.state):
            answer = self._decide(name, au.Stop(op=op, id=id, by=by, reason=reason))
            if not answer["ok"]:
                raise Declined(answer["code"], answer["why"], answer.get("todo", ""))
        return str(answer["said"])

    async def spool(self, service: str, after: int) -> tuple[ev.AuthorityChanged, ...]:
        self._answer()
        return tuple(spool_line(service, e) for e in self.spooled[service] if e["seq"] > after)

    def forget(self, service: str) -> None:
        """Its disk was lost: it starts again and sees the target as it is."""
        self.state[service] = au.Authority(service)
        self.spooled[service].clear()
        self._seq = 0
        self._observe(service)


def _observed(seen: dict[str, Any]) -> Observed:
    return Observed(
        canary=seen["canary"],
        stable=seen["stable"],
        inflight=seen["canary_inflight"],
        total=seen["canary_total"],
        at=seen["at"],
    )


class Runner:
    """Commands end at once, as `results` says by the job's name; it outlives the backend."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: dict[str, JobResult] = {}
        self.results: dict[str, JobResult] = {}
        self.refuses: list[str] = []  # reasons for which the next starts fail
        self.waits: dict[str, asyncio.Event] = {}  # by job
        self.cancelled: list[str] = []

    async def start(self, spec: JobSpec) -> None:
        if self.refuses:
            raise RunnerError(self.refuses.pop(0))
        if spec.key not in self.started:
            self.started.append(spec.key)

    async def output(self, key: str) -> AsyncIterator[str]:
        yield f"{key} says hello"

    async def wait(self, key: str) -> JobResult:
        job = key.split(".")[-2]
        if job in self.waits and key not in self.cancelled:
            await self.waits[job].wait()
        if key in self.cancelled:
            return JobResult(status="cancelled", exit_code=None, seconds=0.0, why="stopped")
        passed = JobResult(status="passed", exit_code=0, seconds=0.1, why="")
        return self.results.get(job, passed)

    async def cancel(self, key: str, why: str) -> None:
        if key not in self.cancelled:
            self.cancelled.append(key)
        job = key.split(".")[-2]
        if job in self.waits:
            self.waits[job].set()

    async def known(self, key: str) -> Any:
        return "running" if key in self.started else "absent"

    async def close(self) -> None:
        pass


class Forge:
    """A repository with one commit to release."""

    async def resolve(self, ref: str) -> str:
        if ref.endswith("~1"):
            return f"c{int(ref[1:-2]) - 1}"
        return self.head if ref == "HEAD" else ref

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

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], str] = {}  # by commit and path
        self.head = "c1"

    async def difference(self, base: str, commit: str) -> tuple[SourceFile, ...]:
        mine = {p: t for (c, p), t in self.files.items() if c == commit}
        theirs = {p: t for (c, p), t in self.files.items() if c == base}
        return tuple(
            SourceFile(p, "changed" if p in theirs else "added")
            for p, t in mine.items()
            if theirs.get(p) != t
        )

    async def read(self, commit: str, path: str, most: int) -> SourceFile | None:
        text = self.files.get((commit, path))
        return None if text is None else SourceFile(path, "changed", text.encode(), len(text))


def patient(weight: int, **more: Any) -> CanaryStep:
    """A step that is monitored for a moment and waits ten minutes for a clear answer."""
    return CanaryStep(weight, 0.01, **{"extends": 60_000, "at_most_s": 86_400.0, **more})


def plan_of(service: str) -> PipelinePlan:
    return PipelinePlan(
        name=service,
        service=service,
        environment="prod",
        stages=(
            CommandStage(
                "checks", "checks", ((JobPlan("lint", "x"), JobPlan("types", "x")),), 60.0
            ),
            ReleaseStage("release"),
            CanaryStage(
                "canary",
                ((JobPlan("start", "x"),),),
                (patient(5), patient(100, hold_back=5)),
            ),
        ),
        digest="plan",
    )


POLICY = Policy(
    version=1,
    environments={
        "prod": EnvironmentPolicy(
            "act",
            {
                "promote": Rule(
                    "auto",
                    (
                        VerdictIn(("PASS",)),
                        DataAgeBelow(10.0),
                        StableHealthy(True),
                        ControlIs("agent"),
                    ),
                ),
                "rollback": Rule(
                    "auto",
                    (VerdictIn(("REGRESS",)), ControlIs("agent"), AutomaticRollbacksBelow(1)),
                ),
                "block_deploy": Rule("auto"),
                "open_release": Rule("auto"),
            },
        )
    },
    digest="policy",
)


class House:
    """A backend that can be killed and started again over what outlives it."""

    def __init__(self, *services: str, policy: Policy = POLICY) -> None:
        self.services = services
        self.policy = policy
        self.in_force = InForce(policy)
        self.store = MemoryStore()
        self.governor = Governor(*services)
        self.runner = Runner()
        self.forge = Forge()
        self.brain: Any = RulesBrain()
        self.skew = 0.0  # of the wall clock
        self.drill_every_s = 0.0
        self.lost = 0
        self.plans = {name: plan_of(name) for name in services}
        self.configured = services
        self._task: asyncio.Task[None] | None = None
        self._ids = 0
        self.governor.before_apply = self._never_a_raise_without_intent

    def clock(self) -> float:
        return time.time() + self.skew

    def _never_a_raise_without_intent(self, key: str, canary: int) -> None:
        if canary > 0:
            intents = [e for e in self.events() if isinstance(e, ev.EffectIntended)]
            mine = [e.weight for e in intents if e.key == key]
            assert mine == [canary], f"{key} to {canary} % is not in the journal first: {mine}"

    # --- life ---------------------------------------------------------------------------------

    async def start(self) -> House:
        self.live = Live()
        self.ledger = Ledger(MemoryJournal(self.store, clock=self.clock), self._lose)
        await self.ledger.replay()
        self.follower = AuthorityFollower(
            self.ledger, self.governor, self.live, self.configured, self.clock
        )
        forges = dict.fromkeys(self.configured, self.forge)
        self.weights = Weights(self.ledger, self.governor, self.follower.read, self.clock)
        self.conductor = Conductor(
            ledger=self.ledger,
            live=self.live,
            brain=self.brain,
            forges=forges,
            jobs=Jobs(self.ledger, self.live, self.runner, forges, Path("/nowhere")),
            weights=self.weights,
            policy=self.in_force,
            clock=self.clock,
            read_manifest=read_manifest,
            drill_every_s=self.drill_every_s,
        )
        self.agent = self.conductor.agent
        target = TargetSpec("haproxy", "s")
        self.installation = Installation(
            environment="prod",
            name="test",
            services=tuple(ServiceSpec(name, "r", "p", target, (), ()) for name in self.configured),
        )
        self.desk = Desk(
            installation=self.installation,
            pipelines=self.plans,
            policy=self.in_force,
            ledger=self.ledger,
            target=self.governor,
            follower=self.follower,
            forges=forges,
            clock=self.clock,
        )
        self._task = asyncio.create_task(self._live())
        return self

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.follower.follow())
            tasks.create_task(self.conductor.run())

    async def kill(self) -> None:
        """Nothing of it goes on; what was not journaled is gone."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def again(self) -> House:
        await self.kill()
        return await self.start()

    def _lose(self) -> None:
        self.lost += 1

    async def until(self, true: Callable[[], Any], what: str = "") -> Any:
        async with asyncio.timeout(DEADLINE_S):
            while not (found := true()):
                assert self._task is not None
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.002)
        return found

    async def still(self, seconds: float = 0.15) -> None:
        """Let it go round some more."""
        await asyncio.sleep(seconds)
        assert self._task is not None
        if self._task.done():
            self._task.result()

    # --- what people and the judge do -----------------------------------------------------------

    @property
    def run(self) -> Run:
        return next(reversed(self.ledger.state.runs.values()))

    def events(self) -> list[ev.Event | ev.Unknown]:
        return [ev.decode(r.kind, r.payload) for r in self.store.records]

    def of(self, kind: type[Any]) -> list[Any]:
        return [e for e in self.events() if isinstance(e, kind)]

    async def ask(self, kind: str, by: str = "ana", **more: Any) -> Any:
        self._ids += 1
        id = more.pop("id", f"id-{self._ids}")
        command = Command(id=id, kind=kind, **{"reason": "because", **more})  # type: ignore[arg-type]
        return await self.desk.command(command, Identity(by, uid=1))

    async def release(self, service: str = "shop", mode: str = "act", by: str = "rita") -> Any:
        from hatchway.edge.door import StartRequest

        self._ids += 1
        request = StartRequest(id=f"start-{self._ids}", service=service, mode=mode)  # type: ignore[arg-type]
        return await self.desk.start(request, Identity(by, uid=1))

    def open_item(self, capability: str = "") -> Any:
        return next(
            (
                i
                for i in self.run.items.values()
                if i.status == "open" and capability in ("", i.capability)
            ),
            None,
        )

    async def accept(self, capability: str = "", by: str = "ana") -> Any:
        item = await self.until(lambda: self.open_item(capability), f"an item: {capability}")
        return await self.ask("accept", by, item=item.id)

    async def to_canary(self, mode: str = "act") -> House:
        """Started, approved, and at the first share."""
        await self.release(mode=mode)
        await self.accept()
        await self.until(lambda: self.run.step == 0, "the first share")
        return self

    async def look(self, word: str = "PASS", action: str = "none", **more: Any) -> None:
        """What the judge says now."""
        sight = Sight(
            word=word,  # type: ignore[arg-type]
            action=action,  # type: ignore[arg-type]
            headline=f"it is {word}",
            evidence=(ev.Evidence("E1", "+", "seen", "edge", self.clock()),),
            confidence=0.9,
            stable_healthy=more.get("stable_healthy", True),
            blind_for_s=0.0,
            forecast_s=None,
            symptoms=more.get("symptoms", ()),
        )
        await self.agent.look(self.run.id, sight, more.get("data_at", self.clock()))

    async def regress(self) -> None:
        await self.look("REGRESS", "rollback")

    async def looking(self, until: Callable[[], Any], word: str = "PASS") -> None:
        """The judge looks, and says the same, until something is true."""
        async with asyncio.timeout(DEADLINE_S):
            while not until():
                if self.run.active and 0 <= self.run.step < 2:
                    await self.look(word)
                await asyncio.sleep(0.003)

    async def intend_step_1(self) -> None:
        """Until the agent's next raise is in the journal."""
        await self.looking(lambda: "run-1.step1.1" in self.run.effects)

    async def ended(self) -> str:
        await self.until(lambda: not self.run.active, "the run's end")
        return str(self.run.outcome)


@pytest.fixture
async def houses() -> AsyncIterator[Callable[..., House]]:
    """Makes houses, and tears them down."""
    made: list[House] = []

    def make(*services: str, **more: Any) -> House:
        made.append(House(*(services or ("shop",)), **more))
        return made[-1]

    yield make
    for each in made:
        await each.kill()


@pytest.fixture
async def house(houses: Callable[..., House]) -> House:
    """One service, running."""
    return await houses().start()


@pytest.fixture
def desk_with() -> Callable[..., Desk]:
    """Makes a house's desk for an installation that lists people."""

    def make(house: House, *people: Person, signers: Path | None = None) -> Desk:
        return Desk(
            installation=msgspec.structs.replace(house.installation, people=people),
            pipelines=house.plans,
            policy=house.in_force,
            ledger=house.ledger,
            target=house.governor,
            follower=house.follower,
            forges=dict.fromkeys(house.configured, house.forge),
            clock=house.clock,
            allowed_signers=signers,
        )

    return make
