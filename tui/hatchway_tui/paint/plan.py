"""The panel after `r`: what a roll back will do, before it is fired."""

from __future__ import annotations

from hatchway.edge.docs.plan import PlanDoc
from hatchway_tui import safe_text
from hatchway_tui.arming import undo_of
from hatchway_tui.control import canary_weight, direct, live
from hatchway_tui.hands import Armed
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.view import View

Told = tuple[str, str, str]
"""The head of a row, its text, its tone."""


def plan_height(view: View, armed: Armed, width: int) -> int:
    """How many rows it can make use of."""
    return 2 + len(_folded(view, armed, width))


def _folded(view: View, armed: Armed, width: int) -> list[Told]:
    """The rows, what is too long in two of them."""
    cells = width - 2 * (width >= 100) - 14
    out: list[Told] = []
    for head, text, tone in _rows(view, armed):
        for line in safe_text.wrap(text, max(cells, 20), 2):
            out.append((head, line, tone))
            head = ""  # noqa: PLW2901 - only the first of them has it
    return out


def plan(view: View, armed: Armed, width: int, height: int) -> Canvas:
    """What will be done, what not, whether it can be undone, and what happens if it fails."""
    canvas = Canvas(width, height, "panel")
    pad = 1 if width >= 100 else 0
    for y in range(height):
        canvas.put(pad, y, "▎", "bad")
    x, end = pad + 2, width - pad
    run, control = view.run, view.control
    if control.mode == "paused":
        first = f"AGENT PAUSED {words.clock(control.since)} by {control.holder or '?'}. Nothing has been rolled back yet."
    else:
        first = "PAUSING the agent, not confirmed yet. Nothing has been rolled back yet."
    left = max(int(armed.until - view.at + 0.999), 0)
    environment = (view.model.system.environment if view.model.system else "").upper()
    what = f"ROLL BACK {armed.service}"
    if run is not None:
        what += f" {run.to_version} → {run.from_version}"
    what += f" in {environment}" if environment else ""
    canvas.say(x, 0, Piece(first, "warn", True), end=end)
    if armed.hazard:
        right = canvas.right(end, 1, *_typed(armed), Piece(f"  {left}s left"))
    else:
        press = f" press {view.keys.of('fire')} to fire "
        right = canvas.right(end, 1, Piece(press, "ink", True, "bad"), Piece(f"  {left}s left"))
    canvas.say(x, 1, Piece(what, "hi", True), end=right - 1)
    for y, (head, text, tone) in enumerate(_folded(view, armed, width), start=2):
        if y < height:
            canvas.say(x, y, Piece(f"{head:<12}", "dim"), Piece(text, tone), end=end)
    return canvas


def _typed(armed: Armed) -> tuple[Piece, ...]:
    """The name so far, and what is missing."""
    if armed.typed.strip() == armed.service:
        return (Piece(f" {armed.service} ", "hi", True), Piece(" Enter fires ", "ink", True, "bad"))
    typed = safe_text.safe(armed.typed)[-24:]
    ask = f" type {safe_text.fit(armed.service, 30)}: "
    return (
        Piece(ask, "ink", True, "bad"),
        Piece(f" {typed}", "hi"),
        Piece(" ", "ink", False, "acc"),
    )


def _rows(view: View, armed: Armed) -> list[Told]:
    doc = view.model.told.get(f"plan/{armed.service}") if live(view.model) else None
    told = doc if isinstance(doc, PlanDoc) else None
    rows = [*_undo(view, armed, told), ("will do", _will(view, armed, told), "txt")]
    if not armed.hazard:
        rows.reverse()
    rows.append(("will not", "touch database, flags, configuration or other services", "txt"))
    if told is not None:
        fails = f"stays paused and {told.pages}; the governor tries on, says what is left"
    else:
        fails = "stays paused; the governor keeps trying and says what is left"
        if direct(view.model):
            fails += "; nobody is paged while the backend is away"
    rows.append(("if it fails", fails, "txt"))
    if told is not None:
        rows.append(("takes", told.before, "txt"))
        rows.append(("done when", "; ".join(told.checks), "txt"))
    keys = "any other key disarms; the agent stays paused"
    if armed.hazard:
        keys = "Esc disarms; Ctrl+P still pauses; the agent stays paused in any case"
    return [*rows, ("", keys, "dim")]


def _will(view: View, armed: Armed, told: PlanDoc | None) -> str:
    """What is done to the traffic, with the share that is known best."""
    run = view.run
    observed = canary_weight(view.model, armed.service)
    weight = observed if observed is not None else (run.weight if run else None)
    stable = run.from_version if run else "the stable version"
    if weight == 0:
        return f"nothing has traffic but {stable}: it keeps the canary at 0 % and says so"
    share = "its share" if weight is None else f"{weight} %"
    will = f"canary from {share} to 0 %, all traffic to {stable}; then read it back"
    return "; ".join([will, *(told.does[1:] if told is not None else ())])


def _undo(view: View, armed: Armed, told: PlanDoc | None) -> list[Told]:
    """Whether it is safe, and every hazard by its name."""
    if armed.hazard:
        against = told.against if told is not None else ()
        rows = [("HAZARD", armed.hazard, "bad")]
        rows += [("HAZARD", text, "bad") for text in against if text not in armed.hazard]
        return rows[:4]
    computed = undo_of(view.model, armed.service)
    if computed:
        return [("undo safe", computed, "ok")]
    return [("undo safe", "nothing has gone out: there is nothing to undo", "txt")]
