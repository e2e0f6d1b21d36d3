"""The certificate that dashboards see over TLS. It is renewed without a restart."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import stat
from pathlib import Path

from hatchway.edge.sockets import ListenError

log = logging.getLogger("hatchway.edge")

LOOK_EVERY_S = 5.0
"""How often the files are looked at, in seconds."""


class Certificate:
    """A certificate with its chain, and its private key, from two PEM files."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Raises ListenError when they cannot be used."""
        self._cert, self._key = cert, key
        self._seen = self._times()
        self._newest = _context(cert, key)
        self.context = _context(cert, key)
        # The server's own context cannot be exchanged, but each handshake may be given another.
        self.context.sni_callback = self._handshake

    def _handshake(self, tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        tls.context = self._newest

    async def renew(self) -> None:
        """Load the files again when they change, for ever. Broken ones leave the old in place."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            times = self._times()
            if times == self._seen:
                continue
            self._seen = times
            try:
                self._newest = await asyncio.to_thread(_context, self._cert, self._key)
                log.info("the certificate %s was renewed", self._cert)
            except ListenError as error:
                log.error("the old certificate stays in use: %s", error)

    def _times(self) -> tuple[int, ...]:
        found = []
        for path in (self._cert, self._key):
            try:
                found.append(os.stat(path).st_mtime_ns)
            except OSError:
                found.append(0)
        return tuple(found)


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    _private(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key, password=lambda: "")  # never asks at a terminal
    except ssl.SSLError as error:
        why = (error.reason or str(error)).lower().replace("_", " ")
        raise ListenError(
            f"tls: {cert} and {key} are no certificate and its own key: {why}; a key with a "
            "passphrase cannot be used"
        ) from error
    except OSError as error:
        raise ListenError(f"tls: cannot read {cert}: {error.strerror or error}") from error
    return context


def _private(key: Path) -> None:
    try:
        mode = os.stat(key).st_mode
    except OSError as error:
        raise ListenError(f"tls: cannot read {key}: {error.strerror or error}") from error
    if not stat.S_ISREG(mode):
        raise ListenError(f"tls: {key} is not a file")
    if mode & 0o077:
        raise ListenError(
            f"tls: {key} can be opened by others (mode {mode & 0o777:04o}), so it is no secret; "
            f"run: chmod 600 {key}"
        )
