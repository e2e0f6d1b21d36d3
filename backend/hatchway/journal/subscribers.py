"""Telling those who follow the journal, in order, without one spoiling it for the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from hatchway.journal.port import Record

Told = Callable[[Sequence[Record]], None]


class Subscribers:
    """Callbacks on the event loop's thread."""

    def __init__(self) -> None:
        self._told: dict[object, Told] = {}

    def add(self, told: Told) -> Callable[[], None]:
        """Returns the undo; undoing twice does nothing."""
        ticket = object()
        self._told[ticket] = told

        def undo() -> None:
            self._told.pop(ticket, None)

        return undo

    def tell(self, records: Sequence[Record]) -> None:
        """A callback that raises is reported to the loop's exception handler."""
        for told in tuple(self._told.values()):
            try:
                told(records)
            except Exception as e:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a subscriber of the journal failed", "exception": e}
                )
