"""One person is one person, whatever they are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core.people import Who, first_named, fold, is_named

ANA = Who("ana", "ana", ("a.lovelace", "ana@example.org", "Ána Lovelace"))


@pytest.mark.parametrize(
    "name",
    [
        "ANA",
        " ana ",
        "ａｎａ",  # full width
        "a\u200bna",  # a character that nobody sees
        "Ana@Example.org",
        "ana@example.org",
        "Somebody Else <ANA@EXAMPLE.ORG>",
        "ana <other@example.org>",
        "A\u0301na  Lovelace",  # an accent of its own
    ],
)
def test_every_spelling_of_a_name_is_the_same_person(name: str) -> None:
    assert is_named(ANA, name)


@pytest.mark.parametrize("name", ["", "<>", "an", "luis", "ana@example.com", "Ana B <b@x>", "anna"])
def test_somebody_else_is_somebody_else(name: str) -> None:
    assert not is_named(ANA, name)
    assert first_named(ANA, (name,)) == ""


def test_a_person_without_any_name_is_nobody() -> None:
    assert not is_named(Who(""), "", "<>", " ")


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing_and_case_never_tells(name: str) -> None:
    assert fold(fold(name)) == fold(name)
    assert fold(name.swapcase()) == fold(name) or fold(name.casefold().swapcase()) == fold(name)
