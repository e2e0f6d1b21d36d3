"""Immutable values."""

from __future__ import annotations

import pytest

from hatchway.governor.value import Value, as_doc, replace


class Point(Value):
    x: int
    y: int = 2


def test_values_are_built_compared_and_changed_by_copy() -> None:
    point = Point(1)
    assert point == Point(x=1, y=2) != Point(1, 3)
    assert replace(point, y=5) == Point(1, 5)
    assert as_doc(point) == {"x": 1, "y": 2}
    assert repr(point) == "Point(x=1, y=2)"


def test_a_value_cannot_be_changed() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="immutable"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        del point.x


@pytest.mark.parametrize(
    ("args", "named", "says"),
    [
        ((), {}, "missing"),
        ((1, 2, 3), {}, "takes 2"),
        ((1,), {"z": 1}, "no z"),
        ((1,), {"x": 1}, "twice"),
    ],
)
def test_a_value_built_wrongly_says_how(
    args: tuple[int, ...], named: dict[str, int], says: str
) -> None:
    with pytest.raises(TypeError, match=says):
        Point(*args, **named)
