"""Puts adapters behind ports, from the configuration. The only place that knows them all."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

from hatchway.brains.port import Brain
from hatchway.brains.rules import RulesBrain
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
from hatchway.core.events import Event
from hatchway.core.oncall import on_call
from hatchway.core.policy import Policy
from hatchway.core.schedules import Schedules
from hatchway.edge.chronicle import Chronicle
from hatchway.edge.desk import Desk
from hatchway.edge.figures import house
from hatchway.edge.handing import Handing
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.on_duty import duty_words
from hatchway.edge.publisher import Publisher
from hatchway.edge.queries.registry import Sources, queries
from hatchway.edge.server import serve
from hatchway.edge.shift import Shift
from hatchway.edge.tally import Tally
from hatchway.edge.turned_away import journal_turned_away
from hatchway.forge.git import GitForge
from hatchway.forge.port import Forge
from hatchway.journal.keeping import Checkpoints
from hatchway.journal.sqlite import SqliteJournal
from hatchway.metrics.open import opened
from hatchway.notify.open import dispatcher
from hatchway.runners.process import ProcessRunner
from hatchway.settings.load import Settings
from hatchway.settings.manifest import read_manifest
from hatchway.settings.reload import Refusal, RulesFiles
from hatchway.targets.governor import GovernorTarget


class AlreadyRunning(Exception):
    """Another backend serves this directory."""


@contextlib.contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, so that a second backend does not fence the first by mistake."""
    path = directory / "backend.lock"
    with open(path, "a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise AlreadyRunning(
                f"the backend with pid {lock.read().strip() or '?'} serves {directory} already. "
                "Use that one; if it hangs, kill it (kill -9) and start again: nothing is lost."
            ) from None
        with contextlib.suppress(OSError):  # a full disk: the lock is what counts, not its text
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
        yield


@contextlib.asynccontextmanager
async def backend(
    directory: Path, settings: Settings, lost: Callable[[], None], brain: Brain | None = None
) -> AsyncIterator[Hub]:
    """Run a backend over the state in `directory` until the block is left; yields its documents.

    `brain` proposes; without one the built-in rules do. `lost()` is called when another process takes the journal over; leave the block then.
    Raises AlreadyRunning, JournalError when the journal cannot be opened, and what
    `edge.server.serve` raises.
    """
    with only_one(directory):
        async with _backend(directory, settings, lost, brain or RulesBrain()) as hub:
            yield hub


class _Files:
    """The configuration's rules, as the conductor asks for them."""

    def __init__(self, directory: Path, digest: str) -> None:
        self._files = RulesFiles(directory, digest)
        self.owner = self._files.owner

    def poll(self) -> tuple[Policy, Schedules] | None:
        found = self._files.poll()
        if isinstance(found, Refusal):
            raise Refused(found.troubles)
        return (found.policy, found.schedules) if found is not None else None


async def _recorded(ledger: Ledger, event: Event) -> object:
    """Journal one event of the house's own."""
    return await ledger.record(lambda _: (event,), actor="hatchway")


@contextlib.asynccontextmanager
async def _backend(
    directory: Path, settings: Settings, lost: Callable[[], None], brain: Brain
) -> AsyncIterator[Hub]:
    installation, clock = settings.installation, time.time
    services = tuple(service.name for service in installation.services)
    journal = await SqliteJournal.open(directory / "journal.db", clock=clock)
    target = GovernorTarget(directory / "governor.sock")
    runner = ProcessRunner(directory / "jobs")
    metrics = {service.name: opened(service, directory) for service in installation.services}
    try:
        live, hub, health = Live(), Hub(secrets.token_hex(8)), Health()
        ledger = Ledger(journal, lost)
        ledger.appended = health.appended
        forges: dict[str, Forge] = {
            service.name: GitForge(directory / service.repo, directory / "work")
            for service in installation.services
        }
        publisher = Publisher(hub, ledger, live, installation, clock, health)
        tally = Tally()
        ledger.listen(tally.take)
        chronicle = Chronicle()
        ledger.listen(chronicle.take)
        checkpoints = None
        if installation.checkpoints is not None:
            checkpoints = Checkpoints(
                installation.checkpoints,
                directory,
                clock,
                partial(live.tell, "checkpoints"),
                await journal.base(),
            )
            ledger.listen(checkpoints.take)
            publisher.checkpoint_overdue = checkpoints.overdue
        in_force = InForce(settings.policy)
        notices = dispatcher(
            installation,
            directory,
            record=partial(_recorded, ledger),
            tell=live.tell,
            control=lambda: {
                name: (said.epoch, said.mode, said.holder)
                for name, (said, _) in live.standing.items()
            },
            clock=clock,
            on_call=lambda: on_call(in_force.roster, clock()).people,
        )
        ledger.listen(notices.take)
        shift = Shift()
        ledger.listen(shift.take)
        publisher.on_duty = lambda: duty_words(in_force.roster, clock())
        publisher.shift = lambda: shift.said
        await ledger.replay()
        health.house = house(ledger, live, tally, installation, clock)

        follower = AuthorityFollower(ledger, target, live, services, clock)
        rules = RulesWatch(
            in_force=in_force,
            schedules=settings.schedules,
            files=_Files(directory / "config", settings.policy.digest),
            keeper=lambda schedules: Keeper(
                schedules, directory / "config", directory / "calendars", fetches=True
            ),
            ledger=ledger,
            live=live,
            clock=clock,
        )
        await rules.begin()
        conductor = Conductor(
            ledger=ledger,
            live=live,
            brain=brain,
            forges=forges,
            jobs=Jobs(ledger, live, runner, forges, directory),
            weights=Weights(ledger, target, follower.read, clock),
            policy=in_force,
            clock=clock,
            read_manifest=read_manifest,
            pipelines=settings.pipelines,
            drill_every_s=installation.drill_every_s,
        )
        handing = Handing(ledger, live, installation, in_force, shift, clock)
        desk = Desk(
            installation=installation,
            pipelines=settings.pipelines,
            policy=in_force,
            ledger=ledger,
            target=target,
            follower=follower,
            forges=forges,
            clock=clock,
            allowed_signers=(
                directory / installation.allowed_signers if installation.allowed_signers else None
            ),
            handing=handing,
        )
        sources = Sources(
            ledger, live, installation, settings.pipelines, in_force, clock, chronicle,
            directory / "jobs", handing,
        )  # fmt: skip
        async with (
            serve(
                directory,
                installation,
                hub=hub,
                door=desk,
                health=health,
                agents_stopped=follower.agents_stopped,
                note=desk.note,
                queries=queries(sources),
            ),
            asyncio.TaskGroup() as tasks,
        ):
            running = [
                tasks.create_task(follower.follow(), name="authority"),
                tasks.create_task(conductor.run(), name="conductor"),
                tasks.create_task(publisher.tick(), name="publisher"),
                tasks.create_task(journal_turned_away(health, ledger), name="turned away"),
            ]
            for service in installation.services:
                watch = CanaryWatch(
                    service=service,
                    metrics=metrics[service.name],
                    ledger=ledger,
                    live=live,
                    agent=conductor.agent,
                    memory=directory / "judge",
                    clock=clock,
                )
                running.append(tasks.create_task(watch.run(), name=f"watch {service.name}"))
            if checkpoints is not None:
                running.append(tasks.create_task(checkpoints.run(), name="checkpoints"))
            running.append(tasks.create_task(rules.run(), name="rules"))
            running.append(tasks.create_task(notices.run(), name="notices"))
            yield hub
            for task in running:
                task.cancel()
    finally:
        target.close()
        for source in metrics.values():
            await source.close()
        await runner.close()
        await journal.close()
