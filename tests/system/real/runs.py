"""`python runs.py URL`: whether the shop at URL runs the version of this checkout."""

import json
import sys
import urllib.request
from pathlib import Path

with urllib.request.urlopen(sys.argv[1], timeout=10) as answer:
    found = json.load(answer)["version"]
wanted = Path("VERSION").read_text().strip()
print(f"{sys.argv[1]} runs {found}")
sys.exit(0 if found == wanted else f"{wanted} is wanted")
