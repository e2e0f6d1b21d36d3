"""WHY: the verdict, its reasons, the evidence and the figures."""

from __future__ import annotations

from hatchway_tui import safe_text
from hatchway_tui.pages.page import Page, Row
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.paint.middle import series_of
from hatchway_tui.paint.story import VERDICTS, story
from hatchway_tui.view import View


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


PAGE = Page("WHY", _why)
