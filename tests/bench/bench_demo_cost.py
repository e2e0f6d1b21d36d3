"""What the whole stack costs while a canary at 5 % is watched, at 100 requests a second.

`python tests/bench/bench_demo_cost.py [SECONDS]`: processor time of each process as a share of one
core, and its memory. Bars: 25 % of a core and 250 MB for backend, governor, shop, splitter and
load together; the supervisor is shown besides.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

CPU_BAR = 25.0
RSS_BAR = 250.0
PLANE = ("stable", "canary", "splitter", "load", "governor")
PIPELINE = """\
pipeline: shop
service: shop
environment: prod
stages:
  - name: release
    kind: release
    separation: [author, pusher]  # the tests start and approve with one account
    approvals: 1
    expires: 4h
  - name: canary
    kind: canary
    deploy:
      - start: python -m hatchway.demo.deploy canary
    steps:
      - weight: 5
        monitor: 10m
        at_most: 25m
        excludes: 10
      - weight: 100
        hold_back: 5
        monitor: 5m
        at_most: 15m
        excludes: 10
"""


class Cost(NamedTuple):
    """Of one process: processor seconds so far, resident and proportional memory in MB."""

    cpu_s: float
    rss: float
    pss: float


def cost(pid: int) -> Cost:
    """What a process has cost so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    memory = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (int(re.search(rf"^{k}:\s+(\d+)", memory, re.M)[1]) for k in ("Rss", "Pss"))
    return Cost(ticks / os.sysconf("SC_CLK_TCK"), rss / 1024, pss / 1024)


def ask(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    """One JSON line and its answer."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(path))
        peer.sendall(json.dumps(request).encode() + b"\n")
        with peer.makefile() as answer:
            return json.loads(answer.readline())


def until_canary_has_traffic(directory: Path) -> None:
    """Wait until the governor has read 5 % back."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            status = ask(directory / "governor.sock", {"op": "status", "service": "shop"})
            if status["status"]["observed"]["canary"] == 5:
                return
        time.sleep(0.1)
    raise SystemExit("the canary never got its 5 %")


def main() -> int:
    """Measure, print, and say whether the bars are kept."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    place = Path(tempfile.mkdtemp(prefix="hwb-", dir="/tmp"))
    (place / "shop.yaml").write_text(PIPELINE)
    directory = place / "d"
    command = [sys.executable, "-m", "hatchway", "demo", "--headless", "--approve", "auto"]
    command += ["--pace", "1", "--dir", str(directory), "--pipeline", str(place / "shop.yaml")]
    demo = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "XDG_RUNTIME_DIR": str(place)},
    )
    try:
        until_canary_has_traffic(directory)
        time.sleep(3)
        pids = ask(directory / "demo.sock", {"op": "status"})["pids"] | {"supervisor": demo.pid}
        before = {name: cost(pid) for name, pid in pids.items()}
        sent = ask(directory / "load.sock", {"op": "stats"})["sent"]
        started = time.monotonic()
        time.sleep(seconds)
        passed = time.monotonic() - started
        after = {name: cost(pid) for name, pid in pids.items()}
        stats = ask(directory / "load.sock", {"op": "stats"})
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.wait(30)
        shutil.rmtree(place, ignore_errors=True)

    print(
        f"{(stats['sent'] - sent) / passed:.1f} requests/s for {passed:.0f} s, 5 % canary, ", end=""
    )
    print(
        f"p50 {stats['p50_ms']} ms, p95 {stats['p95_ms']} ms; load average {os.getloadavg()[0]:.1f}"
    )
    share = {n: 100 * (after[n].cpu_s - before[n].cpu_s) / passed for n in pids}
    for name in sorted(pids, key=lambda n: -share[n]):
        print(
            f"{name:12} {share[name]:5.1f} %   {after[name].rss:6.1f} MB RSS {after[name].pss:6.1f} PSS"
        )
    plane = [n for n in pids if n in PLANE]
    stack = [n for n in pids if n in PLANE or n == "backend"]
    for words, names in (("plane", plane), ("whole stack", stack)):
        cpu, rss = sum(share[n] for n in names), sum(after[n].rss for n in names)
        print(f"{words}: {cpu:.1f} % of a core, {rss:.0f} MB RSS")
    kept = cpu <= CPU_BAR and rss <= RSS_BAR
    print(
        f"bars: {CPU_BAR:g} % (used {cpu / CPU_BAR:.0%}), {RSS_BAR:g} MB (used {rss / RSS_BAR:.0%}): "
        + ("kept" if kept else "NOT KEPT")
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
