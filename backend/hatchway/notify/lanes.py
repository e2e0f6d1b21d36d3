"""A queue to one notifier: one attempt at a time, again after a pause, for a limited time."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Callable

from msgspec import Struct

from hatchway.notify.port import NotDelivered, Notice, Notifier

log = logging.getLogger("hatchway.notify")

MOST = 200
LONGEST_S = 60.0
"""An attempt is ended after this time, whatever the adapter's own time-out."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0


class Job(Struct):
    """A notice on its way. `until` is on the loop's clock."""

    notice: Notice
    until: float = 0.0
    attempts: int = 0


Done = Callable[[str, Job, str, bool], None]
"""Called after each attempt: the notifier's name, the job, why it failed (or nothing), final."""


class Lane:
    """Delivers in the order in which things are due; a notice that fails lets others pass."""

    def __init__(self, notifier: Notifier, done: Done) -> None:
        self._notifier = notifier
        self._done = done
        self._due: list[tuple[float, int, Job]] = []
        self._count = 0
        self._newest: dict[str, int] = {}  # by key: the number of its newest notice
        self._wake = asyncio.Event()

    def put(self, notice: Notice, for_s: float) -> bool:
        """Take a notice; False when there are too many already."""
        if len(self._due) >= MOST:
            return False
        now = asyncio.get_running_loop().time()
        self._count += 1
        self._newest[notice.key] = self._count
        heapq.heappush(self._due, (now, self._count, Job(notice, now + for_s)))
        self._wake.set()
        return True

    async def run(self) -> None:
        """For ever."""
        now = asyncio.get_running_loop().time
        while True:
            self._wake.clear()
            if self._due and self._due[0][0] <= now():
                _, number, job = heapq.heappop(self._due)
                await self._attempt(number, job)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._due[0][0] - now() if self._due else None):
                    await self._wake.wait()

    async def _attempt(self, number: int, job: Job) -> None:
        name, notice = self._notifier.name, job.notice
        if job.attempts and self._newest.get(notice.key) != number:
            # Told now, it would undo what the newer one says.
            self._done(name, job, "it was over before it could be told", True)
            return
        job.attempts += 1
        why = ""
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._notifier.deliver(notice)
        except NotDelivered as error:
            why = str(error)
        except TimeoutError:
            why = f"no end within {LONGEST_S:g} s"
        except Exception as error:
            log.exception("notifier %s failed", name)
            why = f"{type(error).__name__}: {error}"
        now = asyncio.get_running_loop().time()
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(job.attempts - 1, 10))
        final = not why or now + pause > job.until
        if final:
            if self._newest.get(notice.key) == number:
                del self._newest[notice.key]
        else:
            heapq.heappush(self._due, (now + pause, number, job))
        self._done(name, job, why, final)
