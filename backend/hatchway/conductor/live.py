"""What is known now but not journaled: the governor's last word, the newest look, output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from msgspec import Struct

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


class Live:
    """Mutable, of this process only; `changed` is called after each change."""

    def __init__(self) -> None:
        self.standing: dict[str, tuple[Standing, float]] = {}
        self.governor_trouble = ""
        self.journal_trouble = ""
        self.watched: dict[str, Watched] = {}
        self.log: dict[str, deque[tuple[str, str]]] = {}
        self.changed: Callable[[], None] = lambda: None

    def watch(self, run: str) -> Watched:
        """The newest look of `run`, made when there is none."""
        return self.watched.setdefault(run, Watched())

    def say(self, run: str, job: str, line: str) -> None:
        """Keep a line that a job printed."""
        self.log.setdefault(run, deque(maxlen=KEPT_LINES)).append((job, line))
        self.changed()
