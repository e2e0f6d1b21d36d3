"""TRACK RECORD: how the agent's decisions turned out, with what is not known as a band."""

from __future__ import annotations

from hatchway.edge.docs.record import RecordDoc, ScoreDoc
from hatchway_tui.pages.fields import LABEL, field, folded
from hatchway_tui.pages.page import Ask, Page, Row, answer_to, not_yet
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.view import View

MARKS = {"R": ("✓", "ok"), "W": ("✗", "bad"), "H": ("!", "bad"), "?": ("?", "dim")}
"""Right, wrong, harmful, not known. Each is another character: colour only adds."""
MOST_CELLS = 60


def _record(view: View, width: int) -> list[Row]:
    doc = answer_to(view, "record", "")
    if not isinstance(doc, RecordDoc):
        return not_yet(view, "record", "")
    control = view.control
    rows: list[Row] = []
    if control.level:
        rows += folded(
            f"{view.hands.service} now: the agent {control.level}", width, "hi", bold=True
        )
    told = "Shown, never acted on: policy decides. A click on accept is no label."
    rows += folded(told, width, "dim")
    for score in doc.scores:
        if score.labelled:
            rows += [(), *_score(view, doc, score, width)]
    others = [score for score in doc.scores if not score.labelled]
    if others:
        rows += [(), (Piece("MOVES NO TRAFFIC", "hi", True),)]
        for score in others:
            rows += folded(f"{_name(score)}: {_decided(score)}; not labelled", width, indent=2)
    return [*rows, (), *_legend(doc, width)]


def _name(score: ScoreDoc) -> str:
    by = f" by {score.brain}" if score.brain else ""
    return f"{score.environment} {score.capability}{by}"


def _decided(score: ScoreDoc) -> str:
    of = score.right + score.wrong + score.harmful + score.unknown
    asked = [
        f"{n} {w}" for w, n in (("auto", score.auto), ("ask", score.ask), ("deny", score.deny)) if n
    ]
    decided = f"{of} decision{'' if of == 1 else 's'}"
    return decided + (f" (policy: {', '.join(asked)})" if asked else "")


def _score(view: View, doc: RecordDoc, score: ScoreDoc, width: int) -> list[Row]:
    rows: list[Row] = [(Piece(_name(score).upper(), "hi", True),)]
    of = score.right + score.wrong + score.harmful + score.unknown
    if not of:
        known = "0 decisions: nothing is known"
        if view.control.level.startswith("recommends"):
            known += ", the agent only recommends"
        return [*rows, *folded(known, width, "warn", indent=2), *_to_show(doc, score, of, width)]
    going = f" ({score.going} in runs that go on)" if score.going else ""
    harmful = f"HARMFUL {score.harmful}" if score.harmful else "harmful 0"
    counts = f"right {score.right}, wrong {score.wrong}, {harmful}, unknown {score.unknown}{going}"
    rows += field("  decided", [_decided(score)], width)
    rows += field("  were", [counts], width, "bad" if score.harmful else "txt")
    rows.append((Piece("  newest".ljust(LABEL), "dim"), *_strip(score, width - LABEL)))
    raw = _percent(score.low)
    if score.high > score.low:
        raw = f"{raw} to {_percent(score.high)}, as the unknown were right or wrong"
    rows += field("  wrong", [f"{raw} (raw ratio)"], width)
    bound = f"at most {_percent(score.at_most)}, unknown counted as wrong, however often one looks"
    rows += field("  bound", [bound], width, "hi")
    rows.append((Piece(" " * LABEL), *_band(doc, score, min(width - LABEL, MOST_CELLS))))
    return rows + _to_show(doc, score, of, width)


def _to_show(doc: RecordDoc, score: ScoreDoc, of: int, width: int) -> list[Row]:
    """What would show that it is seldom enough wrong."""
    if of and not score.clean_needed:
        return folded(f"shown: less than {_percent(doc.limit)} are wrong", width, "ok", indent=2)
    needed = score.clean_needed if of else doc.from_nothing
    more = "more " if of else ""
    text = f"{needed} {more}right ones in a row would show less than {_percent(doc.limit)} wrong"
    return folded(text, width, "dim", indent=2)


def _strip(score: ScoreDoc, cells: int) -> list[Piece]:
    """The newest decisions, the newest last."""
    shown = score.strip[-max(cells, 1) :]
    return [Piece(*MARKS.get(letter, ("?", "dim"))) for letter in shown]


def _band(doc: RecordDoc, score: ScoreDoc, cells: int) -> list[Piece]:
    """From 0 to 100 % wrong: the raw ratio as a band, on to the bound, and the limit."""
    cells = max(cells - 8, 4)
    limit = min(int(doc.limit * cells), cells - 1)
    low = min(int(score.low * cells), cells - 1)
    high = max(min(int(score.high * cells + 0.999), cells), low + 1)
    out = [Piece("0% ", "dim")]
    for cell in range(cells):
        if cell == limit:
            out.append(Piece("╎", "limit", True))
        elif low <= cell < high:
            out.append(Piece("━", "bad" if score.low > doc.limit else "warn"))
        elif cell < score.at_most * cells:
            out.append(Piece("─", "dim"))
        else:
            out.append(Piece("·", "faint"))
    return [*out, Piece(" 100%", "dim")]


def _percent(share: float) -> str:
    """A share as people read it; never a 0 or a 100 that it is not."""
    percent = 100 * share
    if 0 < percent < 1:
        return "<1 %"
    return ">99 %" if 99 < percent < 100 else f"{percent:.0f} %"


def _legend(doc: RecordDoc, width: int) -> list[Row]:
    texts = (
        "✓ right   ✗ wrong   ! harmful   ? not known; the newest is on the right",
        f"━ raw ratio   ─ up to the bound, which fails in {_percent(doc.alpha)} of cases at most   "
        f"╎ {_percent(doc.limit)}",
        "A raw ratio below 5 % is reached by nearly every agent that is wrong in 5 % of cases, if one "
        "looks after each decision; the bound is not.",
    )
    return [row for text in texts for row in folded(text, width, "dim")]


def _asks(_: View) -> Ask:
    return "record", ""


PAGE = Page("TRACK RECORD", _record, asks=_asks)
