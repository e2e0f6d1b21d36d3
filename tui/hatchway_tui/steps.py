"""Steps on the tape of a replay: which keys make them, and where they lead. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Step = Literal["earlier", "later", "much_earlier", "much_later", "begin", "finish"]


class Play(Struct, frozen=True):
    """Go to another moment of a replay."""

    step: Step


FAR = 10
"""Records that matter in a big step."""

_STEPS: dict[str, Step] = {
    "earlier": "earlier", "later": "later",
    "much_earlier": "much_earlier", "much_later": "much_later",
}  # fmt: skip
_ON_FIRST: dict[str, Step] = {
    "page_up": "much_earlier", "page_down": "much_later", "home": "begin", "end": "finish",
}  # fmt: skip


def step_of(action: str, first: bool) -> Step | None:
    """What an action means in a replay; where a page is open its keys scroll that."""
    return _STEPS.get(action) or (_ON_FIRST.get(action) if first else None)


def stepped(marks: Sequence[int], first: int, last: int, seq: int, step: Step) -> int:
    """The record that a step from `seq` leads to; at the ends it stays where it is."""
    match step:
        case "begin":
            return first
        case "finish":
            return last
        case "earlier" | "much_earlier":
            index = bisect_left(marks, seq) - (FAR if step == "much_earlier" else 1)
            return marks[index] if index >= 0 else first
        case "later" | "much_later":
            index = bisect_right(marks, seq) + (FAR if step == "much_later" else 1) - 1
            return marks[index] if index < len(marks) else last
