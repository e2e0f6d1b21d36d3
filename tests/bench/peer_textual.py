"""A dashboard of Textual's own widgets with the same data: what the bars are compared with.

    python tests/bench/peer_textual.py SOCKET | hello

Written as one would: a DataTable of the metrics, a Sparkline for each that has a plot, Digits for
the clock and the share, a Static for the state, a Log of what happened. It follows the same backend
over the same line and read model, and updates what changed, at most four times a second.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widgets import DataTable, Digits, RichLog, Sparkline, Static

COLUMNS = ("metric", "stable", "canary", "limit", "n", "says")
PLOTS = 6


class Hello(App[None]):
    """The least that Textual can show."""

    def compose(self) -> ComposeResult:
        yield Static("HATCHWAY hello")

    def on_key(self) -> None:
        self.query_one(Static).update(f"HATCHWAY hello {time.monotonic_ns()}")


class Peer(App[None]):
    """Same data, built-in widgets."""

    CSS = "Sparkline { height: 4; width: 1fr; } DataTable { height: 1fr; } Digits { width: 1fr; }"

    def __init__(self, path: str) -> None:
        super().__init__()
        from hatchway_tui.link import Address, Link
        from hatchway_tui.mirror import Model

        self.model = Model(phase_since=time.monotonic())
        self.link = Link(Address(path), self.tell)
        self._due = False
        self._audit = 0

    def compose(self) -> ComposeResult:
        yield Static("HATCHWAY peer", id="state")
        with Horizontal():
            yield Digits("", id="clock")
            yield Digits("", id="share")
        with Horizontal():
            for number in range(PLOTS // 2):
                yield Sparkline([], id=f"plot{number}")
        with Horizontal():
            for number in range(PLOTS // 2, PLOTS):
                yield Sparkline([], id=f"plot{number}")
        yield DataTable(id="metrics")
        yield RichLog(id="log", max_lines=200)

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for name in COLUMNS:
            table.add_column(name, key=name, width=16)
        self.run_worker(self.link.run())
        self.set_interval(0.25, self.show)

    def tell(self, event: Any) -> None:
        from hatchway_tui.mirror import fold

        before = self.model
        self.model = fold(before, event)
        self._due = self._due or self.model.rev != before.rev

    def show(self) -> None:
        model, run = self.model, next(iter(self.model.runs.values()), None)
        self.query_one("#clock", Digits).update(time.strftime("%H:%M:%S", time.gmtime()))
        if not self._due or run is None:
            return
        self._due = False
        mode = model.authority["shop"].mode if "shop" in model.authority else "?"
        self.query_one("#state", Static).update(
            f"{run.service} {run.to_version} {run.status} CONTROL {mode} {model.phase} "
            f"{run.verdict.headline if run.verdict else ''}"
        )
        self.query_one("#share", Digits).update(f"{run.weight} %")
        metrics = model.metrics.get(run.id)
        for number, metric in enumerate(metrics.metrics if metrics else ()):
            self._metric(number, run.id, metric)
        log = self.query_one(RichLog)
        for line in model.audit.lines:
            if line.seq > self._audit:
                log.write(f"{line.who} {line.text}")
        self._audit = max([self._audit, *(line.seq for line in model.audit.lines)])

    def _metric(self, number: int, run: str, metric: Any) -> None:
        table = self.query_one(DataTable)
        cells = (metric.label, metric.stable, metric.canary, metric.limit, metric.n, metric.says)
        if metric.name not in table.rows:
            table.add_row(*map(str, cells), key=metric.name)
        for column, cell in zip(COLUMNS, cells, strict=True):
            if table.get_cell(metric.name, column) != str(cell):
                table.update_cell(metric.name, column, str(cell))
        series = self.model.series.get(run, {}).get(metric.name)
        if series is not None and number < PLOTS:
            values = [value for _, _, value in series.points if value is not None]
            self.query_one(f"#plot{number}", Sparkline).data = values[-120:]


if __name__ == "__main__":
    app: App[None] = Hello() if sys.argv[1] == "hello" else Peer(sys.argv[1])
    app.run(mouse=False)
