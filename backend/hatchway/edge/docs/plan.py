"""The query `plan`: what a roll back of a service would do now, for the panel after `r`."""

from __future__ import annotations

from msgspec import Struct


class PlanDoc(Struct, frozen=True):
    """All in words. `against` is what keeps going back from being safe, the certain first."""

    service: str
    does: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()  # what is looked at before it is called done
    against: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()  # what is as the new version left it
    before: str = ""  # how long earlier ones took
    pages: str = ""  # who is called when it does not come to its end
