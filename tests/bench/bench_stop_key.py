"""From the key `p` in a dashboard to the fence at the governor, and to the words on the screen.

    python tests/bench/bench_stop_key.py [--rounds 100]

Real processes: governor, splitter, shop, load; the backend publishes 100 metric messages a second
besides its own, to two dashboards on ptys. Bars: p99 <= 100 ms to the fence, <= 250 ms to "PAUSED"
on the screen. Times of the governor are its own spool lines, on the same clock.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pexpect
import pyte

ROOT = Path(__file__).parents[2]
PER_SECOND = 100


async def backend_under_load(directory: Path) -> None:
    """The real backend, with 100 changes of a metrics document a second."""
    from hatchway.edge import protocol as p
    from hatchway.settings.load import load_all
    from hatchway.wiring import backend

    points = tuple((float(i), 1.0 * i, 2.0 * i) for i in range(15))
    async with backend(directory, load_all(directory / "config"), lambda: None) as hub:
        number = 0
        while True:
            number += 1
            metric = p.MetricDoc(
                name="flood", label="flood", unit="", stable=1.0, canary=float(number),
                says="ok", points=points,
            )  # fmt: skip
            hub.publish(
                "metrics/flood", p.MetricsDoc(run="flood", at=float(number), metrics=(metric,))
            )
            await asyncio.sleep(1 / PER_SECOND)


def ask(path: Path, **request: Any) -> Any:
    """One JSON line and its answer."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(path))
        s.sendall(json.dumps(request).encode() + b"\n")
        with s.makefile("rb") as lines:
            return json.loads(lines.readline())


class Dashboard:
    """A dashboard in a terminal of its own."""

    def __init__(self, directory: Path) -> None:
        self.screen = pyte.Screen(120, 40)
        self.stream = pyte.ByteStream(self.screen)
        self.child = pexpect.spawn(
            sys.executable, ["-m", "hatchway", "tui", "--dir", str(directory)],
            dimensions=(40, 120), env={**os.environ, "TERM": "xterm-256color"},
        )  # fmt: skip
        self.child.delaybeforesend = None  # pexpect's own 50 ms

    def feed(self) -> None:
        with contextlib.suppress(pexpect.TIMEOUT):
            self.stream.feed(self.child.read_nonblocking(65536, timeout=0.002))

    def shows(self, *words: str) -> bool:
        """Whether the first row, which says who is in control, has all the words."""
        return all(word in self.screen.display[0] for word in words)

    def until(self, *words: str, others: tuple[Dashboard, ...] = (), seconds: float = 20) -> float:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for dashboard in (self, *others):
                dashboard.feed()
            if self.shows(*words):
                return time.time()
        raise SystemExit(f"{words} not on the screen:\n" + "\n".join(self.screen.display))


def until(true: Any, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, LookupError):
            if found := true():
                return found
        time.sleep(0.05)
    raise SystemExit("it did not come up")


def rounds(d: Path, count: int) -> tuple[list[float], list[float]]:
    """Press the key `count` times: milliseconds to the fence, and to the words on the screen."""
    one, two = Dashboard(d), Dashboard(d)
    try:
        one.until("CONTROL", "AGENT", "DATA LIVE", others=(two,))
        pressed = [press(d, number, one, two) for number in range(count)]
    finally:
        for dashboard in (one, two):
            dashboard.child.send("q")
            dashboard.child.close(force=True)
    return [fenced for fenced, _ in pressed], [shown for _, shown in pressed]


def press(d: Path, number: int, one: Dashboard, two: Dashboard) -> tuple[float, float]:
    """One press, and control given back."""
    time.sleep(0.2 + (number % 10) / 50)  # other phases of the frame clock and the flood
    for _ in range(20):
        one.feed()
        two.feed()
    before = ask(d / "governor.sock", op="status")["status"]["spool_seq"]
    pressed = time.time()
    one.child.send("p")
    seen = one.until("PAUSED", others=(two,))
    entry = ask(d / "governor.sock", op="spool", after=before)["entries"][0]
    answer = ask(d / "command.sock", op="release", id=f"again-{number}", reason="again")
    assert answer["ok"], answer
    until(lambda: ask(d / "governor.sock", op="status")["status"]["mode"] == "agent")
    end = time.monotonic() + 20
    while not one.shows("AGENT"):
        one.feed()
        two.feed()
        if time.monotonic() > end:
            raise SystemExit("still paused:\n" + "\n".join(one.screen.display))
    return (entry["at"] - pressed) * 1000, (seen - pressed) * 1000


def report(what: str, values: list[float], bar: float) -> None:
    values = sorted(values)
    p99 = values[min(len(values) - 1, round(0.99 * len(values)))]
    met = "met" if p99 <= bar else f"missed by {p99 - bar:.0f} ms"
    print(
        f"{what}: p50 {statistics.median(values):.1f} ms, p99 {p99:.1f} ms, "
        f"max {values[-1]:.1f} ms of {len(values)} (bar p99 {bar:g} ms: {met})"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--backend", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.backend:
        asyncio.run(backend_under_load(options.backend))
    with tempfile.TemporaryDirectory(prefix="hwb-") as place:
        d = Path(place) / "d"
        quick = ROOT / "tests" / "system" / "quick.yaml"
        words = ["demo", "--dir", str(d), "--headless", "--approve", "manual", "--mode", "act"]
        demo = subprocess.Popen(
            [sys.executable, "-m", "hatchway", *words, "--pipeline", str(quick)],
            stdout=subprocess.DEVNULL,
        )
        backend = None
        try:
            item = until(
                lambda: ask(d / "command.sock", op="status")["docs"]["needs-you"]["items"][0]
            )
            ask(d / "command.sock", op="accept", id="yes", item=item["id"])
            until(
                lambda: ask(d / "governor.sock", op="status")["status"]["observed"]["canary"] == 5
            )
            os.kill(int((d / "backend.pid").read_text()), signal.SIGKILL)
            backend = subprocess.Popen([sys.executable, __file__, "--backend", str(d)])
            until(lambda: ask(d / "command.sock", op="ping")["ok"])
            fenced, shown = rounds(d, options.rounds)
        finally:
            if backend is not None:
                backend.kill()
            demo.terminate()
            demo.wait(20)
        report("key p to the fence at the governor", fenced, 100)
        report("key p to PAUSED on the screen", shown, 250)


if __name__ == "__main__":
    main()
