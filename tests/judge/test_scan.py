"""The scan by label: a fault on one endpoint is found sooner, and chance not more often."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import median

import pytest

from hatchway.core.plan import MetricSpec
from hatchway.judge import Counts, JudgeConfig, JudgeState, Look, Verdict, judge, new, raised
from hatchway.judge.before import before
from hatchway.judge.counts import Arm
from hatchway.judge.joint import GUARD_SHARE, standing
from hatchway.judge.scan import (
    MOST,
    MOST_SEEN,
    REST,
    SHARE,
    Scan,
    observed,
    suspected,
)
from hatchway.judge.scan import before as seen_before
from hatchway.judge.scan import raised as scan_raised
from hatchway.judge.state import CountsState, MetricState, from_bytes, to_bytes

Make = Callable[..., MetricSpec]
Parts = dict[str, tuple[Arm, Arm]]
NONE: Arm = (0, 0)


def after(scan: Scan, parts: Parts, *, down: bool = False, warming: bool = False) -> Scan:
    return observed(scan, parts, ratio=1.5, phi=1.3, seconds=1.0, down=down, warming=warming)


def equal(n: int) -> Parts:
    return {f"/{i}": ((10 - i % 3, 1), (100 + n - i, 5)) for i in range(n)}


def test_the_labels_with_most_requests_are_kept_and_the_rest_is_one_more() -> None:
    scan = after(Scan(), equal(30))
    assert len(scan.labels) == len(scan.parts) == MOST + 1
    assert scan.labels[-1] == REST
    assert scan.labels[0] == "/0"
    assert sum(part.stable[0] for part in scan.parts) == sum(s[0] for _, s in equal(30).values())
    assert sum(part.canary[1] for part in scan.parts) == 30


def test_labels_are_fixed_at_the_first_look_and_not_picked_by_what_came_of_them() -> None:
    scan = after(Scan(), equal(12))
    later = after(scan, {"/new": ((1000, 900), (1000, 1)), "/3": ((1, 0), (9, 0))})
    assert later.labels == scan.labels
    assert later.parts[-1].canary == (1000, 900)


def test_requests_before_the_rollout_decide_the_labels() -> None:
    scan = Scan()
    for _ in range(3):
        scan = seen_before(scan, {"/busy": (NONE, (50, 0)), "/calm": (NONE, (1, 0))})
    many = {f"/{i}": ((5, 0), (5, 0)) for i in range(40)}
    scan = after(scan, {**many, "/busy": (NONE, (1, 0)), "/calm": (NONE, (1, 0))})
    assert scan.labels[0] == "/busy"
    assert "/calm" not in scan.labels
    assert scan.seen == {}


def test_what_is_remembered_before_the_rollout_is_bounded() -> None:
    scan = Scan()
    for k in range(20):
        scan = seen_before(scan, {f"/{k}-{i}": (NONE, (i, 0)) for i in range(40)})
    assert len(scan.seen) <= MOST_SEEN
    assert seen_before(Scan(), {"x" * 500: (NONE, (9, 0))}).seen == {}


def test_a_label_that_is_called_other_is_the_rest() -> None:
    scan = after(Scan(), {"other": ((5, 1), (50, 1)), "/a": ((5, 0), (50, 1))})
    assert scan.labels == ("/a", "other")


def test_without_parts_the_scan_says_nothing() -> None:
    assert after(Scan(), {}) == Scan()
    assert Scan().e == 1.0
    assert suspected(Scan(), down=False) is None


def test_the_evidence_is_the_mean_of_the_labels() -> None:
    scan = after(Scan(), {"/a": ((100, 50), (1000, 10)), "/b": ((100, 1), (1000, 10))})
    assert scan.e == pytest.approx(sum(part.worse.now for part in scan.parts) / 3)
    assert scan.parts[2].worse.now == 1.0  # nothing came, nothing was bet


def test_nothing_is_bet_in_warm_up() -> None:
    scan = after(Scan(), {"/a": ((100, 50), (1000, 10))}, warming=True)
    assert scan.e == 1.0
    assert scan.parts[0].canary == (100, 50)


def test_the_label_with_the_damage_is_named() -> None:
    scan = Scan()
    for _ in range(10):
        scan = after(scan, {"/pay": ((10, 5), (100, 1)), "/": ((90, 1), (900, 10))})
    found = suspected(scan, down=False)
    assert found is not None
    assert (found[0], found[1].canary, found[2]) == ("/pay", (100, 50), True)


def test_damage_everywhere_is_not_most_of_it_anywhere() -> None:
    scan = Scan()
    for _ in range(10):
        scan = after(scan, {f"/{i}": ((20, 5), (200, 1)) for i in range(4)})
    found = suspected(scan, down=False)
    assert found is not None
    assert found[2] is False


def test_fewer_orders_are_searched_with_the_arms_swapped() -> None:
    scan = Scan()
    for _ in range(20):
        scan = after(scan, {"/pay": ((50, 0), (50, 10)), "/": ((50, 9), (50, 10))}, down=True)
    found = suspected(scan, down=True)
    assert found is not None
    assert (found[0], found[2]) == ("/pay", True)


def test_a_raise_brings_fresh_wealth_and_sums_of_the_new_step() -> None:
    scan = scan_raised(after(Scan(), equal(3)))
    assert all(part.worse.due == 0.5 and part.canary == NONE for part in scan.parts)
    assert scan.labels == after(Scan(), equal(3)).labels


# In the judge


class Shop:
    """Ten endpoints, 200 requests and 1 % errors; looks of five seconds at 25 %."""

    def __init__(self, spec: MetricSpec, seed: int, *, weight: int = 25) -> None:
        self.config = JudgeConfig(metrics=(spec,))
        self.state = raised(new(self.config), 0.0, weight)
        self.draw, self.weight, self.t, self.peak = random.Random(seed), weight, 0.0, 1.0

    def arm(self, n: int, faults: dict[int, float]) -> list[Arm]:
        found = []
        for endpoint in range(10):
            p = 0.01 * faults.get(endpoint, 1.0)
            found.append((n, sum(self.draw.random() < p for _ in range(n))))
        return found

    def look(self, faults: dict[int, float]) -> Verdict:
        self.t += 5.0
        n = 100 * self.weight // 100
        canary, stable = self.arm(n, faults), self.arm(100 - n, {})
        sample = Counts(
            (sum(a[0] for a in canary), sum(a[1] for a in canary)),
            (sum(a[0] for a in stable), sum(a[1] for a in stable)),
            parts={f"/{i}": pair for i, pair in enumerate(zip(canary, stable, strict=True))},
        )
        look = Look(t=self.t, seconds=5.0, weight=self.weight, samples={"errors": sample})
        self.state, verdict = judge(self.config, self.state, look, 10.0)
        self.peak = max(self.peak, verdict.e)
        return verdict

    def seconds_to_hold(self, faults: dict[int, float], most: float = 400.0) -> float:
        while self.t < most:
            if self.look(faults).action != "none":
                return self.t
        return most * 2


def scanned(make_metric: Make) -> MetricSpec:
    return make_metric("errors", by="path", unit="", shown_as="percent")


def test_a_fault_on_one_endpoint_of_ten_is_found_clearly_sooner(make_metric: Make) -> None:
    plain = [Shop(make_metric("errors"), s).seconds_to_hold({3: 10.0}) for s in range(12)]
    scan = [Shop(scanned(make_metric), s).seconds_to_hold({3: 10.0}) for s in range(12)]
    assert median(scan) * 2 <= median(plain)
    assert max(scan) <= 400


def test_a_fault_that_the_whole_hides_is_found_at_all(make_metric: Make) -> None:
    """x5 on one endpoint of ten is x1.4 on the whole, within the configured margin of x1.5."""
    plain = [Shop(make_metric("errors"), s).seconds_to_hold({3: 5.0}) for s in range(6)]
    scan = [Shop(scanned(make_metric), s).seconds_to_hold({3: 5.0}) for s in range(6)]
    assert sum(t <= 400 for t in plain) <= 2
    assert sum(t <= 400 for t in scan) >= 5


def test_equal_arms_are_held_no_more_often_than_the_bound(make_metric: Make) -> None:
    peaks = []
    for seed in range(60):
        shop = Shop(scanned(make_metric), seed)
        for _ in range(24):
            shop.look({})
        peaks.append(shop.peak)
    assert sum(peak >= 20 for peak in peaks) <= 3  # 5 %
    assert sum(peak >= 100 for peak in peaks) == 0


def test_a_fault_everywhere_is_found_as_before(make_metric: Make) -> None:
    everywhere = dict.fromkeys(range(10), 10.0)
    plain = [Shop(make_metric("errors"), s).seconds_to_hold(everywhere) for s in range(8)]
    scan = [Shop(scanned(make_metric), s).seconds_to_hold(everywhere) for s in range(8)]
    assert median(scan) <= median(plain) + 5.0


def test_the_words_say_where_it_is(make_metric: Make) -> None:
    shop = Shop(scanned(make_metric), 1)
    verdict = [shop.look({3: 30.0}) for _ in range(12)][-1]
    assert verdict.word == "REGRESS"
    assert "most of it on /3 (" in verdict.headline
    shop = Shop(scanned(make_metric), 1)
    assert "/" not in [shop.look({}) for _ in range(12)][-1].headline


def test_the_metric_is_half_its_own_bets_and_half_the_scan(make_metric: Make) -> None:
    shop = Shop(scanned(make_metric), 1)
    for _ in range(8):
        shop.look({3: 10.0})
    evidence = shop.state.metrics[0].evidence
    assert isinstance(evidence, CountsState)
    assert evidence.scan is not None
    half = SHARE * evidence.scan.e + (1 - SHARE) * evidence.worse.now
    expected = (1 - GUARD_SHARE) * half + GUARD_SHARE * evidence.guard.now
    assert standing(evidence).e == pytest.approx(expected)


def test_without_by_there_is_no_scan(make_metric: Make) -> None:
    shop = Shop(make_metric("errors"), 1)
    shop.look({})
    evidence = shop.state.metrics[0].evidence
    assert isinstance(evidence, CountsState)
    assert evidence.scan is None


def test_labels_come_from_before_the_rollout(make_metric: Make) -> None:
    config = JudgeConfig(metrics=(scanned(make_metric),))
    parts: Parts = {f"/{i}": (NONE, (100 - i, 1)) for i in range(20)}
    look = Look(
        t=1.0, seconds=1.0, weight=0, samples={"errors": Counts(NONE, (1000, 20), parts=parts)}
    )
    state = raised(before(config, new(config), look), 1.0, 5)
    late = Counts((1, 0), (4, 0), parts={"/19": ((1, 0), (4, 0))})
    state, _ = judge(config, state, Look(t=2.0, seconds=1.0, weight=5, samples={"errors": late}), 2)
    evidence = state.metrics[0].evidence
    assert isinstance(evidence, CountsState)
    assert evidence.scan is not None
    assert evidence.scan.labels[:2] == ("/0", "/1")
    assert "/19" not in evidence.scan.labels


def test_the_state_of_the_scan_stays_below_2_kb_and_comes_back(make_metric: Make) -> None:
    shop = Shop(scanned(make_metric), 1)
    for _ in range(10):
        shop.look({3: 10.0})
    wide: Parts = {f"/a/rather/long/endpoint/{i:02}": ((9, 1), (90, 2)) for i in range(30)}
    scan = Scan()
    for _ in range(10):
        scan = after(scan, wide)
    empty = len(to_bytes(JudgeState((MetricState(CountsState()),))))
    full = len(to_bytes(JudgeState((MetricState(CountsState(scan=scan)),))))
    assert full - empty <= 2000
    assert from_bytes(to_bytes(shop.state)) == shop.state
