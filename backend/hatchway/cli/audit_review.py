"""`hatchway audit review RUN --reason WHY`: a person's word on a run, journaled by the backend."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from hatchway.cli.accept import call
from hatchway.cli.ask import Silent
from hatchway.cli.emergency import refused, visible


def review(options: argparse.Namespace, journal: Path) -> int:
    """0 journaled, 1 refused."""
    request = {
        "op": "review",
        "id": os.urandom(8).hex(),
        "item": options.run,
        "reason": options.reason,
        **({"verdict": options.verdict} if options.verdict else {}),
    }
    try:
        said = call(str(journal.parent), request)
    except Silent as error:
        said = {"ok": False, "why": f"The backend is silent: {error}.", "todo": "hatchway serve"}
    if options.json:
        print(json.dumps(said))
    elif said.get("ok"):
        print(f"{visible(said.get('said', 'done'))} #{said.get('seq', '?')}")
    else:
        refused("audit review", said)
    return 0 if said.get("ok") else 1
