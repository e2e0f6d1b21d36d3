"""Every page by the id of the action that opens it (see `keys.py`)."""

from __future__ import annotations

from hatchway_tui.pages import (
    board,
    changes,
    handover,
    item,
    keys,
    log,
    palette,
    policy,
    record,
    run,
    why,
)
from hatchway_tui.pages.page import Page

PAGES: dict[str, Page] = {
    "board": board.PAGE,
    "palette": palette.PAGE,
    "run": run.PAGE,
    "why": why.PAGE,
    "changes": changes.PAGE,
    "log": log.PAGE,
    "item": item.PAGE,
    "policy": policy.PAGE,
    "record": record.PAGE,
    "handover": handover.PAGE,
    "keys": keys.PAGE,
}
