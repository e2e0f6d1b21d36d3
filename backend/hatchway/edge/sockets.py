"""Listening sockets that are nobody else's: private Unix sockets, and loopback TCP."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

PATH_MAX = 107  # bytes of sockaddr_un.sun_path, without the final zero

BACKLOG = 128
"""Connections that may wait to be accepted."""

PEER_S = 1.0
"""How long a process that has a socket may take to accept, in seconds."""


class ListenError(Exception):
    """The edge cannot listen where it should; says why and what to do."""


@contextlib.contextmanager
def unix_listener(path: Path, mode: int) -> Iterator[socket.socket]:
    """A Unix socket bound to `path`, which only `mode` may open; removed at the end.

    A socket file that nobody answers at is a leftover of a crash and is replaced. Raises
    ListenError when somebody does answer, or when `path` is something else.
    """
    if len(os.fsencode(path)) > PATH_MAX:
        raise ListenError(
            f"{path} is too long for a socket ({PATH_MAX} bytes at most); use a shorter --dir"
        )
    try:
        listener, inode = _bind(path, mode)
    except OSError as trouble:
        raise ListenError(f"cannot listen on {path}: {trouble.strerror or trouble}") from trouble
    try:
        yield listener
    finally:
        listener.close()
        with contextlib.suppress(OSError):
            if os.stat(path).st_ino == inode:  # and not one that was put there meanwhile
                path.unlink()


def tcp_listener(listen: str, *, tls: bool = False) -> socket.socket:
    """A TCP socket bound to `listen`, as in "127.0.0.1:8643".

    Without TLS, an address that other machines could reach raises ListenError.
    """
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ListenError(f"listen: {listen!r} is not HOST:PORT; write for example 127.0.0.1:8643")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ListenError(
            f"listen: {host!r} is not an address; write 127.0.0.1 or ::1 (names are not looked up)"
        ) from None
    if not address.is_loopback and not tls:
        raise ListenError(
            f"listen: {listen} can be reached from other machines, and what is said there would "
            "not be encrypted; listen on 127.0.0.1 and come in with ssh -L, or set tls: cert, key"
        )
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), int(port)))
    except OSError as trouble:
        listener.close()
        raise ListenError(
            f"cannot listen on {listen}: {trouble.strerror or trouble}; choose another port"
        ) from trouble
    listener.setblocking(False)
    return listener


def _bind(path: Path, mode: int) -> tuple[socket.socket, int]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _alone_in(path.parent):
            _clear(path)
            # The mode must hold from the first moment: a chmod would come too late.
            previous = os.umask(0o777 & ~mode)
            try:
                listener.bind(os.fspath(path))
            finally:
                os.umask(previous)
            # Still alone: until it listens, it looks like a leftover.
            listener.listen(BACKLOG)
            listener.setblocking(False)
            return listener, os.stat(path).st_ino
    except BaseException:
        listener.close()
        raise


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Only one process at a time looks for a leftover and replaces it.

    Two that start at once would otherwise both find the leftover, and the second would remove the
    socket that the first had just bound.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _clear(path: Path) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(f"{path} exists and is not a socket; move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PEER_S)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError:
            pass  # it is there, but too busy to accept: not ours to replace
    raise ListenError(
        f"another process answers on {path}; use it, or stop it before you start this one"
    )
