"""No accident of a terminal acts: split sequences, pastes, keys held down. And none makes `p` deaf.

In virtual time, with Textual's own parser: ten thousand cases in seconds. A few on a real pty are
in test_pty.py.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness.sequences import ALL
from harness.virtual import Keyboard, keyboards, model_of

from hatchway.edge.protocol import NeedsDoc

Make = Callable[[Any], Keyboard]
DELAYS = (0.001, 0.02, 0.03, 0.09, 0.15, 0.5, 0.97, 1.02, 1.15, 1.9)
CASES = 10_000
TEXTS = (
    "of course, go ahead: roll back or fix it, x marks a spot\r",
    "git log --oneline --graph --all | grep -o 'rf'\n",
    "orfgax" * 20,
    "o\no\no\n" * 20,
    "rf" * 30,
    "r\rf\rr\rf",
    "a\r" * 20,
    "x\r" * 20,
    "gback please\rg again\r",
    "for f in *.txt; do rm -rf $f; done\r\n" * 4,
)


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    with keyboards() as made:
        yield made


def states(scenes: Any) -> list[Any]:
    """What there is to be hit by accident: a roll back, two items, another's wheel, a way back."""
    unsure = scenes.build("unsure")
    return [
        model_of(unsure),
        model_of(unsure | {"authority/shop": scenes.authority("person", "luis", 6)}),
        model_of(unsure | {"authority/shop": scenes.authority("paused", "ana", 5)}),
    ]


def split(chance: random.Random, sequence: str, number: int) -> list[str]:
    """The sequence cut once (each place in its turn), sometimes twice."""
    cuts = {1 + number % (len(sequence) - 1)}
    if number % 3 == 0:
        cuts.add(chance.randint(1, len(sequence) - 1))
    places = [0, *sorted(cuts), len(sequence)]
    return [sequence[a:b] for a, b in itertools.pairwise(places)]


def test_ten_thousand_split_sequences_act_never_and_leave_p_working(
    make: Make, scenes: Any, bar: Any
) -> None:
    chance = random.Random(5)
    models = states(scenes)
    guarded, deaf, done = [], [], 0
    while done < CASES:
        for sequence in ALL:
            keys = make(models[done % len(models)])
            keys.wait(2.0)
            parts = split(chance, sequence, done // len(ALL))
            for part in parts:
                keys.read(part)
                keys.wait(chance.choice(DELAYS))
            if keys.guarded or keys.armed or keys.opened:
                guarded.append((parts, keys.kinds))
            keys.wait(chance.choice((0.0, 0.03, 0.4, 2.0)))
            before = len(keys.sent)
            keys.read("p")
            keys.wait(1.15)  # as long as the parser may wait for the rest of a sequence
            if "pause" not in keys.kinds[before:]:
                deaf.append((parts, keys.hands.entry))
            done += 1
    bar(
        "split escape sequences",
        f"{done:,}: {len(guarded)} acted, {len(deaf)} deaf to p",
        "0 and 0",
    )
    assert guarded[:5] == []
    assert deaf[:5] == []


def test_a_split_sequence_fires_no_armed_roll_back(make: Make, scenes: Any) -> None:
    chance = random.Random(6)
    model = states(scenes)[0]
    for number, sequence in enumerate(ALL * 3):
        keys = make(model)
        keys.wait(2.0)
        keys.read("r")
        keys.wait(chance.choice((0.5, 1.5)))
        for part in split(chance, sequence, number):
            keys.read(part)
            keys.wait(chance.choice(DELAYS))
        assert keys.guarded == [], sequence


@pytest.mark.parametrize("key", "orfgax")
@pytest.mark.parametrize("rate", [0.03, 0.04, 0.092, 0.11])
def test_a_key_held_down_is_one_press(make: Make, scenes: Any, key: str, rate: float) -> None:
    """As keyboards repeat: the second after a while, then many a second; for 8 seconds."""
    for model in states(scenes):
        for first in (0.25, 0.5, 0.66):
            keys = make(model)
            keys.wait(2.0)
            keys.read(key)
            once = keys.guarded
            keys.wait(first)
            for _ in range(int(8 / rate)):
                keys.read(key)
                keys.wait(rate)
            assert keys.guarded == once, f"{key} held down did more than one press"
            assert len(once) <= 1
            assert keys.kinds.count("rollback") == 0


def test_accept_held_down_answers_one_item_and_not_the_next(make: Make, scenes: Any) -> None:
    items = tuple(
        type(scenes.items("rollback").items[0])(
            f"i{n}", "recommendation", "promote", f"item {n}", "shop", "r1", 0.0, 9e9, "LOW"
        )
        for n in range(5)
    )
    docs = scenes.build("unsure")
    keys = make(model_of(docs | {"needs-you": NeedsDoc(items)}))
    keys.wait(2.0)
    for _ in range(300):
        keys.read("a")
        answered = {each.item for each in keys.sent}
        left = tuple(item for item in items if item.id not in answered)
        keys.model = model_of(docs | {"needs-you": NeedsDoc(left)})
        keys.wait(0.04)
    assert keys.kinds == ["accept"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("bracketed", [False, True])
def test_a_pasted_text_acts_in_no_way(make: Make, scenes: Any, text: str, bracketed: bool) -> None:
    """Whole, and in the pieces in which a slow line brings it, whatever is alone at the end."""
    chance = random.Random(7)
    for model in states(scenes):
        for size in (4096, 64, 3):
            for gap in (0.001, 0.03, 0.2):
                keys = make(model)
                keys.wait(2.0)
                whole = f"\x1b[200~{text}\x1b[201~" if bracketed else text
                at = 0
                while at < len(whole):
                    more = max(2, size - chance.randint(0, 2)) if at == 0 else size
                    keys.read(whole[at : at + more])
                    at += more
                    keys.wait(gap)
                assert keys.guarded == [], (text, size, gap, keys.kinds)
                assert keys.armed == 0
                assert keys.left == 0, "nor does it leave"
                keys.wait(1.2)
                before = len(keys.sent)
                keys.read("\x10")
                assert keys.kinds[before:] == ["pause"], "Ctrl+P stops, whatever was pasted"


def test_the_last_letter_of_a_paste_alone_in_a_read_acts_in_no_way(make: Make, scenes: Any) -> None:
    for key in "orfgax":
        for gap in (0.001, 0.026, 0.1, 0.4, 0.9):
            keys = make(states(scenes)[0])
            keys.wait(2.0)
            keys.read("as agreed, the new one g")
            keys.wait(gap)
            keys.read(key)
            assert (keys.guarded, keys.armed, keys.opened) == ([], 0, 0), (key, gap)


def test_a_person_who_presses_again_is_heard(make: Make, scenes: Any) -> None:
    """The rules against accidents must not make a deliberate hand wait for long."""
    keys = make(states(scenes)[1])
    keys.wait(2.0)
    keys.read("o")
    keys.wait(0.75)
    assert keys.guarded == []
    keys.read("o")
    assert keys.guarded == ["takeover"], "luis's wheel is taken with a second, later press"
    keys = make(states(scenes)[0])
    keys.wait(2.0)
    keys.read("r")
    keys.wait(0.3)
    keys.read("f")
    assert keys.guarded == ["rollback"]
