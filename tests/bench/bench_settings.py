"""Reading the shipped configuration: it is on the way to the first screen. Bar: 15 ms of CPU.

Run: python tests/bench/bench_settings.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from hatchway.settings import load_all, shipped

BAR_MS = 15.0


def main() -> int:
    """Print the figures; 1 when the bar is missed."""
    directory = shipped()
    times = []
    for _ in range(50):
        start = time.process_time()
        load_all(directory)
        times.append((time.process_time() - start) * 1000)
    median, worst = statistics.median(times), max(times)
    print(f"load_all, {len(times)} times: median {median:.1f} ms of CPU, first {times[0]:.1f} ms,")
    print(f"  worst {worst:.1f} ms; bar {BAR_MS:g} ms: {median / BAR_MS:.2f} of it")
    program = "import time; t = time.process_time(); import hatchway.settings;"
    program += "print((time.process_time() - t) * 1000)"
    imports = [
        float(
            subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
        )
        for _ in range(10)
    ]
    print(
        f"import of hatchway.settings with yaml: median {statistics.median(imports):.1f} ms of CPU"
    )
    return 0 if median <= BAR_MS else 1


if __name__ == "__main__":
    sys.exit(main())
