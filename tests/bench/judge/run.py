"""How fast and how honest the judge is, beside other rules on the same simulated rollouts.

python tests/bench/judge/run.py [--short] [--rollouts N] [--cell NAME] [--seed N] [--workers N]

Prints every cell, the table of the main cell, and goals G1 to G6 as met or by how much missed.
--short runs what the goals need on few rollouts and exits 1 when the judge is further from one
than it was (goals.py). --cell takes a part of a cell's name and may be given several times.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cells import BY_NAME, CELLS, EVERY_1, EVERY_5, NO_WARM_UP, Cell
from goals import Finding, findings
from judged import Way
from shown import cell_block, main_table
from tally import Piece, Tally, Work, piece, pieces, together

SEED = 20
CALM = 10  # of os.nice: whoever else is on this machine comes first

SHORT: dict[str, tuple[int, tuple[Way, ...]]] = {  # cells of the short form: rollouts, ways
    "A/A": (75, EVERY_5),
    "A/A 2 req/s": (20, (BY_NAME["A/A 2 req/s"].ways[0],)),
    "A/A three metrics": (3, EVERY_1[:1]),
    "errors x5": (100, EVERY_5 + NO_WARM_UP[:1]),
    "errors x20": (40, (EVERY_5[1], NO_WARM_UP[0])),
    "errors x5, 2 req/s": (20, (BY_NAME["errors x5, 2 req/s"].ways[0],)),
    "spike x5 for 120 s": (50, EVERY_5[1:]),
    "instances differ by 0.4": (50, EVERY_5[1:]),
    "clumps of 4": (50, EVERY_5[1:]),
    "latency A/A": (15, EVERY_5),
    "latency +30 %": (15, EVERY_5),
    "latency +100 %": (15, EVERY_5),
}

Run = Callable[[Callable[[Work], Piece], Iterable[Work]], Iterable[Piece]]


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    began = time.monotonic()
    wanted = [c for c in CELLS if not options.cell or any(n in c.name for n in options.cell)]
    if not wanted:
        print("no cell has that in its name; there are:", *BY_NAME, sep="\n  ")
        return 2
    with multiprocessing.Pool(options.workers, os.nice, (CALM,)) as pool:
        if options.short:
            tallies = short(options.seed, pool.imap)
        else:
            tallies = {}
            for cell in wanted:
                count = max(10, round(options.rollouts * cell.share))
                tallies[cell.name] = done = tallied(cell, count, options.seed, pool.imap)
                print(cell_block(done), flush=True)
            print(main_table(tallies))
    found = findings(tallies)
    for finding in found:
        print(finding.line())
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if options.short and any(finding.worse_than_guard for finding in found) else 0


def short(seed: int = SEED, run: Run = map) -> dict[str, Tally]:
    """The cells of the short form; the same seed always gives the same figures."""
    return {
        name: tallied(replace(BY_NAME[name], ways=ways), count, seed, run)
        for name, (count, ways) in SHORT.items()
    }


def short_findings(seed: int = SEED) -> list[Finding]:
    """The goals by the short form, in this process."""
    return findings(short(seed))


def tallied(cell: Cell, rollouts: int, seed: int, run: Run) -> Tally:
    """One cell; `run` maps its pieces, here or in other processes."""
    return together(cell, run(piece, pieces(cell, rollouts, seed)))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--rollouts", type=int, default=300)
    parser.add_argument("--cell", action="append", default=[])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
