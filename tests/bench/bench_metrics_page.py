"""What does /metrics cost? A page over a long journal, and the counting of each event.

    python tests/bench/bench_metrics_page.py

Bars: a page with 10,000 runs in the journal p95 <= 20 ms, of which on the event loop <= 5 ms; the
tally <= 20 microseconds an event. In CPU time, whatever else the machine does; the median by the
clock beside it.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.plan import PipelinePlan, ReleaseStage, ServiceSpec, TargetSpec
from hatchway.core.state import Item, Run, Stage, State
from hatchway.edge.figures import Seen, figures
from hatchway.edge.health import Health, page
from hatchway.edge.tally import Tally
from hatchway.journal.port import Record

RUNS = 10_000
SERVICES = 3
PAGES = 200
PLAN = PipelinePlan("p", "shop", "prod", (ReleaseStage("release"),))


def line(what: str, figure: float, bar: float, unit: str) -> None:
    print(f"{what:<52} {figure:8.2f} {unit:<8} bar {bar:g}  ({figure / bar:.2f} of it)")


def run(number: int) -> Run:
    given: dict[str, Any] = dict.fromkeys(("commit", "base", "from_version", "to_version"), "x")
    last = number >= RUNS - SERVICES
    items = {
        str(i): Item(str(i), "approval", "open_release", 0, 1.0, 2.0, 1, status=status)
        for i, status in enumerate(("accepted", "open" if last else "superseded"))
    }
    return Run(
        id=str(number),
        service=f"service-{number % SERVICES}",
        environment="prod",
        mode="act",
        pace=1.0,
        plan=PLAN,
        policy_digest="",
        started_at=1.0,
        stages=(Stage("release"),),
        items=items,
        outcome=None if last else "promoted",
        **given,
    )


def record(seq: int, kind: str) -> Record:
    return Record(
        seq=seq,
        stream="",
        version=seq,
        kind=kind,
        actor="",
        epoch=0,
        at=float(seq),
        cause=0,
        idem="",
        payload=b"",
        prev="",
        hash="",
    )


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def main() -> None:
    state = State(runs={str(n): run(n) for n in range(RUNS)})
    tally = Tally()
    happened: list[ev.Event] = []
    for number in range(RUNS):
        id = str(number)
        happened += (
            ev.EffectIntended(
                run=id, key="k", step=0, weight=0, epoch=1, by=ev.By("agent", "agent"), reason=""
            ),
            ev.EffectVerified(run=id, key="k", observed=0),
            ev.RunHeld(run=id, cause="evidence", why=""),
            ev.RunEnded(run=id, outcome="rolled_back", why=""),
        )
    # The newest run of each service goes on.
    happened = [
        event
        for event in happened
        if not (isinstance(event, ev.RunEnded) and state.runs[event.run].active)
    ]
    tally.active = dict.fromkeys(state.runs)
    records = [record(seq, "") for seq in range(len(happened))]
    began = time.process_time()
    for one, event in zip(records, happened, strict=True):
        tally.take(one, event, state)
    each = (time.process_time() - began) / len(happened)

    target = TargetSpec("haproxy", "s")
    services = tuple(ServiceSpec(f"service-{n}", "r", "p", target, (), ()) for n in range(SERVICES))
    health = Health()
    health.house = lambda: figures(Seen(state, Live(), tally, services, time.time()))
    on_loop, whole, by_clock = [], [], []
    page(health.samples())  # the first one imports
    for _ in range(PAGES):
        began, clock = time.process_time(), time.perf_counter()
        samples = health.samples()
        on_loop.append(time.process_time() - began)
        text = page(samples)
        whole.append(time.process_time() - began)
        by_clock.append(time.perf_counter() - clock)
    print(f"{RUNS:,} runs, {SERVICES} services, a page of {len(text):,} bytes, {PAGES} pages")
    line("a page, median by the clock", 1e3 * statistics.median(by_clock), 20, "ms")
    line("a page, p95", 1e3 * p95(whole), 20, "ms")
    line("of it on the event loop, p95", 1e3 * p95(on_loop), 5, "ms")
    line("counting an event", 1e6 * each, 20, "us")


if __name__ == "__main__":
    main()
