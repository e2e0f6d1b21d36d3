"""The query `log`: the stored output of one job of a run.

The disk may hang, so it is read in a thread of its own, never two at a time. The names that a
client sends are looked up among the run's jobs: no path is made of them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from hatchway.core.actions import job_key
from hatchway.core.state import Job, State
from hatchway.edge.docs.log import JobLog
from hatchway.edge.queries.answer import NotKnown
from hatchway.edge.queries.run import known_run
from hatchway.runners.jobdir import JobDirectory
from hatchway.runners.lines import Lines

MOST_BYTES = 48 * 1024
"""Of an output so much of its end is shown."""

MOST_LINES = 600
WITHIN_S = 2.0
"""The dashboard asks again after so many seconds; what takes longer is said to be too slow."""

_CHUNK = 256 * 1024


def log_of(state: Callable[[], State], jobs: Path) -> Callable[[str], Awaitable[JobLog]]:
    """Reads what a job printed; `jobs` is where the runner keeps its directories."""
    reading, turn = threading.Lock(), asyncio.Lock()

    async def read(about: str) -> JobLog:
        name, stage, job = found_job(state(), about)
        key = job_key(name, stage, job.name, job.attempt)
        bare = JobLog(name, stage, job.name, job.attempt, running=job.status == "running")
        try:
            async with asyncio.timeout(WITHIN_S), turn:
                return await in_thread(key, bare)
        except TimeoutError:
            why = f"the disk gave nothing within {WITHIN_S:g} s; it is asked for again"
            raise NotKnown(why) from None

    async def in_thread(key: str, bare: JobLog) -> JobLog:
        if not reading.acquire(blocking=False):
            raise NotKnown("the disk still has not given what was asked for before")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[JobLog] = loop.create_future()

        def settle(found: JobLog) -> None:
            if not done.done():
                done.set_result(found)

        def work() -> None:
            try:
                found = _read(jobs, key, bare)
            finally:
                reading.release()
            with suppress(RuntimeError):  # the loop is gone
                loop.call_soon_threadsafe(settle, found)

        threading.Thread(target=work, name="log", daemon=True).start()
        return await done

    return read


def found_job(state: State, about: str) -> tuple[str, str, Job]:
    """Run, stage and job of RUN/STAGE/JOB. Raises NotKnown."""
    name, _, rest = about.partition("/")
    run = known_run(state, name)
    for stage in run.stages:
        for job in stage.jobs.values():
            if rest == f"{stage.name}/{job.name}":
                return run.id, stage.name, job
    raise NotKnown(f"no job {rest[:60]!a} of run {run.id} has begun")


def _read(jobs: Path, key: str, bare: JobLog) -> JobLog:
    try:
        return _lines(JobDirectory(jobs, key), bare)
    except Exception as error:
        return _missing(bare, f"what it printed cannot be read: {error}")


def _lines(job: JobDirectory, bare: JobLog) -> JobLog:
    output = job.path / "output"
    if not output.exists():
        return _missing(bare, "nothing is kept of what it printed")
    size = job.output_size()
    start = max(size - MOST_BYTES, 0)
    before, at = 0, 0
    while at < start:
        data = job.read_output(at, min(_CHUNK, start - at))
        if not data:
            break
        before += data.count(b"\n")
        at += len(data)
    found = Lines()
    data = job.read_output(start, size - start)
    lines = [*found.feed(data), *found.finish()]
    if start and lines and not _begins(job, start):
        lines, before = lines[1:], before + 1  # the rest of a line
    gone = max(len(lines) - MOST_LINES, 0)
    return JobLog(
        bare.run, bare.stage, bare.job, bare.attempt, tuple(lines[gone:]), before + gone, size,
        bare.running,
    )  # fmt: skip


def _begins(job: JobDirectory, offset: int) -> bool:
    """Whether a line begins at `offset`."""
    return job.read_output(offset - 1, 1) == b"\n"


def _missing(bare: JobLog, why: str) -> JobLog:
    return JobLog(bare.run, bare.stage, bare.job, bare.attempt, running=bare.running, missing=why)
