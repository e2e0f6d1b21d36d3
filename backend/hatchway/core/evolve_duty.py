"""What an event means for hand-overs and for what is asked of those on call: see `evolve.py`."""

from __future__ import annotations

import msgspec

from hatchway.core import asks, handover
from hatchway.core import events as ev
from hatchway.core.state import State

_replace = msgspec.structs.replace


def duty_after(state: State, event: ev.DutyEvent, seq: int, at: float) -> State:
    """The state after a hand-over, its acknowledgement, an ask, or a no to it."""
    if isinstance(event, ev.OncallAsked | ev.AskDeclined):
        return _replace(state, asks=asks.after(state.asks, event, seq, at))
    return _replace(state, handovers=handover.after(state.handovers, event, seq, at))


def authority_after(state: State, event: ev.AuthorityChanged, seq: int) -> State:
    """The state after control changed: somebody may have done what was asked for."""
    left = asks.after_authority(
        state.asks,
        service=event.service,
        op=event.op,
        mode=event.mode,
        by=event.by,
        epoch=event.epoch,
        seq=seq,
        at=event.at,
    )
    return state if left is state.asks else _replace(state, asks=left)
