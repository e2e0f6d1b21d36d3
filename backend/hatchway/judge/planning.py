"""Before a rollout: how small a regression will be found at this traffic, and when PASS comes.

The judge's wealth is followed along its average growth (`drift.py`). Chance makes the real judge
faster or slower than that; over many rollouts the median lies within a factor of 1.5.
"""

from __future__ import annotations

from math import exp, inf, log

from msgspec import Struct

from . import drift, latency
from .bets import GUARD_RATIO
from .counts import HEALTHY_TILTS, WORSE_TILTS
from .drift import Shares, Traffic
from .forecast import TOO_LONG
from .joint import GUARD_SHARE
from .margins import Margins
from .state import EARLY, JudgeConfig
from .wealth import Wealth, bet

LARGEST = 1000.0  # times worse: what is not found at this is not found
_KNOWN = 5.0  # slow requests of stable before a tail is bet on (latency.tail_bucket)


class Counted(Struct, frozen=True):
    """Events among requests, a share `p` of them on stable. `down`: fewer are worse."""

    p: float
    down: bool = False


class Timed(Struct, frozen=True):
    """Latency by bucket: the upper `bounds` in seconds and stable's `shares` in each bucket.

    `known` is how many requests of stable the judge will have seen before the raise.
    """

    bounds: tuple[float, ...]
    shares: Shares
    quantile: float = 0.95
    known: float = 0.0


Subject = Counted | Timed


class _Stake(Struct, frozen=True):
    """A part of a metric's wealth: its share, nats a second by tilt, and when it bets."""

    share: float
    gains: tuple[float, ...]
    begins: float = 0.0
    ends: float = inf
    wealth: Wealth = Wealth()


def seconds_to_find(
    config: JudgeConfig,
    subject: Subject,
    traffic: Traffic,
    factor: float,
    *,
    share: float = 1.0,
    threshold: float | None = None,
    margins: Margins | None = None,
) -> float | None:
    """Seconds from the raise until a regression of `factor` is called; None: not within a week.

    A `factor` of 2 is odds of an event twice (fewer are worse: half) as high, or every request
    twice as slow. `share` is the metric's part of the joint evidence (`joint.weights`), the
    threshold that of a roll-back unless another is given. `margins` are the configured ones unless
    measured ones are given.
    """
    threshold = config.rollback_at if threshold is None else threshold
    if not _usable(traffic) or share <= 0:
        return None
    stakes = _stakes(config, margins or config.floors, subject, traffic, factor)
    return _reached(stakes, threshold / share, TOO_LONG)


def smallest_found(
    config: JudgeConfig,
    subject: Subject,
    traffic: Traffic,
    seconds: float,
    *,
    share: float = 1.0,
    threshold: float | None = None,
    margins: Margins | None = None,
) -> float | None:
    """The smallest factor that is expected to be called within `seconds`; None: not even x1000."""
    threshold = config.rollback_at if threshold is None else threshold
    if not _usable(traffic) or share <= 0:
        return None

    def found(factor: float) -> bool:
        stakes = _stakes(config, margins or config.floors, subject, traffic, factor)
        return _reached(stakes, threshold / share, seconds) is not None

    if not found(LARGEST):
        return None
    low, high = 0.0, log(LARGEST)
    while high - low > 0.02:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if found(exp(middle)) else (middle, high)
    return exp(high)


def seconds_to_pass(
    config: JudgeConfig,
    subject: Subject,
    traffic: Traffic,
    excludes: float,
    *,
    margins: Margins | None = None,
) -> float | None:
    """Seconds from the raise until "worse than `excludes` times" is excluded of a good canary.

    None: not within a week, as with events that never happen.
    """
    if not _usable(traffic):
        return None
    begins, chance = _tail_known(subject, traffic)
    down = isinstance(subject, Counted) and subject.down
    phi = (margins or config.floors).phi
    gains = drift.events_healthy(traffic, (chance, chance), excludes, HEALTHY_TILTS, phi, down=down)
    stake = _Stake(1.0, gains, begins=begins, wealth=EARLY)
    reached = _reached((stake,), config.healthy_at, TOO_LONG)
    return None if reached is None else max(reached, config.warmup_s)


def worse_chance(subject: Counted, factor: float) -> float:
    """The chance of an event on a canary that is worse by `factor`, in odds."""
    odds = subject.p / (1.0 - subject.p) if subject.p < 1.0 else 1e12
    odds = odds / factor if subject.down else odds * factor
    return odds / (1.0 + odds)


def _usable(traffic: Traffic) -> bool:
    return traffic.rate > 0 and 0.0 < traffic.weight < 1.0


def _tail_known(subject: Subject, traffic: Traffic) -> tuple[float, float]:
    """When the events that PASS is about are known, and how frequent they are on stable."""
    if isinstance(subject, Counted):
        return 0.0, subject.p
    slow = _slow(subject, subject.quantile)
    if slow is None:
        return inf, 0.0
    begins = _until(subject, traffic, _KNOWN / (1.0 - subject.quantile))
    return begins, sum(subject.shares[slow + 1 :])


def _stakes(
    config: JudgeConfig, margins: Margins, subject: Subject, traffic: Traffic, factor: float
) -> tuple[_Stake, ...]:
    if isinstance(subject, Counted):
        return _counted(config, margins, subject, traffic, factor)
    return _timed(config, margins, subject, traffic, factor)


def _counted(
    config: JudgeConfig, margins: Margins, subject: Counted, traffic: Traffic, factor: float
) -> tuple[_Stake, ...]:
    chances = worse_chance(subject, factor), subject.p

    def gains(ratio: float) -> tuple[float, ...]:
        return drift.events_worse(
            traffic, chances, ratio, WORSE_TILTS, margins.phi, down=subject.down
        )

    return (
        _Stake(1 - GUARD_SHARE, gains(margins.ratio), begins=config.warmup_s),
        _Stake(GUARD_SHARE, gains(GUARD_RATIO), ends=config.warmup_s),
    )


def _timed(
    config: JudgeConfig, margins: Margins, subject: Timed, traffic: Traffic, factor: float
) -> tuple[_Stake, ...]:
    bounds, stable, phi = subject.bounds, subject.shares, margins.phi
    canary = drift.slowed(bounds, stable, factor)

    def tail(q: float, ratio: float, tilts: tuple[float, ...]) -> tuple[float, ...]:
        index = _slow(subject, q)
        if index is None:
            return (0.0,) * len(tilts)
        chances = sum(canary[index + 1 :]), sum(stable[index + 1 :])
        return drift.events_worse(traffic, chances, ratio, tilts, phi)

    after = config.warmup_s
    main = 1 - GUARD_SHARE
    shift = drift.shift(traffic, bounds, canary, stable, margins.shift, phi)
    begins = max(after, _until(subject, traffic, latency.ENOUGH))
    stakes = [_Stake(main * latency.SHIFT_SHARE, shift, begins=begins)]
    for share, (q, tilts) in zip(latency.TAIL_SHARE, latency.TAILS, strict=True):
        begins = max(after, _until(subject, traffic, _KNOWN / (1.0 - q)))
        gains = tail(q, margins.tail, tilts)
        stakes.append(_Stake(main * share, gains, begins=begins))
    guard = tail(subject.quantile, GUARD_RATIO, WORSE_TILTS)
    begins = _until(subject, traffic, _KNOWN / (1.0 - subject.quantile))
    return (*stakes, _Stake(GUARD_SHARE, guard, begins=begins, ends=after))


def _slow(subject: Timed, q: float) -> int | None:
    return latency.tail_bucket(drift.scaled(subject.shares), q)


def _until(subject: Timed, traffic: Traffic, requests: float) -> float:
    """Seconds until stable has had so many requests."""
    return max(0.0, requests - subject.known) / (traffic.rate * (1 - traffic.weight))


def _reached(stakes: tuple[_Stake, ...], need: float, within: float) -> float | None:
    """When the stakes together are worth `need`, along their average growth."""
    wealth = [stake.wealth for stake in stakes]
    changes = sorted({t for stake in stakes for t in (stake.begins, stake.ends) if t < within})
    t, worth = 0.0, 1.0
    while t < within:
        step = min([max(1.0, t / 20.0), within - t, *(at - t for at in changes if at > t + 1e-9)])
        for index, stake in enumerate(stakes):
            if stake.begins <= t + 1e-9 < stake.ends:
                grown = tuple(gain * step for gain in stake.gains)
                wealth[index] = bet(wealth[index], grown, step)
        before, worth = (
            worth,
            sum(stake.share * own.now for stake, own in zip(stakes, wealth, strict=True)),
        )
        if worth >= need:
            part = log(need / before) / log(worth / before) if worth > before else 1.0
            return t + step * part
        t += step
    return None
