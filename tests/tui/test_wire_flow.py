"""One frame on its way, sized so that a key does not wait long behind it, on any terminal."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway_tui.wire.flow import COLUMNS, FALLBACK, LEAST, MOST, PATIENCE, Flow


class Way:
    """A terminal behind a line, in virtual time: `rate` bytes a second, `delay` seconds there."""

    def __init__(self, rate: float, delay: float, answers: bool = True) -> None:
        self.rate, self.delay, self.answers = rate, delay, answers
        self.flow = Flow(0.0)
        self.at = self.busy_until = 0.0
        self.coming: list[tuple[float, int]] = []
        self.sent: list[tuple[float, int]] = []
        self.say(0, True)

    def say(self, size: int, asks: bool) -> None:
        column = self.flow.sent(self.at, size, asks)
        self.busy_until = max(self.busy_until, self.at) + (size + 10) / self.rate
        if size:
            self.sent.append((self.at, size))
        if column and self.answers:
            self.coming.append((self.busy_until + self.delay, column))

    def go(self, until: float, want: Any) -> None:
        """Send frames as soon as they may go; `want(allowance)` says how large they would be."""
        while self.at < until:
            self.at += 0.005
            while self.coming and self.coming[0][0] <= self.at:
                self.flow.answered(self.coming.pop(0)[1], self.at)
            if self.flow.next_at() <= self.at:
                if self.flow.unsure(self.at):
                    self.say(0, True)
                else:
                    self.say(want(self.flow.allowance(self.at)), self.flow.asks(self.at))


@pytest.mark.parametrize("rate", [2_400, 8_000, 50_000])
@pytest.mark.parametrize("delay", [0.0, 0.04, 0.3])
def test_in_a_storm_for_a_minute_a_frame_never_holds_the_line_for_long(
    rate: float, delay: float
) -> None:
    chance = random.Random(1)
    way = Way(rate, delay)
    way.go(60, lambda allowance: allowance + chance.randrange(200))
    late = [size / rate for at, size in way.sent if at > 10]
    assert max(late) < max(0.25, 1.2 * (LEAST + 200) / rate)
    used = sum(size for at, size in way.sent if at > 10) / 50
    assert used > min(rate * 0.25, LEAST / (delay + 0.1)), "and it is used"


def test_a_fast_line_far_away_gets_large_frames() -> None:
    way = Way(1e7, 0.3)
    way.go(30, lambda allowance: allowance)
    assert way.flow.budget > MOST / 2


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["answer", "lose", "wait", "stall"]), st.floats(0, 3)), max_size=30))  # fmt: skip
def test_never_two_frames_on_their_way_within_the_patience(steps: Any) -> None:
    flow, at, open_since = Flow(0.0), 0.0, None
    columns = [flow.sent(at, 0, True)]
    for what, wait in steps:
        at += wait
        if what == "answer" and columns:
            assert flow.answered(columns.pop(), at)
            columns.clear()
            open_since = None
        elif what == "lose":
            columns.clear()
        if flow.next_at() <= at:
            assert flow.mute or open_since is None or at - open_since >= PATIENCE
            column = flow.sent(at, flow.allowance(at), flow.asks(at))
            if column:
                columns, open_since = [column], at
    assert LEAST <= flow.budget <= MOST


def test_a_terminal_that_never_answers_is_known_within_a_second_and_gets_a_steady_pace() -> None:
    way = Way(1e6, 0.0, answers=False)
    way.go(20, lambda allowance: min(allowance, 5000))
    assert way.flow.mute
    gaps = [b[0] - a[0] for a, b in zip(way.sent[2:], way.sent[3:], strict=False)]
    assert max(gaps) < 0.3
    late = sum(size for at, size in way.sent if at > 5) / 15
    assert late <= FALLBACK * 1.1
    assert way.flow.trip is None


def test_a_late_first_answer_ends_the_silence() -> None:
    flow = Flow(0.0)
    flow.sent(0.0, 0, True)
    first = flow.sent(0.0, 5000, True)
    flow.sent(1.1, 400, flow.asks(1.1))
    assert flow.mute
    assert flow.answered(first, 1.4)
    assert not flow.mute


def test_an_answer_to_a_question_that_nobody_asked_changes_nothing() -> None:
    flow = Flow(0.0)
    column = flow.sent(0.0, 100, True)
    other = next(each for each in COLUMNS if each != column)
    assert not flow.answered(other, 0.1)
    assert flow.answered(column, 0.1)
    assert not flow.answered(column, 0.1)


def test_a_newer_answer_confirms_the_older_frames() -> None:
    flow = Flow(0.0)
    flow.answered(flow.sent(0.0, 0, True), 0.01)
    flow.sent(1.0, 500, True)
    second = flow.sent(2.1, 300, True)
    assert flow.answered(second, 2.2)
    assert flow.next_at() == 0.0


def test_in_a_long_stall_hardly_anything_is_sent() -> None:
    way = Way(1e6, 0.01)
    way.go(2, lambda allowance: 200)
    way.answers, before = False, len(way.sent)
    way.go(27, lambda allowance: allowance)
    assert len(way.sent) - before <= 8
    assert sum(size for _, size in way.sent[before + 2 :]) <= 6 * LEAST


@pytest.mark.parametrize("rate", [8_000, 1e6])
def test_far_away_a_key_waits_for_the_line_and_not_for_the_answer(rate: float) -> None:
    """300 ms there and back: a frame is nearly always on its way, and a key's goes all the same."""
    chance = random.Random(2)
    way, waited = Way(rate, 0.3), []
    for _ in range(40):
        way.go(way.at + chance.uniform(0.6, 1.2), lambda allowance: min(allowance, 250))
        pressed = way.at
        while way.flow.next_at(hurry=True) > way.at:
            way.go(way.at + 0.005, lambda allowance: min(allowance, 250))
        waited.append(way.at - pressed)
        way.say(200, True)
    assert sorted(waited[5:])[-3] < 0.1


def test_keys_without_an_answer_do_not_fill_the_line() -> None:
    flow = Flow(0.0)
    flow.answered(flow.sent(0.0, 0, True), 0.01)
    flow.answered(flow.sent(0.1, 400, True), 0.15)
    at, count = 1.0, 0
    while flow.next_at(hurry=True) <= at < 1.9:
        flow.sent(at, 300, True)
        at, count = at + 0.06, count + 1
    assert 1 < count <= 4
