"""Row two: who is on call and whether a freeze is on, and nothing where nobody was asked."""

from __future__ import annotations

import pytest

from hatchway.core.oncall import Roster
from hatchway.core.state import Frozen
from hatchway.core.windows import Span
from hatchway.edge.on_duty import duty_words, freeze_words, next_on_duty

NOON = 1_764_244_800.0  # Thu 2025-11-27 12:00Z
HOUR = 3600.0


def roster(*shifts: Span, trouble: str = "") -> Roster:
    return Roster(
        people=("ana", "luis"), source="team.ics", shifts=shifts, until=NOON + 1e6, trouble=trouble
    )


def test_who_is_on_call_is_named_until_when() -> None:
    shifts = (Span(NOON - HOUR, NOON + 6 * HOUR, "ana"), Span(NOON + 6 * HOUR, NOON + 9e4, "luis"))
    assert duty_words(roster(*shifts), NOON) == "ana till 18:00Z"
    assert duty_words(roster(*shifts), NOON + 7 * HOUR) == "luis till Fri 13:00Z"
    assert next_on_duty(roster(*shifts), NOON) == ("luis",)


def test_what_is_not_known_is_said_and_no_roster_says_nothing() -> None:
    assert duty_words(None, NOON) == ""
    assert duty_words(roster(), NOON) == "not known: a page calls everybody (ana, luis)"
    assert duty_words(roster(trouble="gone"), NOON).startswith("not known")
    assert next_on_duty(roster(), NOON) == ()
    assert next_on_duty(None, NOON) == ()


@pytest.mark.parametrize(
    ("frozen", "words"),
    [
        (None, ""),
        (Frozen("open", "", "w"), "none"),
        (Frozen("open", "", "w", NOON + 26 * HOUR), "none till Fri 14:00Z"),
        (Frozen("closed", "weekend", "w", NOON + 2 * HOUR), "IN FORCE: weekend till 14:00Z"),
        (Frozen("unknown", "x", "x.ics is gone"), "NOT KNOWN, counts as in force: x.ics is gone"),
        (Frozen("open", "", "w", NOON - 1), "not known: being read again"),
    ],
)
def test_a_freeze_is_never_said_to_be_none_where_nobody_looked(
    frozen: Frozen | None, words: str
) -> None:
    assert freeze_words(frozen, NOON) == words
