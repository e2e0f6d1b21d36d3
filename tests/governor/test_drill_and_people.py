"""A drill gives back what it took, and never what a person took in the middle of it."""

from __future__ import annotations

from typing import Any

import pytest

from hatchway.rehearse.drill import begin
from hatchway.rehearse.drill_site import CannotGoOn, Site


class Well(Site):
    """Of one mind, with a breaker that somebody has yet to look at."""

    def docs(self) -> dict[str, Any]:
        you = {"can": ["pause", "takeover", "rollback", "release"]}
        return {"you": you, "standing/shop": {"breaker": "it made it worse"}}

    def unwell(self) -> str:
        return ""


def test_a_drill_closes_no_breaker(governor: Any) -> None:
    governor.at(5)
    with pytest.raises(CannotGoOn, match="open: it made it worse"):
        begin(Well(governor.directory, "shop"), "staging", "one", "ana", scratch=False)


MINE = "drill 1, pause with healthy"


def test_a_drill_does_not_give_back_what_a_person_stopped_meanwhile(governor: Any) -> None:
    site = Site(governor.directory, "shop")
    governor.at(5)
    site.with_the_agent()
    governor.stop("pause", reason=MINE)
    governor.stop("takeover", by="luis", reason="errors, this is real")
    with pytest.raises(CannotGoOn, match=r"taken over by luis \(errors, this is real\)"):
        site.give_back(f"{MINE}: it was tried", MINE)
    assert governor.status()["mode"] == "person"


def test_a_drill_stops_nothing_that_is_not_with_the_agent(governor: Any) -> None:
    site = Site(governor.directory, "shop")
    governor.at(5)
    governor.stop("pause", by="luis")
    with pytest.raises(CannotGoOn, match="paused by luis"):
        site.with_the_agent()
