"""What the judge costs and how fast and honest it is, on simulated rollouts of the demo.

python tests/bench/bench_judge_cost.py [ROLLOUTS]

A simulated shop: 100 req/s in all, 1 % errors, log-normal latency (p95 about 45 ms), 10 % of the
requests are orders; 5 % go to the canary; one look a second. Bars: <= 100 us a look and metric,
state <= 2 kB a metric, false REGRESS <= 1 %, an error rate of 20 % on the canary rolled back
within 10 s of evidence (median), PASS at 5 % within 20 to 40 s (median).
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from bisect import bisect_left

from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.judge import Counts, JudgeConfig, Latency, Look, judge, new, raised, to_bytes

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0)


def spec(name: str, kind: str, **more: object) -> MetricSpec:
    return MetricSpec(
        name=name, label=name, kind=kind, source="app", total=SeriesRef(name), **more  # type: ignore[arg-type]
    )  # fmt: skip


METRICS = (
    spec("errors", "counts", weight=4, limit=2.0, shown_as="percent"),
    spec("latency", "latency", weight=3, limit=300.0, shown_as="ms"),
    spec("orders", "counts", weight=2, worse="down", shown_as="per_minute"),
)


class Shop:
    """Draws looks: two arms with the same or another error rate, latency and order rate."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def events(self, n: int, p: float) -> int:
        return sum(self.draw.random() < p for _ in range(n))

    def latencies(self, n: int, slower: float) -> tuple[int, ...]:
        counts = [0] * (len(BOUNDS) + 1)
        for _ in range(n):
            counts[bisect_left(BOUNDS, slower * 0.02 * math.exp(0.5 * self.draw.gauss(0, 1)))] += 1
        return tuple(counts)

    def look(
        self, t: float, weight: int, *, errors: float = 0.01, slower: float = 1.0,
        orders: float = 0.1, base: float = 0.01, rate: int = 100, only_errors: bool = False,
    ) -> Look:  # fmt: skip
        n_c = rate * weight // 100
        n_s = rate - n_c
        samples = {"errors": Counts((n_c, self.events(n_c, errors)), (n_s, self.events(n_s, base)))}
        if not only_errors:
            samples["latency"] = Latency(
                BOUNDS, self.latencies(n_c, slower), self.latencies(n_s, 1.0)
            )
            samples["orders"] = Counts(
                (n_c, self.events(n_c, orders)), (n_s, self.events(n_s, 0.1))
            )
        return Look(t=t, seconds=1.0, weight=weight, samples=samples)


def rollout(
    seed: int, seconds: int, *, weight: int = 5, excludes: float = 10, fault_at: int = 0,
    stop: str = "", **fault: float,
) -> tuple[str, float, list[str]]:  # fmt: skip
    """The word that came first of `stop` and REGRESS, when, and all the words."""
    shop, config = Shop(seed), JudgeConfig(metrics=METRICS)
    state = raised(new(config), 0.0, weight)
    said: list[str] = []
    for t in range(1, seconds + 1):
        now = fault if t > fault_at else {}
        state, verdict = judge(config, state, shop.look(t, weight, **now), excludes)  # type: ignore[arg-type]
        said.append(verdict.word + ("!" if verdict.action == "hold" else ""))
        if verdict.word in ("REGRESS", stop):
            return verdict.word, t, said
    return said[-1], seconds, said


def table(name: str, results: list[tuple[str, float, list[str]]], word: str, since: float) -> None:
    hits = sorted(t - since for got, t, _ in results if got == word)
    share = 100 * len(hits) / len(results)
    if hits:
        p95 = hits[min(len(hits) - 1, int(0.95 * len(hits)))]
        times = f"median {statistics.median(hits):5.1f} s   p95 {p95:5.1f} s"
    else:
        times = "never"
    held = sum(any(w.endswith("!") for w in said) for _, _, said in results) / len(results)
    print(f"{name:48} {word:8} {share:6.2f} %  {times}   held {100 * held:5.2f} %")


def cost() -> None:
    shop, config = Shop(1), JudgeConfig(metrics=METRICS)
    looks = [shop.look(t, 5) for t in range(1, 401)]
    best = math.inf
    for _ in range(5):
        state = raised(new(config), 0.0, 5)
        began = time.process_time()
        for look in looks:
            state, _ = judge(config, state, look, 10)
        best = min(best, (time.process_time() - began) / len(looks) / len(METRICS))
    size = len(to_bytes(state)) / len(METRICS)
    print(
        f"cost: {1e6 * best:.0f} us of processor time a look and metric (bar 100), verdict and words included"
    )
    print(f"state: {size:.0f} bytes a metric (bar 2048)")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    cost()
    seeds = range(count)
    table("A/A, 5 %, 120 s", [rollout(s, 120) for s in seeds], "REGRESS", 0)
    table(
        "A/A, 95/5 hold-back, 120 s",
        [rollout(s, 120, weight=95) for s in seeds[: count // 2]],
        "REGRESS",
        0,
    )
    table("no fault, 5 %, excludes 10", [rollout(s, 300, stop="PASS") for s in seeds], "PASS", 0)
    table(
        "no fault, 25 %, excludes 5",
        [rollout(s, 300, weight=25, excludes=5, stop="PASS") for s in seeds],
        "PASS",
        0,
    )
    table("no fault, 95/5, excludes 5",
          [rollout(s, 300, weight=95, excludes=5, stop="PASS") for s in seeds[: count // 2]], "PASS", 0)  # fmt: skip
    for rate in (0.05, 0.1, 0.2, 0.5, 1.0):
        runs = [rollout(s, 300, errors=rate) for s in seeds]
        table(f"errors {rate:.0%} from the start (after warm-up of 10)", runs, "REGRESS", 10)
    runs = [rollout(s, 300, errors=0.2, fault_at=30) for s in seeds]
    table("errors 20% from second 30", runs, "REGRESS", 30)
    for slower in (1.3, 2.0, 4.0):
        runs = [rollout(s, 300, slower=slower) for s in seeds[: count // 2]]
        table(f"latency x{slower} from the start (after warm-up)", runs, "REGRESS", 10)
    for orders in (0.0, 0.05):
        runs = [rollout(s, 300, orders=orders) for s in seeds[: count // 2]]
        table(f"orders {orders:.0%} instead of 10% (after warm-up)", runs, "REGRESS", 10)
    runs = [rollout(s, 300, errors=0.1, stop="PASS") for s in seeds]
    table("errors 10% at excludes 10: a false PASS", runs, "PASS", 0)
    runs = [rollout(s, 120, errors=0.3, base=0.3) for s in seeds[: count // 2]]
    table("30% errors on both arms", runs, "REGRESS", 0)


if __name__ == "__main__":
    main()
