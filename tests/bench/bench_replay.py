"""How long `hatchway replay` takes to open a run in a long journal, and how long a step takes.

Run: python tests/bench/bench_replay.py [--events 100000]
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "replay"))

import replay_story as story

from hatchway.edge.replay import recorded
from hatchway.journal.chain import Sound
from hatchway.journal.source import rows_of

OPEN_S, STEP_S = 2.0, 0.05


def journal(path: Path, events: int) -> tuple[int, str]:
    """Runs of twenty services; how many records, and the last run."""
    made, run = list[object](), ""
    for n in count():
        run = str(n)
        made += story.promoted(run, f"service-{n % 20}")
        if len(made) >= events:
            break
    return story.write(path, made), run  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory() as room:
        file = Path(room) / "journal.db"
        whole, run = journal(file, events)
        began = time.process_time()
        for _ in Sound(rows_of(file)):
            pass
        verified = time.process_time() - began
        wall, cpu = time.perf_counter(), time.process_time()
        recording = recorded(Sound(rows_of(file)), run)
        recording.documents(recording.last)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
        print(
            f"open the last run of {whole:,} records: {cpu:.2f} s of CPU, {wall:.2f} s (bar {OPEN_S:g} s);"
            f" {cpu / verified:.1f} x verifying them ({verified:.2f} s); load {load}"
        )
        steps = []
        for seq in recording.marks * 5:
            began = time.process_time()
            recording.documents(seq)
            steps.append(time.process_time() - began)
        steps.sort()
        print(
            f"a step, CPU: p50 {1000 * steps[len(steps) // 2]:.1f} ms, p99"
            f" {1000 * steps[int(len(steps) * 0.99)]:.1f} ms (bar {1000 * STEP_S:.0f} ms);"
            f" memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
        )


if __name__ == "__main__":
    main()
