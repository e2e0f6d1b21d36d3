"""What the edge turns away is journaled too: a line with the counts, however many there were."""

from __future__ import annotations

import asyncio
from collections import Counter

from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.edge.health import Health
from hatchway.journal.port import JournalError

EVERY_S = 10.0
"""At most so often is a line written: nobody outside can make the journal grow faster."""


async def journal_turned_away(health: Health, ledger: Ledger) -> None:
    """Write what was counted, for ever. What cannot be written is written with the next."""
    loop = asyncio.get_running_loop()
    since = loop.time()
    while True:
        await asyncio.sleep(EVERY_S)
        if not health.turned_away:
            since = loop.time()
            continue
        counts, health.turned_away = health.turned_away, Counter()
        event = ev.WireRefused(counts=dict(counts), seconds=loop.time() - since)
        try:
            await ledger.record(lambda _, e=event: (e,), actor="edge")  # type: ignore[misc]
            since = loop.time()
        except JournalError:
            health.turned_away.update(counts)
