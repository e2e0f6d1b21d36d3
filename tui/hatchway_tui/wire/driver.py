"""Textual's driver of a Unix terminal, writing through `Out`, and leaving nothing behind."""

from __future__ import annotations

import os
import signal
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver

from hatchway_tui import keyboard
from hatchway_tui.wire.out import Out

if TYPE_CHECKING:
    from hatchway_tui.wire.wire import Wire

SETTLE_WITHIN = 0.8
"""How long leaving waits for an answer that is due, in seconds. It would else reach the shell."""


class WireDriver(LinuxDriver):
    """Differs in what writes, in how the terminal is handed over, and in what it does not ask."""

    _asleep = False
    _raw: list[Any] | None = None

    @property
    def _wire(self) -> Wire:
        return cast("Any", self._app).wire  # type: ignore[no-any-return]

    def start_application_mode(self) -> None:
        """Take the terminal."""
        module: Any = linux_driver  # it makes its writer by that name
        theirs, module.WriterThread = module.WriterThread, Out
        try:
            super().start_application_mode()  # type: ignore[no-untyped-call]
        finally:
            module.WriterThread = theirs
        if self._writer_thread is not None and self._key_thread is not None:
            with suppress(termios.error):
                self._raw = termios.tcgetattr(self.fileno)
            keyboard.EAR.tell = self._answer
            self._wire.attach(cast("Out", self._writer_thread))

    def _answer(self, column: int, at: float) -> None:
        """Called in the thread that reads the keyboard."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._wire.answered, column, at)

    def _enable_bracketed_paste(self) -> None:
        """A paste is stray keys like any other."""

    def _query_in_band_window_resize(self) -> None:
        """Not used, so not asked."""

    def disable_input(self) -> None:
        """Stop reading, when what the terminal still has to answer has come."""
        self._wire.detach()
        self._settle()
        super().disable_input()

    def _settle(self) -> None:
        out = cast("Out | None", self._writer_thread)
        if out is None or self._key_thread is None or not self._key_thread.is_alive():
            return
        until = time.monotonic() + SETTLE_WITHIN
        out.wait(until)
        while keyboard.EAR.awaits and not out.dead and time.monotonic() < until:
            time.sleep(0.002)
        keyboard.EAR.awaits = 0

    def stop_application_mode(self) -> None:
        """Hand the terminal over: first what is seen, then what is typed."""
        self._wire.detach()
        self._disable_mouse_support()
        # no pop of the kitty protocol: it is never pushed, and some terminals would print it
        self.write("\x1b[0m\x1b[?7h\x1b[?1004l\x1b[?1049l\x1b[?25h")
        self.disable_input()
        if self.attrs_before is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)

    # --- stopping and going on: in the loop, not in the middle of a write ------------------------

    def _sigtstp_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._sleep)

    def _sigcont_application(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._wake)

    def _sleep(self) -> None:
        if self._auto_restart and not self._asleep:
            self.suspend_application_mode()
            self._must_signal_resume = self._asleep = True
        os.kill(os.getpid(), signal.SIGSTOP)

    def _wake(self) -> None:
        if not self._auto_restart:
            return
        if self._asleep:
            self._asleep = False
            self.resume_application_mode()
            return
        # Stopped without being told before (kill -STOP): the shell has had the terminal.
        if self._raw is not None and self._key_thread is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self._raw)
            self._wire.forget()
            self.write("\x1b[?1049h\x1b[?25l\x1b[?1004h\x1b[?7l")
            self.send_message(self.SignalResume())
