"""The panel after `r`: what a roll back will do, before it is fired."""

from __future__ import annotations

from hatchway_tui.control import canary_weight
from hatchway_tui.hands import FIRE_UNTIL, Armed
from hatchway_tui.mirror import items
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.view import View


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
    left = max(int(armed.at + FIRE_UNTIL - view.at + 0.999), 0)
    environment = (view.model.system.environment if view.model.system else "").upper()
    what = f"ROLL BACK {armed.service}"
    if run is not None:
        what += f" {run.to_version} → {run.from_version}"
    what += f" in {environment}" if environment else ""
    canvas.say(x, 0, Piece(first, "warn", True), end=end)
    right = canvas.right(end, 1, Piece(f" press {view.keys.of('fire')} to fire ", "ink", True, "bad"), Piece(f"  {left}s left"))  # fmt: skip
    canvas.say(x, 1, Piece(what, "hi", True), end=right - 1)
    for y, (head, text, tone) in enumerate(_rows(view, armed), start=2):
        if y < height:
            canvas.say(x, y, Piece(f"{head:<12}", "dim"), Piece(text, tone), end=end)
    return canvas


def _rows(view: View, armed: Armed) -> list[tuple[str, str, str]]:
    run = view.run
    observed = canary_weight(view.model, armed.service)
    weight = observed if observed is not None else (run.weight if run else None)
    stable = run.from_version if run else "the stable version"
    if weight == 0:
        will = f"nothing has traffic but {stable}: it keeps the canary at 0 % and says so"
    else:
        share = "its share" if weight is None else f"{weight} %"
        will = f"canary from {share} to 0 %, all traffic to {stable}; then read it back"
    item = next(
        (each for each in items(view.model) if each.service == armed.service and each.undo), None
    )
    computed = item.undo if item is not None else run.undo if run is not None else ""
    if computed:
        undo, tone = computed, "ok" if computed.upper().startswith("YES") else "bad"
    else:
        changes = view.keys.of("changes")
        undo, tone = f"not computed for this moment: read the changes ({changes})", "warn"
    return [
        ("will do", will, "txt"),
        ("will not", "touch database, flags, configuration or other services", "txt"),
        ("undo safe", undo, tone),
        ("if it fails", "stays paused; the governor keeps trying and says what is left", "txt"),
        ("", "any other key disarms; the agent stays paused", "dim"),
    ]
