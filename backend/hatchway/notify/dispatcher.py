"""Listens to the journal and has people told: who, how often, and what came of it.

Nothing waits for a notifier. Each has lanes of its own; what concerns one condition stays in one
lane, so that its end never overtakes its beginning. What cannot be delivered is tried again until
its time is over; then that is said and journaled.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from hatchway.core import events as ev
from hatchway.core.state import State
from hatchway.notify.lanes import Job, Lane
from hatchway.notify.port import Notice, Notifier, Severity
from hatchway.notify.told import Told
from hatchway.notify.words import TEXT, TITLE, plain, told

log = logging.getLogger("hatchway.notify")

LANES = 4
MOST_OWED = 500  # events about notices that the journal has not taken yet
JOURNAL_AGAIN_S = 2.0
WATCH_EVERY_S = 0.1
LATE_S = 0.4
"""A change of authority that is not journaled after so long is told all the same."""


class Recorded(Protocol):
    """What is needed of a journal's record."""

    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> float: ...


class Route(Struct, frozen=True):
    """A notifier, what it is told of, and for how long something is tried, in seconds."""

    notifier: Notifier
    severities: tuple[Severity, ...] = ("page", "warning", "info")
    retry_for_s: float = 600.0


Control = Mapping[str, tuple[int, str, str]]
"""By service: epoch, mode and holder, as the governor last said."""


class Dispatcher:
    """One per backend. Give `take` to the ledger before it replays, then `run()` for ever."""

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        record: Callable[[ev.Event], Awaitable[object]],
        tell: Callable[[str, str], None],
        control: Callable[[], Control],
        clock: Callable[[], float],
        environment: str = "",
        installation: str = "",
        on_call: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        """`record` journals; `tell(part, words)` says what fails, or with no words that it works.

        `on_call()` is whom a page is for, now.
        """
        self._routes = tuple(routes)
        self._record = record
        self._tell = tell
        self._control = control
        self._clock = clock
        self._on_call = on_call
        self._about = {"environment": environment, "installation": installation}
        self._lanes: dict[str, list[Lane]] = {}
        self._open: dict[str, tuple[float, Told]] = {}  # conditions: since when
        self._running = False
        self._unsent: dict[str, Notice] = {}  # pages of a former process, while replaying
        self._settled: set[tuple[str, str]] = set()
        self._epochs: dict[str, int] = {}  # by service: the newest that was told
        self._ahead: dict[str, float] = {}  # since when the governor is ahead of the journal
        self._owed: deque[ev.Event] = deque(maxlen=MOST_OWED)
        self._owes = asyncio.Event()

    def take(self, record: Recorded, event: ev.Event | ev.Unknown, state: State) -> None:
        """A ledger's listener."""
        if not self._routes:
            return
        if isinstance(event, ev.NoticeSent | ev.NoticeFailed):
            self._settled.add((event.notice, event.via))
            return
        if isinstance(event, ev.AuthorityChanged):
            self._ahead.pop(event.service, None)
            # What is adopted counts, also a lower one: of a governor that lost its disk.
            known = self._epochs.get(event.service, -1) if event.op != "adopted" else -1
            if event.epoch <= known:
                return  # it was told before it could be journaled
            self._epochs[event.service] = event.epoch
        for number, each in enumerate(told(event, state)):
            for notice in self._notices(f"{record.seq}.{number}", each, record.at):
                self._dispatch(notice)

    async def run(self) -> None:
        """Deliver for ever; with nobody to tell, nothing."""
        if not self._routes:
            return
        async with asyncio.TaskGroup() as group:
            for route in self._routes:
                name = route.notifier.name
                self._lanes[name] = [Lane(route.notifier, self._done) for _ in range(LANES)]
                for lane in self._lanes[name]:
                    group.create_task(lane.run(), name=f"notifier {name}")
            group.create_task(self._journal(), name="notices journal")
            group.create_task(self._watch(), name="notices watch")
            self._running = True
            for notice in self._unsent.values():
                if self._is_news(notice):
                    self._dispatch(notice)
            self._unsent.clear()

    # --- what is told -----------------------------------------------------------------------------

    def _notices(self, id: str, each: Told, at: float) -> Iterator[Notice]:
        """The notices of one thing: none when its condition is known, ends for all that end."""
        if not each.key:
            yield self._notice(id, id, each, at, 0.0)
            return
        if each.state == "firing":
            if each.key in self._open:
                return
            if each.kind == "held":  # for another reason than before
                over = msgspec.structs.replace(
                    each, state="resolved", key=f"held/{each.run}/*", title=f"now: {each.title}"
                )
                yield from self._ends(id, over, at)
            self._open[each.key] = at, each
            yield self._notice(f"{id}.b", each.key, each, at, at)
        else:
            yield from self._ends(id, each, at)

    def _ends(self, id: str, each: Told, at: float) -> Iterator[Notice]:
        for key in tuple(self._open):
            if key == each.key or (each.key.endswith("/*") and key.startswith(each.key[:-1])):
                since, began = self._open.pop(key)
                over = msgspec.structs.replace(each, severity=began.severity)
                yield self._notice(f"{id}.e", key, over, at, since)

    def _notice(self, id: str, key: str, each: Told, at: float, since: float) -> Notice:
        return Notice(
            id=id,
            key=key,
            kind=each.kind,
            severity=each.severity,
            title=plain(each.title, TITLE),
            text=plain(each.text, TEXT, lines=True),
            at=at,
            state=each.state,
            service=each.service,
            run=each.run,
            since=since,
            on_call=self._on_call() if each.severity == "page" else (),
            **self._about,
        )

    # --- delivering -------------------------------------------------------------------------------

    def _dispatch(self, notice: Notice) -> None:
        if not self._running:
            # Of a former process: only what calls people, and only while it is still news.
            if notice.severity == "page" and self._is_news(notice):
                self._unsent[notice.id] = notice
            return
        for route in self._routes:
            name = route.notifier.name
            if notice.severity not in route.severities or (notice.id, name) in self._settled:
                continue
            lane = self._lanes[name][hash(notice.key) % LANES]
            if not lane.put(notice, route.retry_for_s):
                self._done(name, Job(notice), "its queue is full", final=True)

    def _is_news(self, notice: Notice) -> bool:
        longest = max(route.retry_for_s for route in self._routes)
        return self._clock() - notice.at < longest

    def _done(self, name: str, job: Job, why: str, final: bool) -> None:
        """What came of an attempt: `why` it failed, or nothing; `final`: it is not tried again."""
        part, notice = f"notifier {name}", job.notice
        about = {"notice": notice.id, "via": name, "about": notice.title}
        about |= {"service": notice.service, "run": notice.run}
        if not why:
            self._tell(part, "")
            if notice.severity == "page":
                self._owe(ev.NoticeSent(attempts=job.attempts, **about))
        elif final:
            self._tell(part, f"{name} was not told ({notice.title}): {why}")
            self._owe(ev.NoticeFailed(attempts=job.attempts, why=why, **about))
        else:
            self._tell(part, f"{name} cannot be told ({notice.title}): {why}; trying again")

    def _owe(self, event: ev.Event) -> None:
        self._owed.append(event)
        self._owes.set()

    async def _journal(self) -> None:
        """Journal what came of notices; a journal that cannot write takes it later."""
        while True:
            await self._owes.wait()
            while self._owed:
                try:
                    await self._record(self._owed[0])
                except Exception as error:
                    log.warning("what came of a notice cannot be journaled yet: %s", error)
                    await asyncio.sleep(JOURNAL_AGAIN_S)
                else:
                    self._owed.popleft()
            self._owes.clear()

    async def _watch(self) -> None:
        """Who is in control is told in time, also while the journal takes nothing."""
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            for service, (epoch, mode, holder) in self._control().items():
                if epoch <= self._epochs.setdefault(service, epoch):
                    self._ahead.pop(service, None)
                elif now() - self._ahead.setdefault(service, now()) > LATE_S:
                    self._epochs[service] = epoch
                    words = f"{mode.upper()} by {holder}" if mode != "agent" else "with the agent"
                    each = Told(
                        kind="authority",
                        severity="page",
                        title=f"{service}: {words}; the journal has not taken it yet",
                        service=service,
                    )
                    for notice in self._notices(f"{service}.epoch.{epoch}", each, self._clock()):
                        self._dispatch(notice)
