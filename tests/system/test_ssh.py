"""Over ssh, as on a bastion: a real sshd on loopback, a real 80x24 terminal at the other end."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Open = Callable[..., Any]
QUICK = str(Path(__file__).parent / "quick.yaml")


class Bastion(NamedTuple):
    """An sshd of our own: `command` is how one logs in, with a terminal."""

    command: tuple[str, ...]
    process: subprocess.Popen[bytes]
    log: Path


def binary(name: str) -> str:
    """Where a program is; sshd is rarely in a person's PATH, and insists on an absolute one."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found, f"install OpenSSH: there is no {name} here, and operators come by ssh"
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
            return s.recv(4) == b"SSH-"
    except OSError:
        return False


@pytest.fixture
def bastion(demo_dir: Path) -> Iterator[Bastion]:
    room = demo_dir / "ssh"
    room.mkdir(mode=0o755)
    demo_dir.chmod(0o755)  # sshd reads a person's authorized keys as that person
    for name in ("host", "person"):
        key = str(room / name)
        subprocess.run(
            [binary("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key], check=True
        )
    shutil.copy(room / "person.pub", room / "authorized")
    if os.getuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # where sshd, as root, shuts itself in
    port = _free_port()
    (room / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {room}/host\nPidFile {room}/pid\n"
        f"AuthorizedKeysFile {room}/authorized\nPermitRootLogin prohibit-password\n"
        "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "StrictModes no\nUseDNS no\nPrintMotd no\nPrintLastLog no\n"
    )
    log = room / "log"
    process = subprocess.Popen([binary("sshd"), "-D", "-f", f"{room}/config", "-E", str(log)])
    try:
        end = time.monotonic() + 30
        while not _listens(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, "sshd does not listen"
            time.sleep(0.05)
        person = f"{pwd.getpwuid(os.getuid()).pw_name}@127.0.0.1"
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes",
                   "IdentitiesOnly=yes", "LogLevel=ERROR")  # fmt: skip
        command = (binary("ssh"), "-tt", "-C", "-F", "none", "-p", str(port), "-i",
                   str(room / "person"), *(f"-o{option}" for option in options), person)  # fmt: skip
        yield Bastion(command, process, log)
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def forwarded(bastion: Bastion, account: str, room: Path, *sockets: Path) -> Iterator[list[Path]]:
    """`ssh -L` of Unix sockets, logged in as another account: where they are on this side."""
    *how, _ = (word for word in bastion.command if word not in ("-tt", "-C"))
    near = [room / f"near-{each.name}" for each in sockets]
    for here, there in zip(near, sockets, strict=True):
        how += ["-L", f"{here}:{there}"]
    how += ["-N", "-oExitOnForwardFailure=yes", f"{account}@127.0.0.1"]
    with open(room / "forward.log", "wb") as log:
        process = subprocess.Popen(how, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 30
        while not all(each.exists() for each in near):
            said = (room / "forward.log").read_text() + bastion.log.read_text()
            assert process.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.05)
        yield near
    finally:
        process.terminate()
        process.wait(10)


def dashboard_of(demo: Any) -> str:
    """What a person types at the bastion."""
    return shlex.join([sys.executable, "-m", "hatchway", "tui", "--dir", str(demo.d)])


def dashboards(demo: Any) -> list[int]:
    """Processes that are a dashboard of this demo, on whatever terminal."""
    found = []
    for proc in Path("/proc").iterdir():
        try:
            words = (proc / "cmdline").read_bytes().split(b"\0") if proc.name.isdigit() else []
        except OSError:
            continue
        if b"tui" in words and os.fsencode(str(demo.d)) in words and b"-m" in words:
            found.append(int(proc.name))
    return found


def control(demo: Any) -> tuple[Any, ...]:
    """Who is in control, as the governor has it."""
    status = demo.governor()
    return status["mode"], status["holder"], status["epoch"], status["desired"]


def test_over_ssh_the_first_screen_is_there_and_p_pauses(
    start_demo: Open, terminal: Open, bastion: Bastion
) -> None:
    demo = start_demo("--pipeline", QUICK, "--approve", "manual", "--mode", "act", "--keep")
    demo.approve()
    demo.until_weight(5)
    screen = terminal(*bastion.command, dashboard_of(demo), width=80, height=24)
    screen.until("CONTROL", "AGENT", "DATA LIVE", "CANARY 5%", "errors %", "NEEDS YOU",
                 "PAUSE", "TAKE OVER", "ROLL BACK", "may act: p pauses")  # fmt: skip
    screen.press("p")
    screen.until("CONTROL  PAUSED", "PAUSED by")
    demo.until(lambda _: re.search(r"PAUSED +#\d+", screen.text), 15, "the number of its record")
    status = demo.governor()
    assert status["mode"] == "paused"
    assert status["holder"] == pwd.getpwuid(os.getuid()).pw_name
    assert status["observed"]["canary"] == 5, "a pause moves no traffic"
    screen.press("q")
    assert screen.ended() == 0
    assert dashboards(demo) == []


@pytest.mark.parametrize("how", ["client killed", "server killed"])
def test_a_dropped_connection_ends_the_dashboard_and_changes_nothing(
    waiting: Any, terminal: Open, bastion: Bastion, how: str
) -> None:
    before = control(waiting)
    screen = terminal(*bastion.command, dashboard_of(waiting), width=80, height=24)
    screen.until("DATA LIVE", "NEEDS YOU 1", "APPROVE shop 1.5.0")
    assert len(dashboards(waiting)) == 1
    if how == "client killed":
        os.kill(screen.pid, 9)
    else:
        for session in children(bastion.process.pid):
            os.kill(session, 9)
    waiting.until(lambda d: not dashboards(d), 20, "the dashboard ends with its connection")
    assert control(waiting) == before
    assert len(waiting.docs()["needs-you"]["items"]) == 1


def children(pid: int) -> list[int]:
    """The processes that were started by this one: of sshd, one for each connection."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


OTHER = "nobody"
"""An account that every Unix has; nobody can log in to it but who has a key for it."""


def test_a_socket_forwarded_by_ssh_says_who_is_logged_in_and_rights_are_that_accounts(
    start_demo: Open, terminal: Open, bastion: Bastion, demo_dir: Path
) -> None:
    if os.getuid() != 0:
        pytest.skip("a second account can be logged in to only by root's own sshd")
    demo = start_demo("--pipeline", QUICK, "--approve", "manual", "--mode", "act", "--keep")
    demo.approve()
    demo.until_weight(5)
    config = demo.d / "config" / "hatchway.yaml"
    text = config.read_text()
    assert "\npeople:\n" in text
    person = f"\npeople:\n  noor: {{login: {OTHER}, roles: [approver]}}\n"
    config.write_text(text.replace("\npeople:\n", person))
    os.kill(demo.pid("backend"), signal.SIGKILL)
    demo.serve()
    demo.until(lambda d: d.docs(), 30, "a new backend")
    # As an operator sets it up: the account may reach the sockets, and nothing else of it.
    demo.d.chmod(0o711)
    sockets = [demo.d / "command.sock", demo.d / "backend.sock"]
    for each in sockets:
        each.chmod(0o666)
    mine = pwd.getpwuid(os.getuid()).pw_name
    with forwarded(bastion, OTHER, demo_dir, *sockets) as (command, backend):
        seen = ask(command, op="status")["you"]
        assert (seen["name"], seen["roles"]) == ("noor", ["approver"])
        before = demo.governor()
        for op in ("release", "start"):
            refused = ask(command, op=op, id=f"ssh-{op}", service="shop", reason="r")
            assert (refused["ok"], refused["code"]) == (False, "not_allowed"), refused
        assert demo.governor()["epoch"] == before["epoch"]

        # The same server, over the same connection's websocket, for the dashboard.
        argv = (sys.executable, "-m", "hatchway_tui", "--backend", str(backend))
        screen = terminal(*argv, width=120, height=40)
        screen.until("DATA LIVE", "you noor")

        paused = ask(command, op="pause", id="ssh-pause", reason="from afar")
        assert paused["ok"], paused
        status = demo.governor()
        assert (status["mode"], status["holder"]) == ("paused", "noor"), "not who runs ssh"
        assert mine not in status["holder"]
        screen.until("CONTROL  PAUSED", "noor")
        screen.press("q")
        assert screen.ended() == 0
    assert "by noor" in demo.cli("status").stdout


def ask(path: Path, **request: Any) -> Any:
    """One JSON line to a socket, and its answer."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(path))
        s.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(s.makefile("rb").readline())
