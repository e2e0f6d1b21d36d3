"""What 200 services cost: the publisher's look, the dashboard's reading, and the board's painting.

    .venv/bin/python tests/bench/bench_board.py

CPU time of this process, the best of several, so that a busy machine says nearly the same. The
publisher's figures are beside a look at everything, which is what every event cost before.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from msgspec.structs import replace

from hatchway.core import events as ev
from hatchway.edge import protocol as wire
from hatchway_tui import hands as rules
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands
from hatchway_tui.paint.first import paint
from hatchway_tui.view import View

TESTS = Path(__file__).resolve().parents[1]
SERVICES = 200


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def best(work: Callable[[], object], times: int = 30) -> float:
    """The least CPU time of `work`, in milliseconds."""
    spent = []
    for _ in range(times):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return min(spent) * 1000


def line(what: str, figure: str, bar: str = "") -> None:
    print(f"{what:58} {figure:>12}{'  (bar ' + bar + ')' if bar else ''}")


async def publisher() -> None:
    """A journal in which each service has had three runs, and one in ten has one going on."""
    shown = _load(TESTS / "edge" / "test_publisher.py").Shown(
        *(f"service-{index:03d}" for index in range(SERVICES))
    )
    made = shown.publisher
    for index in range(3 * SERVICES):
        name = f"service-{index % SERVICES:03d}"
        shown.publisher = _Quiet()
        await shown.run(str(index), name)
        if index < 2 * SERVICES or index % 10:
            await shown.tell(ev.RunEnded(run=str(index), outcome="failed", why="a test failed"))
    shown.publisher = made
    made.refresh()
    whole = best(made.refresh, 10)
    one = best(made._refresh_moved, 10)
    line("a look at every document (each second)", f"{whole:.1f} ms")
    line("a look after an event about one service", f"{one:.1f} ms")
    line("the latter as a share of the former", f"{100 * one / whole:.0f} %")


class _Quiet:
    def refresh(self) -> None:
        pass


def dashboard() -> None:
    fleet = _load(TESTS / "tui" / "fleet.py")
    docs = fleet.fleet(SERVICES)
    raw = fleet.raw(docs)
    line(
        "snapshot of all services on the wire",
        f"{sum(map(len, map(bytes, raw.values()))) // 1000} kB",
    )
    line("dashboard: reading that snapshot", f"{best(lambda: fleet.model_of(docs), 5):.1f} ms")
    model = fleet.model_of(docs)
    run = model.runs["r1"]
    count = iter(range(10**9))
    change = lambda: fleet.changed(model, [("run/r1", replace(run, version=next(count)))])  # noqa: E731
    line("dashboard: one document changes (dicts of 200 copied)", f"{best(change):.3f} ms", "1 ms")
    hands = rules.settle(Hands(service=run.service, page="board"), model, 50.0)
    for width, height in ((80, 24), (120, 40)):

        def frame(width: int = width, height: int = height) -> object:
            return paint(View(change(), hands, Rights(name="ana"), fleet.NOW, 50.0), width, height)

        line(f"board after a change, {width}x{height}", f"{best(frame):.1f} ms", "5 ms")
    view = View(model, hands, Rights(name="ana"), fleet.NOW, 50.0)
    before = paint(view, 120, 40)
    worse = replace(run, verdict=wire.VerdictDoc("REGRESS", "worse", at=fleet.NOW))
    after = paint(replace(view, model=fleet.changed(model, [("run/r1", worse)])), 120, 40)
    rows = sum(old != new for old, new in zip(before, after, strict=True))
    line("rows of the board that a change of one service touches", f"{rows}", "1")


if __name__ == "__main__":
    print(f"{SERVICES} services")
    asyncio.run(publisher())
    dashboard()
