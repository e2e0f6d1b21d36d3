"""The cells of the table: one world each, and the ways in which the judge is run on it."""

from __future__ import annotations

from dataclasses import dataclass

from judged import Way
from world import COARSE, World

EVERY_5 = (Way(5, calibrated=False), Way(5, calibrated=True))
EVERY_1 = (Way(1, calibrated=False), Way(1, calibrated=True))
NO_WARM_UP = (Way(5, calibrated=True, warm=False), Way(1, calibrated=True, warm=False))
LOW = (Way(5, calibrated=False, excludes=5.0), Way(1, calibrated=False, excludes=5.0))
GUARD = 5.0  # a cold start worse than this is told from a regression by nobody


@dataclass(frozen=True)
class Cell:
    """One line of the table. `worse`: the new version is; else whatever is seen is a false alarm.

    `share` of the rollouts asked for are drawn: more where a rare event is counted.
    """

    name: str
    world: World
    worse: bool
    ways: tuple[Way, ...] = EVERY_5
    share: float = 1.0

    @property
    def beyond_guard(self) -> bool:
        """Whether its cold start is one that the judge may take for a regression."""
        return self.world.nuisance == "cold" and self.world.strength > GUARD


def _null(name: str, share: float = 1.0, ways: tuple[Way, ...] = EVERY_5, **world: object) -> Cell:
    return Cell(name, World(**world), False, ways, share)  # type: ignore[arg-type]


def _worse(name: str, ways: tuple[Way, ...] = EVERY_5, share: float = 0.5, **world: object) -> Cell:
    return Cell(name, World(**world), True, ways, share)  # type: ignore[arg-type]


def _nuisance(name: str, nuisance: str, strength: float, **world: object) -> Cell:
    return _null(name, 0.5, (*EVERY_5, EVERY_1[1]), nuisance=nuisance, strength=strength, **world)


BOTH = EVERY_5 + EVERY_1
MAIN = BOTH + NO_WARM_UP
LATENCY = ("latency",)
ORDERS = ("orders",)
ALL = ("errors", "latency", "orders")

CELLS: tuple[Cell, ...] = (
    _null("A/A", 2.0, MAIN),
    _null("A/A 20 req/s", rate=20.0),
    _null("A/A 2 req/s", ways=LOW, rate=2.0, before_s=0),
    _null("A/A 2000 req/s", rate=2000.0),
    _null("A/A 0.1 % errors", base=0.001),
    _null("A/A 10 % errors", base=0.1),
    _null("A/A three metrics", 0.3, EVERY_1, metrics=ALL),
    _worse("errors x1.5", errors=1.5),
    _worse("errors x2", errors=2.0),
    _worse("errors x3", errors=3.0),
    _worse("errors x5", MAIN, 1.0, errors=5.0),
    _worse("errors x10", errors=10.0),
    _worse("errors x20", MAIN, errors=20.0),
    _worse("errors x5, 0.1 % errors", errors=5.0, base=0.001),
    _worse("errors x5 of three metrics", EVERY_1, 0.2, errors=5.0, metrics=ALL),
    _worse("errors x5 after 60 s", BOTH, errors=5.0, onset_s=60),
    _worse("errors x5 after 300 s", errors=5.0, onset_s=300),
    _worse("errors x2 after 60 s", errors=2.0, onset_s=60),
    _worse("errors x5, 20 req/s", errors=5.0, rate=20.0),
    _worse("errors x20, 20 req/s", errors=20.0, rate=20.0),
    _worse("errors x5, 2 req/s", LOW, errors=5.0, rate=2.0, before_s=0),
    _worse("errors x20, 2 req/s", LOW, errors=20.0, rate=2.0, before_s=0),
    _nuisance("spike x5 for 120 s", "spike", 5.0),
    _nuisance("drift to x4", "drift", 4.0),
    _nuisance("bursts x10 on both arms", "bursts", 10.0),
    _nuisance("stalls x20 of single instances", "stalls", 20.0),
    _nuisance("clumps of 2", "clumps", 2.0),
    _nuisance("clumps of 4", "clumps", 4.0),
    _nuisance("instances differ by 0.2", "pods", 0.2),
    _nuisance("instances differ by 0.4", "pods", 0.4),
    _null(
        "instances differ by 0.4, 30 min at 5 %",
        0.5,
        nuisance="pods",
        strength=0.4,
        steps=((1800, 5),),
    ),
    _nuisance("cold start x3", "cold", 3.0),
    _nuisance("cold start x5", "cold", 5.0),
    _nuisance("cold start x10", "cold", 10.0),
    _nuisance("diurnal swing of 0.5", "diurnal", 0.5),
    _null("latency A/A", 1.0, EVERY_5, metrics=LATENCY),
    _null("latency A/A, 14 coarse buckets", 0.5, metrics=LATENCY, bounds=COARSE),
    _nuisance("latency, instances differ by 0.1", "pods", 0.1, metrics=LATENCY),
    _worse("latency +10 %", metrics=LATENCY, slower=1.1, share=0.2),
    _worse("latency +30 %", metrics=LATENCY, slower=1.3),
    _worse("latency +100 %", BOTH, metrics=LATENCY, slower=2.0),
    _worse("latency +30 %, 14 coarse buckets", metrics=LATENCY, slower=1.3, bounds=COARSE),
    _worse("latency x10 for 2 %", metrics=LATENCY, tail=0.02),
    _worse("latency +20 %, 14 coarse buckets", metrics=LATENCY, slower=1.2, bounds=COARSE),
    _null("orders A/A", 0.5, metrics=ORDERS),
    _worse("orders -10 %", metrics=ORDERS, orders=0.9, share=0.2),
    _worse("orders -30 %", metrics=ORDERS, orders=0.7),
    _worse("orders -50 %", metrics=ORDERS, orders=0.5),
)

BY_NAME = {cell.name: cell for cell in CELLS}
