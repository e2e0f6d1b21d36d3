"""Each fault of the demo: the verdict and when it came, beside when it should have.

    python tests/bench/bench_faults.py [--runs 3] [--rate 300] [--pace 10] [--fault errors ...]

Headless demos in act mode, one after the other, real processes, seeds 1, 2, 3... Seconds are from the first raise
to the verdict. `the judge alone` is the judge on figures drawn as the shop makes them, from one in
ten to nine in ten of 200 rollouts; `planned` is what judge/planning.py expects (demo_faults.py).
Exits 1 when a verdict or an outcome is not the one that policy intends.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from demo_faults import FAULTS, observed, planned, simulated

PIPELINE = Path(__file__).parents[1] / "system" / "quick.yaml"
WEIGHT, EXCLUDES, ROLLOUTS = 5, 10, 200  # the pipeline's first step
PATIENCE_S = 400


class Run(NamedTuple):
    """One demo with a fault."""

    verdict: str
    after_s: float | None
    summary: dict[str, Any]


def main() -> int:
    """Run them, print the table."""
    options = _options()
    print(
        f"{options.rate:g} requests/s, canary {WEIGHT} %, pace {options.pace:g}, median of "
        f"{options.runs}; load average {os.getloadavg()[0]:.1f}"
    )
    print(
        f"{'fault':16}{'verdict':10}{'outcome':13}{'demo':>7}{'all runs':>16}{'the judge alone':>18}"
        f"{'median':>8}{'planned':>9}{'rolled back':>13}{'bad requests':>14}"
    )
    wrong = []
    for fault in options.fault or FAULTS:
        runs = [
            _run(fault, options.rate, options.pace, seed) for seed in range(1, options.runs + 1)
        ]
        wrong += [f"{fault}: {why}" for run in runs if (why := _not_intended(fault, run))]
        print(_line(fault, runs, options.rate), flush=True)
    for line in wrong:
        print(f"NOT AS INTENDED: {line}")
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--pace", type=float, default=10.0)
    parser.add_argument("--fault", action="append", choices=tuple(FAULTS))
    return parser.parse_args()


def _run(fault: str, rate: float, pace: float, seed: int) -> Run:
    place = Path(tempfile.mkdtemp(prefix="hwb-"))
    command = [sys.executable, "-m", "hatchway", "demo", "--headless", "--json", "--mode", "act"]
    command += [
        "--approve",
        "auto",
        "--rate",
        f"{rate:g}",
        "--pace",
        f"{pace:g}",
        "--seed",
        str(seed),
    ]
    command += ["--dir", str(place / "d"), "--pipeline", str(PIPELINE), "--fault", fault]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env={**os.environ, "XDG_RUNTIME_DIR": str(place)},
        )
        if not done.stdout.strip():
            raise SystemExit(f"the demo with {fault} said nothing: {done.stderr[-2000:]}")
        verdict, after = observed(place / "d" / "journal.db", fault)
        return Run(verdict, after, json.loads(done.stdout.strip().splitlines()[-1]))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _not_intended(fault: str, run: Run) -> str:
    wanted = FAULTS[fault]
    if run.after_s is None:
        return f"the verdict was {run.verdict}"
    outcome = run.summary["outcome"]
    return "" if outcome == wanted.outcome else f"the outcome was {outcome}"


def _line(fault: str, runs: list[Run], rate: float) -> str:
    times = sorted(run.after_s for run in runs if run.after_s is not None)
    expected = simulated(fault, rate, WEIGHT, excludes=EXCLUDES, rollouts=ROLLOUTS)
    low, high = expected[ROLLOUTS // 10], expected[-ROLLOUTS // 10]
    plan = planned(fault, rate, WEIGHT)
    back = [s for run in runs if (s := run.summary["rolled_back_after_s"]) is not None]
    bad = statistics.median(run.summary["bad_requests_served"] for run in runs)
    spread = f"{times[0]:.1f} to {times[-1]:.1f}" if times else "never"
    return (
        f"{fault:16}{FAULTS[fault].verdict:10}{runs[0].summary['outcome']:13}"
        f"{_seconds(statistics.median(times) if times else None):>7}{spread:>16}"
        f"{f'{low:.1f} to {high:.1f}':>18}{_seconds(statistics.median(expected)):>8}"
        f"{_seconds(plan):>9}{_seconds(statistics.median(back) if back else None):>13}{bad:>14.0f}"
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
