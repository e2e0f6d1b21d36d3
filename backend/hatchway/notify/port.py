"""The port to whatever tells people: a pager, a chat, Alertmanager."""

from __future__ import annotations

from typing import Literal, Protocol

from msgspec import Struct

Severity = Literal["page", "warning", "info"]


class Notice(Struct, frozen=True, kw_only=True):
    """Something that people outside should know. Text in it may come from anybody: it is data.

    `id` is the same at every attempt. Notices of one condition share its `key`: one when it begins
    (`firing`) and one when it is over (`resolved`). What is no condition is `firing` alone, with
    a key of its own. Times in seconds since 1970.
    """

    id: str
    key: str
    kind: str
    severity: Severity
    title: str
    at: float
    state: Literal["firing", "resolved"] = "firing"
    text: str = ""
    service: str = ""
    run: str = ""
    environment: str = ""
    installation: str = ""
    since: float = 0.0  # of the condition; 0 when it is none
    on_call: tuple[str, ...] = ()  # of a page: whom it is for; empty: nobody says


class NotDelivered(Exception):
    """It did not arrive, or nobody knows; the message says why in a few words."""


class Notifier(Protocol):
    """All methods may be called by several tasks at once."""

    @property
    def name(self) -> str:
        """As in the configuration."""

    async def deliver(self, notice: Notice) -> None:
        """Tell it, within a time-out of its own. Raises NotDelivered."""
