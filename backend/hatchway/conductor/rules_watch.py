"""Keeps what decides up to date: the policy, the calendars, and how the freezes stand.

A changed policy is journaled before it decides anything. A broken one is told and journaled, and
the old one stays in force. How the freezes stand is journaled too, so that the state alone says at
every moment whether a share may be raised.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from hatchway.conductor.in_force import InForce
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.oncall import Roster
from hatchway.core.policy import EnvironmentPolicy, Policy, freeze_of
from hatchway.core.policy_words import calendar_changes, changes
from hatchway.core.schedules import Schedules
from hatchway.core.state import Frozen, State
from hatchway.core.windows import FOREVER, Calendar, read
from hatchway.journal.port import JournalError

log = logging.getLogger("hatchway.rules")

LOOK_S = 1.0  # between two looks at the files, and at how the freezes stand
CALENDARS_S = 5.0  # between two looks at the calendars' own files
FETCH_S = 30.0  # between two looks at whether one is to be fetched
EARLY_S = 5.0  # before what is journaled about a freeze runs out
PART = "policy"


class Mistake(Protocol):
    """What is wrong in a file: `line` and `column` count from 1, 0 is the file as a whole."""

    @property
    def file(self) -> str: ...

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...

    @property
    def what(self) -> str: ...

    @property
    def write(self) -> str: ...


class Refused(Exception):
    """Changed files that cannot be used."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(str(mistakes[0]) if mistakes else "nothing can be read")
        self.mistakes = mistakes


class RuleFiles(Protocol):
    """Where the rules are written."""

    def poll(self) -> tuple[Policy, Schedules] | None:
        """The rules if they changed since the last call; None: they did not. Raises Refused."""

    def owner(self) -> str:
        """Whose file the policy is; empty when that is not known."""


class Calendars(Protocol):
    """The calendars as they are. It blocks, so it is called in a thread."""

    @property
    def not_fetched(self) -> Mapping[str, str]: ...

    def fetch(self) -> None: ...

    def calendars(self, now: float) -> Mapping[str, Calendar]: ...

    def roster(self, now: float) -> Roster | None: ...


class RulesWatch:
    """One per backend. `begin()` before anything is decided, then `run()` for ever."""

    def __init__(
        self,
        *,
        in_force: InForce,
        schedules: Schedules,
        files: RuleFiles,
        keeper: Callable[[Schedules], Calendars],
        ledger: Ledger,
        live: Live,
        clock: Callable[[], float],
    ) -> None:
        self._in_force = in_force
        self._files = files
        self._make = keeper
        self._keeper = keeper(schedules)
        self._schedules = schedules
        self._ledger = ledger
        self._live = live
        self._clock = clock
        self._told: set[str] = set()
        self._waiting: tuple[Policy, Schedules] | None = None
        self._refusal: ev.PolicyRefused | None = None

    async def begin(self) -> None:
        """Journal which policy is in force and how the freezes stand. Never raises JournalError."""
        await self._read_calendars()
        policy = self._in_force.policy
        await self._journal(lambda state: _first(state, policy, self._files.owner()))
        await self._freezes()

    async def run(self) -> None:
        """Look at the files and the calendars for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fetch_for_ever())
            tasks.create_task(self._look_for_ever())

    async def _fetch_for_ever(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._keeper.fetch)
            except Exception:
                log.exception("calendars cannot be fetched; their last copies count")
            await asyncio.sleep(FETCH_S)

    async def _look_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + CALENDARS_S
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._look()
                if loop.time() >= due:
                    await self._read_calendars()
                    due = loop.time() + CALENDARS_S
                await self._freezes()
            except Exception:
                log.exception("the rules cannot be looked at; what is in force stays")

    async def _look(self) -> None:
        """Take changed rules over, or say why not."""
        try:
            found = self._files.poll()
        except Refused as error:
            self._refuse(error.mistakes)
        else:
            if found is not None:
                self._waiting, self._refusal = found, None
        if self._refusal is not None:
            event = self._refusal
            if await self._journal(lambda _: (event,)):
                self._refusal = None
        if self._waiting is not None:
            await self._take_over(*self._waiting)

    async def _take_over(self, policy: Policy, schedules: Schedules) -> None:
        """Journal what changed, then let it decide, with its calendars read."""
        old = self._in_force.policy
        event = ev.PolicyChanged(
            digest=policy.digest,
            was=old.digest,
            changes=(*changes(old, policy), *calendar_changes(self._schedules, schedules)),
            by=self._files.owner(),
        )
        keeper = self._make(schedules)
        calendars = await asyncio.to_thread(keeper.calendars, self._clock())
        if policy.digest != old.digest or event.changes:
            if not await self._journal(lambda _: (event,)):
                return  # what may allow more is in the journal first
            log.info("the rules changed: %s", "; ".join(event.changes) or "other words only")
        self._in_force.policy, self._in_force.calendars = policy, calendars
        self._keeper, self._schedules, self._waiting = keeper, schedules, None
        self._live.tell(PART, "")
        await self._read_calendars()

    def _refuse(self, mistakes: Sequence[Mistake]) -> None:
        first = mistakes[0]
        place = f"{first.file}:{first.line}:{first.column}" if first.line else first.file
        todo = f"; write: {first.write}" if first.write else ""
        words = f"the changed policy is refused, the old one stays: {place}: {first.what}{todo}"
        log.error("%s", words)
        self._live.tell(PART, words)
        self._waiting = None
        self._refusal = ev.PolicyRefused(
            in_force=self._in_force.policy.digest,
            file=first.file.rpartition("/")[2],
            line=first.line,
            column=first.column,
            why=first.what,
            mistakes=len(mistakes),
        )

    async def _read_calendars(self) -> None:
        keeper, now = self._keeper, self._clock()
        calendars = await asyncio.to_thread(keeper.calendars, now)
        roster = await asyncio.to_thread(keeper.roster, now)
        if keeper is not self._keeper:
            return
        self._in_force.calendars, self._in_force.roster = calendars, roster
        doubts = {name: read(c, now) for name, c in calendars.items()}
        words = {
            f"calendar {name}": f"{r.words}; it counts as closed for the agent"
            for name, r in doubts.items()
            if r.stands == "unknown"
        }
        for name, why in keeper.not_fetched.items():
            words.setdefault(f"calendar {name}", f"the calendar {name} is not fetched: {why}")
        for part in self._told - words.keys():
            self._live.tell(part, "")
        for part, said in words.items():
            self._live.tell(part, said)
        self._told = set(words)

    async def _freezes(self) -> None:
        def decide(state: State) -> tuple[ev.Event, ...]:
            return freezes(state, self._in_force.policy, self._in_force.calendars, self._clock())

        if decide(self._ledger.state):
            await self._journal(decide)

    async def _journal(self, decide: Callable[[State], tuple[ev.Event, ...]]) -> bool:
        try:
            await self._ledger.record(decide, actor="hatchway")
        except JournalError as error:
            log.warning("a change of the rules could not be journaled: %s", error)
            return False
        return True


def _first(state: State, policy: Policy, owner: str) -> tuple[ev.Event, ...]:
    if state.policy_digest == policy.digest:
        return ()
    since = "it changed while the backend was away" if state.policy_digest else "the first one"
    return (
        ev.PolicyChanged(digest=policy.digest, was=state.policy_digest, changes=(since,), by=owner),
    )


def freezes(
    state: State, policy: Policy, calendars: Mapping[str, Calendar], now: float
) -> tuple[ev.Event, ...]:
    """What has changed about how the freezes stand, as events. Pure."""
    found: list[ev.Event] = []
    for name in dict.fromkeys((*policy.environments, *state.frozen)):
        place = policy.environments.get(name)
        known = state.frozen.get(name)
        if known is None and (place is None or not place.freezes):
            continue
        is_now = _frozen(place, calendars, now)
        if known is None or _differs(known, is_now, now):
            found.append(
                ev.FreezeChanged(
                    environment=name,
                    stands=is_now.stands,
                    freeze=is_now.freeze,
                    why=is_now.why,
                    until=is_now.until,
                    people=is_now.people,
                )
            )
    return tuple(found)


def _frozen(
    place: EnvironmentPolicy | None, calendars: Mapping[str, Calendar], now: float
) -> Frozen:
    if place is None:
        return Frozen("open", "", "no freezes are named any more")
    reading = freeze_of(place, calendars, now)
    until = reading.until if reading.until < FOREVER else 0.0
    return Frozen(reading.stands, reading.name, reading.words, until, place.freeze_override)


def _differs(known: Frozen, is_now: Frozen, now: float) -> bool:
    """Whether it has to be said again: it stands otherwise, or what was said runs out."""
    if (known.stands, known.people) != (is_now.stands, is_now.people):
        return True
    if known.stands != "open" and known.freeze != is_now.freeze:
        return True
    if known.until == is_now.until:
        return False
    sooner = is_now.until != 0 and (known.until == 0 or is_now.until < known.until)
    return sooner or 0 < known.until <= now + EARLY_S
