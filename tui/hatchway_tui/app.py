"""The Textual application: binds link, mirror, hands and painters to a terminal."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec.structs import replace
from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from hatchway.edge.protocol import Beat, Command, Hello
from hatchway_tui import hands as rules
from hatchway_tui import keyboard
from hatchway_tui.alert import Alert, Wanted
from hatchway_tui.asking import Asking
from hatchway_tui.control import STALE_AFTER, Rights
from hatchway_tui.glass import Glass
from hatchway_tui.hands import Hands, Leave, Order, Redraw, Send
from hatchway_tui.keymap import with_keys
from hatchway_tui.keys import SHIPPED, Keymap
from hatchway_tui.link import Address, Link
from hatchway_tui.mirror import Event, Heard, Model, RoundTrip, fold, items, run_of, services
from hatchway_tui.outcome import doing_words, outcome
from hatchway_tui.pages.registry import PAGES
from hatchway_tui.paint.bottom import button_at
from hatchway_tui.paint.canvas import Line
from hatchway_tui.paint.first import extent, paint
from hatchway_tui.steps import Play, Step
from hatchway_tui.view import View
from hatchway_tui.wire import Wire
from hatchway_tui.wire.driver import WireDriver

if TYPE_CHECKING:
    from hatchway_tui.player import Player

FRAME, FRAME_AWAY = 0.25, 1.0
CALM_AFTER = 180.0
"""Seconds after a run's end from when on its ages are all in minutes."""
STOP_ROWS = 4  # three of buttons, one of what was said
MARK = "▌"  # at the left edge of what is in focus


class Bare(Screen[None]):
    """A screen without bindings: every key goes through the rules of the hands."""

    BINDINGS: ClassVar[list[BindingType]] = []
    AUTO_FOCUS = ""

    def compose(self) -> ComposeResult:
        app = self.app
        assert isinstance(app, Dashboard)
        yield app.glass


class Dashboard(App[int]):
    """The operator's screen. `q` leaves with 0 and changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = []
    ENABLE_COMMAND_PALETTE = False
    CSS = "Screen { overflow: hidden; }"

    def __init__(
        self, address: Address, *, service: str = "", palette: str = "dark",
        ascii_only: bool = False, alerts: Wanted | None = None, thin: bool = True,
        keys: Keymap = SHIPPED, play: Callable[[Callable[[Event], None]], Player] | None = None,
    ) -> None:  # fmt: skip
        keyboard.install()
        theirs = self.get_driver_class()
        # a browser's terminal is written to by Textual itself: there only the difference is ours
        super().__init__(WireDriver if thin and theirs is LinuxDriver else theirs)
        at = time.monotonic()
        self.address = address
        self.rights = Rights(read_only=address.read_only, name=address.name)
        self.model = Model(
            phase_since=at, skew=time.time() - at, governor_known=bool(address.governor)
        )
        self.hands = with_keys(Hands(service=service), keys, at)
        self.glass = Glass(palette, ascii_only)
        self.player = play(self.tell) if play is not None else None
        self.link = self.player or Link(address, self.tell)
        self.wire = Wire(keyboard.EAR) if thin else None
        self.frames = 0
        self._alert = Alert(alerts or Wanted(), ascii_only)
        self._frame: asyncio.TimerHandle | None = None
        self._painted_at = 0.0
        self._away = False
        self._asking = Asking()
        self._terminal = sys.__stdin__ is not None and sys.__stdin__.isatty()

    def get_default_screen(self) -> Screen[None]:
        """The one screen."""
        return Bare(id="_default")

    def on_mount(self) -> None:
        """Start the line to the backend and the clock."""
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread() and not self.is_headless:
            for number in (signal.SIGHUP, signal.SIGTERM):
                # not the loop's own handler: it must work even if the loop does not come round
                signal.signal(number, lambda got, _: self._told_to_leave(got, loop))
            if self._driver is not None:
                self._driver.write("\x1b[?2004l")  # a paste is stray keys like any other
        self.run_worker(self.link.run(), name="link", exit_on_error=True)
        self.set_interval(1.0, self._second)
        if not self.is_headless:
            self.set_timer(1.5, _settled)
        self.draw()

    def _told_to_leave(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        _exit_soon(128 + number)
        loop.call_soon_threadsafe(self._leave_now, 128 + number)

    def _leave_now(self, code: int) -> None:
        """Told to go: leave control as it is. A dead terminal must not keep the process."""
        _exit_soon(code)
        self.exit(return_code=code)

    # --- what comes in ---------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """The link's events: fold, and draw soon, or at once when a person must know."""
        before = self.model
        self.model = fold(before, event)
        if self.model is before:
            return
        if not self.hands.service:
            known = services(self.model)
            if known:
                self.hands = replace(self.hands, service=known[0])
        urgent = (
            self.model.phase != before.phase
            or self.model.authority is not before.authority
            or self.model.governor is not before.governor
            or self.model.needs is not before.needs
            or before.rev < 0
        )
        beat = isinstance(event, RoundTrip) or (
            isinstance(event, Heard) and isinstance(event.message, Beat | Hello)
        )
        if urgent:
            self.draw(answers=before.rev < 0)
        elif not beat:
            self.draw_soon()

    def _second(self) -> None:
        """Clock and ages; also notices a terminal that is gone without a signal."""
        if self._terminal and not self.is_headless and not os.isatty(0):
            self._leave_now(128 + signal.SIGHUP)
            return
        at = time.monotonic()
        if self._calm():  # only the clock, which then shows minutes
            skew = self.model.skew
            due = (at + skew) // 60 != (self._painted_at + skew) // 60
        else:
            due = not self._away or at - self._painted_at >= FRAME_AWAY * 0.9
        if due:
            self.draw()

    def _calm(self) -> bool:
        """Whether no seconds are on the screen: nobody waits, nothing goes on, nothing is young."""
        run = run_of(self.model, self.hands.service)
        now = time.monotonic() + self.model.skew
        return (
            self.model.phase == "live"
            and (run is None or (run.status == "ended" and now - run.ended_at > CALM_AFTER))
            and not items(self.model)
            and self.hands.page == "first"
            and self.hands.notice is None
            and self.hands.armed is None
            and time.monotonic() - self.model.heard_at < STALE_AFTER - 1
        )

    async def on_event(self, event: events.Event) -> None:
        """Keys never reach Textual's bindings: the rules of the hands decide alone."""
        if isinstance(event, events.Key):
            crowded = keyboard.in_a_crowd(event.time)
            self.pressed(event.key, event.character, event.time, crowded)
        elif isinstance(event, events.AppBlur | events.AppFocus):
            self._away = isinstance(event, events.AppBlur)
            if self._away:
                self.hands = rules.disarm(self.hands, time.monotonic(), "the terminal lost focus")
            self.draw()
        elif isinstance(event, events.MouseDown):
            if event.y >= self.size.height - 4 and event.y < self.size.height - 1:
                action = button_at(self.size.width, event.x)
                action = "fire" if action == "rollback" and self.hands.armed else action
                self.pressed(self.hands.keys.keys[action][0], None, time.monotonic())
        elif not isinstance(event, events.MouseEvent):
            if isinstance(event, Driver.SignalResume):
                self._pump()  # another program had the terminal; the wire knows
            await super().on_event(event)

    def pressed(self, key: str, char: str | None, at: float, crowded: bool = False) -> None:
        """One key press, at a time of the monotonic clock."""
        self.hands = rules.settle(self.hands, self.model, at)
        if self.hands.page != "first":
            seen = extent(self.view(), self.size.width, self.size.height)
            self.hands = replace(self.hands, extent=seen)
        self.hands, intents = rules.press(
            self.hands, self.model, self.rights, key, char, at, crowded
        )
        for intent in intents:
            match intent:
                case Leave():
                    self.exit(0)
                case Redraw():
                    if self.wire is not None:
                        self.wire.forget()
                    self.glass.refresh()
                case Send():
                    self._send(intent)
                case Play(step):
                    self._play(step)
        self.draw(answers=True)

    def _play(self, step: Step) -> None:
        self._asked = None, 0.0  # what a page asked for was of another moment
        if self.player is not None and not self.player.step(step):
            back = step in {"earlier", "much_earlier", "begin"}
            text = "this is where the run began" if back else "this is the run's last record"
            self.hands = rules.say(self.hands, text, "plain", time.monotonic())

    def _send(self, send: Send) -> None:
        order = Order(uuid.uuid4().hex, send.kind, time.monotonic(), direct=not self.link.live)
        command = Command(
            order.id, send.kind, send.service, send.item, send.reason, send.expect_epoch,
            send.expect_version, signed=send.signed,
        )  # fmt: skip
        self.hands = rules.ordered(self.hands, order)
        if self.hands.armed is None:
            doing = doing_words(order)
            self.hands = rules.say(self.hands, doing, "plain", order.sent_at)
        self.run_worker(self._order(order, command), name=send.kind, exit_on_error=True)

    async def _order(self, order: Order, command: Command) -> None:
        answer = await self.link.order(command)
        at = time.monotonic()
        order = replace(
            order, answered=True, ok=answer.ok, seq=answer.seq, said=answer.said,
            direct=answer.direct,
        )  # fmt: skip
        self.hands = rules.answered(self.hands, order)
        quiet = self.hands.armed is not None and order.kind == "pause" and answer.ok
        if not quiet:
            self.hands = rules.say(self.hands, outcome(order, answer), "ok" if answer.ok else "bad", at)  # fmt: skip
        self.draw()

    # --- what goes out ---------------------------------------------------------------------------

    def view(self) -> View:
        """What is to be painted now."""
        at = time.monotonic()
        self.hands = rules.settle(self.hands, self.model, at)
        past = self.model.replay
        now = past.at if past is not None else at + self.model.skew
        screen = self.wire.told if self.wire is not None else None
        return View(self.model, self.hands, self.rights, now, at, self.address.backend, screen)

    def draw_soon(self) -> None:
        """Draw at the next tick of the frame clock."""
        if self._frame is None:
            wait = FRAME_AWAY if self._away else self._pace()
            due = max(self._painted_at + wait - time.monotonic(), 0.0)
            self._frame = asyncio.get_running_loop().call_later(due, self.draw)

    def _pace(self) -> float:
        """Seconds between frames: not shorter than the terminal takes to show one."""
        if self.wire is None or not self.wire.attached:
            return FRAME
        if self.wire.stuck:
            return FRAME_AWAY
        return min(max(FRAME, self.wire.trip or 0.0), FRAME_AWAY)

    def draw(self, answers: bool = False) -> None:
        """Draw now. `answers`: what changes by it answers a key, or is the first that is known."""
        if self._frame is not None:
            self._frame.cancel()
            self._frame = None
        if not self.is_running:
            return
        self._painted_at = time.monotonic()
        view = self.view()
        lines = paint(view, self.size.width, self.size.height)
        self._show(lines, self.glass.show(lines), answers)
        self._ask(view)
        self.frames += 1
        self._say(self._alert.due(view, self._away))

    def _show(self, lines: tuple[Line, ...], changed: list[int], answers: bool) -> None:
        """Bring the changed rows to the terminal: straight, where the screen is ours."""
        wire, glass = self.wire, self.glass
        if wire is None or not wire.attached or glass.size != self.size or len(self.screen_stack) > 1:  # fmt: skip
            glass.draw(changed)
            return
        wire.first(first_rows(lines))
        wire.show({y: glass.row(y) for y in changed}, self.size, self.console)
        if answers:
            wire.hurry(changed)
        self._pump()

    def _ask(self, view: View) -> None:
        """Have the backend say what the open page shows, when it opens and every so often."""
        page = PAGES.get(view.hands.page)
        asks = page.asks(view) if page is not None else None
        if view.hands.armed is not None:
            asks = "plan", view.hands.armed.service
        if asks is None or not self.link.live or not self._asking.due(asks, self.model, view.at):
            return
        self.run_worker(self.link.ask(*asks), name=asks[0], exit_on_error=True)

    def on_resize(self, event: events.Resize) -> None:
        """The terminal has another size: everything is painted anew."""
        if self.wire is not None:
            self.wire.forget()
        self.call_after_refresh(self.draw)

    def _say(self, sequences: str) -> None:
        """To the terminal, beside the frames: bell, title, notification."""
        if sequences and self._driver is not None and not self.is_headless:
            self._driver.write(sequences)

    def on_unmount(self) -> None:
        """The terminal gets its own title back."""
        self._say(self._alert.left())

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Textual has something to show: through the wire, unless it is switched off."""
        wire = self.wire
        if wire is None or not isinstance(renderable, CompositorUpdate) or self._batch_count:
            super()._display(screen, renderable)
        elif not wire.take(renderable, self.size, self.console):
            wire.forget()
            super()._display(screen, renderable)
        elif wire.attached:
            self._pump()
            self.post_display_hook()
        else:
            super()._display(screen, wire.thin())

    def _pump(self) -> None:
        if self.wire is not None and self.glass.lines and not self._closed:
            self.wire.sync = self._sync_available
            self.wire.pump()

    def _set_pointer_shape(self, shape: str) -> None:
        """No mouse, no pointer: terminals that do not know that sequence would ring."""


def first_rows(lines: tuple[Line, ...]) -> tuple[int, ...]:
    """What a slow terminal gets first: the stops, row 1, and the row in focus."""
    height = len(lines)
    marked = [y for y, line in enumerate(lines) if any(MARK in text for text, _ in line)]
    return (*range(max(height - STOP_ROWS, 0), height), 0, *marked[:1])


def _settled() -> None:
    """What there is now stays: it is not looked through for garbage again.

    Otherwise a full look is so dear that Python puts it off, and what it would find piles up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(700, 10, 3)


def _exit_soon(code: int) -> None:
    last_resort = threading.Timer(1.5, os._exit, (code,))
    last_resort.daemon = True
    last_resort.start()
