"""Any two states that differ in what an operator must know differ in plain text, without colour."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tui_states as states
from msgspec.structs import replace

from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import paint
from hatchway_tui.paint.ink import ASCII

SIZES = ((80, 24), (120, 40))
BASES = {
    "canary": states.Facts(),
    "bad": states.Facts(run="held", verdict="REGRESS", items=("rollback", "release")),
    "paused": states.Facts(mode="paused", holder="ana", items=("release",)),
    "taken": states.Facts(mode="person", holder="luis"),
    "tests": states.Facts(run="stage"),
    "waiting": states.Facts(run="waiting", items=("release",)),
    "promoted": states.Facts(run="promoted"),
    "armed": states.Facts(mode="paused", holder="ana", armed=True, verdict="REGRESS"),
    "down": states.Facts(link="down", age=40.0, items=("release",)),
    "down, nobody answers": states.Facts(link="down", age=40.0, governor="trouble"),
    "silent": states.Facts(link="silent", age=5.0),
    "nothing": states.Facts(run="none"),
}
WIDE = ("canary", "bad", "tests", "promoted", "armed", "down")


def _words(facts: states.Facts, size: tuple[int, int]) -> str:
    """What is read where there is neither colour nor UTF-8; what differs here differs everywhere."""
    shown = text_of(paint(states.view_of(facts), *size)).translate(ASCII)
    assert shown.isascii(), [char for char in shown if not char.isascii()]
    return shown


@pytest.mark.parametrize(
    ("base", "size"),
    [(base, SIZES[0]) for base in BASES] + [(base, SIZES[1]) for base in WIDE],
)
def test_one_fact_more_or_less_is_always_read(base: str, size: tuple[int, int]) -> None:
    same: list[str] = []
    for name, variants in states.variations(BASES[base]):
        texts = {each: _words(each, size) for each in variants}
        for one, other in states.pairs(variants):
            if texts[one] == texts[other]:
                same.append(f"{name}: {getattr(one, name)!r} and {getattr(other, name)!r}")
    assert same == []


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])
def test_any_two_of_a_hundred_states_read_differently(
    size: tuple[int, int], bar: Callable[[str, str, str], None]
) -> None:
    found = states.sampled(100, 7)
    texts = {facts: _words(facts, size) for facts in found}
    compared, same = 0, []
    for one, other in states.pairs(found):
        compared += 1
        if texts[one] == texts[other]:
            same.append((one, other))
    assert same == []
    what = f"states that read the same in ASCII, {size[0]}x{size[1]}"
    bar(what, f"{len(same)} of {compared:,} pairs", "0")


def test_the_generator_names_what_matters() -> None:
    """The tests above compare nothing when everything is masked."""
    base = states.Facts()
    assert states.matters(base) == states.matters(replace(base, stage=3))
    assert states.matters(base) != states.matters(replace(base, verdict="UNSURE"))
    assert len(list(states.pairs(states.sampled(50, 1)))) > 1000
