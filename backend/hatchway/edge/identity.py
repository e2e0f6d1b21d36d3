"""Who is asking, and what that person may do.

On a Unix socket the kernel says who the peer is (SO_PEERCRED), so there is nothing to log in to and
nothing to steal. Who has which role comes from `people` and `everyone` in hatchway.yaml.
"""

from __future__ import annotations

import asyncio
import pwd
import socket
import struct
from collections.abc import Callable

import msgspec

from hatchway.core.plan import Installation, Person
from hatchway.edge import protocol

RIGHTS: dict[str, frozenset[str]] = {
    # Stopping only ever removes risk, so everybody who works on releases may do it.
    "pause": frozenset({"operator", "approver", "admin"}),
    "takeover": frozenset({"operator", "approver", "admin"}),
    "rollback": frozenset({"operator", "approver", "admin"}),
    "release": frozenset({"operator", "admin"}),
    # An administrator changes policy, and so does not also say yes under it.
    "approve": frozenset({"approver"}),
    "start": frozenset({"operator"}),
    "drill": frozenset({"operator", "admin"}),
}
"""The roles of which one is enough, for each right."""

SHOWN = ("pause", "takeover", "rollback", "release", "approve")
"""The rights that `You.can` speaks of, in the order of the buttons."""

NOT_PERSONS = frozenset({"agent", "hatchway", "system", "dead-man"})
"""Actors of the journal that no Unix account may pass for."""

READ_ONLY = "this connection is read-only; connect without --read-only to act"

LOOKUP_S = 1.0
"""How long the account database may take before a peer is known by its number only."""


class Identity(msgspec.Struct, frozen=True):
    """Somebody at the other end of a connection. `uid` is -1 when there is only a token."""

    name: str
    uid: int = -1
    roles: tuple[str, ...] = ()
    read_only: bool = False

    def may(self, right: str) -> bool:
        """Whether this person has a right of `RIGHTS`."""
        return not self.why_not(right)

    def why_not(self, right: str) -> str:
        """Why this person does not have a right, in words; empty when it does."""
        if self.read_only:
            return READ_ONLY
        if "agent" in self.roles:
            return f"agents propose; only people can {right}"
        if RIGHTS[right].isdisjoint(self.roles):
            return f"{_plural(self.roles)} cannot {right}; ask oncall"
        return ""

    def you(self) -> protocol.You:
        """What the dashboard is told about its user."""
        missing = [right for right in SHOWN if not self.may(right)]
        why_not = self.why_not(missing[0]) if missing else ""
        if missing and not self.read_only and "agent" not in self.roles:
            why_not = f"{_plural(self.roles)} cannot {_listed(missing)}; ask oncall"
        return protocol.You(
            name=self.name,
            roles=self.roles,
            can=tuple(right for right in SHOWN if right not in missing),
            read_only=self.read_only,
            why_not=why_not,
        )


class People:
    """Finds the person behind a Unix account."""

    def __init__(
        self,
        installation: Installation,
        lookup: Callable[[int], pwd.struct_passwd] = pwd.getpwuid,
    ) -> None:
        """`lookup` asks the account database; it may block, and raises KeyError for no account."""
        self._lookup = lookup
        self._people = installation.people
        self._everyone = installation.everyone
        self._taken = NOT_PERSONS | {person.name for person in installation.people}
        self._logins: dict[int, str] = {}

    async def behind(self, uid: int) -> Identity:
        """The person with this uid.

        The account database may be on a network that is down, and stops must not wait for it: it
        is asked in a thread and for `LOOKUP_S` at most. A person listed with a `uid` needs no
        lookup; anybody else is `uid-N`, with everyone's roles, until the database answers.
        """
        person = self._listed(uid, "")
        if person is not None:
            return Identity(person.name, uid, person.roles)
        login = await self._login(uid)
        person = self._listed(uid, login)
        if person is not None:
            return Identity(person.name, uid, person.roles)
        name = login or f"uid-{uid}"
        if name in self._taken:
            name = f"{name}(uid-{uid})"  # the same word, but not the person that is listed
        return Identity(name, uid, self._everyone)

    def _listed(self, uid: int, login: str) -> Person | None:
        for person in self._people:
            if person.uid >= 0:
                if person.uid == uid:
                    return person
            elif person.login and person.login == login:
                return person
        return None

    async def _login(self, uid: int) -> str:
        if uid not in self._logins:
            try:
                async with asyncio.timeout(LOOKUP_S):
                    found = await asyncio.to_thread(self._lookup, uid)
            except (KeyError, OSError, TimeoutError):
                return ""
            self._logins[uid] = found.pw_name
        return self._logins[uid]


def peer_uid(sock: socket.socket) -> int:
    """The uid of the process at the other end of a connected Unix socket, as the kernel has it."""
    layout = struct.Struct("3i")  # struct ucred: pid, uid, gid
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
    _, uid, _ = layout.unpack(credentials)
    return int(uid)


def _plural(roles: tuple[str, ...]) -> str:
    if not roles:
        return "people without a role"
    return _listed([f"{role}s" for role in roles])


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
