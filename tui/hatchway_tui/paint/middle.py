"""The verdict with its reasons, the plots, the table of metrics, and the stages before a canary."""

from __future__ import annotations

from hatchway.edge.protocol import MetricDoc, RunDoc, StageDoc, WhyLine
from hatchway_tui import safe_text
from hatchway_tui.mirror import Series
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.paint.plot import plot, sparkline
from hatchway_tui.paint.story import job_says, story
from hatchway_tui.view import View

TONES = {"plain": "txt", "good": "ok", "warn": "warn", "bad": "bad", "dim": "dim"}
EMPTY = Series()


def verdict(view: View, width: int, height: int) -> Canvas:
    """The judge's word, the reasons with their evidence, and what happens next."""
    canvas = Canvas(width, height)
    told = story(view)
    wide = width >= 100
    pad = 1 if wide else 0
    tone = "txt" if told.tone == "plain" else told.tone
    x, end = pad + 2, width - pad
    crowded = safe_text.width(safe_text.safe(told.word + told.headline)) + 16 > width
    if told.sure and width >= 70 and not crowded:
        end = canvas.right(end, 0, Piece(f"{'judge ' if wide else ''}{told.sure}", "dim")) - 2
    x0 = canvas.say(x, 0, Piece(told.word, tone, True), end=end) + 1 + wide
    following = _following(told.next, width)[: max(1, height - 3)]
    head, rows = [told.headline], height - 1 - len(following)
    if safe_text.width(safe_text.safe(told.headline)) > end - x0 and rows > len(told.why):
        head = safe_text.wrap(told.headline, end - x0, 2)
    for y, text in enumerate(head):
        canvas.say(x0, y, Piece(text, "hi", True), end=end)
    y = len(head)
    for line in told.why[: max(height - y - len(following), 0)]:
        _reason(canvas, view, line, x, y, width - pad)
        y += 1
    loud = told.next.startswith(("HELD", "PAUSED"))
    for text in following[: height - y]:
        lead = Piece("next  " if text is following[0] else "      ", "dim")
        canvas.say(x, y, lead, Piece(text, "txt" if loud else "dim"), end=width - pad)
        y += 1
    for row in range(y):
        canvas.put(pad, row, "▎", tone)
    return canvas


def _following(text: str, width: int) -> list[str]:
    """What happens next is never cut where it can go on in a second row."""
    return safe_text.wrap(text, width - (10 if width >= 100 else 8), 2)


def verdict_height(view: View, width: int) -> int:
    """Rows that the verdict has something to say on."""
    told = story(view)
    return 1 + len(told.why) + len(_following(told.next, width))


def _reason(canvas: Canvas, view: View, line: WhyLine, x: int, y: int, end: int) -> None:
    if line.evidence and canvas.width >= 100:
        since = words.age(view.now - line.at) if line.at else ""
        old = line.at > 0 and view.now - line.at > 30
        start = end - 22
        canvas.say(start, y, Piece(f"{line.evidence:<4}{line.source:<12}"[:16], "warn" if old else "dim"), end=end)  # fmt: skip
        canvas.right(end, y, Piece(f"{since} ago" if since else "", "warn" if old else "dim"))
        end = start - 2
    tone = {"+": "dim", "-": "warn", "?": "dim"}[line.sign]
    text = words.briefly(line.text, end - x - 2)
    canvas.say(x, y, Piece(f"{line.sign} ", tone, line.sign == "-"), Piece(text), end=end)


def plotted(view: View) -> tuple[MetricDoc, ...]:
    """The metrics that are worth a plot."""
    if view.metrics is None or not view.compared:
        return ()
    return tuple(metric for metric in view.metrics.metrics if metric.plot)


def series_of(view: View, metric: MetricDoc) -> Series:
    """The plot history of a metric."""
    run = view.run
    return view.model.series.get(run.id, {}).get(metric.name, EMPTY) if run else EMPTY


def _until(view: View, series: Series) -> float:
    """The time until which data are due: 0 when they are fresh, or the run has ended."""
    run = view.run
    if not series.points or run is None or run.status == "ended":
        return 0.0
    late = view.now - series.points[-1][0]
    return float(int(view.now)) if late > 4 else 0.0


def plots(view: View, width: int, height: int) -> Canvas:
    """Side by side: each plot under its name, its figures and what the judge says of it."""
    canvas = Canvas(width, height)
    metrics = plotted(view)[: max(1, (width + 3) // 27)]
    if not metrics:
        return canvas
    pad = 1 if width >= 100 else 0
    each = (width - 2 * pad - 3 * (len(metrics) - 1)) // len(metrics)
    x = pad
    for metric in metrics:
        canvas.blit(x, 0, _plot(view, metric, each, height))
        x += each + 3
    return canvas


def _plot(view: View, metric: MetricDoc, width: int, height: int) -> Canvas:
    canvas = Canvas(width, height)
    tone = TONES[metric.tone]
    loud = metric.tone in {"warn", "bad"}
    end = canvas.right(width, 0, Piece(metric.says, tone, loud)) - 1
    canvas.say(0, 0, Piece(metric.label, "hi", True), Piece(f" {metric.unit}", "dim"), end=end)
    canvas.say(
        0, 1, Piece("stable ", "dim"), Piece(_figure(metric, "stable"), "stable", True),
        Piece("   canary ", "dim"), Piece(_figure(metric, "canary"), "acc", True),
    )  # fmt: skip
    if width >= 34 and metric.n is not None:
        canvas.right(width, 1, Piece(f"n {metric.n}", "faint"))
    series = series_of(view, metric)
    limit = metric.limit if metric.limit_is != "none" else None
    steps = view.metrics.steps if view.metrics else ()
    canvas.blit(0, 2, plot(series, width, max(height - 2, 0), limit, steps, _until(view, series)))
    return canvas


def _figure(metric: MetricDoc, arm: str) -> str:
    if arm == "stable":
        return metric.text_stable or words.number(metric.stable, metric.unit)
    return metric.text_canary or words.number(metric.canary, metric.unit)


def _limit(metric: MetricDoc) -> str:
    if metric.limit_is == "none" or metric.limit is None:
        return "-"
    return (">" if metric.limit_is == "min" else "") + words.number(metric.limit, metric.unit)


def table(view: View, width: int, height: int, metrics: tuple[MetricDoc, ...]) -> Canvas:
    """One row a metric: both arms, limit, age, what the judge says, and its course."""
    canvas = Canvas(width, height)
    pad = 1 if width >= 66 and width != 80 else 0
    name = max(min(max((len(metric.label) + 2 + len(metric.unit) for metric in metrics), default=12), 22), 12)  # fmt: skip
    counted = width >= 72
    columns = [8, 8, 7, 6, 6] if counted else [7, 7, 6, 5]
    heads = ["stable", "canary", "limit"] + (["n"] if counted else []) + ["age"]
    x = pad + name
    for head, cells in zip(heads, columns, strict=True):
        canvas.right(x + cells, 0, Piece(head, "dim"))
        x += cells
    says, spark = x + 2, x + 11
    canvas.say(says, 0, Piece("says", "dim"))
    room = min(width - spark - pad, 60)
    first = min((series_of(view, m).points[0][0] for m in metrics if series_of(view, m).points), default=0.0)  # fmt: skip
    if room >= 11 and first:
        canvas.say(spark, 0, Piece(f"since {words.minute(first)}", "dim"))
    past = view.model.replay
    if past is not None and past.figures:
        canvas.say(spark, 0, Piece("course not journaled", "warn"), end=width - pad)
    for y, metric in enumerate(metrics[: height - 1], start=1):
        _metric_row(canvas, view, metric, y, pad, name, columns, says, room)
    return canvas


def _metric_row(
    canvas: Canvas, view: View, metric: MetricDoc, y: int, pad: int, name: int, columns: list[int],
    says: int, room: int,
) -> None:  # fmt: skip
    tone = TONES[metric.tone]
    loud = metric.tone in {"warn", "bad"}
    canvas.say(
        pad, y, Piece(metric.label, "hi" if loud else "txt", loud),
        Piece(f" {metric.unit}" if metric.unit else "", "dim"), end=pad + name,
    )  # fmt: skip
    old = view.now - metric.at if metric.at else 0.0
    stale = metric.says == "STALE" or (old > 10 and view.run is not None and view.run.status != "ended")  # fmt: skip
    figures = [(_figure(metric, "stable"), "stable"), (_figure(metric, "canary"), "acc")]
    figures.append((_limit(metric), "dim"))
    if len(columns) > 4:
        # a level is read, not counted
        figures.append((words.number(float(metric.n)) if metric.n else "-", "dim"))
    figures.append((words.age(old) if metric.at else "-", "warn" if stale else "dim"))
    x = pad + name
    for width, (text, ink) in zip(columns, figures, strict=True):
        x += width
        canvas.right(x, y, Piece(safe_text.fit(text, width - 1), ink))
    canvas.say(says, y, Piece(metric.says, tone, loud), end=says + 8 if room >= 4 else canvas.width)
    if room >= 4:
        series = series_of(view, metric)
        limit = metric.limit if metric.limit_is != "none" else None
        canvas.put(says + 9, y, sparkline(series, room, limit, _until(view, series)), "dim")


MARKS = {
    "pending": ("·", "faint"), "running": ("▶", "acc"), "waiting": ("‖", "warn"),
    "passed": ("✓", "ok"), "failed": ("✗", "bad"), "skipped": ("-", "dim"),
    "cancelled": ("-", "dim"),
}  # fmt: skip


def stages(view: View, run: RunDoc, width: int, height: int) -> Canvas:
    """Before there are metrics: every stage with its time, and the jobs of the current one."""
    canvas = Canvas(width, height)
    pad = 1 if width >= 100 else 0
    rows = _stage_rows(view, run)
    while len(rows) > height and any(not worth for worth, _ in rows):
        rows.remove(next(each for each in rows if not each[0]))
    for y, (_, pieces) in enumerate(rows[:height]):
        canvas.say(pad, y, *pieces, end=width - pad)
    return canvas


def stages_height(view: View, run: RunDoc) -> int:
    """Rows that the stages and the jobs of the current one take."""
    return len(_stage_rows(view, run))


def _stage_rows(view: View, run: RunDoc) -> list[tuple[bool, tuple[Piece, ...]]]:
    name = max((safe_text.width(safe_text.safe(stage.name)) for stage in run.stages), default=8)
    name = min(name, 20)
    rows: list[tuple[bool, tuple[Piece, ...]]] = []
    for stage in run.stages:
        mark, tone = MARKS[stage.status]
        here = stage.status in {"running", "waiting", "failed"}
        label = safe_text.fit(stage.name, name)
        label += " " * (name - safe_text.width(label))
        head = (
            Piece(f"{mark} ", tone, here),
            Piece(label, "hi" if here else "dim" if stage.status == "pending" else "txt", here),
            Piece(f"  {stage.status:<9}", tone if here else "dim", here),
            Piece(f"{_stage_time(view, stage):>7}  ", "dim"),
            Piece(_stage_detail(stage, here), "bad" if stage.status == "failed" else "dim"),
        )
        rows.append((here or stage.status == "pending", head))
        if here:
            rows += [(True, _job_row(view, stage, index)) for index in range(len(stage.jobs))]
    return rows


def _stage_time(view: View, stage: StageDoc) -> str:
    if not stage.started_at:
        return ""
    if stage.ended_at:
        return words.took(stage.ended_at - stage.started_at)
    return words.lasting(view.now - stage.started_at)


def _stage_detail(stage: StageDoc, here: bool) -> str:
    if stage.detail or here:
        return stage.detail
    return ", ".join(job.name for job in stage.jobs)


def _job_row(view: View, stage: StageDoc, index: int) -> tuple[Piece, ...]:
    job = stage.jobs[index]
    mark, tone = MARKS[job.status]
    return (
        Piece(f"    {mark} ", tone),
        Piece(f"{safe_text.fit(job.name, 14):<14} "),
        Piece(job_says(view, job), "bad" if job.status == "failed" else "dim"),
    )
