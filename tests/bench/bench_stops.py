"""The stops on real processes: E2's fault matrix with more rounds a cell, E3, E9, E10, E13.

    python tests/bench/bench_stops.py [--rounds 10] [-k EXPRESSION]

It runs the tests of tests/system/stops, as root (a disk is mounted to be filled up), and prints
their figures beside their bars, and the matrix cell by cell. The key press is bench_stop_key.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = ("test_e2_fault_matrix", "test_e3_cold_shell", "test_e9_dead_man", "test_e10_what_is_shown",
         "test_e13_residue")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10, help="of each of the 30 cells")
    parser.add_argument("-k", default="", help="only tests that match, as pytest has it")
    options = parser.parse_args()
    files = [str(ROOT / "tests" / "system" / "stops" / f"{name}.py") for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:xdist", "-o", "addopts=",
               "--import-mode=importlib", "--timeout=3000", "-k", options.k, *files]  # fmt: skip
    environment = {**os.environ, "HATCHWAY_STOP_ROUNDS": str(options.rounds)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
