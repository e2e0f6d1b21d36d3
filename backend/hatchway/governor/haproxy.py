"""A target that speaks HAProxy's runtime socket language (HAProxy itself, or the demo's splitter).

One command a connection. Success is an empty line, an error is a text, a frozen process is
silence: so nothing counts that was not read back.
"""

from __future__ import annotations

import socket
import time

from hatchway.governor.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hatchway.governor.settings import TargetSettings

    Send = Callable[[socket.socket, bytes], None]

TIMEOUT_S = 2.0
LONGEST_ANSWER = 1 << 20


class TargetError(Exception):
    """The target did not do it, or did not say so; the message is a sentence."""


class Overtaken(Exception):
    """A newer order came before this command was sent; nothing was sent."""


class Weights(Value):
    """The two servers' weights as the target has them, 0..256."""

    canary: int
    stable: int

    @property
    def percent(self) -> int:
        """The canary's share, rounded; 1 when it is more than nothing."""
        if self.canary == 0:
            return 0
        return max(1, round(100 * self.canary / (self.canary + self.stable)))

    def has(self, percent: int) -> bool:
        """Whether this is a share of `percent`, with somebody left to serve."""
        return self.canary + self.stable > 0 and self.percent == percent


class Traffic(Value):
    """What the canary is doing: requests under way, and requests since the target started."""

    inflight: int
    total: int


class HAProxy:
    """One backend with a stable and a canary server. Not to be used by two threads at once."""

    def __init__(self, settings: TargetSettings) -> None:
        self._path = settings.socket
        self._names = {"canary": settings.canary, "stable": settings.stable}
        self._backend = settings.backend

    def weights(self) -> Weights:
        """Read both weights. Raises TargetError."""
        return Weights(self._weight("canary"), self._weight("stable"))

    def traffic(self) -> Traffic:
        """Read the canary's requests. Raises TargetError."""
        text = self._ask(f"show stat {self._backend} 4 -1")
        lines = [line for line in text.splitlines() if line.strip()]
        if not lines or not lines[0].startswith("# "):
            raise TargetError(f"the target answered no statistics but {_short(text)}")
        columns = lines[0][2:].split(",")
        for line in lines[1:]:
            row = dict(zip(columns, line.split(","), strict=False))
            if row.get("svname") == self._names["canary"]:
                try:
                    return Traffic(int(row["scur"]), int(row["stot"]))
                except (KeyError, ValueError):
                    break
        raise TargetError(f"the target's statistics say nothing of {self._names['canary']}")

    def set(self, arm: str, weight: int, send: Send) -> None:
        """Set the weight of `arm` (canary or stable), an absolute 0..256; read it back.

        `send` puts the bytes on the wire, or raises Overtaken. Raises TargetError.
        """
        name = f"{self._backend}/{self._names[arm]}"
        said = self._ask(f"set server {name} weight {weight}", send).strip()
        has = self._weight(arm)
        if has != weight:
            reason = f"and said {_short(said)}" if said else "and gave no reason"
            raise TargetError(f"the target left {name} at {has} instead of {weight} {reason}")

    def _weight(self, arm: str) -> int:
        name = f"{self._backend}/{self._names[arm]}"
        said = self._ask(f"get weight {name}").strip()
        first = said.split(" ", 1)[0]
        if not first.isascii() or not first.isdigit():
            raise TargetError(f"asked for the weight of {name} the target said {_short(said)}")
        return int(first)

    def _ask(self, command: str, send: Send | None = None) -> str:
        """One command, one answer, within TIMEOUT_S in all."""
        until = time.monotonic() + TIMEOUT_S
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(TIMEOUT_S)
                link.connect(self._path)
                line = command.encode() + b"\n"
                if send is None:
                    link.sendall(line)
                else:
                    send(link, line)
                link.shutdown(socket.SHUT_WR)
                return _read_all(link, until)
        except TimeoutError:
            raise TargetError(
                f"the target does not answer ({command.split(' ', 1)[0]}, {TIMEOUT_S:.0f} s)"
            ) from None
        except OSError as error:
            raise TargetError(
                f"the target cannot be reached: {error.strerror or error} ({self._path})"
            ) from None


def _read_all(link: socket.socket, until: float) -> str:
    parts: list[bytes] = []
    size = 0
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        link.settimeout(left)
        part = link.recv(65536)
        if not part:
            break
        parts.append(part)
        size += len(part)
        if size > LONGEST_ANSWER:
            raise TargetError("the target answers without end")
    if not parts:
        raise TargetError("the target closed the connection without an answer")
    return b"".join(parts).decode("utf-8", "replace")


def _short(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else "nothing"
    return ascii(line[:120])
