"""Bearer tokens for dashboards that come over TCP, where the kernel cannot say who the peer is.

The file holds one token a line, `NAME SHA256 ROLES`, where SHA256 is the hash of the token in
hexadecimal and ROLES are separated by commas:

    ana 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 operator,approver

It is read again at every use, so that a line that is taken out stops working at once.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from pathlib import Path

from hatchway.edge.identity import Identity

_HASH = re.compile(r"[0-9a-fA-F]{64}")


class TokenFileError(Exception):
    """The token file cannot be used; says what is wrong with it and what to do."""


class Tokens:
    """The token file at a path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Raise TokenFileError when the file cannot be used."""
        if not self._entries():
            raise TokenFileError(
                f"{self._path} holds no token, so nobody could connect over TCP; add a line "
                "`NAME SHA256 ROLES` or take `listen` out of hatchway.yaml"
            )

    def whose(self, token: str) -> Identity | None:
        """The owner of a token; None when there is none. Raises TokenFileError."""
        presented = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        found = None
        for known, owner in self._entries():
            # Every line is compared, and each in constant time: how long it takes tells nothing.
            if hmac.compare_digest(known, presented):
                found = owner
        return found if token else None

    def _entries(self) -> list[tuple[str, Identity]]:
        entries = []
        for number, line in enumerate(self._read().splitlines(), start=1):
            words = line.split("#", 1)[0].split()
            if not words:
                continue
            if len(words) < 3 or not _HASH.fullmatch(words[1]):
                raise TokenFileError(
                    f"{self._path}:{number} is not `NAME SHA256 ROLES`; the hash of a token is "
                    "what `printf %s TOKEN | sha256sum` prints"
                )
            roles = tuple(filter(None, ",".join(words[2:]).split(",")))
            entries.append((words[1].lower(), Identity(words[0], -1, roles)))
        return entries

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
