"""The target: two weights behind HAProxy's runtime socket. It outlives everybody who talks to it.

`Sockets` stands for the module `socket` in `hatchway.governor.haproxy`, so the real adapter runs.
Commands are carried out in the order in which they came; a hung target carries out what lies in its
buffers when it wakes, whether or not the sender still lives.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulated.world import World


class Target:
    """Weights, a request counter, and illnesses."""

    def __init__(self) -> None:
        self.weights = {"canary": 0, "stable": 100}
        self.total = 7
        self.pid = 100
        self.inflight = 0
        self.hung = False
        self.down = False
        self.deaf = False  # it says yes and sets nothing
        self.error = ""  # answered to everything
        self.lie: int | None = None  # what it says of the canary's weight
        self.queue: deque[Link] = deque()

    def copy(self) -> Target:
        other = Target()
        other.weights, other.total = dict(self.weights), self.total
        return other

    def heal(self) -> None:
        self.hung = self.down = self.deaf = False
        self.error, self.lie = "", None

    @property
    def percent(self) -> int:
        canary, stable = self.weights["canary"], self.weights["stable"]
        return 0 if canary == 0 else max(1, round(100 * canary / (canary + stable)))

    def serve(self, world: World) -> None:
        """Carry out what has come in, unless it hangs."""
        while self.queue and not self.hung:
            link = self.queue.popleft()
            link.answer = (self.error or self._carry_out(link, world)).encode() + b"\n"

    def _carry_out(self, link: Link, world: World) -> str:
        words = link.line.split()
        match words:
            case ["get", "weight", name]:
                arm = name[3:]
                weight = self.weights[arm]
                if arm == "canary" and self.lie is not None:
                    weight = self.lie
                return f"{weight} (initial 0)\n"
            case ["set", "server", name, "weight", weight]:
                if not self.deaf:
                    before = dict(self.weights)
                    self.weights[name[3:]] = int(weight)
                    world.promises.carried_out(link, before, self.weights)
                return ""
            case ["show", "info"]:
                return f"Name: HAProxy\nPid: {self.pid}\n"
            case ["show", "servers", "state", _]:
                rows = "\n".join(
                    f"be {arm} 127.0.0.1 80{port} 2 0 {self.weights[arm]}"
                    for port, arm in enumerate(self.weights)
                )
                head = (
                    "# be_name srv_name srv_addr srv_port srv_op_state srv_admin_state srv_uweight"
                )
                return f"1\n{head}\n{rows}\n"
            case ["show", "stat", _, "6", _]:
                return "# pxname,svname,bck,algo,\nbe,BACKEND,0,roundrobin,\nbe,canary,0,,\n"
        if self.weights["canary"] > 0:
            self.inflight = world.dice.randrange(3)
            self.total += world.dice.randrange(3)
        elif self.inflight and world.dice.random() < 0.6:
            self.inflight -= 1
        row = f"be,canary,0,0,{self.inflight},1,,{self.total},"
        return f"# pxname,svname,qcur,qmax,scur,smax,slim,stot,\n{row}\n"


class Link:
    """One connection of the governor: one command, one answer."""

    __slots__ = ("_world", "answer", "line", "order", "process", "refused")

    def __init__(self, world: World) -> None:
        self._world = world
        self.answer: bytes | None = None
        self.line = ""
        self.process = world.governor
        self.order: Any = None

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def settimeout(self, seconds: float) -> None:
        pass

    def shutdown(self, how: int) -> None:
        pass

    def connect(self, path: str) -> None:
        if self._world.target.down:
            raise ConnectionRefusedError(111, "Connection refused")

    def sendall(self, line: bytes) -> None:
        """From here on it is on the wire. The caller may hold the driver's lock: nobody else runs."""
        world = self._world
        self.line = line.decode().strip()
        if self.line.startswith("set "):
            self.order = self.process.driver_order
            world.promises.on_the_wire(self)
        if not world.loses("command"):
            world.target.queue.append(self)

    def recv(self, size: int) -> bytes:
        if self.answer is not None:
            answer, self.answer = self.answer, b""
            return answer
        world, target = self._world, self._world.target
        changes = self.line.startswith("set ")
        world.boundary("target sent", self.process)
        world.meanwhile(self.process, 0.3 if changes else 0.02)
        target.serve(world)
        if self.answer is None:  # it hangs, or the command was lost
            world.wait(self.process, 2.0, lambda: self.answer is not None)
            if self.answer is None:
                raise TimeoutError
        if changes:
            world.boundary("target done", self.process)
            world.meanwhile(self.process, 0.1)
            if world.loses("answer"):
                self.answer = None
                world.wait(self.process, 2.0, lambda: False)
                raise TimeoutError
        answer, self.answer = self.answer, b""
        return answer


class Sockets:
    """The module `socket`, as far as the adapter uses it."""

    AF_UNIX, SHUT_WR = 1, 1

    def __init__(self, world: Any) -> None:
        self._world = world

    def socket(self, family: int) -> Link:
        return Link(self._world())
