"""All services side by side: what is to be said of each in words, in which order, and the filter.

Pure, and without the time: what is said here changes only with the documents, so that a screen of
200 services stays still while nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from hatchway.edge.protocol import ItemDoc, RunDoc
from hatchway_tui.control import control_of, live
from hatchway_tui.mirror import Model

NEEDS, BACK, HELD, CANARY, OTHER, IDLE = range(6)
"""Groups, the most urgent first: waits for a person, rolling back, held, canary, on its way, idle."""

SORTS = ("needs you", "service", "stage", "risk", "since")
RISKS = {"HIGH": 0, "MEDIUM": 1, "LOW": 2}
VERDICTS = {
    "PASS": ("PASS", "ok"), "REGRESS": ("REGRESS", "bad"), "UNSURE": ("UNSURE", "warn"),
    "NO_DATA": ("NO DATA", "warn"),
}  # fmt: skip
ENDED = {
    "promoted": ("PROMOTED", "dim"), "rolled_back": ("ROLLED BACK", "warn"),
    "held": ("ENDED HELD", "warn"), "rejected": ("REJECTED", "dim"), "failed": ("FAILED", "bad"),
}  # fmt: skip


class Pipeline(NamedTuple):
    """One service. Times are of the server's clock; 0 where there is none."""

    service: str
    group: int
    where: str  # stage or step, with the share
    tone: str
    since: float  # of that
    versions: tuple[str, str]
    verdict: str
    verdict_tone: str
    control: str  # AGENT, PAUSED, PERSON, UNKNOWN
    holder: str  # who paused it or has the wheel
    asks: str  # what a person is asked; empty when nothing waits
    asked_at: float  # when the oldest of it was asked
    risk: str
    read_at: float  # when the newest of it was read

    @property
    def alarming(self) -> bool:
        """Whether its control is not as it should be, and nobody said so on purpose."""
        return self.control.startswith("UNKNOWN")


def pipelines(model: Model, sort: str = "needs you", wanted: str = "") -> list[Pipeline]:
    """Every service that matches the text after `/`, in the order that `sort` names."""
    every = _all(model)
    found = _memo.found.get((sort, wanted))
    if found is None:
        words = wanted.lower().split()
        found = [each for each in every if all(word in text_of(each) for word in words)]
        found = _memo.found[sort, wanted] = sorted(found, key=_ORDER[sort])
    return found


def counts(found: Iterable[Pipeline]) -> dict[int, int]:
    """How many there are in each group."""
    numbers = dict.fromkeys(range(6), 0)
    for each in found:
        numbers[each.group] += 1
    return numbers


def names(model: Model) -> list[str]:
    """Every service by name."""
    runs = (run.service for run in model.runs.values())
    return sorted({*model.authority, *model.governor, *runs})


def text_of(pipe: Pipeline) -> str:
    """What `/` looks at: everything that the row says, in small letters."""
    held = "needs you waits" if pipe.asks else ""
    parts = (
        pipe.service, pipe.where, *pipe.versions, pipe.verdict, pipe.control, pipe.holder,
        pipe.asks, held, pipe.risk,
    )  # fmt: skip
    return " ".join(parts).lower()


def _newest(model: Model) -> dict[str, RunDoc]:
    """Of each service the run to look at, as `run_of` has it, in one pass."""
    newest: dict[str, RunDoc] = {}
    for run in model.runs.values():
        known = newest.get(run.service)
        if known is None or _rank(run) > _rank(known):
            newest[run.service] = run
    return newest


def _rank(run: RunDoc) -> tuple[bool, float]:
    return run.status != "ended", run.started_at


def _all(model: Model) -> list[Pipeline]:
    """Every service. What is said of one is made again only when one of its documents is new."""
    of = _documents(model)
    if not _same(_memo.of, of):
        _memo.made, _memo.of, _memo.found = _made(model), of, {}
    return _memo.made


def _documents(model: Model) -> tuple[object, ...]:
    return (
        model.runs, model.authority, model.needs, model.metrics, model.governor,
        model.governor_trouble, model if model.phase != "live" else model.phase,
    )  # fmt: skip


class _Memo:
    """What was made last. One key and one frame look at it several times, and most of it stays."""

    of: tuple[object, ...] = ()
    made: list[Pipeline] = []  # noqa: RUF012 - replaced, never changed
    found: dict[tuple[str, str], list[Pipeline]] = {}  # noqa: RUF012 - by sort and filter
    by_service: dict[str, tuple[tuple[object, ...], Pipeline]] = {}  # noqa: RUF012 - likewise


_memo = _Memo()


def _made(model: Model) -> list[Pipeline]:
    runs, known = _newest(model), _memo.by_service
    waiting: dict[str, tuple[ItemDoc, ...]] = {}
    for item in model.needs.items:
        waiting[item.service] = (*waiting.get(item.service, ()), item)
    told = live(model)
    fresh: dict[str, tuple[tuple[object, ...], Pipeline]] = {}
    for each in names(model):
        run, asked = runs.get(each), waiting.get(each, ())
        metrics = model.metrics.get(run.id) if run is not None else None
        of = (run, model.authority.get(each), metrics, *asked)
        before = known.get(each)
        if told and before is not None and _same(before[0], of):
            fresh[each] = before
        else:
            # when the backend is silent the governor and the time speak: never from memory
            fresh[each] = (of if told else (), _one(model, each, run, asked))
    _memo.by_service = fresh
    return [pipe for _, pipe in fresh.values()]


def _same(before: tuple[object, ...], now: tuple[object, ...]) -> bool:
    return len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))


def _one(model: Model, service: str, run: RunDoc | None, waiting: tuple[ItemDoc, ...]) -> Pipeline:
    control = control_of(model, service)
    mode = control.mode.upper() + ("?" if control.source == "memory" else "")
    where, tone, since, group = _where(run)
    verdict, verdict_tone, risk = "", "dim", ""
    if run is not None and run.status != "ended":
        risk = run.risk
        if run.verdict is not None:
            verdict, verdict_tone = VERDICTS[run.verdict.verdict]
    if waiting:
        group = NEEDS
        risk = min((item.risk or risk for item in waiting), key=lambda each: RISKS.get(each, 3))
    metrics = model.metrics.get(run.id) if run is not None and run.status != "ended" else None
    read_at = metrics.at if metrics is not None and metrics.at else control.read_at
    if not live(model) and control.source != "governor":
        read_at = model.heard_at + model.skew
    return Pipeline(
        service, group, where, tone, since, _versions(run), verdict, verdict_tone, mode,
        "" if control.mode == "agent" else control.holder, _asks(waiting),
        min((item.asked_at for item in waiting), default=0.0), risk, read_at,
    )  # fmt: skip


def _versions(run: RunDoc | None) -> tuple[str, str]:
    return (run.from_version, run.to_version) if run is not None else ("", "")


def _asks(waiting: tuple[ItemDoc, ...]) -> str:
    if not waiting:
        return ""
    words = {"recommendation": "agent asks", "approval": "a yes", "residue": "residue"}
    back = any(item.capability == "rollback" for item in waiting)
    return "ROLL BACK?" if back else words.get(waiting[0].kind, "you")


def _where(run: RunDoc | None) -> tuple[str, str, float, int]:
    """The stage or step in words, its tone, since when, and the group."""
    if run is None:
        return "no run yet", "faint", 0.0, IDLE
    if run.status == "ended":
        word, tone = ENDED.get(run.outcome, (run.outcome.upper() or "ENDED", "warn"))
        return word, tone, run.ended_at, IDLE
    if run.status == "rolling_back":
        return "ROLLING BACK", "warn", 0.0, BACK
    stage = next((s for s in run.stages if s.status in {"failed", "running", "waiting"}), None)
    held = run.status in {"held", "waiting"}
    if run.step is not None and (stage is None or stage.kind == "canary"):
        word, since, group = run.step.label, run.step.since, HELD if held else CANARY
    elif stage is not None:
        word, since = stage.label.upper(), stage.started_at
        group = HELD if held else CANARY if stage.kind == "canary" else OTHER
    else:
        word, since, group = "BETWEEN STAGES", run.started_at, HELD if held else OTHER
    said = {"held": " HELD", "waiting": " WAITS", "paused": " STOPPED"}.get(run.status, "")
    return word + said, "warn" if held else "acc", since, group


def _urgency(each: Pipeline) -> tuple[object, ...]:
    back = each.asks != "ROLL BACK?"
    stopped = not each.control.startswith(("PAUSED", "PERSON"))
    return (
        each.group, back, RISKS.get(each.risk, 3), each.asked_at, not each.alarming, stopped,
        each.service,
    )  # fmt: skip


_ORDER: dict[str, Callable[[Pipeline], tuple[object, ...]]] = {
    "needs you": _urgency,
    "service": lambda each: (each.service.lower(), each.service),
    "stage": lambda each: (each.group if each.group else HELD, each.where, each.service),
    "risk": lambda each: (RISKS.get(each.risk, 3), *_urgency(each)),
    "since": lambda each: (-each.since, each.service),
}
