"""The policy and the calendars that decide now. Replaced as a whole while the backend runs."""

from __future__ import annotations

from collections.abc import Mapping

from hatchway.core.oncall import Roster
from hatchway.core.policy import Policy
from hatchway.core.windows import Calendar


class InForce:
    """One per backend, shared by all who ask. Whoever asks reads it anew at each decision."""

    def __init__(self, policy: Policy, calendars: Mapping[str, Calendar] | None = None) -> None:
        self.policy = policy
        self.calendars: Mapping[str, Calendar] = calendars or {}
        self.roster: Roster | None = None  # see core/oncall.py: who is on call at a moment
