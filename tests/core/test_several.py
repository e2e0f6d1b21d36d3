"""Several people are several persons, and roles need one each."""

from __future__ import annotations

import pytest

from hatchway.core.several import bound, lacking, wanted
from hatchway.core.state import Item


def yes(by: str, *roles: str, person: str = "") -> Item:
    return Item(
        id=by,
        type="recommendation",
        capability="promote",
        step=0,
        asked_at=0.0,
        expires_at=9.0,
        epoch=1,
        status="accepted",
        by=by,
        person=person,
        roles=roles,
    )


@pytest.mark.parametrize(
    ("said", "people", "roles", "missing"),
    [
        ([], 1, (), "0 of 1"),
        ([yes("ana")], 1, (), ""),
        ([yes("ana")], 2, (), "1 of 2"),
        ([yes("ana"), yes("ben")], 2, (), ""),
        ([yes("ana"), yes("ANA "), yes("ａｎａ")], 2, (), "1 of 2"),
        ([yes("ana", person="ana"), yes("root", person="ana")], 2, (), "1 of 2"),
        ([yes("ana", "operator"), yes("ben", "approver")], 2, ("operator", "approver"), ""),
        ([yes("ana", "operator"), yes("ben", "operator")], 2, ("operator", "approver"), "one pers"),
        (
            [yes("ana", "operator", "approver"), yes("ben")],
            2,
            ("operator", "approver"),
            "one person each",
        ),
        (
            [yes("ana", "operator", "approver"), yes("ben", "operator")],
            2,
            ("operator", "approver"),
            "",
        ),
    ],
)
def test_what_is_missing(
    said: list[Item], people: int, roles: tuple[str, ...], missing: str
) -> None:
    for order in (said, said[::-1]):
        found = lacking(order, people, roles)
        assert missing in found
        assert bool(found) == bool(missing)


def test_a_question_is_bound_to_how_many_it_takes() -> None:
    assert bound(1, ()) == {}
    assert wanted(bound(1, ())) == (1, ())
    assert wanted(bound(3, ("operator",))) == (3, ("operator",))
    assert wanted({"people": "many"}) == (1, ())
    assert wanted({"roles": "a,b"}) == (2, ("a", "b"))
