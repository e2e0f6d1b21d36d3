"""One thing to tell people outside. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hatchway.notify.port import Severity


class Told(Struct, frozen=True, kw_only=True):
    """One thing to tell. `key` empty: no condition, it stands by itself."""

    kind: str
    title: str
    key: str = ""
    state: Literal["firing", "resolved"] = "firing"
    severity: Severity = "warning"
    text: str = ""
    service: str = ""
    run: str = ""
