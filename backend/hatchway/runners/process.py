"""The runner for commands on this machine: each job under a shim that outlives the backend."""

from __future__ import annotations

import asyncio
import os
import pwd
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from hatchway.runners.jobdir import JobDirectory, Known
from hatchway.runners.lines import Lines
from hatchway.runners.port import JobResult, JobSpec, RunnerError
from hatchway.runners.remains import MARK, end_remains
from hatchway.runners.words import Asked

SHIM = Path(__file__).with_name("shim.py")
START_S = 30.0  # for a shim to report; a busy machine needs 0.1
STOP_S = 6.0  # a shim needs 2 s for TERM and a moment for KILL; then it is killed itself
SHOWN_BYTES = 1_000_000
"""Of the stored output, readers get this much from the beginning and `_SHOWN_END` of the end."""
_SHOWN_END = 64 * 1024
_CHUNK = 16 * 1024  # small, so that a flood does not keep the loop from other things
_LOST_EVERY = 20  # polls between two looks at the lock


class ProcessRunner:
    """Jobs live in directories below `jobs`. Nothing is held between calls: a new one adopts all."""

    def __init__(self, jobs: Path, *, poll_s: float = 0.05) -> None:
        self._jobs = jobs
        self._poll_s = poll_s

    async def start(self, spec: JobSpec) -> None:
        """See the port. Returns when the job is durably noted as started."""
        job = JobDirectory(self._jobs, spec.key)
        if job.known() == "absent":
            await asyncio.to_thread(_start, job, spec)

    async def output(self, key: str) -> AsyncIterator[str]:
        """See the port."""
        job = self._started(key)
        lines = Lines()
        offset = 0
        async for ended in self._until_ended(job):
            while offset < SHOWN_BYTES and (data := job.read_output(offset, _CHUNK)):
                offset += len(data)
                for line in lines.feed(data):
                    yield line
                await asyncio.sleep(0)
            if ended:
                break
        end = max(offset, job.output_size() - _SHOWN_END)
        if end > offset:
            for line in lines.finish():
                yield line
            yield f"[{end - offset:,} bytes not shown here: {job.path / 'output'}]"
            lines = Lines()
        while data := job.read_output(end, _CHUNK):
            end += len(data)
            for line in lines.feed(data):
                yield line
            await asyncio.sleep(0)
        for line in lines.finish():
            yield line

    async def wait(self, key: str) -> JobResult:
        """See the port."""
        job = self._started(key)
        async for ended in self._until_ended(job):
            if ended:
                break
        return await asyncio.to_thread(job.result)

    async def cancel(self, key: str, why: str) -> None:
        """See the port. A shim that does not answer is killed; the job then counts as lost."""
        job = JobDirectory(self._jobs, key)
        if job.known() in ("ended", "lost"):
            return
        await asyncio.to_thread(job.ask_to_stop, why)
        try:
            async with asyncio.timeout(STOP_S):
                async for ended in self._until_ended(job):
                    if ended:
                        break
        except TimeoutError:
            await asyncio.to_thread(end_remains, job.path)
        await self._settle(job)

    async def known(self, key: str) -> Known:
        """See the port."""
        job = JobDirectory(self._jobs, key)
        await self._settle(job)
        return job.known()

    async def close(self) -> None:
        """See the port. Nothing is held."""

    def _started(self, key: str) -> JobDirectory:
        job = JobDirectory(self._jobs, key)
        if job.known() == "absent":
            raise RunnerError(f"no job {key!r} was started under {self._jobs}")
        return job

    async def _until_ended(self, job: JobDirectory) -> AsyncIterator[bool]:
        """False again and again, at the pace of the polls, then True once."""
        polls = 0
        while True:
            # A shim that has written the result makes it durable before it goes: wait for that too.
            # That a shim was killed shows only in the lock.
            if job.has_result() and not job.shim_lives():
                break
            if polls % _LOST_EVERY == 0 and job.known() != "running":
                await self._settle(job)
                break
            polls += 1
            yield False
            await asyncio.sleep(self._poll_s)
        yield True

    async def _settle(self, job: JobDirectory) -> None:
        if job.known() == "lost" and not job.has_result():
            await asyncio.to_thread(job.settle_lost)


def stop_all(jobs: Path, why: str, patience_s: float = STOP_S) -> list[int]:
    """Stop every job found below `jobs`, whoever started it; blocks until they have ended.

    What has not ended after `patience_s` is killed. Returns pids that could not be ended (none).
    """
    found = [JobDirectory.at(path) for path in jobs.absolute().glob("*") if path.is_dir()]
    running = [job for job in found if job.known() == "running"]
    for job in running:
        job.ask_to_stop(why)
    until = time.monotonic() + patience_s
    while any(job.known() == "running" for job in running) and time.monotonic() < until:
        time.sleep(0.02)
    left = end_remains(jobs.absolute(), below=True)
    for job in found:
        if job.known() == "lost" and not job.has_result():
            job.settle_lost()
    return left


def _start(job: JobDirectory, spec: JobSpec) -> None:
    clean = _environment(job)
    try:
        job.prepare(
            Asked(
                command=spec.command,
                cwd=spec.cwd,
                timeout_s=spec.timeout_s,
                env={**clean, **spec.env, MARK: str(job.path)},
                max_output_bytes=spec.max_output_bytes,
            )
        )
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(SHIM), str(job.path)],
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=START_S,
            check=False,
            cwd="/",
        )
    except (OSError, subprocess.SubprocessError) as e:
        raise RunnerError(
            f"the job {spec.key!r} could not be started: {e}. It may be tried again when there "
            "is room and memory; it will not run twice."
        ) from e
    if done.returncode != 0:
        raise RunnerError(
            f"the job {spec.key!r} could not be started: {done.stderr.decode('utf-8', 'replace')}. "
            "It may be tried again; it will not run twice."
        )


def _environment(job: JobDirectory) -> dict[str, str]:
    path = os.environ.get("PATH") or os.defpath
    return {
        "PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{path}",
        "HOME": os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir,
        "LANG": "C.UTF-8",
        MARK: str(job.path),
    }
