"""An open page asks at once and again, but never faster than it is answered."""

from __future__ import annotations

from msgspec import Raw

from hatchway.edge.protocol import Refused, Told
from hatchway_tui.asking import AGAIN_S, EVERY_S, Asking
from hatchway_tui.mirror import Heard, Model, fold

RUN = ("run", "r1")
OTHER = ("why", "r1")
DOC = Raw(b'{"run":"r1","started_at":1.0}')


def answered(model: Model) -> Model:
    return fold(model, Heard(Told("q:run/r1", "run", "r1", DOC), 1.0))


def test_a_page_that_opens_asks_at_once_and_another_one_too() -> None:
    asking = Asking()
    assert asking.due(RUN, Model(), 10.0)
    assert asking.due(OTHER, Model(), 10.1)
    assert asking.due(RUN, Model(), 10.2)
    assert not asking.due(None, Model(), 99.0)


def test_what_was_answered_is_asked_again_after_a_while() -> None:
    asking, model = Asking(), Model()
    for at in (10.0, 10.0 + EVERY_S, 10.0 + 2 * EVERY_S):
        assert asking.due(RUN, model, at)
        model = answered(model)
        assert not asking.due(RUN, model, at + EVERY_S - 0.1)


def test_what_was_not_answered_is_not_asked_again_until_it_must_be_lost() -> None:
    asking, model = Asking(), answered(Model())
    assert asking.due(RUN, model, 10.0)
    assert not asking.due(RUN, model, 10.0 + EVERY_S)
    assert not asking.due(RUN, model, 10.0 + AGAIN_S - 0.1)
    assert asking.due(RUN, model, 10.0 + AGAIN_S)


def test_a_refusal_is_an_answer() -> None:
    asking, model = Asking(), Model()
    for n in range(3):
        assert asking.due(RUN, model, 10.0 + n * EVERY_S)
        refused = Refused("q:run/r1", "not_known", f"there is no run r{1}")
        model = fold(model, Heard(refused, 1.0))
