"""How quick is a stop? `hatchway pause` from a cold shell, and a stop at the governor's socket.

    python tests/bench/bench_pause.py

Bars: `hatchway pause` exec to acknowledged p50 <= 35 ms, <= 45 modules; a stop at the socket
p99 <= 100 ms while 100 status requests a second come in.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "governor"))
import conftest

RUNS = 60
STOPS = 1000
STATUS_EVERY_S = 0.01
COUNT = """
import sys
bare = set(sys.modules)
from hatchway.cli.main import main
main(["pause", "--direct", "--dir", sys.argv[1]])
print(len(set(sys.modules) - bare))
"""


def line(what: str, figure: float, bar: float, unit: str) -> None:
    print(f"{what:<52} {figure:8.2f} {unit:<8} bar {bar:g}  ({figure / bar:.2f} of it)")


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def from_a_shell(governor: Any) -> None:
    where = ["--dir", str(governor.directory)]
    script = shutil.which("hatchway", path=str(Path(sys.executable).parent))
    start = [script] if script else [sys.executable, "-m", "hatchway.cli.main"]
    bare, ours = [], []
    for _ in range(RUNS):
        bare.append(timed([sys.executable, "-c", "pass"]))
        ours.append(timed([*start, "pause", *where]))
    print(f"a bare interpreter: p50 {statistics.median(bare):.1f} ms")
    line("hatchway pause, exec to acknowledged, p50", statistics.median(ours), 35, "ms")
    line("hatchway pause, the same, p95", sorted(ours)[int(RUNS * 0.95)], 150, "ms")
    count = [sys.executable, "-c", COUNT, str(governor.directory)]
    done = subprocess.run(count, check=True, capture_output=True, text=True)
    line("modules beyond a bare interpreter", float(done.stdout.split()[-1]), 45, "modules")


def at_the_socket(governor: Any) -> None:
    ended = threading.Event()
    asked = 0

    def look() -> None:
        nonlocal asked
        client = governor.client()
        due = time.perf_counter()
        while not ended.wait(max(0.0, due - time.perf_counter())):
            client.ask(op="status")
            asked += 1
            due += STATUS_EVERY_S

    thread = threading.Thread(target=look)
    thread.start()
    client = governor.client()
    took = []
    began = time.perf_counter()
    for number in range(STOPS):
        op = ("pause", "takeover")[number % 2]
        started = time.perf_counter()
        assert client.ask(op=op, id=f"bench-{number}", by="bench")["ok"]
        took.append((time.perf_counter() - started) * 1000)
    seconds = time.perf_counter() - began
    ended.set()
    thread.join()
    took.sort()
    print(f"{STOPS} stops in {seconds:.1f} s, beside {asked / seconds:.0f} status requests/s")
    print(f"a stop at the governor's socket, p50: {statistics.median(took):.2f} ms")
    line("a stop at the governor's socket, p99", took[int(STOPS * 0.99)], 100, "ms")
    print(f"a stop at the governor's socket, worst: {took[-1]:.2f} ms")


def answers(governor: Any) -> bool:
    try:
        return bool(governor.ask(op="status")["ok"])
    except OSError:
        return False


def starts(governor: Any) -> None:
    took = []
    for _ in range(10):
        governor.kill()
        started = time.perf_counter()
        governor.process = governor.launch()
        while not answers(governor):
            time.sleep(0.001)
        took.append((time.perf_counter() - started) * 1000)
    line("governor, exec to first answer, p50", statistics.median(took), 80, "ms")
    status = Path(f"/proc/{governor.process.pid}/status").read_text().splitlines()
    rss = next(int(row.split()[1]) for row in status if row.startswith("VmRSS"))
    line("governor, resident memory", rss / 1024, 14, "MB")


def main() -> None:
    directory = Path(tempfile.mkdtemp(prefix="hw-"))
    governor = conftest.GovernorProcess(directory)
    try:
        governor.start().seen()
        from_a_shell(governor)
        at_the_socket(governor)
        starts(governor)
    finally:
        governor.close()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
