"""Binds cells, flow and the terminal: what the screen should show goes in, frames go out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Protocol

from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

from hatchway_tui.wire.cells import Cells
from hatchway_tui.wire.flow import COLUMNS, ROW, Flow
from hatchway_tui.wire.out import Out

_SYNC_FROM = 600
"""Frames smaller than that many bytes are not worth the brackets that make a terminal show them
at once (16 bytes)."""


_SLOW_FROM = 0.03


class Ear(Protocol):
    """Where the terminal's answers are heard (see `keyboard`)."""

    awaits: int


class Wire:
    """The screen of one terminal. Everything runs in the loop's thread but `Ear`."""

    def __init__(self, ear: Ear) -> None:
        self.cells = Cells()
        self.sent = self.frames = self.acknowledged = 0  # bytes, frames: tests and benchmarks
        self.sync = False
        self._ear = ear
        self._always: tuple[int, ...] = ()
        self._hurry: list[int] = []
        self._told: float | None = None
        self._system = ColorSystem.TRUECOLOR
        self._out: Out | None = None
        self._flow: Flow | None = None
        self._timer: asyncio.TimerHandle | None = None

    # --- the terminal comes and goes -------------------------------------------------------------

    def attach(self, out: Out) -> None:
        """From now on the screen is ours: nothing is known of it."""
        self._out, self._flow = out, Flow(time.monotonic())
        self.forget()
        out.drained = self._drained
        self._say("", asks=True)

    def detach(self) -> None:
        """The screen is handed over: nothing is drawn or asked any more."""
        self._out = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def attached(self) -> bool:
        """Whether the terminal is written to from here."""
        return self._out is not None

    # --- what the screen should show -------------------------------------------------------------

    def forget(self) -> None:
        """The terminal shows something unknown: everything goes out again."""
        self.cells.forget()

    def take(self, update: CompositorUpdate, size: Size, console: Console) -> bool:
        """What Textual wants to show. False when that cannot be taken apart into cells."""
        if not isinstance(update, LayoutUpdate | ChopsUpdate):
            return False
        self._fit(size, console)
        self.cells.take(update)
        return True

    def show(self, rows: dict[int, Strip], size: Size, console: Console) -> None:
        """What the one widget shows, without the way through Textual's compositor."""
        self._fit(size, console)
        for y, strip in rows.items():
            self.cells.put(y, 0, strip)

    def _fit(self, size: Size, console: Console) -> None:
        self._system = console._color_system or ColorSystem.TRUECOLOR
        if size != (self.cells.width, self.cells.height):
            self.cells.resize(*size)

    def first(self, rows: tuple[int, ...]) -> None:
        """The rows that go before all others, in every frame."""
        self._always = rows

    def hurry(self, rows: Iterable[int]) -> None:
        """These rows answer a key: they go before others, once."""
        self._hurry = list(dict.fromkeys([*rows, *self._hurry]))

    def thin(self) -> CompositorUpdate:
        """Only the difference, for a terminal that Textual itself writes to (a browser's)."""
        return _Thin(self)

    def difference(self) -> str:
        """Everything that the terminal does not show yet. It counts as shown from now on."""
        text = self.cells.frame((), 1 << 30, self._system)
        self.sent += len(text.encode())
        return text

    # --- the way ---------------------------------------------------------------------------------

    @property
    def trip(self) -> float | None:
        """Seconds from writing to the screen's having shown it; None while that is not known."""
        return self._flow.trip if self._flow is not None and not self._flow.mute else None

    @property
    def told(self) -> float | None:
        """The trip as it is shown: another one only when it is clearly another."""
        trip, told = self.trip, self._told
        if trip is None or told is None or abs(trip - told) > told * 0.4:
            self._told = trip
        return self._told

    @property
    def slow(self) -> bool:
        """Whether it matters what goes out first."""
        return (self.trip or 0.0) > _SLOW_FROM

    @property
    def stuck(self) -> bool:
        """Whether the terminal takes nothing at the moment."""
        late = self._flow is not None and self._flow.late(time.monotonic())
        return late or (self._out is not None and self._out.pending > 0)

    def answered(self, column: int, at: float) -> None:
        """The terminal has answered the question from `column`; heard at `at` (monotonic)."""
        if self._flow is not None and self._flow.answered(column, at):
            self.acknowledged += 1
            self.pump()

    def pump(self) -> None:
        """Send the next frame if there is something to say and the way is free."""
        out, flow = self._out, self._flow
        if out is None or flow is None or out.pending or not self.cells.behind:
            return
        at = time.monotonic()
        wait = flow.next_at(hurry=bool(self._hurry)) - at
        if wait > 0:
            self._later(wait)
            return
        can = self.cells.height >= ROW and self.cells.width >= COLUMNS[-1]
        if can and flow.unsure(at):
            self._say("", asks=True)
            return
        first = [*self._always, *self._hurry]
        text = self.cells.frame(first, flow.allowance(at), self._system)
        self._hurry = [y for y in self._hurry if self.cells.is_behind(y)]
        if not text:
            return
        if self.sync and len(text) > _SYNC_FROM:
            text = f"\x1b[?2026h{text}\x1b[?2026l"
        self._say(text, asks=can and flow.asks(at))
        self.frames += 1
        if self.cells.behind:
            self._later(max(flow.next_at(bool(self._hurry)) - time.monotonic(), 0.0))

    def _say(self, text: str, asks: bool) -> None:
        out, flow = self._out, self._flow
        assert out is not None
        assert flow is not None
        at, size = time.monotonic(), len(out.encode(text))
        column = flow.sent(at, size, asks)
        self._ear.awaits = column if not flow.mute else 0
        question = f"\x1b[{ROW};{column}H\x1b[6n" if column else ""
        self.sent += size + len(question)
        out.write(text + question)

    def _drained(self) -> None:
        if self._flow is not None:
            self._flow.left(time.monotonic())
        self.pump()

    def _later(self, wait: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(wait, self.pump)


class _Thin(CompositorUpdate):
    """Rendered when Textual writes it, so that what counts as shown changes only with that."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def render_segments(self, console: Console) -> str:
        return self._wire.difference()
