"""The real backend over memory: conductor, agent, judge, policy and desk, without edge and disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from hatchway.calendars.keep import Keeper
from hatchway.conductor.authority import AuthorityFollower
from hatchway.conductor.conductor import Conductor
from hatchway.conductor.in_force import InForce
from hatchway.conductor.jobs import Jobs
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.conductor.rules_watch import Refused, RulesWatch
from hatchway.conductor.watch import CanaryWatch
from hatchway.conductor.weights import Weights
from hatchway.core.plan import Installation, PipelinePlan
from hatchway.core.policy import Policy
from hatchway.core.schedules import Schedules
from hatchway.core.state import Run
from hatchway.edge.desk import Desk
from hatchway.edge.door import Answer, OrderRequest, StartRequest
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Command, CommandKind
from hatchway.forge.port import Forge
from hatchway.journal.memory import MemoryJournal, MemoryStore
from hatchway.journal.port import Record
from hatchway.rehearse.cast import RehearsedBrain, RehearsedForge, RehearsedRunner
from hatchway.rehearse.feed import RehearsedMetrics, service_of
from hatchway.rehearse.governor import RehearsedGovernor
from hatchway.rehearse.scenario import Order, Scenario
from hatchway.settings.errors import Trouble
from hatchway.settings.manifest import read_manifest


class Over(Struct, frozen=True):
    """What is rehearsed: the policy, the calendars that it asks, the pipeline.

    `home` holds calendars.yaml, and the .ics files that it names.
    """

    policy: Policy
    plan: PipelinePlan
    schedules: Schedules = Schedules()
    home: Path = Path()


class _RuleFiles:
    """The policy's file, as far as a scenario writes it anew (`conductor.rules_watch.RuleFiles`)."""

    def __init__(self) -> None:
        self.next: tuple[Policy, Schedules] | Refused | None = None

    def poll(self) -> tuple[Policy, Schedules] | None:
        found, self.next = self.next, None
        if isinstance(found, Refused):
            raise found
        return found

    def owner(self) -> str:
        return "author"


ROLES = ("operator", "approver")
ARMS_OF: Mapping[str, tuple[str, ...]] = {
    "stable": ("stable",),
    "canary": ("canary",),
    "both": ("stable", "canary"),
}


class House:
    """One service under rehearsal, made in a running loop.

    What is in the journal and at the governor outlives `kill`.
    """

    def __init__(self, scenario: Scenario, over: Over, directory: Path) -> None:
        self.plan = plan = over.plan
        self.rules = _RuleFiles()
        self._over = over
        self.service = service_of(plan.service, scenario.every, attests=bool(scenario.instances))
        self.skew = 0.0  # of the wall clock
        self._starts = scenario.starts
        self.store = MemoryStore()
        self.lost: list[Record] = []  # that a restored backup did not have
        self.governor = RehearsedGovernor((plan.service,), self.clock)
        self.metrics = RehearsedMetrics(scenario.traffic, scenario.stable, scenario.canary)
        self.metrics.share = lambda: self.governor.weight[plan.service]
        self.metrics.instances["stable"] = dict(scenario.instances)
        self.governor.facts = dict(scenario.facts)
        self.brain = RehearsedBrain()
        self.changed: Callable[[], None] = lambda: None
        self._runner = RehearsedRunner()
        self._forge = RehearsedForge(scenario.versions)
        self._directory = directory
        self._task: asyncio.Task[None] | None = None
        self._ids = 0

    def clock(self) -> float:
        """The wall clock, in seconds since 1970."""
        return self._starts + asyncio.get_running_loop().time() + self.skew

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the backend over what outlived the last one."""
        self.live = Live()
        self.live.changed = self.changed
        journal = MemoryJournal(self.store, clock=self.clock)
        self.ledger = Ledger(journal, lambda: None)
        await self.ledger.replay()
        name = self.plan.service
        follower = AuthorityFollower(self.ledger, self.governor, self.live, (name,), self.clock)
        forges: dict[str, Forge] = {name: self._forge}
        in_force = InForce(self._over.policy)
        rules = RulesWatch(
            in_force=in_force,
            schedules=self._over.schedules,
            files=self.rules,
            keeper=lambda schedules: Keeper(schedules, self._over.home),
            ledger=self.ledger,
            live=self.live,
            clock=self.clock,
        )
        await rules.begin()
        conductor = Conductor(
            ledger=self.ledger,
            live=self.live,
            brain=self.brain,
            forges=forges,
            jobs=Jobs(self.ledger, self.live, self._runner, forges, self._directory),
            weights=Weights(self.ledger, self.governor, follower.read, self.clock),
            policy=in_force,
            clock=self.clock,
            read_manifest=read_manifest,
            pipelines={name: self.plan},
        )
        watch = CanaryWatch(
            service=self.service,
            metrics=self.metrics,
            ledger=self.ledger,
            live=self.live,
            agent=conductor.agent,
            memory=self._directory / "judge",
            clock=self.clock,
        )
        self._desk = Desk(
            installation=Installation(self.plan.environment, "rehearsal", (self.service,)),
            pipelines={name: self.plan},
            policy=in_force,
            ledger=self.ledger,
            target=self.governor,
            follower=follower,
            forges=forges,
            clock=self.clock,
        )
        self._task = asyncio.create_task(_live(rules, follower, conductor, watch))

    async def kill(self) -> None:
        """Nothing of the backend goes on; what was not journaled is gone."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    def rewrite(self, how: str) -> None:
        """The policy's file is written anew: with the same rules in it, or with a mistake."""
        policy = self._over.policy
        if how == "broken":
            wrong = Trouble("policy.yaml", 9, 11, 'unknown key "anser"', "answer: auto")
            self.rules.next = Refused([wrong])
            return
        again = msgspec.structs.replace(policy, digest=f"{policy.digest[:60]}again")
        self.rules.next = again, self._over.schedules

    def from_backup(self, records: int) -> None:
        """Put back the journal as it was at `records` records; what came after is only told of."""
        kept = self.store.records[:records]
        self.lost += self.store.records[records:]
        self.store = MemoryStore()
        self.store.records = kept
        for record in kept:
            self.store.versions[record.stream] = record.version
            if record.idem:
                self.store.idems[record.idem] = record.seq

    def check(self) -> None:
        """Raise what the backend died of, if it did."""
        if self._task is not None and self._task.done():
            self._task.result()

    # --- people -----------------------------------------------------------------------------------

    @property
    def run(self) -> Run | None:
        """The newest run."""
        return next(reversed(self.ledger.state.runs.values()), None)

    async def ask(self, kind: CommandKind, by: str, *, item: str = "") -> Answer:
        """Somebody at the desk."""
        self._ids += 1
        command = Command(
            id=f"{by}-{self._ids}", kind=kind, service=self.plan.service, item=item,
            reason="rehearsed",
        )  # fmt: skip
        return await self._desk.command(command, Identity(by, uid=1000, roles=ROLES))

    async def order(self, order: Order) -> Answer:
        """Somebody says what stands about the service."""
        self._ids += 1
        request = OrderRequest(
            id=f"{order.by}-{self._ids}", kind=order.kind, service=self.plan.service,
            item=order.item, at_most=order.at_most, for_s=order.for_s,
            ticket="rehearsal", reason="rehearsed",
        )  # fmt: skip
        return await self._desk.order(request, Identity(order.by, uid=1000, roles=ROLES))

    async def release(self, version: str) -> Answer:
        """Somebody releases a version, in the mode in which the agent acts."""
        self._ids += 1
        request = StartRequest(
            id=f"start-{self._ids}", service=self.plan.service, commit=version, mode="act"
        )
        return await self._desk.start(request, Identity("author", uid=1001, roles=ROLES))


async def _live(
    rules: RulesWatch, follower: AuthorityFollower, conductor: Conductor, watch: CanaryWatch
) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(rules.run())
        tasks.create_task(follower.follow())
        tasks.create_task(conductor.run())
        tasks.create_task(watch.run())


def acting(over: Over) -> Over:
    """The same with an agent that is allowed to act: the harder case to stop."""
    policy, name = over.policy, over.plan.environment
    place = policy.environments.get(name)
    if place is None or place.mode == "act":
        return over
    places = {**policy.environments, name: msgspec.structs.replace(place, mode="act")}
    acts = msgspec.structs.replace(policy, environments=places)
    return msgspec.structs.replace(over, policy=acts)
