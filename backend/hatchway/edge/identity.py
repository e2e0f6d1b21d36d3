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

from hatchway.core import roles
from hatchway.core.people import Who, fold
from hatchway.core.plan import Installation, Person
from hatchway.core.roles import READ_ONLY, RIGHTS
from hatchway.edge import protocol

__all__ = [
    "LOOKUP_S",
    "NOT_PERSONS",
    "READ_ONLY",
    "RIGHTS",
    "SHOWN",
    "Identity",
    "People",
    "peer_uid",
]

SHOWN = ("pause", "takeover", "rollback", "release", "approve")
"""The rights that `You.can` speaks of, in the order of the buttons."""

NOT_PERSONS = frozenset({"agent", "hatchway", "system", "dead-man"})
"""Actors of the journal that no Unix account may pass for."""

ALSO = ("ask", "handover", "acknowledge", "readmit")
"""The rights that `You.also` speaks of: they have no button, and nobody is told that they lack."""

LOOKUP_S = 1.0
"""How long the account database may take before a peer is known by its number only."""


class Identity(msgspec.Struct, frozen=True):
    """Somebody at the other end of a connection. `uid` is -1 when there is only a token.

    `person` is the name in hatchway.yaml of the person that this is, empty for nobody listed;
    `names` is all that this person is known by. `token` is the hash of the token that they came
    with, `until` when that ends (0: never) and `services` what it is good for (empty: all).
    """

    name: str
    uid: int = -1
    roles: tuple[str, ...] = ()
    read_only: bool = False
    person: str = ""
    names: tuple[str, ...] = ()
    how: str = ""
    must_sign: bool = False
    shared: bool = False
    token: str = ""
    until: float = 0.0
    services: tuple[str, ...] = ()

    def covers(self, service: str) -> bool:
        """Whether what they came with is good for a service."""
        return not self.services or service in self.services

    @property
    def who(self) -> Who:
        """As the core knows them."""
        return Who(
            name=self.name,
            person=self.person,
            names=self.names,
            roles=self.roles,
            how=self.how or (f"uid {self.uid}" if self.uid >= 0 else ""),
            must_sign=self.must_sign,
            shared=self.shared,
        )

    def may(self, right: str) -> bool:
        """Whether this person has a right of `RIGHTS`."""
        return not self.why_not(right)

    def why_not(self, right: str) -> str:
        """Why this person does not have a right, in words; empty when it does."""
        return roles.why_not(right, self.roles, read_only=self.read_only)

    def you(self) -> protocol.You:
        """What the dashboard is told about its user."""
        missing = [right for right in SHOWN if not self.may(right)]
        why_not = self.why_not(missing[0]) if missing else ""
        if missing and not self.read_only and "agent" not in self.roles:
            why_not = f"{roles.plural(self.roles)} cannot {roles.listed(missing)}; ask oncall"
        return protocol.You(
            name=self.name,
            roles=self.roles,
            can=tuple(right for right in SHOWN if right not in missing),
            read_only=self.read_only,
            why_not=why_not,
            also=tuple(right for right in ALSO if self.may(right)),
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
        self._accounts: dict[int, tuple[str, str]] = {}
        self._asking: dict[int, asyncio.Future[pwd.struct_passwd]] = {}

    async def behind(self, uid: int) -> Identity:
        """The person with this uid.

        The account database may be on a network that is down, and stops must not wait for it: it
        is asked in a thread and for `LOOKUP_S` at most. A person listed with a `uid` needs no
        lookup; anybody else is `uid-N`, with everyone's roles, until the database answers.
        """
        person = self._listed(uid, "")
        if person is not None:
            return self._as(person, uid)
        login, full_name = await self._account(uid)
        person = self._listed(uid, login)
        if person is not None:
            return self._as(person, uid, full_name)
        name = login or f"uid-{uid}"
        if name in self._taken:
            name = f"{name}(uid-{uid})"  # the same word, but not the person that is listed
        known = tuple(filter(None, (login, full_name)))
        return self._counted(Identity(name, uid, self._everyone, names=known))

    def with_token(self, name: str, given: tuple[str, ...]) -> Identity:
        """The owner of a token for `name`, with the roles that the token gives."""
        if fold(name) in NOT_PERSONS and "agent" not in given:
            name = f"{name}(token)"
        return self._counted(Identity(name, -1, given, how=f"token {name}"))

    def signer(self, principal: str) -> Identity | None:
        """The listed person whose key signed as `principal`; None when it is nobody listed."""
        person = self._known(principal)
        return None if person is None else self._as(person, -1)

    def _as(self, person: Person, uid: int, full_name: str = "") -> Identity:
        return Identity(
            person.name,
            uid,
            person.roles,
            person=person.name,
            names=tuple(filter(None, (person.login, full_name, *person.aliases))),
            must_sign=person.signed,
            shared=person.shared,
        )

    def _counted(self, identity: Identity) -> Identity:
        """Who is known by a name of a listed person counts as that person, and gets no right by it.

        So a second account is no second person, and an alias opens nothing.
        """
        person = next(filter(None, map(self._known, (identity.name, *identity.names))), None)
        if person is None:
            return identity
        return msgspec.structs.replace(
            identity,
            person=person.name,
            names=(*identity.names, *filter(None, (person.login, *person.aliases))),
            must_sign=person.signed,
            shared=person.shared,
        )

    def _known(self, name: str) -> Person | None:
        folded = fold(name)
        for person in self._people:
            if folded in map(fold, filter(None, (person.name, person.login, *person.aliases))):
                return person
        return None

    def _listed(self, uid: int, login: str) -> Person | None:
        for person in self._people:
            if person.uid >= 0:
                if person.uid == uid:
                    return person
            elif person.login and person.login == login:
                return person
        return None

    async def _account(self, uid: int) -> tuple[str, str]:
        """The login and the full name of an account; empty when nobody says so in time."""
        if uid not in self._accounts:
            try:
                async with asyncio.timeout(LOOKUP_S):
                    found = await asyncio.shield(self._asked(uid))
            except (KeyError, OSError, TimeoutError):
                return "", ""
            self._accounts[uid] = found.pw_name, found.pw_gecos.partition(",")[0]
        return self._accounts[uid]

    def _asked(self, uid: int) -> asyncio.Future[pwd.struct_passwd]:
        """The question about an account, once at a time: threads are few, and others need them."""
        asked = self._asking.get(uid)
        if asked is None:
            asked = asyncio.ensure_future(asyncio.to_thread(self._lookup, uid))
            self._asking[uid] = asked

            def answered(done: asyncio.Future[pwd.struct_passwd]) -> None:
                del self._asking[uid]
                if not done.cancelled():
                    done.exception()  # nobody may wait for it any more

            asked.add_done_callback(answered)
        return asked


def peer_uid(sock: socket.socket) -> int:
    """The uid of the process at the other end of a connected Unix socket, as the kernel has it."""
    layout = struct.Struct("3i")  # struct ucred: pid, uid, gid
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
    _, uid, _ = layout.unpack(credentials)
    return int(uid)
