"""The terminal's answers never reach the rules of the keys, however they are cut; keys always do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.events import Key

from hatchway_tui import keyboard
from hatchway_tui.wire.answers import HOLD, Answers
from hatchway_tui.wire.flow import COLUMNS, ROW

PATIENCE = 1.0
ANSWERS = [f"\x1b[{ROW};{column}R" for column in COLUMNS] + [
    "\x1b[0n", "\x1b[3n", "\x1b[24;80R", "\x1b[?1;2c", "\x1b[>0;276;0c", "\x1b[?2;5R", "\x1b[?997;1n",
]  # fmt: skip
KEYS = [
    "p", "o", "r", "f", "q", "a", "[", "]", "/", "é", "漢", "\t", "\r", "\x10", "\x7f", "\x1b[A", "\x1bOA",
    "\x1b[1;2R", "\x1b[1;5R", "\x1bOR", "\x1b[5~", "\x1b[1;5A", "\x1b[<0;3;4M", "\x1b[I", "\x1b[O",
    "\x1b[?2026;2$y", "\x1b[200~",
]  # fmt: skip

pieces = st.lists(
    st.tuples(st.booleans(), st.integers(0, 99), st.lists(st.integers(1, 9), max_size=2)), max_size=12
)  # fmt: skip


def passed(answers: Answers, chunks: list[tuple[float, str]]) -> str:
    """What comes out when these are read at those times, and time goes on between them."""
    out, at = "", 0.0
    for when, data in chunks:
        while at < when:
            at = min(at + 0.1, when)
            out += answers.late(at, PATIENCE)
        out += answers.feed(data, at)
    return out


@settings(max_examples=300)
@given(pieces, st.sampled_from([0.0, 0.05, 0.9, 3.0]))
def test_keys_come_out_as_they_went_in_and_answers_do_not(made: Any, gap: float) -> None:
    answers = Answers()
    answers.due = True
    at, chunks, keys, columns = 0.0, [], "", []
    for is_answer, index, cuts in made:
        text = (ANSWERS if is_answer else KEYS)[index % len(ANSWERS if is_answer else KEYS)]
        if not is_answer:
            keys += text
            chunks.append((at, text))
        else:
            column = re.fullmatch(rf"\x1b\[{ROW};([2-9])R", text)
            columns += [int(column[1])] if column else []
            places = sorted({min(cut, len(text)) for cut in cuts})
            for start, end in zip([0, *places], [*places, len(text)], strict=True):
                if text[start:end]:
                    chunks.append((at, text[start:end]))
                    at += gap
        at += 0.03
    assert passed(answers, chunks) == keys
    assert answers.columns == columns


@pytest.mark.parametrize("answer", ANSWERS)
def test_cut_anywhere_and_far_too_late_no_acting_key_comes_of_it(answer: str) -> None:
    for cut in range(1, len(answer)):
        for gap in (0.5, 1.5, HOLD + 1, 40.0):
            answers = Answers()
            answers.due = True
            out = passed(answers, [(0.0, answer[:cut]), (gap, answer[cut:])])
            # only its Esc may go on, when nothing has come for so long: it could be the key
            assert out in {"", "\x1b", "\x1b["} or gap > HOLD, (cut, gap, out)
            assert not set(out) & set("porfgaxqwdlhvsbiz"), (cut, gap, out)


def test_the_rest_of_an_answer_is_known_when_its_esc_was_taken_for_the_key() -> None:
    answers = Answers()
    answers.due = True
    out = passed(answers, [(0.0, "\x1b"), (HOLD + 2, "[2;"), (HOLD + 9, "5R"), (HOLD + 10, "p")])
    assert out == "\x1bp"
    assert answers.columns == [5]


@pytest.mark.parametrize(
    "held", ["\x1b", "\x1b[", "\x1b[2", "\x1b[2;", "\x1b[2;5", "\x1b[?", "\x1b[0"]
)
@pytest.mark.parametrize("due", [True, False])
@pytest.mark.parametrize("gap", [0.02, 2.0, 9.0])
def test_nothing_that_is_held_hides_a_key(held: str, due: bool, gap: float) -> None:
    answers = Answers()
    answers.due = due
    assert passed(answers, [(0.0, held), (gap, "p")]) == held + "p"


def test_esc_itself_waits_no_longer_than_before_when_no_answer_is_due() -> None:
    answers = Answers()
    answers.feed("\x1b", 0.0)
    assert answers.late(PATIENCE - 0.01, PATIENCE) == ""
    assert answers.late(PATIENCE, PATIENCE) == "\x1b"


def test_through_textuals_parser_an_answer_is_no_key_and_in_no_crowd() -> None:
    keyboard.install()
    heard: list[tuple[int, float]] = []
    ear = keyboard.EAR
    before, ear.tell = ear.tell, lambda column, at: heard.append((column, at))
    try:
        ear.awaits = 5
        parser = keyboard.OneRead()
        read = list(parser.feed("p\x1b[2;5R"))
        assert [each.key for each in read if isinstance(each, Key)] == ["p"]
        assert not keyboard.in_a_crowd(read[0].time)
        assert [column for column, _ in heard] == [5]
        assert ear.awaits == 0
    finally:
        ear.tell, ear.awaits = before, 0
