"""Runs one job of a stage: a checkout, the command, its output, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.next import RunJob
from hatchway.core.state import State
from hatchway.forge.port import Forge, ForgeError
from hatchway.runners.port import JobResult, JobSpec, Runner

TAIL = 6


class Jobs:
    """Starts jobs, or adopts them after a crash: the runner knows each by its key."""

    def __init__(
        self,
        ledger: Ledger,
        live: Live,
        runner: Runner,
        forges: Mapping[str, Forge],
        directory: Path,
    ) -> None:
        self._ledger = ledger
        self._live = live
        self._runner = runner
        self._forges = forges
        self._directory = directory

    async def run(self, action: RunJob) -> None:
        """See the job through to its end in the journal. JournalError."""
        run = self._ledger.state.runs[action.run]
        try:
            checkout = await self._forges[run.service].checkout(run.commit)
        except ForgeError as error:
            result = JobResult(status="failed", exit_code=None, seconds=0.0, why=str(error))
            await self._ended(action, result)
            return
        spec = JobSpec(
            key=action.key,
            command=action.job.run,
            cwd=str(checkout),
            timeout_s=action.timeout_s,
            env={
                "HATCHWAY_DIR": str(self._directory),
                "HATCHWAY_SERVICE": run.service,
                "HATCHWAY_ENVIRONMENT": run.environment,
                "HATCHWAY_RUN": run.id,
                "HATCHWAY_COMMIT": run.commit,
                "HATCHWAY_BASE": run.base,
                "HATCHWAY_PACE": f"{run.pace:g}",
            },
        )
        await self._runner.start(spec)
        async for line in self._runner.output(action.key):
            self._live.say(run.id, action.job.name, line)
        await self._ended(action, await self._runner.wait(action.key))

    async def cancel(self, key: str, why: str) -> None:
        """Stop a job; `run` journals how it ended."""
        await self._runner.cancel(key, why)

    async def _ended(self, action: RunJob, result: JobResult) -> None:
        ended = ev.JobEnded(
            run=action.run,
            stage=action.stage,
            job=action.job.name,
            attempt=action.attempt,
            status=result.status,
            seconds=result.seconds,
            why=result.why,
            exit_code=result.exit_code,
            tail=result.tail[-TAIL:],
        )

        def still_running(state: State) -> tuple[ev.Event, ...]:
            run = state.runs[action.run]
            stage = next(s for s in run.stages if s.name == action.stage)
            job = stage.jobs.get(action.job.name)
            open_ = job is not None and job.attempt == action.attempt and job.status == "running"
            return (ended,) if open_ else ()

        await self._ledger.record(still_running, actor="runner")
