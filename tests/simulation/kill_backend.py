"""A backend that is made to be killed: the real conductor over the real journal and governor.

What is not under test is quick: commands pass at once, the judge says PASS, and people say yes.
`python kill_backend.py DIRECTORY`
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from simulated.installation import INSTALLATION, PLAN, SERVICE
from simulated.processes import FORGES, IN_FORCE, RUNNER

from hatchway.brains.port import Sight
from hatchway.brains.rules import RulesBrain
from hatchway.conductor.authority import AuthorityFollower
from hatchway.conductor.conductor import Conductor
from hatchway.conductor.jobs import Jobs
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.conductor.weights import Weights
from hatchway.core import events as ev
from hatchway.edge.desk import Desk
from hatchway.edge.door import StartRequest
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Command
from hatchway.journal.port import JournalError
from hatchway.journal.sqlite import SqliteJournal
from hatchway.settings.manifest import read_manifest
from hatchway.targets.governor import GovernorTarget
from hatchway.targets.port import TargetError

ANA, RITA = Identity("ana", uid=1), Identity("rita", uid=2)  # who asks does not approve


async def people(ledger: Ledger, desk: Desk, done: Path) -> None:
    """Release after release, each approved, until told that it is enough."""
    while True:
        state = ledger.state
        run = state.active_run(SERVICE)
        if run is None and not done.exists():
            id_ = f"start-{len(state.runs) + 1}"
            await desk.start(StartRequest(id_, SERVICE, "c1", "c0", "act"), RITA)
        for item in run.items.values() if run else ():
            if item.status == "open":
                await desk.command(Command(id=f"yes-{item.id}", kind="accept", item=item.id), ANA)
        await asyncio.sleep(0.05)


async def judge(ledger: Ledger, conductor: Conductor) -> None:
    """PASS, whenever there is a canary."""
    while True:
        run = ledger.state.active_run(SERVICE)
        if run is not None and run.canary and 0 <= run.step < len(run.canary.steps):
            now = time.time()
            sight = Sight(
                word="PASS",
                action="none",
                headline="it is PASS",
                evidence=(ev.Evidence("E1", "+", "seen", "edge", now),),
                confidence=0.9,
                stable_healthy=True,
                blind_for_s=0.0,
                forecast_s=None,
            )
            with contextlib.suppress(JournalError, TargetError):
                await conductor.agent.look(run.id, sight, now)
        await asyncio.sleep(0.05)


async def main(directory: Path) -> None:
    """Until it is killed."""
    journal = await SqliteJournal.open(directory / "journal.db", clock=time.time)
    target: Any = GovernorTarget(directory / "governor.sock")
    live, ledger = Live(), Ledger(journal, lambda: None)
    await ledger.replay()
    follower = AuthorityFollower(ledger, target, live, (SERVICE,), time.time)
    conductor = Conductor(
        ledger=ledger,
        live=live,
        brain=RulesBrain(),
        forges=FORGES,
        jobs=Jobs(ledger, live, RUNNER, FORGES, directory),
        weights=Weights(ledger, target, follower.read, time.time),
        policy=IN_FORCE,
        clock=time.time,
        read_manifest=read_manifest,
    )
    desk = Desk(
        installation=INSTALLATION,
        pipelines={SERVICE: PLAN},
        policy=IN_FORCE,
        ledger=ledger,
        target=target,
        follower=follower,
        forges=FORGES,
        clock=time.time,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(follower.follow())
        tasks.create_task(conductor.run())
        tasks.create_task(judge(ledger, conductor))
        tasks.create_task(people(ledger, desk, directory / "enough"))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
