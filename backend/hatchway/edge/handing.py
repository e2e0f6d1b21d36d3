"""Takes hand-overs in: makes their text, says whom they are for, and shows them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hatchway.conductor.in_force import InForce
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import commands as cmd
from hatchway.core.decide import Refused
from hatchway.core.events_of_duty import Field
from hatchway.core.handover import TITLES, Handover, acknowledged, waiting
from hatchway.core.oncall import on_call
from hatchway.core.people import Who, fold, is_named
from hatchway.core.plan import Installation
from hatchway.edge.docs.handover import FieldDoc, HandoverDoc, WrittenDoc
from hatchway.edge.door import Answer
from hatchway.edge.handover import fields_of, keeps
from hatchway.edge.identity import Identity
from hatchway.edge.on_duty import next_on_duty
from hatchway.edge.protocol import Command
from hatchway.edge.shift import Shift, counted

Decide = Callable[[cmd.Command, Identity, str], Awaitable[Answer]]
Refuse = Callable[[str, Identity, str, Refused], Awaitable[Answer]]


class Handing:
    """One per backend. `shift` has listened to the ledger since before it was replayed."""

    def __init__(
        self, ledger: Ledger, live: Live, installation: Installation, in_force: InForce,
        shift: Shift, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._live = live
        self._installation = installation
        self._in_force = in_force
        self._shift = shift
        self._clock = clock

    async def command(
        self, command: Command, who: Identity, decide: Decide, refuse: Refuse
    ) -> Answer:
        """Write a hand-over down, or acknowledge one."""
        if command.kind == "acknowledge":
            taken = cmd.Acknowledge(
                id=command.id,
                by=who.name,
                handover=command.item,
                digest=command.signed,
                said=command.reason.strip(),
                who=who.who,
            )
            return await decide(taken, who, f"acknowledge {command.item}")
        to = self._whom(command.item, who.who)
        if isinstance(to, Refused):
            return await refuse(command.id, who, "handover", to)
        made = cmd.HandOver(
            id=command.id,
            by=who.name,
            to=to,
            fields=self._fields(command.reason),
            since=self._shift.since,
            keeps=keeps(self._ledger.state, who.name),
            who=who.who,
        )
        return await decide(made, who, "handover")

    def doc(self, about: str = "") -> HandoverDoc:
        """The answer to the query `handover`."""
        state = self._ledger.state
        open_now, last = waiting(state.handovers), acknowledged(state.handovers)
        return HandoverDoc(
            draft=_docs(self._fields("")),
            since=self._shift.since,
            since_at=self._shift.since_at,
            happened=self._shift.words,
            next=next_on_duty(self._in_force.roster, self._clock()),
            waiting=self._written(open_now) if open_now is not None else None,
            last=self._written(last) if last is not None else None,
        )

    def _fields(self, note: str) -> tuple[Field, ...]:
        return fields_of(
            self._ledger.state,
            self._live,
            self._installation,
            self._shift,
            self._in_force.roster,
            self._clock(),
            note,
        )

    def _whom(self, named: str, giver: Who) -> tuple[str, ...] | Refused:
        """Whom it is for: who was named, else whose shift is next or now, else whoever comes."""
        roster, now = self._in_force.roster, self._clock()
        if not named:
            now_on_duty = on_call(roster, now)
            present = now_on_duty.people if now_on_duty.known else ()
            for turn in (next_on_duty(roster, now), present):
                others = tuple(name for name in turn if not is_named(giver, name))
                if others:
                    return others
            return ()
        people = self._installation.people
        for person in people:
            if fold(named) in map(fold, filter(None, (person.name, person.login, *person.aliases))):
                return (person.name,)
        if people:
            names = ", ".join(person.name for person in people)
            return Refused(
                "no_such_person", f"Nobody is called {named[:60]!a}.", f"One of: {names}."
            )
        return (named[:60],)  # nobody is listed: whoever has this account

    def _written(self, handover: Handover) -> WrittenDoc:
        later = [line for line in self._shift.lines if line.seq > handover.seq]
        return WrittenDoc(
            id=handover.id,
            seq=handover.seq,
            at=handover.at,
            by=handover.by,
            to=handover.to,
            digest=handover.digest,
            fields=_docs(handover.fields),
            keeps=handover.keeps,
            since_then=counted(line.sort for line in later),
            taken_by=handover.taken_by,
            taken_at=handover.taken_at,
            said=handover.said,
        )


def _docs(fields: tuple[Field, ...]) -> tuple[FieldDoc, ...]:
    return tuple(FieldDoc(f.name, TITLES.get(f.name, f.name), f.lines) for f in fields)
