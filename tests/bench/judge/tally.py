"""From draws to figures: every rule on the same draws, in pieces that several processes can share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import peers
from cells import Cell
from judged import Said, Way, said
from numpy.typing import NDArray
from scipy.stats import beta
from world import Draws, draw

Real = NDArray[np.float64]

PIECE = (
    25  # rollouts drawn at a time: small enough for memory, and results do not depend on workers
)


@dataclass(frozen=True)
class Rule:
    """When one rule stopped each rollout, and how many requests went wrong until then.

    Times are seconds since the raise, inf for never. `onset` is when the canary became worse.
    """

    stops: Real
    bad: Real
    onset: float
    end: float

    @property
    def early(self) -> float:
        """Share stopped before anything was wrong."""
        return float((self.stops <= self.onset).mean()) if self.onset else 0.0

    @property
    def stopped(self) -> float:
        """Share stopped at all, once something was wrong (in a null cell: falsely)."""
        return float((np.isfinite(self.stops) & (self.stops > self.onset)).mean())

    def delay(self, q: float) -> float:
        """The q-quantile of the seconds from the onset to the stop; inf where never."""
        late = self.stops[self.stops > self.onset]
        return float(np.quantile(late, q, method="higher")) - self.onset if late.size else np.inf

    @property
    def mean(self) -> float:
        """Mean seconds from the onset to the stop or the end."""
        late = self.stops[self.stops > self.onset]
        return float(np.minimum(late, self.end).mean()) - self.onset if late.size else np.inf

    def at_most(self, sure: float = 0.95) -> float:
        """Upper confidence limit of the share stopped (Clopper and Pearson)."""
        n = self.stops.size
        k = round(self.stopped * n)
        return 1.0 if k == n else float(beta.ppf(sure, k + 1, n - k))

    def at_least(self, sure: float = 0.95) -> float:
        """Lower confidence limit of the share stopped."""
        n = self.stops.size
        k = round(self.stopped * n)
        return 0.0 if k == 0 else float(beta.ppf(1 - sure, k, n - k + 1))


@dataclass(frozen=True)
class Tally:
    """One cell: its rules by name, PASSes in the first step by way, and how the judge spoke (summed by way)."""

    cell: Cell
    rules: dict[str, Rule]
    passes: dict[Way, Rule]
    spoke: dict[Way, Said]


Work = tuple[Cell, int, int, int]
Piece = tuple[dict[str, tuple[Real, Real]], dict[Way, Said]]

PEERS: tuple[tuple[str, Callable[[Draws], Real | None]], ...] = (
    ("SPRT that knows the ratio", lambda draws: peers.sprt(draws, 5)),
    ("Kayenta, 5 s points, every look", lambda draws: peers.kayenta(draws, 5)),
    ("Kayenta, 1 minute points", lambda draws: peers.kayenta(draws, 60)),
    ("Argo Rollouts 0.95, 30 s, limit 3", peers.argo),
    ("Flagger, 1 min, 5 checks", peers.flagger),
    ("z-test at every look", lambda draws: peers.z_test(draws, 5)),
)


def rule_name(way: Way, what: str) -> str:
    """How a way of running the judge is called in the table."""
    return f"judge, {way.name}: {what}"


def pieces(cell: Cell, rollouts: int, seed: int) -> list[Work]:
    """The work of a cell: each piece has a seed of its own."""
    sizes = [min(PIECE, rollouts - first) for first in range(0, rollouts, PIECE)]
    return [(cell, size, seed, i) for i, size in enumerate(sizes)]


def piece(work: Work) -> Piece:
    """Draws some rollouts of a cell and runs every rule on them."""
    cell, rollouts, seed, part = work
    draws = draw(cell.world, rollouts, (seed, crc32(cell.name.encode()), part))
    so_far = np.concatenate([np.zeros((rollouts, 1)), np.cumsum(draws.bad, axis=1)], axis=1)

    def bad(stops: Real) -> Real:
        at = np.minimum(stops, cell.world.seconds).astype(int)
        return np.asarray(so_far[np.arange(rollouts), at])

    rules: dict[str, tuple[Real, Real]] = {}
    spoke: dict[Way, Said] = {}
    for way in cell.ways:
        spoke[way] = out = said(draws, way)
        for what, times in (("roll back", out.rolled), ("hold", out.held)):
            stops = np.array(times)
            rules[rule_name(way, what)] = (stops, bad(stops))
    for name, decide in PEERS:
        found = decide(draws)
        if found is not None:
            rules[name] = (found, bad(found))
    return rules, spoke


def together(cell: Cell, found: Iterable[Piece]) -> Tally:
    """One tally of all pieces."""
    parts = list(found)
    onset, end = float(cell.world.onset_s), float(cell.world.seconds)
    rules = {
        name: Rule(
            np.concatenate([rules[name][0] for rules, _ in parts]),
            np.concatenate([rules[name][1] for rules, _ in parts]),
            onset,
            end,
        )
        for name in parts[0][0]
    }
    passes, spoke = {}, {}
    for way in cell.ways:
        all_of = [said_[way] for _, said_ in parts]
        stops = np.array([t for one in all_of for t in one.passed])
        # Of the first step only: each step asks anew, and a rollout must pass them all.
        stops[stops > cell.world.steps[0][0]] = np.inf
        passes[way] = Rule(stops, np.zeros(stops.size), 0.0, end)
        spoke[way] = Said(
            asked=sum(one.asked for one in all_of),
            open=sum(one.open for one in all_of),
            us=float(np.median([one.us for one in all_of])),
            size=max(one.size for one in all_of),
            looks=sum(one.looks for one in all_of),
        )
    return Tally(cell, rules, passes, spoke)
