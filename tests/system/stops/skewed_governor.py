"""The real governor on a machine whose wall clock is wrong by the seconds in DIR/skew.

python tests/system/stops/skewed_governor.py DIR
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from hatchway.governor.__main__ import main

SKEW = Path(sys.argv[1]) / "skew"
right = time.time


def wrong() -> float:
    return right() + float(SKEW.read_text() or 0)


time.time = wrong

if __name__ == "__main__":
    sys.exit(main(["--dir", sys.argv[1]]))
