"""Who is in control and what the person at the keys may do, out of what is known. Pure."""

from __future__ import annotations

from msgspec import Struct

from hatchway.edge.protocol import ItemDoc, Mode
from hatchway_tui.mirror import Model

NOTHING_IS_SENT = "REPLAY: nothing is sent from here"
STALE_AFTER = 3.0
"""Seconds of silence after which the data are called old on the first row."""


class Control(Struct, frozen=True):
    """The authority over one service, and how it is known."""

    mode: Mode = "unknown"
    holder: str = ""
    since: float = 0.0
    reason: str = ""
    level: str = ""
    epoch: int = -1
    drift: str = ""
    stop_all: str = ""  # in words, while no agent may do anything
    source: str = ""  # "backend", "governor", "memory" (nobody confirms it now) or ""
    read_at: float = 0.0  # server clock


def live(model: Model) -> bool:
    """Whether the backend answers now."""
    return model.phase == "live"


def direct(model: Model) -> bool:
    """Whether stops go to the governor's own socket, as the backend does not answer."""
    return not live(model) and model.governor_known


def governor_answers(model: Model) -> bool:
    """Whether the governor's last direct answer was a good one."""
    return model.governor_known and not model.governor_trouble and model.governor_at > 0


def control_of(model: Model, service: str) -> Control:
    """Who is in control, from the backend when it is live, else read from the governor."""
    doc = model.authority.get(service)
    said = model.governor.get(service)
    if not live(model) and said is not None and governor_answers(model):
        return Control(
            mode=said.mode, holder=said.holder or "", since=said.since, reason=said.reason or "",
            epoch=said.epoch, drift=said.drift or said.target_trouble or "", source="governor",
            stop_all=stopped_words(said.stop_all), read_at=model.governor_at + model.skew,
        )  # fmt: skip
    if doc is None:
        return Control()
    return Control(
        mode=doc.mode, holder=doc.holder, since=doc.since, reason=doc.reason, level=doc.level,
        epoch=doc.epoch, drift=doc.drift, source="backend" if live(model) else "memory",
        read_at=doc.read_at, stop_all=doc.stop_all,
    )  # fmt: skip


def stopped_words(found: dict[str, object] | None) -> str:
    """What the governor says of STOP ALL, as the backend words it."""
    if not found:
        return ""
    return f"STOP ALL by {found.get('by') or '?'}" + (
        f": {found['reason']}" if found.get("reason") else ""
    )


def canary_weight(model: Model, service: str) -> int | None:
    """The canary's share as the governor says directly; None while the backend is there to say it.

    What the governor was asked before the backend answered is old: it must not be shown then.
    """
    said = model.governor.get(service)
    if live(model) or said is None or not governor_answers(model):
        return None
    weights = said.observed or said.desired
    share = weights.get("canary")
    return None if share is None else int(share)


class Rights(Struct, frozen=True):
    """What the person may do; words are empty where it is allowed."""

    read_only: bool = False  # asked for on the command line
    name: str = ""  # the login, until the server says who it sees


_NEEDS = {
    "pause": "pause", "takeover": "takeover", "rollback": "rollback", "release": "release",
    "stop_all": "pause", "readmit": "readmit", "handover": "handover", "acknowledge": "acknowledge",
}  # fmt: skip


def who(model: Model, rights: Rights) -> str:
    """The name under which the person acts."""
    return model.you.name if model.you and model.you.name else rights.name


def why_not(
    model: Model, rights: Rights, kind: str, service: str, item: ItemDoc | None = None
) -> str:
    """Why `kind` cannot be done now, in words; empty when it can."""
    if model.replay is not None:
        return NOTHING_IS_SENT
    if rights.read_only or (model.you is not None and model.you.read_only):
        duty = model.system.duty if model.system else ""
        return f"read-only: ask oncall{' (' + duty + ')' if duty else ''}"
    if not live(model):
        if kind not in {"pause", "takeover", "rollback", "stop_all"}:
            return "needs the backend, which does not answer"
        if not model.governor_known:
            return "neither backend nor governor can be reached from here"
        return ""
    need = (item.requires or "approve") if item is not None else _NEEDS[kind]
    if model.you is not None and need not in (*model.you.can, *model.you.also):
        return model.you.why_not or f"you may not {need} here"
    if kind == "release" and control_of(model, service).mode == "agent":
        return "the agent has control already"
    return barred(model, rights, item) if kind == "accept" and item is not None else ""


def barred(model: Model, rights: Rights, item: ItemDoc) -> str:
    """Why this person is not the one to say yes to a release: it is their own work, say; or empty."""
    return item.barred.get(" ".join(who(model, rights).casefold().split()), "")
