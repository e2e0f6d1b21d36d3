"""Gauges instance by instance: is the canary's level beyond what stable's instances differ by?

Levels are averaged over blocks of 15 seconds for each instance, because looks that follow each
other repeat the same news. A block is out when the canary's mean is higher than stable's by more
than the spread between stable's instances explains (one-sided t with P - 1 degrees of freedom
for P instances) and by more than 15 %. Two blocks out of the last three flag the metric.

What chance does, whatever hangs together between blocks: a flag takes two blocks, so if p_k is the
chance of block k, a flag has at most half their sum (Markov). The first 40 blocks, ten minutes,
get ALPHA / 40 each, the next 80 a quarter of that, the next 160 a quarter of that again: 2 ALPHA
in all, so at most ALPHA for a false flag in a rollout of any length.

This supposes that instances differ like a bell curve: then 0.1 to 0.2 % of simulated rollouts of ten
minutes had a false flag; 0.6 % where instances differ log-normally by 20 %, 1.6 % by 60 %. Ranks
suppose nothing, but one canary instance beside 19 cannot be more remarkable than 1 in 20, so this is
advice and never more.
"""

from __future__ import annotations

from math import comb, inf, sqrt

from msgspec import Struct, structs

from .student import t_above

BLOCK_S = 15.0
ALPHA = 0.01  # of a false flag, in a rollout
PLANNED = 40  # blocks that share the first half of the chance
RANK_ALPHA = 0.05  # where nothing but the order of the instances is to be had
RATIO = 1.15  # less than this is not worth a word
FEWEST = 3  # instances of stable
LARGEST = 1e100  # of a level

Levels = tuple[float, ...]


class Compared(Struct, frozen=True, array_like=True):
    """One block: mean levels of the arms; `z` in standard errors, None without any spread."""

    canary: float
    stable: float
    z: float | None
    out: bool


class Blocks(Struct, frozen=True, array_like=True):
    """The block that is being filled (sums by instance) and what the ones before said."""

    canary: Levels = ()
    stable: Levels = ()
    looks: int = 0
    seconds: float = 0.0
    compared: int = 0  # blocks of the rollout
    out: tuple[bool, ...] = ()  # the last three
    last: Compared | None = None

    @property
    def few(self) -> bool:
        """Whether stable has too few instances to know how much they differ."""
        return 0 < len(self.stable) < FEWEST

    @property
    def flagged(self) -> bool:
        """Whether the canary's level was out in two of the last three blocks."""
        return sum(self.out) >= 2


def added(blocks: Blocks, canary: Levels, stable: Levels, seconds: float, worse: str) -> Blocks:
    """The same with one look more. `worse` is up or down.

    A look with an instance that gave no number, or one too large to be squared, is left out; other instances than before begin the
    block again.
    """
    if not canary or not stable or not all(abs(x) <= LARGEST for x in (*canary, *stable)):
        return blocks
    if len(canary) != len(blocks.canary) or len(stable) != len(blocks.stable):
        blocks = structs.replace(
            blocks,
            canary=(0.0,) * len(canary),
            stable=(0.0,) * len(stable),
            looks=0,
            seconds=0.0,
        )
    blocks = structs.replace(
        blocks,
        canary=_plus(blocks.canary, canary),
        stable=_plus(blocks.stable, stable),
        looks=blocks.looks + 1,
        seconds=blocks.seconds + seconds,
    )
    if blocks.seconds < BLOCK_S - 1e-6:
        return blocks
    return _closed(blocks, worse)


def restarted(blocks: Blocks) -> Blocks:
    """After a raise: instances carry another load now, so blocks from before do not count."""
    return Blocks(compared=blocks.compared)


def compare(canary: Levels, stable: Levels, worse: str, alpha: float) -> Compared:
    """Mean levels by instance of one block; `alpha` is the chance that it is out by itself.

    At least FEWEST of stable. Instances that do not differ at all have no spread: then only
    the order is judged, and it takes 19 of stable for one of the canary.
    """
    down = worse == "down"
    sign = -1.0 if down else 1.0
    mean_c, mean_s = sum(canary) / len(canary), sum(stable) / len(stable)
    gap = sign * (mean_c - mean_s)
    # Written as a product: a level may be zero or below it.
    enough = gap > (RATIO - 1.0) * abs(mean_c if down else mean_s)
    spread = sqrt(sum([(x - mean_s) ** 2 for x in stable]) / (len(stable) - 1))
    if spread <= 1e-9 * max(map(abs, (*canary, *stable))):
        apart = min(sign * x for x in canary) > max(sign * x for x in stable)
        rare = 1.0 / comb(len(canary) + len(stable), len(canary)) <= RANK_ALPHA
        return Compared(mean_c, mean_s, None, enough and apart and rare)
    z = gap / (spread * sqrt(1.0 / len(canary) + 1.0 / len(stable)))
    return Compared(mean_c, mean_s, z, enough and t_above(z, len(stable) - 1.0) < alpha)


def alpha_of(block: int) -> float:
    """The chance given to the block number `block`, from 0: ALPHA / 40, later less."""
    alpha, length = ALPHA / PLANNED, PLANNED
    while block >= length:
        block, alpha, length = block - length, alpha / 4.0, length * 2
    return alpha


def _closed(blocks: Blocks, worse: str) -> Blocks:
    """The block's verdict, and an empty block."""
    looks = blocks.looks
    canary = tuple([total / looks for total in blocks.canary])
    stable = tuple([total / looks for total in blocks.stable])
    last: Compared | None = None
    out: tuple[bool, ...] = ()
    if len(stable) >= FEWEST:
        last = compare(canary, stable, worse, alpha_of(blocks.compared))
        out = (*blocks.out, last.out)[-3:]
    return Blocks(
        canary=(0.0,) * len(canary),
        stable=(0.0,) * len(stable),
        compared=blocks.compared + 1,
        out=out,
        last=last,
    )


def ratio(compared: Compared) -> float:
    """How many times stable's level the canary's is; infinite above zero, 1 where no ratio is."""
    if compared.stable > 0 and compared.canary >= 0:
        return compared.canary / compared.stable
    return inf if compared.stable == 0 and compared.canary > 0 else 1.0


def _plus(a: Levels, b: Levels) -> Levels:
    return tuple([x + y for x, y in zip(a, b, strict=True)])
