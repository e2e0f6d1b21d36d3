"""Starting and ending: configuration, one governor a directory, sockets, lifeline, size."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import hatchway

TARGET = {"kind": "haproxy", "socket": "s.sock"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "must be an object"),
        ("{}", "at least one service"),
        ({"services": {}}, "at least one service"),
        ({"servces": {}}, "Did you mean 'services'"),
        ({"services": {"shop": 3}}, "services.shop must be an object"),
        ({"services": {"shop": {}}}, "services.shop.target must be an object"),
        ({"services": {"shop": {"target": {**TARGET, "kind": "envoy"}}}}, 'must be "haproxy"'),
        ({"services": {"shop": {"target": {"kind": "haproxy"}}}}, "target.socket must be a text"),
        ({"services": {"shop": {"target": {**TARGET, "canary": "stable"}}}}, "the same server"),
        ({"services": {"shop": {"target": {**TARGET, "canary": "a;b"}}}}, "cannot be a name"),
        ({"services": {"shop": {"target": {**TARGET, "socket": "x" * 200}}}}, "too long"),
        ({"services": {"shop": {"target": TARGET, "agent_may_write": 1}}}, "true or false"),
        ({"services": {"shop": {"target": TARGET}}, "lease_s": 0}, "above 0"),
        ({"services": {"shop": {"target": TARGET}}, "lease_s": True}, "above 0"),
    ],
)
def test_a_broken_configuration_says_what_is_wrong(cold: Any, text: Any, says: str) -> None:
    path = cold.directory / "governor.json"
    path.unlink()
    if text is not None:
        path.write_text(text if isinstance(text, str) else json.dumps(text))
    process = cold.launch(stderr=subprocess.PIPE)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 2
    assert says in error.decode()
    assert str(path) in error.decode()
    assert "Traceback" not in error.decode()
    assert not cold.socket.exists()


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--lifeline", "x"], ["--lifeline", "99"]])
def test_wrong_arguments_are_told(cold: Any, arguments: list[str]) -> None:
    process = cold.launch(*arguments, stderr=subprocess.PIPE)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 2
    assert error.startswith(b"governor: ")


def test_a_second_governor_does_not_displace_the_first(governor: Any) -> None:
    governor.stop("pause")
    second = governor.launch(stderr=subprocess.PIPE)
    _, error = second.communicate(timeout=30)
    assert second.returncode == 3
    assert f"running here already (pid {governor.process.pid})" in error.decode()
    assert governor.status()["epoch"] == 2
    assert len(governor.spool()) == 1


def test_the_socket_of_a_dead_governor_is_replaced(governor: Any) -> None:
    governor.kill()
    assert governor.socket.exists()
    governor.start()
    assert governor.status()["mode"] == "agent"


def test_the_socket_is_for_the_owner_and_the_group(governor: Any) -> None:
    assert stat.S_IMODE(governor.socket.stat().st_mode) == 0o660
    state = governor.directory / "governor"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_a_removed_socket_comes_back(governor: Any, wait_for: Any) -> None:
    governor.socket.unlink()
    wait_for(governor.socket.exists)
    assert governor.stop("pause")["ok"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly(governor: Any, number: int) -> None:
    governor.process.send_signal(number)
    assert governor.process.wait(30) == 0
    assert not governor.socket.exists()
    assert (governor.directory / "log").read_text() == ""


def test_a_closed_terminal_does_not_end_it(governor: Any) -> None:
    governor.process.send_signal(signal.SIGHUP)
    assert governor.stop("pause")["ok"]


def test_the_lifeline_ends_it(cold: Any) -> None:
    mine, its = socket.socketpair()
    cold.start("--lifeline", str(its.fileno()), pass_fds=[its.fileno()])
    its.close()
    mine.sendall(b"still here")
    assert cold.status()["mode"] == "agent"
    mine.close()
    assert cold.process.wait(30) == 0


def test_a_governor_without_its_target_starts_and_stops_things(cold: Any, wait_for: Any) -> None:
    cold.splitter.die()
    cold.start()
    assert cold.stop("pause")["ok"]
    wait_for(lambda: "cannot be reached" in cold.status()["target_trouble"])
    assert cold.status()["desired"] == {"canary": 0}


def test_it_needs_nothing_but_the_standard_library_and_little_memory(governor: Any) -> None:
    status = Path(f"/proc/{governor.process.pid}/status").read_text()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert rss <= 14 * 1024, f"{rss} kB"


def test_it_imports_only_the_standard_library() -> None:
    program = "import sys; import hatchway.governor.__main__; print(*sys.modules)"
    environment = {"PYTHONPATH": str(Path(hatchway.__file__).parent.parent), **os.environ}
    command = [sys.executable, "-S", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    names = {name.partition(".")[0] for name in done.stdout.decode().split()}
    assert names - set(sys.stdlib_module_names) <= {"hatchway", "__main__"}
    ours = {n for n in done.stdout.decode().split() if n.startswith("hatchway.")}
    assert all(n.startswith("hatchway.governor") for n in ours)
