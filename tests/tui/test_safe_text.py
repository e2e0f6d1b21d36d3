"""What leaves the choke point is printable, one glyph a character, and as wide as it says."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from hatchway_tui.safe_text import char_width, fit, safe, width, wrap

ANY = st.text(st.characters(), max_size=60)


@given(ANY)
def test_nothing_unprintable_leaves(text: str) -> None:
    out = safe(text)
    bad = {"Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me", "Mc", "Zl", "Zp"}
    assert not [char for char in out if unicodedata.category(char) in bad]


@given(ANY)
def test_safe_text_is_safe_already(text: str) -> None:
    assert safe(safe(text)) == safe(text)


@given(st.text(st.characters(max_codepoint=0x1FFFF), max_size=40))
def test_the_width_is_what_the_terminal_library_says(text: str) -> None:
    out = safe(text)
    assert width(out) == sum(map(char_width, out))
    assert width(out) == sum(map(cell_len, out))


@given(ANY, st.integers(0, 30))
def test_fitted_text_fits(text: str, cells: int) -> None:
    assert width(fit(text, cells)) <= cells


@given(ANY, st.integers(1, 30), st.integers(1, 4))
def test_wrapped_text_fits(text: str, cells: int, lines: int) -> None:
    out = wrap(text, cells, lines)
    assert len(out) <= lines
    assert all(width(line) <= cells for line in out)


def test_escape_sequences_stay_readable() -> None:
    assert safe("\x1b]52;c;ZXZpbA==\x07") == "␛]52;c;ZXZpbA==␇"


def test_bidi_and_zero_width_become_visible() -> None:
    assert safe("a\u202eb\u200bc") == "a<202E>b<200B>c"


def test_wide_characters_count_two() -> None:
    assert width("漢字") == 4
    assert fit("漢字漢字", 5) == "漢字…"
