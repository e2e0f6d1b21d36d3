"""The plain mode at work: prints what changes, reads words from standard input.

One sentence a line, no cursor movement, no colour, nothing of Textual: for screen readers,
TERM=dumb, pipes. The line to the backend and the rules are the dashboard's own.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from msgspec.structs import replace

from hatchway.edge.protocol import Command
from hatchway_tui import safe_text
from hatchway_tui.control import Rights
from hatchway_tui.hands import Leave, Order, Send
from hatchway_tui.link import Address, Link
from hatchway_tui.mirror import Event, Model, fold
from hatchway_tui.outcome import doing_words, outcome
from hatchway_tui.pages.registry import PAGES
from hatchway_tui.paint import words as times
from hatchway_tui.plain import typed
from hatchway_tui.plain.typed import Typing
from hatchway_tui.plain.words import Sentence, plan_words, sentences, spoken
from hatchway_tui.view import View

EVERY = 0.25
"""Seconds between two looks at what has changed."""
FIRST_WORD = 2.0
"""How long the beginning waits for the backend before it says that there is none."""
FIRST_STOP = 1.0
ANSWER_WITHIN = 2.0
WIDTH = 100


class Session:
    """A person at a line. `run` returns the exit status."""

    def __init__(
        self, address: Address, service: str, out: TextIO, read: Callable[[], str]
    ) -> None:
        at = time.monotonic()
        self.rights = Rights(read_only=address.read_only, name=address.name)
        self.model = Model(
            phase_since=at, skew=time.time() - at, governor_known=bool(address.governor)
        )
        self.typing = Typing()
        self.typing = replace(self.typing, hands=replace(self.typing.hands, service=service))
        self.link = Link(address, self._tell)
        self._address = address
        self._out, self._read = out, read
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._early: list[str | None] = []
        self._news = asyncio.Event()
        self._since = at
        self._known: dict[str, object] = {}
        self._begun = False

    # --- what is printed -------------------------------------------------------------------------

    def say(self, text: str, at: float | None = None) -> None:
        """One line, safe in any terminal; with the time when it is news."""
        stamp = "" if at is None else f"{times.clock(at)}Z "
        self._out.write(stamp + safe_text.safe(text) + "\n")
        self._out.flush()

    def view(self) -> View:
        """What is known now."""
        at = time.monotonic()
        self.typing = typed.settled(self.typing, self.model, at)
        now = at + self.model.skew
        return View(self.model, self.typing.hands, self.rights, now, at, self._address.backend)

    def _sentences(self) -> list[Sentence]:
        view = self.view()
        return sentences(view, self.typing.numbers)

    def status(self) -> None:
        """All of it, as it is now."""
        said = self._sentences()
        for sentence in said:
            self.say(sentence.text)
        self._known = {sentence.key: sentence.sign for sentence in said}

    def news(self) -> None:
        """What has changed since it was last said."""
        armed = self.typing.hands.armed
        said = self._sentences()
        now = time.monotonic() + self.model.skew
        if armed is not None and self.typing.hands.armed is None:
            notice = self.typing.hands.notice
            self.say(notice.text if notice else "roll back disarmed", now)
        for sentence in said:
            if sentence.key not in self._known or self._known[sentence.key] != sentence.sign:
                self.say(sentence.text, now)
        keys = {sentence.key for sentence in said}
        for key in self._known.keys() - keys:
            if key.startswith("item/"):
                number = self.typing.numbers.get(key.removeprefix("item/"))
                self.say(f"Item {number} no longer waits.", now)
            elif key in {"drift", "stop_all", "governor_trouble", "journal_trouble"}:
                self.say(f"No longer: {key.replace('_', ' ')}.", now)
        self._known = {sentence.key: sentence.sign for sentence in said}

    # --- what comes in ---------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        self.model = fold(self.model, event)
        self._news.set()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own: a terminal, a pipe and a file are read alike."""
        while line := self._read():
            loop.call_soon_threadsafe(self._lines.put_nowait, line)
        loop.call_soon_threadsafe(self._lines.put_nowait, None)

    async def run(self) -> int:
        """Until `quit` or the end of the input. Leaving changes nothing."""
        loop = asyncio.get_running_loop()
        link = asyncio.create_task(self.link.run(), name="link")
        threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
        try:
            async with asyncio.TaskGroup() as under_way:
                while (line := await self._next()) is not None:
                    if not self._heard(line, under_way):
                        break
        finally:
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)
        return 0

    async def _next(self) -> str | None:
        """The next typed line; meanwhile what changes is said.

        Until something is known of the backend only stops are heard, and the rest waits its turn.
        """
        until = self._since + FIRST_WORD
        while True:
            if not self._begun and (self.model.rev >= 0 or time.monotonic() > until):
                self._begun = True
                self.status()
                self.say("Type help for the words, quit to leave; leaving changes nothing.")
            if self._begun and self._early:
                return self._early.pop(0)
            try:
                async with asyncio.timeout(EVERY if self._begun else EVERY / 5):
                    line = await self._lines.get()
            except TimeoutError:
                if self._begun:
                    self.news()
                continue
            if self._begun or (line is not None and typed.is_stop(line)):
                return line
            self._early.append(line)

    def _heard(self, line: str, under_way: asyncio.TaskGroup) -> bool:
        """Do what a line says; False when it says to leave. Nothing here waits: a stop may follow."""
        heard = typed.typed(self.typing, self.model, self.rights, line, time.monotonic())
        self.typing = heard.typing
        for intent in heard.intents:
            match intent:
                case Leave():
                    return False
                case Send():
                    under_way.create_task(self._send(intent), name=intent.kind)
        for text in heard.says:
            self.say(text)
        if heard.page == "status":
            self.status()
        elif heard.page == "keys":
            for text in typed.help_words():
                self.say(text)
        elif heard.page:
            under_way.create_task(self._page(heard.page), name=heard.page)
        return True

    async def _send(self, send: Send) -> None:
        order = Order(uuid.uuid4().hex, send.kind, time.monotonic(), direct=not self.link.live)
        command = Command(
            order.id, send.kind, send.service, send.item, send.reason, send.expect_epoch,
            send.expect_version,
        )  # fmt: skip
        if order.direct and self.model.rev < 0:
            # it was typed before the line was up: a moment for that, as on the command line
            await self._until(lambda: self.link.live, FIRST_STOP)
            order = replace(order, direct=not self.link.live)
        self.say(doing_words(order))
        answer = await self.link.order(command)
        order = replace(order, direct=answer.direct)
        self.say(outcome(order, answer))
        armed = self.typing.hands.armed
        if armed is not None:
            view = self.view()
            for text in plan_words(view):
                self.say(text)
            self.say(f"To roll back type the name of the service: {armed.service}. Anything else leaves it as it is, paused.")  # fmt: skip

    async def _until(self, true: Callable[[], bool], within: float) -> None:
        """Until something heard makes it true, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not true():
                    self._news.clear()
                    await self._news.wait()

    async def _page(self, name: str) -> None:
        """A page of the dashboard, row by row; what it has to ask for is waited for."""
        page = PAGES[name]
        hands = replace(self.typing.hands, page=name)
        asks = page.asks(replace(self.view(), hands=hands))
        if asks is not None and self.link.live:
            key = "/".join(asks)
            before = self.model.told.get(key), self.model.untold.get(key)
            await self.link.ask(*asks)
            await self._until(
                lambda: (self.model.told.get(key), self.model.untold.get(key)) != before,
                ANSWER_WITHIN,
            )
        view = replace(self.view(), hands=hands)
        self.say(page.title)
        for row in (*page.head(view, WIDTH), *page.rows(view, WIDTH)):
            text = spoken("".join(piece.text for piece in row))
            if text:
                self.say(text)


def main(address: Address, service: str) -> int:
    """Run the plain mode on standard input and output; 0 when it was left."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    session = Session(address, service, sys.stdout, sys.stdin.readline)
    try:
        return asyncio.run(session.run())
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
