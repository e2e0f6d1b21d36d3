"""`python tests/simulation/run.py SEED`: play one schedule again and tell what happened.

`python tests/simulation/run.py --many N [--from SEED]`: so many, and how fast.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from simulated.schedules import explained, play, play_many
from simulated.world import World, wired


def main(argv: list[str]) -> int:
    """0 when every promise held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", nargs="?", default="0")
    parser.add_argument("--many", type=int, default=0)
    options = parser.parse_args(argv)
    with wired():
        if options.many:
            return _many(options.seed, options.many)
        try:
            play(options.seed, tracing=True)
        except BaseException as error:
            print(explained(options.seed, error))
            return 1
        print("\n".join(World.now.told))
    return 0


def _many(first: str, count: int) -> int:
    played = play_many(range(int(first), int(first) + count), most_broken=40)
    for seed, error in played.broken:
        print(f"{seed}: {str(error)[:300] or repr(error)}")
    print(
        f"{played.schedules} schedules, {len(played.broken)} broken, {played.boundaries} boundaries, "
        f"{played.late} late, {played.below} below; {played.schedules / played.wall_s:.0f} a second, "
        f"{played.schedules / played.cpu_s:.0f} a CPU second"
    )
    return 1 if played.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
