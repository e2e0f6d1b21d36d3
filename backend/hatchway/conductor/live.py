"""What is known now but not journaled: the governor's last word, the newest look, output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from msgspec import Struct

from hatchway.core.undo import Instance
from hatchway.targets.port import Standing

Point = tuple[float, float | None, float | None]  # time, stable, canary
KEPT_POINTS = 240
KEPT_LINES = 200


class Reading(Struct, frozen=True):
    """One metric as it is shown. Units as in its MetricSpec."""

    name: str
    stable: float | None
    canary: float | None
    n: int | None
    at: float
    trouble: str
    says: str = ""


class Watched(Struct):
    """The newest look of one run."""

    at: float = 0.0
    readings: tuple[Reading, ...] = ()
    points: dict[str, deque[Point]] = {}
    headline: str = ""
    why: tuple[tuple[str, str, str, float], ...] = ()  # sign, text, source, at
    word: str = ""
    action: str = "none"
    confidence: float | None = None
    forecast_s: float | None = None
    e: float | None = None  # the joint evidence, as odds to 1
    data_at: float | None = None  # what the policy may ask of the judge's newest look
    stable_healthy: bool | None = None
    regressed: tuple[str, ...] | None = None


class Fleet(Struct, frozen=True):
    """What the instances of each arm said at `at` that they run."""

    stable: tuple[Instance, ...] = ()
    canary: tuple[Instance, ...] = ()
    at: float = 0.0


class Trouble(Struct, frozen=True):
    """What fails and is tried again, in words; `run` is empty when it is not about one run."""

    words: str
    run: str = ""


class Live:
    """Mutable, of this process only; `changed` is called after each change."""

    def __init__(self) -> None:
        self.standing: dict[str, tuple[Standing, float]] = {}
        self.fleet: dict[str, Fleet] = {}  # by service, where it attests
        self.governor_trouble = ""
        self.trouble: dict[str, Trouble] = {}  # by the part that has it
        self.watched: dict[str, Watched] = {}
        self.log: dict[str, deque[tuple[str, str]]] = {}
        self.printed: dict[str, int] = {}  # by run: how many lines there were in all
        self.changed: Callable[[], None] = lambda: None

    def watch(self, run: str) -> Watched:
        """The newest look of `run`, made when there is none."""
        return self.watched.setdefault(run, Watched())

    def tell(self, part: str, words: str, run: str = "") -> None:
        """Say that `part` fails and is tried again; empty words when it does not any more."""
        known = self.trouble.get(part)
        if words == (known.words if known else ""):
            return
        if words:
            self.trouble[part] = Trouble(words, run)
        else:
            del self.trouble[part]
        self.changed()

    def trouble_of(self, run: str) -> str:
        """What stands in the way of a run, its own or everybody's, in words."""
        return "; ".join(t.words for t in self.trouble.values() if t.run in ("", run))

    def say(self, run: str, job: str, line: str) -> None:
        """Keep a line that a job printed."""
        self.log.setdefault(run, deque(maxlen=KEPT_LINES)).append((job, line))
        self.printed[run] = self.printed.get(run, 0) + 1
        self.changed()
