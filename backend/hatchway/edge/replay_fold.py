"""The fold of a journal, for whoever wants the state at many places of a long one. Pure.

`evolve` copies the map of all runs at each event of a run; over a journal of thousands of runs that
is most of its work. Here the runs that no further event can depend on are set aside, and are put
back where the whole state is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec.structs import replace

from hatchway.core import events as ev
from hatchway.core.evolve import evolve, run_after
from hatchway.core.record import Trial, recorded
from hatchway.core.state import Run, State

T = TypeVar("T")

OF_ONE_RUN = frozenset({
    ev.StageStarted, ev.StageEnded, ev.JobStarted, ev.JobEnded, ev.ReleaseRequested,
    ev.VerdictChanged, ev.ProposalMade, ev.EffectVerified, ev.EffectDiverged, ev.EffectFenced,
    ev.StepEntered, ev.ItemOpened, ev.ItemClosed, ev.ApprovalVoided, ev.TermsChanged,
    ev.CapsuleArmed, ev.RunHeld, ev.RunResumed,
})  # fmt: skip
"""Events that mean something for their run, and for the record of how decisions turned out."""


class Fold:
    """The state after the events so far, but for the answers to commands: nobody is shown those."""

    def __init__(self) -> None:
        self._state = State()  # its runs may be old: `_runs` has them
        self._runs: dict[str, Run] = {}
        self._aside: dict[str, Run] = {}
        self._trials: dict[str, Trial] = {}  # of the record, of runs that are set aside
        self._order: dict[str, int] = {}  # by run: its place among all
        self._seq = 0

    def copy(self) -> Fold:
        """One that can go on by itself."""
        other = Fold()
        other._state, other._seq = self._state, self._seq
        other._order = self._order  # it only ever grows
        other._runs, other._aside = dict(self._runs), dict(self._aside)
        other._trials = dict(self._trials)
        return other

    def take(self, event: ev.Event | ev.Unknown, seq: int, at: float) -> None:
        """The next event."""
        self._seq = seq
        name = getattr(event, "run", "")
        if name in self._aside:
            self._runs = self._ordered([name])
            del self._aside[name]
            if name in self._trials:
                self._judge({**self._state.record.trials, name: self._trials.pop(name)})
        if type(event) in OF_ONE_RUN:
            run = self._runs.get(name)
            if run is not None:
                after = run_after(run, event, at)  # type: ignore[arg-type]  # Unknown is not in it
                self._runs[name] = replace(after, version=run.version + 1)
            record = recorded(self._state.record, event, seq)
            if record is not self._state.record:
                self._state = replace(self._state, record=record)
            return
        if isinstance(event, ev.RunStarted):
            self._order.setdefault(name, len(self._order))
            self._set_aside(event.service)
        state = replace(self._state, runs=dict(self._runs))
        state = evolve(state, event, seq=seq, at=at, idem="")
        self._runs = dict(state.runs)
        self._state = replace(state, runs={}, answers={})

    def whole(self) -> State:
        """The state with all runs, in the order in which they were started."""
        return replace(self.lately(), runs=self._ordered(self._aside))

    def lately(self) -> State:
        """The state without the runs that are set aside: no document but the record tells of them."""
        record = self._state.record
        trials = self._in_order({**record.trials, **self._trials})
        return replace(
            self._state, runs=self._runs, record=replace(record, trials=trials), seq=self._seq
        )

    def _set_aside(self, service: str) -> None:
        """What ended before the newest run of the service that moved any traffic is settled."""
        mine = [run for run in self._runs.values() if run.service == service]
        moved = max((i for i, run in enumerate(mine) if run.effects), default=0)
        gone = [run.id for run in mine[:moved] if not run.active]
        if not gone:
            return
        trials = dict(self._state.record.trials)
        for name in gone:
            self._aside[name] = self._runs.pop(name)
            if name in trials:
                self._trials[name] = trials.pop(name)
        self._judge(trials)

    def _judge(self, trials: dict[str, Trial]) -> None:
        record = replace(self._state.record, trials=trials)
        self._state = replace(self._state, record=record)

    def _ordered(self, back: Iterable[str]) -> dict[str, Run]:
        runs = {**self._runs, **{name: self._aside[name] for name in back}}
        return self._in_order(runs)

    def _in_order(self, of_runs: dict[str, T]) -> dict[str, T]:
        return dict(sorted(of_runs.items(), key=lambda item: self._order.get(item[0], -1)))
