"""What becomes of a command, in words: on its way, done with its proof, or not done and why."""

from __future__ import annotations

from hatchway.edge.protocol import CommandKind
from hatchway_tui.hands import Order
from hatchway_tui.link import Answer

_DONE: dict[CommandKind, str] = {
    "pause": "PAUSED", "takeover": "YOU HAVE THE WHEEL", "rollback": "ROLL BACK ORDERED",
    "release": "GIVEN BACK", "accept": "ACCEPTED", "reject": "REJECTED",
    "stop_all": "STOPPED ALL", "readmit": "AGENTS LET IN", "ask": "ASKED ONCALL",
    "handover": "HANDED OVER", "acknowledge": "ACKNOWLEDGED",
}  # fmt: skip
_DOING: dict[CommandKind, str] = {
    "pause": "PAUSING", "takeover": "TAKING OVER", "rollback": "ROLLING BACK",
    "release": "GIVING BACK", "accept": "ACCEPTING", "reject": "REJECTING",
    "stop_all": "STOPPING ALL", "readmit": "LETTING AGENTS IN", "ask": "ASKING ONCALL",
    "handover": "HANDING OVER", "acknowledge": "ACKNOWLEDGING",
}  # fmt: skip


def doing_words(order: Order) -> str:
    """`PAUSING...`: it was sent, nobody has answered."""
    return f"{_doing(order)}..." + (" (direct)" if order.direct else "")


def outcome(order: Order, answer: Answer) -> str:
    """The answer as a sentence: success only with its proof, else what was not done and why."""
    if not answer.ok:
        todo = f". {answer.todo}" if answer.todo else ""
        return f"{_doing(order).lower()} was NOT done: {answer.said}{todo}"
    proof = f"#{answer.seq}" if answer.seq else "the governor says so" if answer.direct else ""
    done = _DONE.get(order.kind, order.kind.replace("_", " ").upper())
    return ", ".join(part for part in (done, proof, answer.said) if part)


def _doing(order: Order) -> str:
    return _DOING.get(order.kind, order.kind.replace("_", " ").upper())
