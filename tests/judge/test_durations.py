"""Times are said in the unit that people would use."""

from __future__ import annotations

import pytest

from hatchway.judge.words import duration


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (45, "45 s"), (720, "12 min"), (11520, "3 h")]
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
