"""A target that speaks HAProxy's runtime socket language (HAProxy itself, or the demo's splitter).

One command a connection. Success is an empty line, an error is a text, a frozen process is
silence: so nothing counts that was not read back.
"""

from __future__ import annotations

import contextlib
import socket
import time

from hatchway.governor.target import Inventory, TargetError, Traffic, Weights, Wish, short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hatchway.governor.settings_target import HAProxySettings
    from hatchway.governor.target import Guard

TIMEOUT_S = 2.0
LONGEST_ANSWER = 1 << 20


# What `show servers state` calls maintenance and draining, among other bits.
MAINTENANCE, DRAINING = 0x01 | 0x02 | 0x04 | 0x20 | 0x40, 0x08 | 0x10
MOST_PROCESSES = 8


class HAProxy:
    """One backend with a stable and a canary server. Not to be used by two threads at once."""

    observe_every_s = 0.5
    inventory_every_s = 1.0
    begin_s = -1.0  # it puts a line on a fresh socket: that takes no time, and cannot be undone
    goes_back_unseen = False  # one socket for both

    def __init__(self, settings: HAProxySettings) -> None:
        self._path = settings.socket
        self._names = {"canary": settings.canary, "stable": settings.stable}
        self._backend = settings.backend
        self._processes: dict[int, str] = {}  # that answered here, and what they were then

    def weights(self) -> Weights:
        """Read both weights. Raises TargetError."""
        return Weights(self._weight("canary"), self._weight("stable"))

    def bring(self, has: Weights, wish: Wish, guard: Guard) -> None:
        """Raise first, lower second, in absolute weights, each read back."""
        for arm, weight in steps(has, wish.percent):
            self.set(arm, weight, guard)

    def traffic(self) -> Traffic:
        """Read the canary's requests. Raises TargetError."""
        for row in self._statistics(4):
            if row.get("svname") == self._names["canary"]:
                try:
                    return Traffic(int(row["scur"]), int(row["stot"]))
                except (KeyError, ValueError):
                    break
        raise TargetError(f"the target's statistics say nothing of {self._names['canary']}")

    def inventory(self) -> Inventory:
        """The backend's servers, how it balances, and which process answers. Raises TargetError."""
        servers = self._servers()
        algorithm, backups = "", set()
        for row in self._statistics(6):
            if row.get("svname") == "BACKEND":
                algorithm = row.get("algo", "")
            elif row.get("bck") not in (None, "", "0"):
                backups.add(row.get("svname", ""))
        facts = [f"the algorithm of {self._backend}: {algorithm or 'not told'}"]
        others = []
        for name, (address, state, weight) in servers.items():
            words = [address, state, *(["backup"] if name in backups else ())]
            if name not in self._names.values():
                words.append(f"weight {weight}")
                if weight > 0 and state == "ready" and name not in backups:
                    others.append(f"{self._backend}/{name} takes traffic too, with weight {weight}")
            facts.append(f"server {name}: {', '.join(words)}")
        process = self._process()
        second = self._second(process)
        return Inventory(
            facts=tuple(sorted(facts)),
            others=(*others, *second),
            unfit=(*unfit(self._backend, algorithm), *second),
            process=process,
        )

    def remember(self, process: int) -> None:
        """This process answered once."""
        if process not in self._processes:
            self._processes[process] = _identity(process)
        while len(self._processes) > MOST_PROCESSES:
            del self._processes[next(iter(self._processes))]

    def interrupt(self) -> None:
        """Nothing is ended: what was sent is with HAProxy, and is read back."""

    def _servers(self) -> dict[str, tuple[str, str, int]]:
        """Address, administrative state and weight by server."""
        text = self._ask(f"show servers state {self._backend}")
        columns: list[str] = []
        found = {}
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["#"]:
                columns = words[1:]
            elif columns and words:
                row = dict(zip(columns, words, strict=False))
                try:
                    address = f"{row['srv_addr']}:{row['srv_port']}"
                    weight, bits = int(row["srv_uweight"]), int(row["srv_admin_state"])
                    found[row["srv_name"]] = (address, _state(bits), weight)
                except (KeyError, ValueError):
                    raise TargetError(f"a server's state is {short(line)}") from None
        if not found:
            raise TargetError(f"asked for its servers the target said {short(text)}")
        return found

    def _statistics(self, types: int) -> list[dict[str, str]]:
        text = self._ask(f"show stat {self._backend} {types} -1")
        lines = [line for line in text.splitlines() if line.strip()]
        if not lines or not lines[0].startswith("# "):
            raise TargetError(f"the target answered no statistics but {short(text)}")
        columns = lines[0][2:].split(",")
        return [dict(zip(columns, line.split(","), strict=False)) for line in lines[1:]]

    def _process(self) -> int:
        for line in self._ask("show info").splitlines():
            key, _, value = line.partition(":")
            if key == "Pid" and value.strip().isdigit():
                return int(value)
        raise TargetError("the target does not say which process it is (show info)")

    def _second(self, process: int) -> tuple[str, ...]:
        """Other processes that answered here before and still run: they may share the port."""
        self.remember(process)
        name = _name(_identity(process))
        return tuple(
            f"another process (pid {other}) that was steered here before still runs; "
            f"this socket steers only pid {process}, and both may take traffic"
            for other, was in self._processes.items()
            if other != process and name and _name(was) == name and _identity(other) == was
        )

    def set(self, arm: str, weight: int, guard: Guard) -> None:
        """Set the weight of `arm` (canary or stable), an absolute 0..256; read it back.

        The bytes are put on the wire within `guard`. Raises TargetError, Overtaken.
        """
        name = f"{self._backend}/{self._names[arm]}"
        said = self._ask(f"set server {name} weight {weight}", guard).strip()
        has = self._weight(arm)
        if has != weight:
            reason = f"and said {short(said)}" if said else "and gave no reason"
            raise TargetError(f"the target left {name} at {has} instead of {weight} {reason}")

    def _weight(self, arm: str) -> int:
        name = f"{self._backend}/{self._names[arm]}"
        said = self._ask(f"get weight {name}").strip()
        first = said.split(" ", 1)[0]
        if not first.isascii() or not first.isdigit():
            raise TargetError(f"asked for the weight of {name} the target said {short(said)}")
        return int(first)

    def _ask(self, command: str, guard: Guard | None = None) -> str:
        """One command, one answer, within TIMEOUT_S in all."""
        until = time.monotonic() + TIMEOUT_S
        try:
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(TIMEOUT_S)
                link.connect(self._path)
                line = command.encode() + b"\n"
                # The socket is fresh and the line short: this cannot block within the guard.
                with guard or contextlib.nullcontext():
                    link.sendall(line)
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


def steps(weights: Weights, percent: int) -> list[tuple[str, int]]:
    """The (arm, absolute weight) commands from `weights` to a share of `percent`.

    Raise first, lower second: between the two commands, and when the second one fails, somebody
    serves. The other order gave up to 97 failed requests a swap.
    """
    canary = ("canary", percent, weights.canary)
    stable = ("stable", 100 - percent, weights.stable)
    ordered = (canary, stable) if percent > weights.canary else (stable, canary)
    return [(arm, to) for arm, to, has in ordered if to != has]


def unfit(backend: str, algorithm: str) -> tuple[str, ...]:
    """Why a backend that balances so does not give the canary the percentage it is told to."""
    if algorithm == "roundrobin":
        return ()
    if not algorithm:
        return (
            f"{backend} does not tell how it balances, so a percentage cannot be promised; "
            "give the socket level admin, and write: balance roundrobin",
        )
    name = "an algorithm without a name (random, say)" if algorithm == "unknown" else algorithm
    return (
        f"{backend} balances by {name}, which does not follow the weights; "
        "write: balance roundrobin",
    )


def _state(bits: int) -> str:
    return "maint" if bits & MAINTENANCE else "drain" if bits & DRAINING else "ready"


def _identity(process: int) -> str:
    """The name of a process of this machine and when it began; empty when it is not there."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            about = file.read()
    except OSError:
        return ""
    name, _, rest = about.partition("(")[2].rpartition(")")
    fields = rest.split()  # from the third on: its state; the 22nd is when it began
    return "" if len(fields) < 20 or fields[0] == "Z" else f"{name}/{fields[19]}"


def _name(identity: str) -> str:
    return identity.rpartition("/")[0]
