"""A target behind commands that forgets a step of going back, when DIR/drop names one.

    python forgetful_target.py DIR set PERCENT | get | rollback | inflight | inventory

A release sets five things beside the share; going back has to undo each of them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

STEPS = ("route", "flag", "replicas", "schedule", "cache")


def main(directory: Path, verb: str, *words: str) -> None:
    path = directory / "target.json"
    try:
        now = json.loads(path.read_text())
    except FileNotFoundError:
        now = {"canary": 0, **dict.fromkeys(STEPS, "old")}
    match verb:
        case "set":
            now["canary"] = int(words[0])
            if now["canary"] > 0:
                now |= dict.fromkeys(STEPS, "new")
        case "rollback":
            dropped = (directory / "drop").read_text() if (directory / "drop").exists() else ""
            now["canary"] = 0
            now |= {step: "old" for step in STEPS if step != dropped}
        case "mend":
            now |= dict.fromkeys(STEPS, "old")
        case "get":
            print(now["canary"])
            return
        case "inflight":
            print("0 0")
            return
        case "inventory":
            print("\n".join(f"{step}: {now[step]}" for step in STEPS))
            return
    new = path.with_suffix(".new")
    new.write_text(json.dumps(now))
    os.replace(new, path)
    print("done")  # it always says so


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
