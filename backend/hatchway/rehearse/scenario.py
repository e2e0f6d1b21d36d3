"""A rehearsal as it is written down: what is given, what happens when, what must never come of it.

Times are seconds after the canary got its first share. Shares, errors and orders are percent.
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

Arm = Literal["stable", "canary", "both"]
Feeds = Literal["ok", "refused", "absent", "zero", "nan", "frozen", "html"]
Brains = Literal["rules", "hangs", "fails", "nonsense", "insists", "forges"]
Deed = Literal["pause", "takeover", "rollback", "release", "accept", "reject"]
Restarted = Literal["backend", "backup"]
Targets = Literal["ok", "refuses", "deaf", "silent"]
Danger = Literal[
    "rollback_by_agent",
    "rollback_done",
    "raise",
    "raise_by_agent",
    "promotion",
    "agent_in_control",
    "stale_write",
    "held",
]


class Levels(Struct, frozen=True):
    """How an arm does: errors and orders per hundred requests, latency p95 in milliseconds."""

    errors: float = 0.5
    p95_ms: float = 100.0
    orders: float = 6.0
    warnings: float = 5.0  # lines in the log, a minute
    payments: bool = True  # whether the dependency that both arms share is up


class Version(Struct, frozen=True):
    """A version of the service: its name, and the files of its commit that matter here."""

    name: str
    files: dict[str, str] = {}


class Metrics(Struct, frozen=True, tag="metrics"):
    """From now on an arm does so. None: as before."""

    arm: Arm
    errors: float | None = None
    p95_ms: float | None = None
    orders: float | None = None
    warnings: float | None = None
    payments: bool | None = None


class Feed(Struct, frozen=True, tag="feed"):
    """From now on an arm's numbers arrive so, whatever they are."""

    arm: Arm
    how: Feeds


class Brain(Struct, frozen=True, tag="brain"):
    """From now on another brain thinks. `insists` wishes `capability` at every look, with the
    judge's evidence; `forges` with evidence that nobody saw.
    """

    how: Brains
    capability: Literal["rollback", "promote"] = "rollback"


class Person(Struct, frozen=True, tag="person"):
    """Somebody does something. `item`: of which question, for accept and reject."""

    does: Deed
    by: str
    item: str = ""


class Restart(Struct, frozen=True, tag="restart"):
    """The backend is killed and started again; `backup`: over the journal as of the first share."""

    what: Restarted


class ByHand(Struct, frozen=True, tag="by_hand"):
    """Somebody moves the traffic at the target, past everybody."""

    weight: int


class Late(Struct, frozen=True, tag="late"):
    """A change of weight arrives at the governor past the conductor, as from another agent.

    With the epoch that was valid at the first share, or with the one of now.
    """

    weight: int
    epoch: Literal["first", "now"] = "first"


class Target(Struct, frozen=True, tag="target"):
    """From now on the target behaves so."""

    how: Targets


class Instances(Struct, frozen=True, tag="instances"):
    """From now on these instances say that they run these versions; empty: they do not say."""

    versions: dict[str, str]
    arm: Literal["stable", "canary"] = "stable"


class Facts(Struct, frozen=True, tag="facts"):
    """What the target is like besides the share changes: servers, routes, flags."""

    changes: dict[str, str]


class Order(Struct, frozen=True, tag="order"):
    """Somebody says what stands about the service: lifts, expects, withdraws, closes."""

    kind: Literal["lift", "expect", "withdraw", "close"]
    by: str
    item: str = ""
    at_most: float = 0.0
    for_s: float = 0.0


class Release(Struct, frozen=True, tag="release"):
    """The next version is released, and somebody approves it."""

    version: str


class Rules(Struct, frozen=True, tag="rules"):
    """The policy's file is written anew, or with a mistake in it."""

    how: Literal["rewritten", "broken"]


class Clock(Struct, frozen=True, tag="clock"):
    """The wall clock jumps."""

    by_s: float


Do = (
    Metrics
    | Feed
    | Brain
    | Person
    | Restart
    | ByHand
    | Late
    | Target
    | Instances
    | Facts
    | Order
    | Release
    | Rules
    | Clock
)


class Entry(Struct, frozen=True):
    """Something that happens `at` seconds; below 0 while the release waits to be approved.

    `say` is how it is told.
    """

    at: float
    do: Do
    say: str = ""


class Never(Struct, frozen=True):
    """What must not happen more often than `more_than` times, `after` and `until` so many seconds."""

    what: Danger
    more_than: int = 0
    after: float = 0.0
    until: float = math.inf


class Advice(Struct, frozen=True):
    """The rule of a policy that would stop it, for those whose policy does not."""

    capability: str
    condition: str
    write: str


STARTS = 1_772_532_000.0
"""Tuesday, 3 March 2026, 10:00 UTC: most calendars have nothing against that."""


class Scenario(Struct, frozen=True, kw_only=True):
    """One rehearsal. `stopped_by` names the guards that stop it under the shipped policy."""

    name: str
    title: str
    story: str
    source: str = ""
    starts: float = STARTS
    before: float = 60.0  # seconds of stable alone before somebody approves
    lasts: float
    traffic: float = 50.0  # requests a second
    every: float = 1.0  # seconds between two looks
    stable: Levels = Levels()
    canary: Levels = Levels()
    versions: tuple[Version, ...]
    instances: dict[str, str] = {}  # of the old version, and what they say that they run
    facts: dict[str, str] = {}  # what the target is like besides the share
    when: tuple[Entry, ...]
    nevers: tuple[Never, ...]
    called: bool = False  # people must have been called
    stopped_by: tuple[str, ...] = ()
    without: str = ""  # what would have happened
    advice: tuple[Advice, ...] = ()
