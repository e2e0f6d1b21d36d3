"""Bearer tokens for dashboards that come over TCP, where the kernel cannot say who the peer is.

The file holds one token a line, `NAME SHA256 ROLES [until=...] [service=...] [environment=...]`,
where SHA256 is the hash of the token in hexadecimal and lists are separated by commas:

    ana 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 operator,approver
    ci  8d969eef6ecad3c29a3a629280e686cf0c3f5d5a86aff3ca12020c923adc6c92 operator until=2031-12-31

`until` is the last day (or, as 2031-12-31T18:00Z, the last moment) that it is good for. The file is
read again at every use, so that a line that is taken out stops working at once.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

import msgspec

from hatchway.core.plan import Installation
from hatchway.core.roles import ROLES
from hatchway.edge.identity import Identity, People

_HASH = re.compile(r"[0-9a-fA-F]{64}")
OPTIONS = ("until", "service", "environment")
UNKNOWN = "unknown token; connect with one of the token file"


class TokenFileError(Exception):
    """The token file cannot be used; says what is wrong with it and what to do."""


class TokenLine(msgspec.Struct, frozen=True):
    """One line of the file. `until` in seconds since 1970 (0: never ends); empty lists: all."""

    name: str
    hash: str
    roles: tuple[str, ...]
    until: float = 0.0
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()


class Tokens:
    """The token file at a path."""

    def __init__(
        self,
        path: Path,
        people: People | None = None,
        environment: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`people` says which listed person a name is; `environment` is the one served here."""
        self._path = path
        self._people = people or People(Installation("", "", ()))
        self._environment = environment
        self._clock = clock

    def check(self) -> None:
        """Raise TokenFileError when the file cannot be used."""
        if not self.lines():
            raise TokenFileError(
                f"{self._path} holds no token, so nobody could connect over TCP; make one with "
                "`hatchway token new NAME --roles ...` or take `listen` out of hatchway.yaml"
            )

    def whose(self, token: str) -> Identity | None:
        """The owner of a token; None when it opens nothing. Raises TokenFileError."""
        found = self.login(token)
        return found if isinstance(found, Identity) else None

    def login(self, token: str) -> Identity | str:
        """The owner of a token, or why it opens nothing, in words. Raises TokenFileError."""
        presented = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        return self._owner(presented) if token else UNKNOWN

    def renewed(self, who: Identity) -> Identity | str:
        """Who somebody is by the file as it is now, or why they are nobody any more, in words."""
        found = self._owner(who.token)
        if isinstance(found, str):
            gone = "your token was taken out of the token file"
            return gone if found == UNKNOWN else found
        return msgspec.structs.replace(found, read_only=who.read_only)

    def _owner(self, presented: str) -> Identity | str:
        found = None
        for line in self.lines():
            # Every line is compared, and each in constant time: how long it takes tells nothing.
            if hmac.compare_digest(line.hash, presented):
                found = line
        if found is None:
            return UNKNOWN
        if found.until and self._clock() > found.until:
            ended = datetime.fromtimestamp(found.until, UTC).strftime("%Y-%m-%d %H:%MZ")
            return f"this token of {found.name} ended at {ended}"
        if found.environments and self._environment not in found.environments:
            good = ", ".join(found.environments)
            return f"this token of {found.name} is good for {good}, not for {self._environment}"
        return msgspec.structs.replace(
            self._people.with_token(found.name, found.roles),
            token=found.hash,
            until=found.until,
            services=found.services,
        )

    def lines(self) -> list[TokenLine]:
        """Every token of the file. Raises TokenFileError, which names the first bad line."""
        found = []
        for number, text in enumerate(self._read().splitlines(), start=1):
            words = text.split("#", 1)[0].split()
            if words:
                try:
                    found.append(_line(words))
                except ValueError as error:
                    raise TokenFileError(f"{self._path}:{number} {error}") from None
        return found

    def _read(self) -> str:
        try:
            with open(self._path, "rb") as file:
                # Looked at through the open file: the name could be given to another one meanwhile.
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise TokenFileError(f"{self._path} is not a file")
                if found.st_mode & 0o077:
                    raise TokenFileError(
                        f"{self._path} can be opened by others (mode {found.st_mode & 0o777:04o}), "
                        f"so its tokens cannot be trusted; run: chmod 600 {self._path}"
                    )
                return file.read().decode()
        except (OSError, UnicodeDecodeError) as trouble:
            raise TokenFileError(f"{self._path} cannot be read: {trouble}") from None


def _line(words: list[str]) -> TokenLine:
    """A line of the file; ValueError says what is wrong with it."""
    given = [word for word in words[2:] if "=" not in word]
    if len(words) < 3 or not _HASH.fullmatch(words[1]) or not given:
        raise ValueError(
            "is not `NAME SHA256 ROLES`; the hash of a token is what `printf %s TOKEN | sha256sum` "
            "prints"
        )
    roles = _list(",".join(given))
    for role in roles:
        if role not in ROLES:
            raise ValueError(f"gives the role {role!r}; there are {', '.join(ROLES)}")
    options = {}
    for word in words[2:]:
        name, equals, value = word.partition("=")
        if equals:
            if name not in OPTIONS or name in options or not value:
                raise ValueError(f"says {word!r}; it may say {'=, '.join(OPTIONS)}=, each once")
            options[name] = value
    return TokenLine(
        words[0],
        words[1].lower(),
        roles,
        _until(options.get("until", "")),
        _list(options.get("service", "")),
        _list(options.get("environment", "")),
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _until(text: str) -> float:
    """The last moment of a day or a time, in seconds since 1970; 0 for none."""
    if not text:
        return 0.0
    try:
        if "T" not in text:
            day = date.fromisoformat(text) + timedelta(days=1)
            return datetime.combine(day, clock_time(), UTC).timestamp()
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"ends at {text!r}; write until=2031-12-31 or until=2031-12-31T18:00Z")
