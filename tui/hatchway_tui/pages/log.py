"""LOG: what the jobs print; one job's whole stored output, also of one that has ended.

Left and Right choose: all that the run prints now, or one job of it. It follows its end until
somebody scrolls up; then it stays where it is and says how much came in below.
"""

from __future__ import annotations

from hatchway.edge.docs.log import JobLog
from hatchway.edge.protocol import JobDoc, StageDoc
from hatchway_tui import safe_text
from hatchway_tui.pages.page import Ask, Page, Row, answer_to, not_yet
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.paint.middle import MARKS
from hatchway_tui.paint.story import job_says
from hatchway_tui.view import View

MOST_FOLDS = 6
"""Rows that one line may take."""

Choice = tuple[StageDoc, JobDoc]


def choices(view: View) -> list[Choice]:
    """The jobs that have begun, in order."""
    run = view.run
    if run is None:
        return []
    return [(stage, job) for stage in run.stages for job in stage.jobs if job.status != "pending"]


def chosen(view: View) -> Choice | None:
    """The job that is looked at; None: all of them."""
    jobs = choices(view)
    place = view.hands.across % (len(jobs) + 1)
    return jobs[place - 1] if place else None


def _about(view: View) -> str:
    choice, run = chosen(view), view.run
    if choice is None or run is None:
        return ""
    stage, job = choice
    # the steps of a canary are shown as stages, their jobs belong to the one that deploys
    name = stage.name.rpartition(" ")[0] if stage.kind == "canary" else stage.name
    return f"{run.id}/{name}/{job.name}"


def _asks(view: View) -> Ask | None:
    about = _about(view)
    return ("log", about) if about else None


def _head(view: View, width: int) -> list[Row]:
    """Which log it is, and how to come to the others."""
    jobs, choice = choices(view), chosen(view)
    if choice is None:
        text = "all jobs, the newest lines"
        more = f"   Right: one job of {len(jobs)}" if jobs else ""
        return [(Piece(text, "hi", True), Piece(more, "dim"))]
    stage, job = choice
    mark, tone = MARKS[job.status]
    keys = view.keys.fill("{left} and {right}")
    place = f"{jobs.index(choice) + 1} of {len(jobs)}, {keys}"
    says = safe_text.fit(job_says(view, job), max(width // 2 - 4, 8))
    name = safe_text.fit(f"{stage.name} / {job.name}", max(width - len(place) - len(says) - 8, 8))
    bad = job.status == "failed"
    return [
        (
            Piece(f"{mark} ", tone),
            Piece(f"{name}  ", "hi", True),
            Piece(says, "bad" if bad else "dim"),
            Piece(f"   {place}", "dim"),
        )
    ]


def _one(view: View, width: int) -> list[Row]:
    about = _about(view)
    told = answer_to(view, "log", about)
    if not isinstance(told, JobLog):
        return not_yet(view, "log", about)
    if told.missing:
        return [(Piece(told.missing, "warn"),)]
    if not told.lines:
        text = "it has printed nothing yet" if told.running else "it printed nothing"
        return [(Piece(text, "dim"),)]
    rows: list[Row] = []
    if told.first:
        size = f"{told.size / 1024:,.0f} KiB are kept on the backend's disk"
        rows.append((Piece(f"{told.first:,} lines before these are not shown; {size}", "dim"),))
    if told.running and told.first:  # its front moves: a row a line, so that numbers stay
        return [*rows, *((Piece(line),) for line in told.lines)]
    for line in told.lines:
        rows += [(Piece(text),) for text in _folded(line, width)]
    return rows


def _folded(line: str, width: int) -> list[str]:
    """A line in the rows it needs: broken at the edge, as a terminal does."""
    text = safe_text.safe(line)
    if safe_text.width(text) <= width:
        return [text]
    rows: list[str] = []
    while text and len(rows) < MOST_FOLDS - 1:
        cut = used = 0
        for char in text:
            used += safe_text.char_width(char)
            if used > width:
                break
            cut += 1
        rows.append(text[: max(cut, 1)])
        text = text[max(cut, 1) :]
    return [*rows, safe_text.fit(text, width)] if text else rows


def _all(view: View, width: int) -> list[Row]:
    run = view.run
    doc = view.model.logs.get(run.id) if run is not None else None
    if run is None:
        return [(Piece("nothing is being released", "dim"),)]
    if doc is None or not doc.lines:
        text = "nothing has been printed since this backend began"
        shows = view.keys.fill("; {right} shows what each job printed")
        more = shows if choices(view) else ""
        return [(Piece(text + more, "dim"),)]
    cells = min(max(safe_text.width(safe_text.safe(line.job)) for line in doc.lines), 12)
    rows: list[Row] = []
    for line in doc.lines:
        name = safe_text.fit(line.job, cells)
        name += " " * (cells - safe_text.width(name))
        # one row a line: the numbers of the rows are those of the lines
        rows.append((Piece(f"{name}  ", "dim"), Piece(line.text)))
    return rows


def _log(view: View, width: int) -> list[Row]:
    return _all(view, width) if chosen(view) is None else _one(view, width)


def _first(view: View) -> int:
    """Lines that came before the first one shown."""
    run = view.run
    if run is None:
        return 0
    if chosen(view) is None:
        doc = view.model.logs.get(run.id)
        return doc.first if doc is not None and doc.lines else 0
    told = answer_to(view, "log", _about(view))
    if not isinstance(told, JobLog) or not told.lines:
        return 0
    return max(told.first - 1, 0)  # the row that says so stands before the first line


def _flows(view: View) -> bool:
    choice, run = chosen(view), view.run
    if choice is not None:
        return choice[1].status == "running"
    return run is not None and run.status != "ended"


PAGE = Page("LOG", _log, tail=True, asks=_asks, first=_first, head=_head, flows=_flows)
