"""A job outlives the backend that started it, runs exactly once, and is never left alone."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hatchway.runners.port import JobSpec
from hatchway.runners.process import ProcessRunner, stop_all
from hatchway.runners.remains import processes_of

BACKEND = """
import asyncio, sys
from pathlib import Path
from hatchway.runners.port import JobSpec
from hatchway.runners.process import ProcessRunner

async def main():
    runner = ProcessRunner(Path(sys.argv[1]) / "jobs")
    print("up", flush=True)
    async with asyncio.TaskGroup() as group:
        for n in range(6):
            group.create_task(runner.start(JobSpec(
                key=f"job {n}", cwd=sys.argv[1], timeout_s=60,
                command=f"echo x >>ran-{n}; sleep 0.2; echo done {n}",
            )))
    await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.mark.parametrize("seed", range(4))
async def test_each_job_runs_exactly_once_over_kill_9_of_the_backend(tmp_path, seed):
    moments = random.Random(seed)
    for n in range(5):
        place = tmp_path / f"{n}"
        place.mkdir()
        backend = await asyncio.create_subprocess_exec(
            sys.executable, "-c", BACKEND, str(place), stdout=asyncio.subprocess.PIPE
        )
        assert backend.stdout
        await backend.stdout.readline()
        await asyncio.sleep(moments.uniform(0.0, 0.35))
        backend.kill()
        await backend.wait()

        runner = ProcessRunner(place / "jobs")
        for k in range(6):
            job = JobSpec(
                key=f"job {k}",
                cwd=str(place),
                timeout_s=60,
                command=f"echo x >>ran-{k}; sleep 0.2; echo done {k}",
            )
            await runner.start(job)
        for k in range(6):
            lines = [line async for line in runner.output(f"job {k}")]
            result = await runner.wait(f"job {k}")
            assert (result.status, lines) == ("passed", [f"done {k}"])
            assert (place / f"ran-{k}").read_text() == "x\n"
        assert processes_of(place / "jobs", below=True) == []


async def test_a_job_that_was_noted_but_never_took_off_may_be_started(runner, spec, tmp_path):
    await runner.start(spec("true", key="other"))
    directory = tmp_path / "jobs" / "run-1.checks.lint.1"
    directory.mkdir()
    assert await runner.known("run-1.checks.lint.1") == "absent"
    (directory / "spec.json").write_text('{"command": "torn')
    (directory / "lock").touch()
    assert await runner.known("run-1.checks.lint.1") == "absent"
    await runner.start(spec("echo now"))
    assert (await runner.wait("run-1.checks.lint.1")).tail == ("now",)


async def test_an_adopted_job_can_be_followed_and_cancelled(runner, spec, tmp_path):
    await runner.start(spec("echo ready; sleep 1000"))
    later = ProcessRunner(tmp_path / "jobs")
    assert await later.known("run-1.checks.lint.1") == "running"
    assert await anext(later.output("run-1.checks.lint.1")) == "ready"
    await later.cancel("run-1.checks.lint.1", "stop all")
    assert (await later.wait("run-1.checks.lint.1")).status == "cancelled"


def shim_of(directory: Path) -> int:
    return int((directory / "lock").read_text())


async def test_a_job_whose_shim_is_killed_is_lost_and_leaves_nothing_behind(runner, spec, tmp_path):
    await runner.start(
        spec("echo x >>ran; echo ready; sleep 1000 & setsid sleep 1001 & sleep 1002")
    )
    lines = runner.output("run-1.checks.lint.1")
    assert await anext(lines) == "ready"
    waiting = asyncio.ensure_future(runner.wait("run-1.checks.lint.1"))
    os.kill(shim_of(tmp_path / "jobs" / "run-1.checks.lint.1"), signal.SIGKILL)
    result = await waiting
    assert (result.status, result.exit_code) == ("lost", None)
    assert "cannot be known" in result.why
    assert result.tail == ("ready",)
    assert [line async for line in lines] == []
    assert processes_of(tmp_path / "jobs", below=True) == []
    assert await runner.known("run-1.checks.lint.1") == "lost"
    await runner.start(spec("echo x >>ran"))
    assert await runner.wait("run-1.checks.lint.1") == result
    assert (tmp_path / "ran").read_text() == "x\n"


async def test_the_command_dies_with_its_shim_even_when_nobody_looks(
    runner, spec, tmp_path, eventually
):
    await runner.start(spec("echo $$; exec sleep 1000"))
    command = int(await anext(runner.output("run-1.checks.lint.1")))
    os.kill(shim_of(tmp_path / "jobs" / "run-1.checks.lint.1"), signal.SIGKILL)

    def dead() -> bool:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{command}/stat").read_text().split()[2] == "Z"
        return True

    await eventually(dead)


async def test_a_shim_that_does_not_answer_does_not_save_its_command(
    runner, spec, tmp_path, monkeypatch
):
    monkeypatch.setattr("hatchway.runners.process.STOP_S", 0.5)
    await runner.start(spec("sleep 1000"))
    os.kill(shim_of(tmp_path / "jobs" / "run-1.checks.lint.1"), signal.SIGSTOP)
    await runner.cancel("run-1.checks.lint.1", "take over")
    assert processes_of(tmp_path / "jobs", below=True) == []
    assert await runner.known("run-1.checks.lint.1") == "lost"


async def test_a_strangers_pid_in_the_lock_file_is_never_signalled(runner, spec, tmp_path):
    await runner.start(spec("true"))
    await runner.wait("run-1.checks.lint.1")
    directory = tmp_path / "jobs" / "run-1.checks.lint.1"
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        (directory / "lock").write_text(str(stranger.pid))
        (directory / "result.json").unlink()
        await runner.cancel("run-1.checks.lint.1", "why")
        assert stranger.poll() is None
        assert await runner.known("run-1.checks.lint.1") == "lost"
    finally:
        stranger.kill()
        stranger.wait()


async def test_looking_at_a_job_does_not_keep_its_shim_from_starting(runner, spec, tmp_path):
    directory = tmp_path / "jobs" / "run-1.checks.lint.1"
    directory.mkdir(parents=True)
    with open(directory / "lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        starting = asyncio.ensure_future(runner.start(spec("echo hi")))
        await asyncio.sleep(0.2)
    await starting
    assert (await runner.wait("run-1.checks.lint.1")).status == "passed"


async def test_stop_all_ends_every_job_under_a_directory_and_no_other(tmp_path, spec, runner):
    other = ProcessRunner(tmp_path / "jobs-too")
    await other.start(spec("sleep 1000", key="bystander"))
    for n in range(4):
        await runner.start(
            spec("trap '' TERM; sleep 1000 & (setsid sleep 1001 &); wait", key=f"{n}")
        )
    await runner.start(spec("sleep 1000", key="shimless"))
    os.kill(shim_of(tmp_path / "jobs" / "shimless"), signal.SIGKILL)
    left = await asyncio.to_thread(stop_all, tmp_path / "jobs", "the demo is over")
    assert left == []
    assert processes_of(tmp_path / "jobs", below=True) == []
    for n in range(4):
        assert (await runner.wait(f"{n}")).why == "cancelled: the demo is over"
    assert await runner.known("shimless") == "lost"
    assert await other.known("bystander") == "running"
    assert stop_all(tmp_path / "jobs-too", "the test is over") == []


def test_stop_all_of_nothing_does_nothing(tmp_path):
    assert stop_all(tmp_path / "absent", "why") == []
    assert not (tmp_path / "absent").exists()
