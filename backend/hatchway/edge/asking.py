"""People who may not stop ask those who may. Asking never fails for what was asked before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from hatchway.conductor.ledger import Ledger
from hatchway.core import asks
from hatchway.core import commands as cmd
from hatchway.core.decide import Refused
from hatchway.core.state import Authority
from hatchway.edge.door import Answer
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Ack, Command

Decide = Callable[[cmd.Command, Identity, str], Awaitable[Answer]]
Stop = Callable[[Command, str, Identity], Awaitable[Answer]]
Refuse = Callable[[str, Identity, str, Refused], Awaitable[Answer]]


class Asking:
    """Takes asks in, and carries out those that somebody says yes to."""

    def __init__(
        self, ledger: Ledger, clock: Callable[[], float], *, decide: Decide, stop: Stop,
        refuse: Refuse,
    ) -> None:  # fmt: skip
        """`decide` journals what a command leads to, `stop` has the governor do it."""
        self._ledger = ledger
        self._clock = clock
        self._decide = decide
        self._stop = stop
        self._refuse = refuse

    async def ask(self, command: Command, service: str, who: Identity) -> Answer:
        """Journal and page, or say that it was done just now."""
        state, now = self._ledger.state, self._clock()
        op = next((op for op in asks.NAMES if op == command.item), None)
        if op is None:
            refused = Refused(
                "bad_request",
                f"Oncall can be asked to {', '.join(asks.NAMES)}; not to {command.item[:40]!a}.",
                "hatchway ask pause SERVICE --reason WHY",
            )
            return await self._refuse(command.id, who, f"ask {service}", refused)
        done = _done_already(state.authority_of(service), op, service)
        if done:
            return Ack(command.id, 0, done)
        again = asks.just_asked(state.asks, op, service, who.name, now)
        if again is not None:
            ask, asker = again
            return Ack(command.id, asker.seq, f"already asked, #{asker.seq}; {ask.became(now)}")
        asked = cmd.AskOncall(
            id=command.id,
            by=who.name,
            service=service,
            op=op,  # type: ignore[arg-type]
            reason=command.reason.strip(),
            role="read-only" if who.read_only else ", ".join(who.roles),
        )
        return await self._decide(asked, who, f"ask {service}")

    async def answer(self, ask: asks.Ask, command: Command, who: Identity) -> Answer:
        """Accept does what was asked for; reject tells the asker."""
        what = f"{command.kind} {command.item}"
        if command.kind == "reject":
            no = cmd.Reject(
                id=command.id, by=who.name, item=command.item, reason=command.reason, who=who.who
            )
            return await self._decide(no, who, what)
        if ask.status != "open":
            over = Refused(
                "closed",
                f"This is over: {ask.became(self._clock())}.",
                f"To do it all the same: hatchway {ask.op} {ask.service}",
            )
            return await self._refuse(command.id, who, what, over)
        names = ", ".join(dict.fromkeys(each.name for each in ask.askers))
        why = f": {ask.reason}" if ask.reason else ""
        reason = "; ".join(filter(None, (f"asked by {names}{why}", command.reason)))
        stop = msgspec.structs.replace(command, kind=ask.op, service=ask.service, reason=reason)
        return await self._stop(stop, ask.service, who)


def _done_already(authority: Authority, op: str, service: str) -> str:
    """That what is asked for is so, in words; a roll back is never a matter of the mode."""
    since = f"since {asks.clock_s(authority.since)}" if authority.since else ""
    if op == "pause" and authority.mode != "agent":
        how = "PAUSED by" if authority.mode == "paused" else "taken over by"
        return f"{service} is {how} {authority.holder} {since}: nothing to ask for".replace(
            "  ", " "
        )
    if op == "takeover" and authority.mode == "person":
        return f"{authority.holder} has {service} {since}: nothing to ask for".replace("  ", " ")
    return ""
