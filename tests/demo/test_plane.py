"""The supervised plane as real processes: arms, faults seen from outside, and no orphan, ever."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hatchway.demo.control import ask
from hatchway.demo.sweep import listener, listeners, marked

SLOW = 60.0


def wait_for(true: Callable[[], Any], what: str, seconds: float = SLOW) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := true():
            return found
        time.sleep(0.03)
    raise AssertionError(f"not within {seconds:g} s: {what}")


class Plane:
    """A running `hatchway demo --plane-only`."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.d = directory
        environment = {k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"}
        environment["XDG_RUNTIME_DIR"] = str(directory.parent)  # no pointer of a real demo is lost
        command = [
            sys.executable,
            "-m",
            "hatchway",
            "demo",
            "--plane-only",
            "--dir",
            str(directory),
        ]
        self.process = subprocess.Popen(
            [*command, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_for(lambda: listener(directory / "load.sock"), "the shop is open")

    def ask(self, **request: Any) -> dict[str, Any]:
        return ask(self.d / "demo.sock", request, 60)

    def admin(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect(str(self.d / "splitter.sock"))
            peer.sendall(f"{command}\n".encode())
            with peer.makefile() as answer:
                return answer.read()

    def arm(self, name: str) -> dict[str, int]:
        lines = self.admin("show stat be 4 -1").splitlines()
        columns = lines[0].removeprefix("# ").split(",")
        rows = [dict(zip(columns, line.split(","), strict=True)) for line in lines[1:] if line]
        row = next(row for row in rows if row["svname"] == name)
        return {key: int(value) for key, value in row.items() if value.isdigit()}

    def pids(self) -> set[int]:
        return {*marked(self.d), *listeners(self.d)} - {self.process.pid}

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(SLOW)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def plane(short: Path) -> Iterator[Callable[..., Plane]]:
    started: list[Plane] = []

    def start(*arguments: str) -> Plane:
        started.append(Plane(short / "d", *arguments))
        return started[-1]

    yield start
    for each in started:
        each.end()


def test_arms_are_started_once_pointed_at_and_replaced(plane):
    running = plane("--rate", "50")
    release = running.ask(op="status")["release"]
    first = running.ask(op="ensure", arm="canary", commit=release)
    assert (first["ok"], first["changed"], first["version"]) == (True, True, "1.5.0")
    again = running.ask(op="ensure", arm="canary", commit="release/1.5.0")
    assert (again["changed"], again["pid"]) == (False, first["pid"])
    assert running.admin("set server be/canary weight 50") == "\n"
    wait_for(lambda: running.arm("canary")["hrsp_2xx"] > 10, "the canary has traffic")

    os.kill(first["pid"], signal.SIGKILL)
    wait_for(lambda: running.ask(op="status")["deaths"], "the death is told")
    anew = running.ask(op="ensure", arm="canary", commit=release)
    assert anew["changed"]
    assert anew["pid"] != first["pid"]
    assert anew["url"] == first["url"]
    other = running.ask(op="ensure", arm="canary", commit="v1.4.0")
    assert (other["changed"], other["version"]) == (True, "1.4.0")

    nothing = running.ask(op="ensure", arm="canary", commit="v9.9.9")
    assert not nothing["ok"]
    assert "no commit 'v9.9.9'" in nothing["why"]
    for bad in ({"op": "ensure", "arm": "blue"}, {"op": "ensure", "arm": "canary"}, {"op": "fly"}):
        assert not running.ask(**bad)["ok"]
    assert running.ask(op="stop", arm="canary") == {"ok": True, "changed": True}
    assert running.ask(op="stop", arm="canary") == {"ok": True, "changed": False}


def test_the_deploy_command_and_the_fault_command_say_what_they_did(plane):
    running = plane()
    environment = {**os.environ, "HATCHWAY_DIR": str(running.d)}

    def call(*words: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        return done.returncode, done.stdout, done.stderr

    deploy = "hatchway.demo.deploy"
    status, said, _ = call(deploy, "staging", "--commit", "release/1.5.0")
    assert (status, "1.5.0" in said, "runs now" in said) == (0, True, True)
    status, url, _ = call(deploy, "url", "staging")
    assert (status, url.strip()) == (0, running.ask(op="status")["arms"]["staging"]["url"])
    status, _, why = call(deploy, "staging", "--commit", "nothing")
    assert (status, "no commit 'nothing'" in why) == (1, True)
    assert call(deploy, "url")[0] == 2

    assert call("hatchway", "fault", "staging-broken", "on")[:2] == (
        0,
        "staging-broken is on: at staging\n",
    )
    status, _, why = call("hatchway", "fault", "erors", "on")
    assert (status, "Did you mean 'errors'?" in why) == (2, True)
    assert call("hatchway", "fault", "test-fails", "on")[0] == 1
    assert call("hatchway", "fault", "errors", "on", "--dir", "/nonexistent")[0] == 1


def test_a_fault_given_at_the_start_is_seen_at_the_splitter_on_the_canary_only(plane):
    running = plane("--fault", "errors", "--rate", "200")
    running.ask(op="ensure", arm="canary", commit="release/1.5.0")
    running.admin("set server be/canary weight 50;set server be/stable weight 50")
    wait_for(lambda: running.arm("canary")["hrsp_5xx"] > 20, "errors at the splitter")
    canary, stable = running.arm("canary"), running.arm("stable")
    assert canary["hrsp_5xx"] / canary["stot"] > 4 * stable["hrsp_5xx"] / stable["stot"]
    onset = running.ask(op="status")["onsets"]["errors"]
    stats = ask(running.d / "load.sock", {"op": "stats", "since": onset})
    assert stats["bad_since"] >= 20


def test_a_site_wide_fault_waits_for_the_canarys_first_traffic(plane):
    running = plane("--fault", "dependency-down")
    running.ask(op="ensure", arm="canary", commit="release/1.5.0")
    assert running.ask(op="status")["faults"] == []
    running.admin("set server be/canary weight 50")
    wait_for(lambda: running.ask(op="status")["faults"] == ["dependency-down"], "the fault")
    before = running.arm("stable")["hrsp_5xx"]
    wait_for(lambda: running.arm("stable")["hrsp_5xx"] > before + 10, "stable fails as well")


def test_a_fault_whose_time_never_comes_does_not_keep_the_demo_from_ending(plane):
    running = plane("--fault", "slow@100", "--fault", "both-arms")
    running.process.terminate()
    assert running.process.wait(SLOW) == 128 + signal.SIGTERM
    assert not running.pids()


def test_a_hanging_canary_is_504_at_the_splitter_and_others_are_served(plane):
    running = plane()
    running.ask(op="ensure", arm="canary", commit="release/1.5.0")
    running.ask(op="fault", name="hang", on=True)
    assert running.ask(op="ensure", arm="canary", commit="release/1.5.0")["changed"] is False
    running.admin("set server be/canary weight 20")
    wait_for(lambda: running.arm("canary")["hrsp_5xx"] > 5, "time-outs")
    assert running.arm("canary")["hrsp_2xx"] == 0
    assert running.arm("stable")["hrsp_2xx"] > 50
    running.ask(op="fault", name="hang", on=False)
    wait_for(lambda: running.arm("canary")["hrsp_2xx"] > 5, "it answers again")


@pytest.mark.parametrize("how", ["TERM", "INT", "HUP", "KILL"])
def test_no_orphan_is_left_however_the_supervisor_ends(plane, how: str):
    running = plane()
    running.ask(op="ensure", arm="canary", commit="release/1.5.0")
    running.ask(op="ensure", arm="staging", commit="release/1.5.0")
    running.ask(op="fault", name="hang", on=True)
    assert len(running.pids()) == 5
    running.process.send_signal(getattr(signal, f"SIG{how}"))
    status = running.process.wait(SLOW)
    assert status == (-9 if how == "KILL" else 128 + getattr(signal, f"SIG{how}"))
    wait_for(lambda: not running.pids(), f"nothing runs any more: {running.pids()}")


@pytest.mark.parametrize("how", ["TERM", "KILL"])
def test_what_a_person_started_there_meanwhile_is_stopped_as_well(plane, how: str):
    running = plane()
    by_hand = subprocess.Popen(
        [sys.executable, "-m", "hatchway", "serve", "--dir", str(running.d)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: listener(running.d / "command.sock"), "the backend listens")
        os.kill(by_hand.pid, signal.SIGSTOP)  # and it does not react to anything
        running.process.send_signal(getattr(signal, f"SIG{how}"))
        running.process.wait(SLOW)
        assert by_hand.wait(SLOW) is not None
    finally:
        with contextlib.suppress(OSError):
            by_hand.kill()
        by_hand.wait()


def test_processes_that_ignore_or_cannot_hear_signals_are_ended_too(plane):
    running = plane()
    for pid in running.pids():
        os.kill(pid, signal.SIGSTOP)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(SLOW) == 128 + signal.SIGTERM
    assert not running.pids()


def test_a_fresh_directory_is_gone_at_the_end_and_a_named_one_stays(plane, short: Path):
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(short)}
    fresh = subprocess.Popen(
        [sys.executable, "-m", "hatchway", "demo", "--plane-only"], env=environment
    )
    pointers = short / "hatchway-demos"
    found = wait_for(lambda: [p.read_text().strip() for p in pointers.glob("*")], "a pointer")
    directory = Path(found[0])
    wait_for(lambda: listener(directory / "load.sock"), "the shop is open")
    assert directory.stat().st_mode & 0o077 == 0
    fresh.terminate()
    fresh.wait(SLOW)
    assert not directory.exists()
    assert not list(pointers.glob("*"))

    named = plane()
    named.end()
    assert (named.d / "log" / "demo.log").exists()
    assert not list(pointers.glob("*"))


def test_one_directory_has_one_demo(plane):
    running = plane()
    second = subprocess.run(
        [sys.executable, "-m", "hatchway", "demo", "--plane-only", "--dir", str(running.d)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert second.returncode == 2
    assert "a demo is running in" in second.stderr
    assert running.ask(op="status")["ok"]


def test_demo_sock_survives_garbage(plane):
    running = plane()
    for line in (b"\n", b"nonsense\n", b"[]\n", b'{"op": 7}\n', b"x" * 200_000 + b"\n"):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect(str(running.d / "demo.sock"))
            with contextlib.suppress(ConnectionError), peer.makefile("rb") as answers:
                peer.sendall(line)
                said = answers.readline()
                assert not said or json.loads(said)["ok"] is False
    assert running.ask(op="status")["ok"]


def test_the_shipped_configuration_is_written_with_the_real_ports(plane):
    running = plane("--mode", "recommend")
    facts = json.loads((running.d / "demo.json").read_text())
    text = (running.d / "config" / "hatchway.yaml").read_text()
    for name in ("metrics", "stable", "canary"):
        assert f"127.0.0.1:{facts['ports'][name]}/metrics" in text
    governor = json.loads((running.d / "governor.json").read_text())
    assert governor["services"]["shop"]["agent_may_write"] is False


def test_misuse_is_told_before_anything_starts(short: Path):
    for arguments, hint in (
        (["--fault", "eror"], "Did you mean 'errors'?"),
        (["--fault", "errors@stagin"], "Did you mean 'staging'?"),
        (["--pace", "0"], "above 0"),
        ([], "this is not a terminal"),
        (["--plane-only", "--dir", f"{short}/{'x' * 100}"], "too long"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "hatchway", "demo", *arguments],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        assert done.returncode == 2, arguments
        assert hint in done.stderr
