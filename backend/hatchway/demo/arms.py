"""The splitter's servers: their weights, their turns and their counters.

Weights are HAProxy's: absolute, 0..256, 0 takes no new request and lets those under way end. Turns
are smooth weighted round robin: with weights 5 and 95, exactly 5 of each 100, well spread.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hatchway.demo.proxy import Upstream

MOST_WEIGHT = 256
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx", "other")

AdminState = Literal["ready", "drain", "maint"]


@dataclass(eq=False, slots=True)
class Server:
    """One arm behind the splitter. Counters only ever grow; bytes are of whole messages."""

    name: str
    number: int
    host: str
    port: int
    initial_weight: int
    weight: int = field(init=False)
    state: AdminState = "ready"
    turn: int = 0  # of the round robin
    current: int = 0
    most: int = 0
    total: int = 0
    refused: int = 0  # connections that could not be made
    broken: int = 0  # answers that did not come, or not to their end
    client_gone: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    connects: int = 0
    reuses: int = 0
    responses: list[int] = field(default_factory=lambda: [0] * len(CLASSES))
    idle: list[Upstream] = field(default_factory=list)
    under_way: set[Upstream] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.weight = self.initial_weight

    @property
    def effective(self) -> int:
        """The weight with which it takes part now."""
        return self.weight if self.state == "ready" else 0

    def began(self) -> None:
        """A request was given to this server."""
        self.total += 1
        self.current += 1
        self.most = max(self.most, self.current)

    def answered(self, status: int) -> None:
        """A client gets this status in the name of this server."""
        kind = status // 100 - 1
        self.responses[kind if 0 <= kind < 5 else 5] += 1

    def move(self, host: str, port: int) -> None:
        """Use another address from now on; requests under way end where they are.

        Raises ValueError when `host` is no IP address.
        """
        ipaddress.ip_address(host)
        self.host, self.port = host, port
        self.drop_idle()

    def drop_idle(self) -> None:
        """Hang up on connections that wait for a request."""
        idle, self.idle = self.idle, []
        for upstream in idle:
            upstream.close()


class Pool:
    """The servers of one backend."""

    def __init__(self, name: str, servers: list[Server]) -> None:
        self.name = name
        self.servers = servers
        self.unserved = 0  # requests for which there was no server

    def named(self, name: str) -> Server | None:
        """The server of that name."""
        return next((server for server in self.servers if server.name == name), None)

    def pick(self) -> Server | None:
        """Whose turn it is, or None when nobody has any weight."""
        total, best = 0, None
        for server in self.servers:
            weight = server.effective
            if not weight:
                continue
            total += weight
            server.turn += weight
            if best is None or server.turn > best.turn:
                best = server
        if best is None:
            self.unserved += 1
            return None
        best.turn -= total
        return best

    def weigh(self, server: Server, weight: int) -> None:
        """Set a weight, 0..256, from the next request on."""
        server.weight = weight
        self.start_over()

    def set_state(self, server: Server, state: AdminState) -> None:
        """Let a server take requests, or keep new ones away from it."""
        server.state = state
        self.start_over()

    def start_over(self) -> None:
        """Old turns mean nothing under new weights; from here shares are exact again."""
        for server in self.servers:
            server.turn = 0
