"""Which service is on the screen: everything that acts is about it. Pure.

On the board it is the marked row. The mark stays with its service whatever comes and goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from hatchway_tui import reading
from hatchway_tui.keys import GO_BACK
from hatchway_tui.mirror import Model
from hatchway_tui.pipelines import SORTS, names, pipelines
from hatchway_tui.reading import MOVES, Move

if TYPE_CHECKING:
    from hatchway_tui.hands import Hands


def chosen(hands: Hands, service: str) -> Hands:
    """With `service` on the screen; what was begun against another one is over."""
    if service == hands.service:
        return hands
    return replace(hands, service=service, armed=None, twice_at=-1e9, twice_epoch=-1)


def beside(hands: Hands, model: Model, step: int) -> Hands:
    """With the service before or after this one, by name."""
    every = names(model)
    if not every:
        return hands
    here = every.index(hands.service) if hands.service in every else -step
    hands = chosen(hands, every[(here + step) % len(every)])
    return hands if hands.page in {"first", "board"} else reading.opened(hands, hands.page)


def opened(hands: Hands) -> Hands:
    """The board; Esc goes back to the service that is on the screen now."""
    return replace(reading.opened(hands, "board"), came_from=hands.service)


def closed(hands: Hands, *, keep: bool) -> Hands:
    """The first screen with the marked service, or with the one that was there before."""
    before = hands.came_from or hands.service
    hands = reading.opened(replace(hands, came_from=""), "first")
    return hands if keep else chosen(hands, before)


def move(hands: Hands, model: Model, action: Move) -> Hands:
    """Mark another row of the board."""
    shown = [each.service for each in pipelines(model, hands.sort, hands.filter)]
    if not shown:
        return hands
    if hands.service not in shown:
        return chosen(hands, shown[0])
    page = max(hands.extent.room - 1, 1)
    last = len(shown) - 1
    here = shown.index(hands.service)
    there = {
        "next": here + 1, "previous": here - 1, "page_down": here + page, "page_up": here - page,
        "home": 0, "end": last,
    }[action]  # fmt: skip
    return chosen(hands, shown[max(min(there, last), 0)])


def typed(hands: Hands, model: Model, key: str, char: str | None) -> Hands:
    """A key while the filter of the board is typed: the mark is always on a row that matches."""
    moves: dict[str, Move] = {
        "up": "previous", "down": "next", "pageup": "page_up", "pagedown": "page_down",
    }  # fmt: skip
    if key in moves:
        return move(hands, model, moves[key])
    hands = reading.typed(hands, key, char)
    shown = [each.service for each in pipelines(model, hands.sort, hands.filter)]
    return chosen(hands, shown[0]) if shown and hands.service not in shown else hands


def looked(hands: Hands, model: Model, action: str, key: str) -> Hands | None:
    """What an action of looking does to the service on the screen; None: nothing of the kind."""
    match action:
        case "service_before" | "service_after":
            return beside(hands, model, 1 if action == "service_after" else -1)
        case "board" if hands.page != "board":
            return opened(hands)
        case _ if hands.page != "board":
            return None
        case "board":
            return closed(hands, keep=False)
        case "sort":
            return sorted_anew(hands)
        case "close" if not hands.filter or key in GO_BACK:
            return closed(hands, keep=key == hands.keys.keys["close"][0])
        case _ if action in MOVES:
            return move(hands, model, cast("Move", action))
    return None


def sorted_anew(hands: Hands) -> Hands:
    """The next way to sort."""
    return replace(hands, sort=SORTS[(SORTS.index(hands.sort) + 1) % len(SORTS)])
