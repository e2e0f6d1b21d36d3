"""Nothing that comes out of a job can steer a terminal, hide or run backwards."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.runners.lines import WIDTH, Lines, last_lines
from hatchway.runners.visible import visible


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text, Grüße, 日本語, עברית, 🚀", None),
        ("\x1b[31mred", "␛[31mred"),
        ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
        ("a\tb", "a    b"),
        ("\x00\x7f\x9b", "␀␡‹U+009B›"),
        ("\u202etxt.exe", "‹U+202E›txt.exe"),
        ("a\u200bb\ufeffc\u2028d", "a‹U+200B›b‹U+FEFF›c‹U+2028›d"),
        ("a\u00a0b", "a b"),
        ("\u3164\u034f\u115f", "‹U+3164›‹U+034F›‹U+115F›"),
        ("\U000e0041", "‹U+E0041›"),
        ("e\u0301\u0302\u0303\u0304", None),
        ("e" + "\u0301" * 400 + "x", "e" + "\u0301" * 4 + "‹396 marks›x"),
        ("\u0301" * 9, "\u0301" * 4 + "‹5 marks›"),
    ],
)
def test_what_steers_or_hides_is_made_visible_and_letters_stay(raw, shown):
    assert visible(raw) == (raw if shown is None else shown)


@given(st.text())
def test_any_text_becomes_printable_and_stays_so(text):
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)


def lines_of(*chunks: bytes) -> list[str]:
    lines = Lines()
    return [line for c in chunks for line in lines.feed(c)] + list(lines.finish())


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"dos\r\nlines\r\n", ["dos", "lines"]),
        (b"10%\r50%\r100%\n", ["100%"]),
        (b"10%\r100%\r\n", ["100%"]),
        (b"no newline\r", ["no newline"]),
        (b"\xff\xfeok\n", ["\ufffd\ufffdok"]),
        ("é".encode()[:1], ["\ufffd"]),
        (b"", []),
    ],
)
def test_bytes_become_lines(raw, shown):
    assert lines_of(raw) == shown


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_how_the_bytes_are_cut_into_chunks_does_not_matter(raw, cuts):
    places = [0, *sorted(min(c, len(raw)) for c in cuts), len(raw)]
    chunks = [raw[a:b] for a, b in itertools.pairwise(places)]
    assert lines_of(*chunks) == lines_of(raw)


@pytest.mark.parametrize("unit", ["x", "\u202e", "日"])
def test_a_long_line_is_capped_and_says_by_how_much(unit):
    lines = Lines()
    for _ in range(1000):
        assert list(lines.feed((unit * 500).encode())) == []
        assert len(lines._line) <= WIDTH, "memory stays bounded"
    (line,) = lines.feed(b"\n")
    assert len(line) <= WIDTH
    assert line.endswith(" more)")
    assert lines_of(b"x" * WIDTH) == ["x" * WIDTH]


def test_the_tail_leaves_blank_lines_at_the_end_out():
    assert last_lines(b"a\nb\nc\n\n \n", 2) == ("b", "c")
