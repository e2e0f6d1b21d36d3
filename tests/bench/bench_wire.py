"""What the dashboard costs on the wire and in CPU: a real pty, a scripted backend, pyte as terminal.

Bars: 30 KB/s at 120x40 while live (1 Hz metrics, plots moving, 10 documents a second).
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import importlib.util
import os
import pty
import resource
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path
from types import ModuleType

import msgspec

HERE = Path(__file__).resolve().parent


def scripted() -> ModuleType:
    """The scripted backend of the dashboard's tests."""
    spec = importlib.util.spec_from_file_location("scripted", HERE.parent / "tui" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scripted"] = module
    spec.loader.exec_module(module)
    return module


async def feed(backend: object, scenes: object, seconds: float) -> int:
    """Ten documents a second: every second new metrics with one more point, and other changes."""
    kit = sys.modules["scripted"]
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        fresh = kit.Scenes()
        second, tenth = divmod(sent, 10)
        if tenth == 0:
            await backend.set(metrics__r1=fresh.metrics())
        elif tenth == 5:
            doc = fresh.canary(fresh.verdict(), version=17 + second)
            doc = msgspec.structs.replace(doc, step=scenes.docs_step, started_at=scenes.now - 130)
            await backend.set(run__r1=doc)
        elif tenth == 8 and second % 5 == 0:
            await backend.set(audit__tail=fresh.audit())
        else:
            await backend.set(system=kit.wire.SystemDoc("prod", "demo", 10, journal_seq=sent))
        sent += 1
        await asyncio.sleep(0.1)
    return sent


async def measure(width: int, height: int, busy: bool, seconds: float) -> tuple[float, float]:
    """(bytes a second, CPU share of one core) once the first screen is there."""
    kit = scripted()
    room = Path(tempfile.mkdtemp(prefix="hw"))
    scenes = kit.Scenes()
    scenes.docs_step = scenes.build("canary")["run/r1"].step
    backend = kit.Backend(room / "b", scenes.build("canary" if busy else "idle"))
    await backend.start()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        os.execv(
            sys.executable, [sys.executable, "-m", "hatchway_tui", "--backend", str(room / "b")]
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    got, seen = 0, b""

    def read() -> None:
        nonlocal got, seen
        data = os.read(terminal, 65536)
        got, seen = got + len(data), (seen + data)[-200_000:]

    asyncio.get_running_loop().add_reader(terminal, read)
    async with asyncio.timeout(30):
        while b"LIVE" not in seen:
            await asyncio.sleep(0.05)
    await asyncio.sleep(3)
    before, cpu = got, _cpu(pid)
    began = time.monotonic()
    if busy:
        await feed(backend, scenes, seconds)
    else:
        await asyncio.sleep(seconds)
    spent = time.monotonic() - began
    rate, share = (got - before) / spent, (_cpu(pid) - cpu) / spent
    asyncio.get_running_loop().remove_reader(terminal)
    os.kill(pid, signal.SIGTERM)
    await backend.stop()
    os.close(terminal)
    os.waitpid(pid, 0)
    shutil.rmtree(room, ignore_errors=True)
    return rate, share


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Print the figures; 1 when a bar is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=15)
    seconds = parser.parse_args().seconds
    worst = 0.0
    for width, height in ((120, 40), (80, 24)):
        for busy in (True, False):
            rate, share = asyncio.run(measure(width, height, busy, seconds))
            name = "live, 10 documents/s" if busy else "idle"
            print(f"{width}x{height} {name:22} {rate:8.0f} B/s   cpu {share:6.2%}")
            worst = max(worst, rate)
    print(f"worst {worst / 1000:.1f} kB/s of 30 kB/s: {worst / 30000:.0%} of the bar")
    print(
        f"max rss of children {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MiB"
    )
    return int(worst > 30_000)


if __name__ == "__main__":
    sys.exit(main())
