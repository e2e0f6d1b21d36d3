"""The pages behind one key: why, changes, log, keys. Header and buttons stay on the screen."""

from __future__ import annotations

from collections.abc import Callable

from hatchway_tui import safe_text
from hatchway_tui.keys import ACTIONS, shown
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.paint.middle import MARKS, series_of
from hatchway_tui.paint.story import VERDICTS, story
from hatchway_tui.view import View

Row = tuple[Piece, ...]


def page(view: View, width: int, height: int) -> Canvas:
    """The page that the hands have opened, scrolled."""
    canvas = Canvas(width, height)
    title, make = _PAGES[view.hands.page]
    rows = make(view, width - 4)
    most = max(len(rows) - (height - 1), 0)
    tail = view.hands.page == "log"
    top = max(most - view.hands.scroll, 0) if tail else min(view.hands.scroll, most)
    place = f"{top + 1}-{min(top + height - 1, len(rows))} of {len(rows)}" if most else ""
    canvas.rule(0, title, "hi", place)
    for y, row in enumerate(rows[top : top + height - 1], start=1):
        canvas.say(2, y, *row)
    return canvas


def _why(view: View, width: int) -> list[Row]:
    told, run = story(view), view.run
    rows: list[Row] = [(Piece(told.word, "txt" if told.tone == "plain" else told.tone, True),)]
    rows += [(Piece(text, "hi", True),) for text in safe_text.wrap(told.headline, width, 4)]
    for line in told.why:
        source = f"  {line.evidence} {line.source}".rstrip()
        when = f" {words.clock(line.at)}Z" if line.at else ""
        for index, text in enumerate(safe_text.wrap(line.text, width - 2, 4)):
            rows.append((Piece(f"{line.sign if not index else ' '} ", "dim"), Piece(text)))
        if source.strip() or when:
            rows.append((Piece(f" {source}{when}", "dim"),))
    rows.append((Piece("next  " + told.next, "dim"),))
    if run is not None and run.verdict is not None:
        rows += [(), (Piece(f"judged {VERDICTS[run.verdict.verdict][0]} at {words.clock(run.verdict.at)}Z", "dim"),)]  # fmt: skip
    if view.metrics is not None:
        rows += [(), (Piece(f"{'':22}{'stable':>10}{'canary':>10}{'points':>8}  says", "dim"),)]
        for metric in view.metrics.metrics:
            label = safe_text.fit(f"{metric.label} {metric.unit}", 22)
            stable = metric.text_stable or words.number(metric.stable, metric.unit)
            canary = metric.text_canary or words.number(metric.canary, metric.unit)
            count = len(series_of(view, metric).points)
            text = (
                f"{label}{' ' * (22 - safe_text.width(label))}{stable:>10}{canary:>10}{count:>8}  "
            )
            rows.append((Piece(text), Piece(metric.says, "hi", True)))
    return rows


def _changes(view: View, width: int) -> list[Row]:
    run = view.run
    if run is None:
        return [(Piece("nothing is being released", "dim"),)]
    rows: list[Row] = [
        (
            Piece(f"{run.service} {run.from_version} → {run.to_version}  ", "hi", True),
            Piece(run.commit, "dim"),
        ),
        (Piece("risk ", "dim"), Piece(run.risk or "unknown", "warn", True)),
    ]
    rows += [(Piece("  because ", "dim"), Piece(text)) for text in run.risk_reasons]
    rows += [(Piece("  look at ", "dim"), Piece(text, "warn")) for text in run.attention]
    rows += [(), (Piece(words.count(len(run.changes), "commit"), "hi", True),)]
    rows += [
        (
            Piece(f"  {each.commit[:8]}  ", "dim"),
            Piece(each.title),
            Piece(f"  {each.author}", "dim"),
        )
        for each in run.changes
    ]
    rows += [(), (Piece(words.count(len(run.files), "file"), "hi", True),)]
    rows += [(Piece(f"  {each}"),) for each in run.files]
    return rows


def _log(view: View, width: int) -> list[Row]:
    run = view.run
    rows: list[Row] = []
    if run is not None:
        for stage in run.stages:
            for job in stage.jobs:
                mark, tone = MARKS[job.status]
                rows.append(
                    (
                        Piece(f"{mark} ", tone),
                        Piece(f"{stage.name} / {job.name} {job.status}  ", "dim"),
                        Piece(job.detail, "bad" if job.status == "failed" else "dim"),
                    )
                )
        doc = view.model.logs.get(run.id)
        if doc is not None:
            rows.append(())
            rows += [(Piece(f"{line.job:<10} ", "dim"), Piece(line.text)) for line in doc.lines]
    return rows or [(Piece("nothing has been printed", "dim"),)]


def _keys(view: View, width: int) -> list[Row]:
    rows: list[Row] = []
    for action in ACTIONS:
        names = " ".join(shown(key) for key in action.keys)
        texts = safe_text.wrap(action.help, max(width - 22, 20), 4)
        rows.append((Piece(f"{names:<20} ", "acc", True), Piece(texts[0])))
        rows += [(Piece(" " * 21), Piece(text)) for text in texts[1:]]
    rows += [
        (),
        (Piece("Guarded keys (o r f g a x) are ignored right after another key and for 1 s", "dim"),),
        (Piece("after Esc, [ or O: late pieces of escape sequences look like typed letters.", "dim"),),
    ]  # fmt: skip
    return rows


_PAGES: dict[str, tuple[str, Callable[[View, int], list[Row]]]] = {
    "why": ("WHY", _why),
    "changes": ("WHAT SHIPS", _changes),
    "log": ("LOG", _log),
    "keys": ("KEYS", _keys),
}
