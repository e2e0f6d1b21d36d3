"""One number an arm at each look: a ratio that a metrics server has computed, or a level.

Values that follow each other repeat the same news. So each arm's mean is as uncertain as that of
fewer, independent values: its effective size n (1 - r) / (1 + r), with the lag-1 autocorrelation r,
which short series show too small, corrected for that (Marriott and Pope 1954) and taken a fifth of
its standard error larger. Judged is ln(mean of canary / mean of stable), one-sided t, and at
least 5 % on the arms' means. Below an effective size of 5 nothing is said.

Where at least half of all values are zero, a mean is made by a few; then the number of non-zero
values is compared instead (Fisher's exact test, on fewer values where they come in clumps). A
value below zero has no ratio: then nothing is judged, and that is said.

This is no e-process. A test that is read at every look finds something in the end, so it is
read at planned sizes only (10, 20, 40, 80 and 160 values, then each 80 of the last 160), and each
reading gets a fixed share of the chance of a false alarm, 1 in all. Simulated with 1 % to give away
and values that scatter by 35 %: at most 1.0 % false alarms, read once or at every planned size, at
autocorrelations from 0 to .95. Sparse values that come in clumps: up to 1.6 %; only where both arms
are stuck for dozens of values at a time (.95) up to 5 %, since nothing in the data tells that from
a fault. Each series of a service has a chance of its own.
"""

from __future__ import annotations

from math import ceil, floor, isfinite, log, sqrt

from msgspec import Struct, structs

from .student import f_above, t_above

FIRST = 10  # values an arm before the first reading
BLOCK = 80  # values of half a window
LEAST_EFFECT = 0.05
FEWEST = 5.0  # effective values an arm
SPREAD_ALPHA = 0.001  # a change of spread is worth a word
SPARSE_FIRST = 20  # values an arm before non-zero ones are counted
LARGEST = 1e100
UNBROKEN = 0.2  # of a value, each value of an arm that is never zero
CLUMPED = 1.64  # standard errors of the autocorrelation of being non-zero
NEGATIVE = "has values below zero, and no ratio then: ask for something that has none"
_STEP_SHARES = (0.1, 0.5)  # of the chance, for the first two readings; the rest shares the rest


class Moments(Struct, frozen=True, array_like=True):
    """What is kept of one arm's values in their order; sums are of differences to the origin."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    products: float = 0.0  # of neighbours
    first: float = 0.0
    last: float = 0.0
    nonzero: int = 0
    pairs: int = 0  # neighbours that are both non-zero
    ends: tuple[bool, bool] = (False, False)  # whether the first and the last are non-zero
    negative: int = 0


class Finding(Struct, frozen=True, array_like=True):
    """One reading. Means and effective sizes of canary and stable, and how rare it is by chance.

    `worse` and `better` are the chances of so much if nothing differed, `bad` of so little if the
    canary were as much worse as must be excluded. `trouble` says why nothing is judged; `zeros`
    that non-zero values were counted. `spread` is how many times more the canary's values scatter,
    where that differs and the level does not; 0: it does not.
    """

    n: int
    canary: float
    stable: float
    sizes: tuple[float, float] = (0.0, 0.0)
    worse: float = 1.0
    better: float = 1.0
    bad: float = 1.0
    zeros: tuple[int, int] | None = None
    spread: float = 0.0
    trouble: str = ""
    negative: bool = False


class Window(Struct, frozen=True, array_like=True):
    """The values that are compared: those of the block before, and of the block being filled."""

    origin: tuple[float, float] = (0.0, 0.0)  # the first value of canary and of stable
    before: tuple[Moments, Moments] = (Moments(), Moments())
    now: tuple[Moments, Moments] = (Moments(), Moments())
    block: int = BLOCK

    @property
    def n(self) -> int:
        """Values an arm."""
        return self.before[0].n + self.now[0].n

    @property
    def wanted(self) -> int:
        """How many values an arm until the next reading."""
        if self.before[0].n:
            return self.block - self.now[0].n
        size = FIRST
        while size <= self.now[0].n:
            size *= 2
        return size - self.now[0].n


class Reading(Struct, frozen=True, array_like=True):
    """How the last reading stands: 1 / chance after its share was paid (20: 1 in 20 by chance).

    `healthy_now` falls below 1 when the newest reading speaks against `healthy`.
    """

    worse: float = 1.0
    better: float = 1.0
    healthy: float = 1.0
    healthy_now: float = 1.0
    finding: Finding | None = None


def share(reading: int) -> float:
    """The share of the chance of a false alarm for the reading number `reading`, from 0."""
    if reading < len(_STEP_SHARES):
        return _STEP_SHARES[reading]
    k = reading - len(_STEP_SHARES) + 1
    return (1.0 - sum(_STEP_SHARES)) / (k * (k + 1))


def usable(value: float | None) -> bool:
    """Whether there is a number, and one whose square is a number too."""
    return value is not None and isfinite(value) and abs(value) <= LARGEST


def added(window: Window, canary: float, stable: float) -> Window:
    """The window with one look more; both must be usable."""
    canary, stable = (0.0 if abs(x) < 1.0 / LARGEST else x for x in (canary, stable))
    if not window.n:
        window = structs.replace(window, origin=(canary, stable))
    now = (
        _longer(window.now[0], canary, window.origin[0]),
        _longer(window.now[1], stable, window.origin[1]),
    )
    return structs.replace(window, now=now)


def due(window: Window) -> bool:
    """Whether the newest value makes the window one of the planned sizes."""
    n = window.now[0].n
    if window.before[0].n:
        return n == window.block
    size = FIRST
    while size < n:
        size *= 2
    return n == size


def read(window: Window, worse: str, excludes: float) -> Finding:
    """Compare the arms once, now, at whatever size. `worse` is up or down."""
    origin, joined = window.origin, _joined(window)
    canary, stable = joined
    means = (_mean(canary, origin[0]), _mean(stable, origin[1]))
    finding = Finding(canary.n, *means)
    if canary.negative or stable.negative:
        return structs.replace(finding, trouble=NEGATIVE, negative=True)
    if canary.n < FIRST:
        return structs.replace(finding, trouble="has too few values")
    if canary.nonzero + stable.nonzero <= canary.n:
        return _sparse(finding, canary, stable, worse, excludes)
    return _means(finding, canary, stable, worse, excludes)


def kept(window: Window, finding: Finding) -> Window:
    """The window after a reading: at a full one the older half is left, if it was of use."""
    if window.now[0].n < window.block:
        return window
    joined = _joined(window)
    if not window.before[0].n:
        return Window(window.origin, joined, block=window.block)
    if min(finding.sizes) < FEWEST and not finding.zeros:  # slow values: twice the time
        return Window(window.origin, joined, block=joined[0].n)
    return Window(window.origin, window.now, block=window.block)


def weighed(finding: Finding, of_rollout: int, of_step: int) -> Reading:
    """What a reading is worth: number `of_rollout` for a regression, `of_step` for PASS."""
    if finding.trouble:
        return Reading(finding=finding)
    search = share(of_rollout)
    return Reading(
        worse=_odds(search, finding.worse),
        better=_odds(search, finding.better),
        healthy=_odds(share(of_step), finding.bad),
        healthy_now=_odds(0.5, finding.bad),
        finding=finding,
    )


def whole(
    canary: list[float | None], stable: list[float | None], worse: str, excludes: float
) -> Finding:
    """Compare two recorded series once, over all their length, side by side in time.

    The full chance may be given to it: `finding.worse` < .01 is a regression.
    """
    window = Window()
    for a, b in zip(canary, stable, strict=False):
        if a is not None and b is not None and usable(a) and usable(b):
            window = added(window, a, b)
    return read(window, worse, excludes)


def ratio(finding: Finding) -> float:
    """How many times stable's mean the canary's is."""
    return finding.canary / finding.stable if finding.stable > 0 else 1.0


def missing(window: Window, finding: Finding | None) -> int | None:
    """How many values an arm until a reading can tell anything; None: it never will."""
    if finding is None or not finding.trouble:
        return window.wanted
    size = min(finding.sizes)
    if finding.negative:
        return None
    needed = int(finding.n * FEWEST / size) - window.n if size > 0 else 0
    return max(window.wanted, needed)


def _odds(share_: float, chance: float) -> float:
    return min(share_ / max(chance, 1e-15), 1e12)


def _longer(moments: Moments, value: float, origin: float) -> Moments:
    x, some = value - origin, value != 0
    return Moments(
        moments.n + 1,
        moments.total + x,
        moments.squares + x * x,
        moments.products + (x * moments.last if moments.n else 0.0),
        moments.first if moments.n else x,
        x,
        moments.nonzero + some,
        moments.pairs + (some and moments.ends[1]),
        (moments.ends[0] if moments.n else some, some),
        moments.negative + (value < 0),
    )


def _joined(window: Window) -> tuple[Moments, Moments]:
    return _after(window.before[0], window.now[0]), _after(window.before[1], window.now[1])


def _after(a: Moments, b: Moments) -> Moments:
    if not a.n or not b.n:
        return a if a.n else b
    return Moments(
        a.n + b.n,
        a.total + b.total,
        a.squares + b.squares,
        a.products + b.products + a.last * b.first,
        a.first,
        b.last,
        a.nonzero + b.nonzero,
        a.pairs + b.pairs + (a.ends[1] and b.ends[0]),
        (a.ends[0], b.ends[1]),
        a.negative + b.negative,
    )


def _mean(moments: Moments, origin: float) -> float:
    return origin + moments.total / moments.n if moments.n else 0.0


def _means(
    finding: Finding, canary: Moments, stable: Moments, worse: str, excludes: float
) -> Finding:
    """The logarithm of the ratio of means against its uncertainty (Welch's t)."""
    size_c, var_c = _uncertainty(canary, finding.canary)
    size_s, var_s = _uncertainty(stable, finding.stable)
    finding = structs.replace(finding, sizes=(size_c, size_s))
    if min(size_c, size_s) < FEWEST:
        return structs.replace(finding, trouble=_slow(finding))
    sign = -1.0 if worse == "down" else 1.0
    effect = sign * log(finding.canary / finding.stable)
    of_c, of_s = var_c / size_c, var_s / size_s
    error = sqrt(of_c + of_s)
    if error > 0:
        df = error**4 / (of_c**2 / (size_c - 1.0) + of_s**2 / (size_s - 1.0))
    else:  # neither arm ever moves: what differs differs
        error, df = 1e-12, 1.0
    enough = log(1.0 + LEAST_EFFECT)
    finding = structs.replace(
        finding,
        worse=t_above(effect / error, df) if effect > enough else 1.0,
        better=t_above(-effect / error, df) if effect < -enough else 1.0,
        bad=t_above((log(excludes) - effect) / error, df),
    )
    return structs.replace(finding, spread=_spread(finding, var_c, var_s))


def _uncertainty(moments: Moments, mean: float) -> tuple[float, float]:
    """The effective size, and the variance of one value relative to the mean."""
    n, center = moments.n, moments.total / moments.n
    squares = moments.squares - moments.total * center
    if squares <= 1e-26 * n * mean * mean:  # always the same: nothing but rounding
        return float(n), 0.0
    ends = moments.first + moments.last
    products = moments.products - center * (2.0 * moments.total - ends) + (n - 1) * center**2
    r = min(1.0, max(0.0, (products / squares * n + 1.0) / (n - 4.0)))
    r = min(0.999, r + 0.2 * sqrt((1.0 - r * r) / n))
    size = n * (1.0 - r) / (1.0 + r)
    # Values that hang together scatter less about their own mean than about the true one.
    return size, squares / (n - n / max(size, 1.01)) / (mean * mean)


def _spread(finding: Finding, var_c: float, var_s: float) -> float:
    if min(finding.worse, finding.better) < 0.01 or not (var_c > 0 and var_s > 0):
        return 0.0
    f, (size_c, size_s) = var_c / var_s, finding.sizes
    larger = f_above(f, size_c - 1.0, size_s - 1.0)
    smaller = f_above(1.0 / f, size_s - 1.0, size_c - 1.0)
    return sqrt(f) if 2.0 * min(larger, smaller) < SPREAD_ALPHA else 0.0


def _sparse(
    finding: Finding, canary: Moments, stable: Moments, worse: str, excludes: float
) -> Finding:
    """How many values are not zero, by Fisher's exact test."""
    of_c, of_s = canary.nonzero, stable.nonzero
    n, kept_share = canary.n, _unclumped(canary, stable)
    size = floor(n * kept_share)
    finding = structs.replace(
        finding, sizes=(n * kept_share, n * kept_share), zeros=(n - of_c, n - of_s)
    )
    if n < SPARSE_FIRST:
        return structs.replace(finding, trouble="has too few values")
    if size < FEWEST:
        return structs.replace(finding, trouble=_slow(finding))
    a, b = (of_s, of_c) if worse == "down" else (of_c, of_s)
    few_a, few_b = floor(a * kept_share), floor(b * kept_share)
    many_a, many_b = min(size, ceil(a * kept_share)), min(size, ceil(b * kept_share))
    return structs.replace(
        finding,
        worse=at_least(few_a, size, few_a + many_b, 1.0),
        better=at_least(few_b, size, few_b + many_a, 1.0),
        # So little on the suspected arm is so much on the other.
        bad=at_least(few_b, size, few_b + many_a, 1.0 / excludes),
    )


def _unclumped(canary: Moments, stable: Moments) -> float:
    """The share of values that are news, by the autocorrelation of being non-zero."""
    above = below = 0.0
    varied = 0
    for arm in (canary, stable):
        p = arm.nonzero / arm.n
        if 0.0 < p < 1.0:
            above += arm.pairs - p * (2 * arm.nonzero - sum(arm.ends)) + (arm.n - 1) * p * p
            below += arm.n * p * (1.0 - p)
            varied += arm.n
    # One unbroken run: how clumped it is cannot be seen.
    most = UNBROKEN if max(canary.nonzero, stable.nonzero) == canary.n else 1.0
    if not varied or above / below <= CLUMPED / sqrt(varied):  # no more than chance does
        return most
    r = min(0.999, (above / below * canary.n + 1.0) / (canary.n - 4.0))
    return min(most, (1.0 - r) / (1.0 + r))


def at_least(k: int, size: int, both: int, odds: float) -> float:
    """P(X >= k), X of `both` marked values in the first of two arms with `size` values each.

    Fisher's noncentral hypergeometric distribution; with odds 1 it is Fisher's exact test.
    """
    low, high = max(0, both - size), min(size, both)
    tail = total = weight = 1.0  # relative to X = k
    for x in range(k, high):
        weight *= (size - x) * (both - x) * odds / ((x + 1) * (size - both + x + 1))
        tail += weight
    total, weight = tail, 1.0
    for x in range(k, low, -1):
        weight *= x * (size - both + x) / ((size - x + 1) * (both - x + 1) * odds)
        total += weight
    return tail / total if isfinite(total) else float(not isfinite(tail))


def _slow(finding: Finding) -> str:
    worth = min(finding.sizes)
    return f"changes so slowly that {finding.n} values are worth {worth:.1f}; {FEWEST:g} are needed"
