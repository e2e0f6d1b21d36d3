"""What a command's run promises: its words, its bounds, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys

import pytest

from hatchway.runners.port import RunnerError
from hatchway.runners.process import SHOWN_BYTES, ProcessRunner
from hatchway.runners.remains import processes_of


async def test_a_job_that_succeeds_passes_with_its_lines(run):
    result, lines = await run("echo one; echo two >&2; printf three")
    assert (result.status, result.exit_code, result.why) == ("passed", 0, "exit status 0")
    assert lines == ["one", "two", "three"]
    assert result.tail == ("one", "two", "three")
    assert result.output_bytes == 13
    assert 0 <= result.seconds < 60


@pytest.mark.parametrize(
    ("command", "code", "why"),
    [
        ("exit 3", 3, "exit status 3"),
        ("ruf check .", 127, "no such command: ruf (did you mean ruff?)"),
        ("qqqqzzzz", 127, "no such command: qqqqzzzz"),
        ("./absent", 127, "no such command: ./absent"),
        ("exit 127", 127, "exit status 127: a command was not found"),
        ("touch f; ./f", 126, "not executable: ./f"),
        ("kill -SEGV $$", 139, "killed by signal 11 (SIGSEGV)"),
        ("kill -9 $$", 137, "killed by signal 9 (SIGKILL), perhaps for lack of memory"),
        (
            "sh -c 'kill -TERM $$'; exit $?",
            143,
            "exit status 143: a command was killed by signal 15",
        ),
        ("if then", 2, "exit status 2"),
    ],
)
async def test_a_job_that_fails_says_how_in_words(run, command, code, why):
    result, _ = await run(command)
    assert (result.status, result.exit_code) == ("failed", code)
    assert why in result.why


async def test_a_missing_directory_is_a_clear_failure(run):
    result, lines = await run("true", cwd="/no/such/place")
    assert result.status == "failed"
    assert result.why == "the directory to run it in does not exist: /no/such/place"
    assert lines == []


async def test_a_job_runs_in_a_small_clean_environment(run, monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET_OF_THE_BACKEND", "x")
    _, lines = await run("env; pwd; cat; echo end", env={"HATCHWAY_RUN": "1", "LANG": "C"})
    names = {line.partition("=")[0] for line in lines if "=" in line}
    assert names <= {
        "PATH",
        "HOME",
        "LANG",
        "HATCHWAY_JOB",
        "HATCHWAY_RUN",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
    }
    assert "HATCHWAY_RUN=1" in lines
    assert "LANG=C" in lines
    assert f"PATH={os.path.dirname(sys.executable)}:" in "\n".join(lines)
    assert lines[-2:] == [str(tmp_path), "end"], "standard input is empty"


async def test_a_pipe_that_nobody_reads_ends_its_writer(run):
    _, lines = await run("(yes; echo $? >&2) | head -n 1")
    assert sorted(lines) == ["141", "y"], "128 + SIGPIPE: Python ignores it, commands must not"


async def test_a_job_holds_no_descriptor_but_its_three(run):
    _, lines = await run("exec ls /proc/self/fd")
    assert lines == ["0", "1", "2", "3"], "3 is what ls reads the directory with"


@pytest.mark.parametrize(
    "command",
    [
        "sleep 1000",
        "trap '' TERM; sleep 1000 & wait; sleep 1000",
        "sleep 1000 & sleep 1000",
        "(sleep 1000 &) ; sleep 1000",
        "setsid sleep 1000 & sleep 1000",
        "nohup setsid sh -c 'trap \"\" TERM; sleep 1000 & sleep 1001; sleep 1002' & sleep 1000",
        "exec >&- 2>&-; sleep 1000",
        "yes",
    ],
)
async def test_a_time_out_ends_the_command_and_all_it_started(run, tmp_path, command):
    result, _ = await run(command, timeout_s=0.3)
    assert (result.status, result.exit_code) == ("timed_out", None)
    assert result.why.startswith("stopped after 0.3 s")
    assert processes_of(tmp_path / "jobs", below=True) == []


async def test_a_command_may_clean_up_when_it_is_told_to_stop(run):
    result, lines = await run(
        "trap 'echo cleaning; exit 0' TERM; echo ready; sleep 1000 & wait", timeout_s=1.0
    )
    assert result.status == "timed_out"
    assert lines == ["ready", "cleaning"]


async def test_what_a_command_leaves_running_ends_with_it(run, tmp_path):
    result, lines = await run("sleep 1000 & (setsid sleep 1000 &) ; echo over")
    assert result.status == "passed"
    assert lines == ["over"]
    assert processes_of(tmp_path / "jobs", below=True) == []


@pytest.mark.parametrize("command", ["sleep 1000", "trap '' TERM; while :; do sleep 1; done"])
async def test_cancel_ends_the_whole_group_and_keeps_the_reason(
    runner, spec, tmp_path, command, eventually
):
    await runner.start(spec(f"echo ready; {command} & {command}"))
    await eventually((tmp_path / "jobs/run-1.checks.lint.1/output").exists)
    await runner.cancel("run-1.checks.lint.1", "ana took over")
    assert processes_of(tmp_path / "jobs", below=True) == []
    result = await runner.wait("run-1.checks.lint.1")
    assert (result.status, result.why) == ("cancelled", "cancelled: ana took over")
    await runner.cancel("run-1.checks.lint.1", "again")
    assert await runner.wait("run-1.checks.lint.1") == result


async def test_a_job_cancelled_before_it_started_never_runs(runner, spec, tmp_path):
    await runner.cancel("run-1.checks.lint.1", "rolled back")
    assert await runner.known("run-1.checks.lint.1") == "absent"
    await runner.start(spec("touch ran"))
    result = await runner.wait("run-1.checks.lint.1")
    assert (result.status, result.why) == ("cancelled", "cancelled: rolled back")
    assert not (tmp_path / "ran").exists()


async def test_a_flood_is_cut_cleanly_and_does_not_fail_the_job(run, tmp_path):
    result, lines = await run("echo first; yes | head -c 100M; echo; echo last")
    assert result.status == "passed"
    assert re.fullmatch(r"exit status 0; output above 8 MB: 9\d MB dropped", result.why)
    assert result.output_bytes == 100 * 1024 * 1024 + 12
    stored = (tmp_path / "jobs/run-1.checks.lint.1/output").stat().st_size
    assert stored <= 8_000_100
    assert result.output_bytes - result.dropped_bytes <= stored
    assert lines[0] == "first"
    assert lines[-1] == result.tail[-1] == "last"
    assert any("bytes not shown here" in line for line in lines)
    assert sum(map(len, lines)) < 2 * SHOWN_BYTES


async def test_a_small_flood_is_kept_whole_up_to_the_cap(run):
    result, lines = await run("seq 1 1000", max_output_bytes=4_000)
    assert result.dropped_bytes == 0
    assert lines == [str(n) for n in range(1, 1001)]


async def test_beginning_and_end_of_what_is_too_much_are_kept(run):
    result, lines = await run("seq 1 2000", max_output_bytes=4_000, key="k")
    assert "output above 4 kB: 5 kB dropped" in result.why
    assert f"[{result.why.split('; ')[1]}]" in lines
    assert (lines[0], lines[-1]) == ("1", "2000")


async def test_a_line_without_an_end_is_bounded(run):
    result, lines = await run("head -c 3M /dev/zero | tr '\\0' x")
    assert result.status == "passed"
    assert all(len(line) <= 2_000 for line in lines)


async def test_terminal_escapes_are_shown_and_not_obeyed(run):
    _, lines = await run(r"printf '\033]0;owned\007\033[2J\302\233x\342\200\256y\n'")
    assert lines == ["␛]0;owned␇␛[2J‹U+009B›x‹U+202E›y"]


async def test_binary_junk_is_harmless(run):
    result, lines = await run("head -c 300k /dev/urandom")
    assert result.status == "passed"
    assert result.output_bytes == 300 * 1024
    assert all(line.isprintable() and len(line) <= 2_000 for line in lines)
    assert all(line.isprintable() for line in result.tail)


async def test_output_comes_while_the_job_runs(runner, spec, tmp_path):
    await runner.start(spec("echo one; while ! [ -e go ]; do sleep 0.05; done; echo two"))
    lines = runner.output("run-1.checks.lint.1")
    assert await anext(lines) == "one"
    assert await runner.known("run-1.checks.lint.1") == "running"
    (tmp_path / "go").touch()
    assert [line async for line in lines] == ["two"]
    again = [line async for line in runner.output("run-1.checks.lint.1")]
    assert again == ["one", "two"], "a later reader gets it from the beginning"


async def test_twenty_jobs_run_at_once(run):
    ended = await asyncio.gather(*(run(f"echo {n}; exit {n}", key=f"job {n}") for n in range(20)))
    assert [(r.exit_code, lines) for r, lines in ended] == [(n, [str(n)]) for n in range(20)]


async def test_the_same_key_is_run_once(runner, spec, tmp_path):
    asked = spec("echo x >>ran")
    await asyncio.gather(*(runner.start(asked) for _ in range(5)))
    await runner.wait(asked.key)
    await ProcessRunner(tmp_path / "jobs").start(asked)
    await asyncio.sleep(0)
    assert await runner.known(asked.key) == "ended"
    assert (tmp_path / "ran").read_text() == "x\n"


@pytest.mark.parametrize("key", ["unit tests/ä.1", "..", ".hidden", "../../etc", "a" * 150])
async def test_any_key_stays_within_the_jobs_directory(run, tmp_path, key):
    result, _ = await run("pwd", key=key)
    assert result.status == "passed"
    (directory,) = (tmp_path / "jobs").iterdir()
    assert (directory / "result.json").exists()


@pytest.mark.parametrize("key", ["", "a" * 300])
async def test_a_key_that_cannot_be_a_name_is_refused(runner, spec, key):
    with pytest.raises(RunnerError, match="key"):
        await runner.start(spec("true", key=key))


async def test_an_unknown_key_is_an_error(runner):
    assert await runner.known("nothing") == "absent"
    with pytest.raises(RunnerError, match="no job 'nothing'"):
        await runner.wait("nothing")
    with pytest.raises(RunnerError, match="no job 'nothing'"):
        await anext(runner.output("nothing"))


async def test_a_start_that_fails_is_an_error_and_may_be_tried_again(
    runner, spec, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(RunnerError, match="may be tried again"):
        await runner.start(spec("true"))
    monkeypatch.undo()
    assert await runner.known("run-1.checks.lint.1") == "absent"
    await runner.start(spec("true"))
    assert (await runner.wait("run-1.checks.lint.1")).status == "passed"


async def test_a_command_that_cannot_be_given_to_a_shell_fails_with_words(run):
    result, _ = await run("true", key="nul", env={"X": "a\0b"})
    assert result.status == "failed"
    result, _ = await run("# " + "x" * 3_000_000, key="long")
    assert (result.status, result.exit_code) == ("failed", 126)
    assert "could not be started" in result.tail[0]


async def test_removing_the_job_directory_does_not_hang_the_shim(
    runner, spec, tmp_path, eventually
):
    await runner.start(spec("sleep 0.3"))
    shutil.rmtree(tmp_path / "jobs")
    await eventually(lambda: processes_of(tmp_path / "jobs", below=True) == [])
