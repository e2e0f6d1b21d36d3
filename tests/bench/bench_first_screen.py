"""How long until `make demo` shows the first true screen, and what the whole stack costs.

    python tests/bench/bench_first_screen.py [--runs 10] [--seconds 60]

The first true screen is the one that has live data of the running release. Bars: p95 of 10 runs
<= 1.5 s on an idle machine after the set-up is done; the whole stack without the dashboard
(backend, governor, shop, splitter, load) <= 25 % of one core and <= 250 MB RSS at 100 requests/s.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path

import pexpect
import pyte

ROOT = Path(__file__).parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Screen:
    """A demo in a terminal of its own."""

    def __init__(self, directory: str, *options: str) -> None:
        self.screen = pyte.Screen(120, 40)
        self.stream = pyte.ByteStream(self.screen)
        self.bytes = 0
        self.started = time.monotonic()
        words = " ".join(("--dir", directory, *options))
        self.child = pexpect.spawn(
            "make", ["--no-print-directory", "demo", f"ARGS={words}"], cwd=str(ROOT),
            dimensions=(40, 120), env={**os.environ, "TERM": "xterm-256color"},
        )  # fmt: skip

    def until(self, *words: str, seconds: float = 60.0) -> float:
        """Seconds from the start until all the words are on the screen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.feed(0.01)
            text = "\n".join(self.screen.display)
            if all(word in text for word in words):
                return time.monotonic() - self.started
        raise SystemExit("not on the screen:\n" + "\n".join(self.screen.display))

    def feed(self, seconds: float) -> None:
        """Take in what the terminal is sent for a while."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(pexpect.TIMEOUT):
                data = self.child.read_nonblocking(
                    65536, timeout=max(0.001, end - time.monotonic())
                )
                self.bytes += len(data)
                self.stream.feed(data)
            if time.monotonic() >= end:
                return

    def close(self) -> None:
        """Leave as a person would."""
        self.child.send("q")
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            self.child.expect(pexpect.EOF, timeout=15)
        self.child.close(force=True)


def stack_of(directory: str) -> dict[str, int]:
    """Processes of the demo by what they are, without make, the dashboard and the jobs."""
    found: dict[str, int] = {}
    names = ("hatchway.governor", "demo.splitter", "demo.load", "serve", "stable", "canary", "demo")
    for proc in Path("/proc").iterdir():
        if not proc.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words = (proc / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            environ = (proc / "environ").read_bytes()
            if os.fsencode(directory) not in environ + " ".join(words).encode():
                continue
            if any("hatchway_tui" in w or "shim" in w for w in words) or Path(words[0]).name in (
                "make",
                "sh",
            ):
                continue
            for name in names:
                if any(w.endswith(name) for w in words):
                    found.setdefault(name, int(proc.name))
                    break
    return found


def cpu(pid: int) -> float:
    """Seconds of CPU time, with those of reaped children left out."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss(pid: int) -> float:
    """Resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6


def first_screens(runs: int) -> None:
    """Print the time to the first true screen over several starts."""
    taken = []
    for number in range(runs):
        with tempfile.TemporaryDirectory(prefix="hwb-") as place:
            screen = Screen(f"{place}/d")
            taken.append(screen.until("DATA LIVE", "1.5.0", "PAUSE"))
            screen.close()
        print(f"  run {number + 1}: {taken[-1]:.2f} s", flush=True)
    p95 = sorted(taken)[min(len(taken) - 1, round(0.95 * len(taken)))]
    print(
        f"first true screen: median {statistics.median(taken):.2f} s, p95 {p95:.2f} s "
        f"(bar 1.5 s: {'met' if p95 <= 1.5 else f'missed by {p95 - 1.5:.2f} s'})"
    )


def stack_cost(seconds: float) -> None:
    """Print what the stack costs while a canary runs at 5 %, and the dashboard's bytes."""
    with tempfile.TemporaryDirectory(prefix="hwb-") as place:
        screen = Screen(f"{place}/d", "--pace", "1")
        screen.until("APPROVE", seconds=120)
        screen.feed(1.5)
        screen.child.send("a")
        screen.until("CANARY 5%")
        screen.feed(5.0)
        pids = stack_of(place)
        before = {name: cpu(pid) for name, pid in pids.items()}
        sent, start = screen.bytes, time.monotonic()
        screen.feed(seconds)
        spent = time.monotonic() - start
        shares = {name: 100 * (cpu(pid) - before[name]) / spent for name, pid in pids.items()}
        sizes = {name: rss(pid) for name, pid in pids.items()}
        for name in pids:
            print(f"  {name:18} {shares[name]:5.1f} % of a core {sizes[name]:6.1f} MB")
        for what, got, bar, unit in (
            ("whole stack", sum(shares.values()), 25.0, "% of a core"),
            ("whole stack", sum(sizes.values()), 250.0, "MB RSS"),
            ("wire at 120x40, live", (screen.bytes - sent) / spent / 1000, 30.0, "KB/s"),
        ):
            met = "met" if got <= bar else f"missed by {got - bar:.1f}"
            print(f"{what}: {got:.1f} {unit} (bar {bar:g}: {met})")
        screen.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    first_screens(options.runs)
    stack_cost(options.seconds)


if __name__ == "__main__":
    main()
