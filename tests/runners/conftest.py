"""What the runner's tests share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from hatchway.runners.port import JobResult, JobSpec
from hatchway.runners.process import ProcessRunner, stop_all
from hatchway.runners.remains import processes_of

Run = Callable[..., Awaitable[tuple[JobResult, list[str]]]]


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[ProcessRunner]:
    """A runner; after the test nothing of its jobs may be left running."""
    yield ProcessRunner(tmp_path / "jobs", poll_s=0.02)
    await asyncio.to_thread(stop_all, tmp_path / "jobs", "the test is over")
    assert processes_of(tmp_path / "jobs", below=True) == []


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., JobSpec]:
    def make(command: str, key: str = "run-1.checks.lint.1", **more: object) -> JobSpec:
        fields = {"cwd": str(tmp_path), "timeout_s": 60.0, **more}
        return JobSpec(key=key, command=command, **fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def run(runner: ProcessRunner, spec: Callable[..., JobSpec]) -> Run:
    """Run a command to its end: the result and the lines."""

    async def to_the_end(command: str, **more: object) -> tuple[JobResult, list[str]]:
        asked = spec(command, **more)
        await runner.start(asked)
        lines = [line async for line in runner.output(asked.key)]
        return await runner.wait(asked.key), lines

    return to_the_end


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    """Wait until something is true, at most 20 s."""

    async def wait(true: Callable[[], object]) -> None:
        until = time.monotonic() + 20
        while not true():
            assert time.monotonic() < until, "it never came true"
            await asyncio.sleep(0.02)

    return wait
