"""Events about telling people outside. See `events.py`, which has them all."""

from __future__ import annotations

from hatchway.core.event import EventBase


class NoticeSent(EventBase, frozen=True, kw_only=True, tag="notice.sent"):
    """A page reached `via`, as far as that says."""

    notice: str
    via: str
    about: str
    attempts: int
    service: str = ""
    run: str = ""


class NoticeFailed(EventBase, frozen=True, kw_only=True, tag="notice.failed"):
    """A notice did not reach `via` and is not tried any more."""

    notice: str
    via: str
    about: str
    why: str
    attempts: int
    service: str = ""
    run: str = ""


NoticeEvent = NoticeSent | NoticeFailed
