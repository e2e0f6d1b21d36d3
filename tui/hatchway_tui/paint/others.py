"""All pipelines in a few rows, beside the one on the screen: what needs a person first."""

from __future__ import annotations

from hatchway_tui import safe_text
from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.pipelines import IDLE, NEEDS, Pipeline, counts, pipelines
from hatchway_tui.view import View

LEAST, MOST = 3, 7
"""Rows of the panel, its title among them."""


def others_height(view: View, room: int) -> int:
    """Rows for the panel out of `room`; 0 where there is one service only, or too little room."""
    every = pipelines(view.model)
    if len(every) < 2 or room < 2 * LEAST + 2:
        return 0
    return min(1 + len(every), MOST, room // 2)


def others(view: View, width: int, height: int) -> Canvas:
    """A row a service: stage, verdict, who is in control, whether it waits for a person."""
    canvas = Canvas(width, height)
    every = pipelines(view.model)
    numbers = counts(every)
    busy = len(every) - numbers[IDLE] - numbers[NEEDS]
    said = f"{len(every)}: {numbers[NEEDS]} need you, {busy} busy"
    canvas.rule(0, "PIPELINES", "warn" if numbers[NEEDS] else "dim", said, x=1)
    shown = every[: height - 1]
    if len(every) > len(shown):
        shown = shown[:-1]
        rest = view.keys.fill(f"and {len(every) - len(shown)} more: {{board}} shows them all")
        canvas.put(3, height - 1, rest, "dim")
    name = min(max((safe_text.width(each.service) for each in shown), default=0), width // 3)
    for y, each in enumerate(shown, start=1):
        _row(canvas, view, each, y, name)
    return canvas


def _row(canvas: Canvas, view: View, each: Pipeline, y: int, name: int) -> None:
    here = each.service == view.hands.service
    if here:
        canvas.put(1, y, "▶", "acc", True)
    x = canvas.say(3, y, Piece(each.service, "hi" if here else "txt", here), end=3 + name)
    x = 3 + name + 2
    pieces = [
        Piece(f"{each.where:<18} ", each.tone),
        Piece(f"{each.verdict:<8} ", each.verdict_tone),
    ]
    control = f"{each.control} {each.holder}".rstrip()
    pieces.append(Piece(control, "dim" if each.control == "AGENT" else "warn"))
    end = canvas.width
    if each.asks:
        end = canvas.right(end, y, Piece("needs you", "warn", True)) - 1
    canvas.say(x, y, *pieces, end=end)
