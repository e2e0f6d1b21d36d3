"""Ways to a dashboard: a real sshd on loopback, near or far away, and tmux."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from harness.tty import COLOURS

ROAD = Path(__file__).parent / "slow_road.py"


def binary(name: str) -> str:
    """Where a program is; it must be there."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert found, f"there is no {name} here: install it (Debian: openssh-server, tmux)"
    return found


@contextlib.contextmanager
def sshd(room: Path) -> Iterator[tuple[str, int]]:
    """A server of our own: the key file to come in with, and its port."""
    room.chmod(0o755)
    for name in ("host", "person"):
        words = [binary("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(room / name)]
        subprocess.run(words, check=True)
    shutil.copy(room / "person.pub", room / "authorized")
    if os.getuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    (room / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {room}/host\nPidFile {room}/pid\n"
        f"AuthorizedKeysFile {room}/authorized\nPermitRootLogin prohibit-password\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nStrictModes no\nUseDNS no\n"
        "PrintMotd no\nPrintLastLog no\n"
    )
    served = subprocess.Popen([binary("sshd"), "-D", "-f", f"{room}/config", "-E", f"{room}/log"])
    try:
        end = time.monotonic() + 30
        while True:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port), 1) as s,
            ):
                if s.recv(4) == b"SSH-":
                    break
            assert time.monotonic() < end, (room / "log").read_text()
            time.sleep(0.05)
        yield str(room / "person"), port
    finally:
        served.terminate()
        served.wait(10)


def over_ssh(key: str, port: int, command: list[str], trip_ms: float = 0) -> list[str]:
    """The command on the other side of an ssh connection whose round trip takes so long."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes",
               "IdentitiesOnly=yes", "LogLevel=ERROR", "SetEnv=COLORTERM=truecolor"]  # fmt: skip
    if trip_ms:
        proxy = shlex.join([sys.executable, str(ROAD), "127.0.0.1", str(port), str(trip_ms)])
        options.append(f"ProxyCommand={proxy}")
    return [binary("ssh"), "-tt", "-C", "-F", "none", "-p", str(port), "-i", key,
            *(f"-o{option}" for option in options), f"{getpass.getuser()}@127.0.0.1",
            shlex.join(["env", *(f"{k}={v}" for k, v in COLOURS.items()), *command])]  # fmt: skip


class Tmux:
    """A tmux server of our own, with nothing of the person's configuration."""

    def __init__(self, room: Path) -> None:
        self.words = [binary("tmux"), "-u", "-f", "/dev/null", "-S", str(room / "tmux.sock")]

    async def do(self, *words: str) -> str:
        """A tmux command; what it prints."""
        process = await asyncio.create_subprocess_exec(
            *self.words, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if k != "TMUX"} | COLOURS,
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()


@contextlib.asynccontextmanager
async def tmux(room: Path, command: list[str], width: int, height: int) -> AsyncIterator[Tmux]:
    """The command in a detached session of that size; nothing of it is left behind."""
    made = Tmux(room)
    size = ["-x", str(width), "-y", str(height)]
    await made.do("new-session", "-d", *size, shlex.join(["env", "COLORTERM=truecolor", *command]))
    await made.do("set-option", "-g", "status", "off")
    try:
        yield made
    finally:
        with contextlib.suppress(AssertionError):
            await made.do("kill-server")
