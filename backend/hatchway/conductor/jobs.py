"""Runs one job of a stage: a checkout, the command, its output, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.actions import RunJob
from hatchway.core.state import State
from hatchway.forge.port import Forge, ForgeError
from hatchway.runners.port import JobResult, JobSpec, Runner, RunnerError

TAIL = 6
TRIES = 3  # to start a job or to follow it, before it counts as failed
TRY_AGAIN_S = 1.0


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
        except (ForgeError, OSError) as error:
            await self._ended(action, _failed(str(error)))
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
        await self._ended(action, await self._result(action, spec))

    async def _result(self, action: RunJob, spec: JobSpec) -> JobResult:
        """Start or adopt the job and follow it. What the runner cannot do fails the job, visibly."""
        printed = False
        for attempt in range(1, TRIES + 1):
            again = printed  # output comes from its beginning once more
            try:
                await self._runner.start(spec)
                async for line in self._runner.output(action.key):
                    if not again:
                        self._live.say(action.run, action.job.name, line)
                        printed = True
                return await self._runner.wait(action.key)
            except (RunnerError, OSError) as error:
                why = str(error)
            self._live.say(action.run, action.job.name, f"[try {attempt} of {TRIES}: {why}]")
            await asyncio.sleep(TRY_AGAIN_S)
        with contextlib.suppress(RunnerError, OSError):
            await self._runner.cancel(action.key, why)  # it must not run after it was called failed
        return _failed(f"the runner could not run it: {why}")

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


def _failed(why: str) -> JobResult:
    return JobResult(status="failed", exit_code=None, seconds=0.0, why=why)
