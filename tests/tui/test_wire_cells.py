"""The difference, replayed by a terminal, shows the same cells as the full render, colours too."""

from __future__ import annotations

from typing import Any

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from hatchway_tui.wire.cells import Cells

WIDTH, HEIGHT = 13, 4
STYLES = [
    None, Style(), Style.parse("#ff8800 on #101010"), Style.parse("bold #ff8800 on #101010"),
    Style.parse("#00ff00 on #101010"), Style.parse("reverse"), Style.parse("bold"),
    Style.parse("red"), Style.parse("on blue"), Style.parse("underline white on red"),
]  # fmt: skip
CHARS = "ab  ─⣀→x9漢字"

segments = st.lists(
    st.tuples(st.text(CHARS, min_size=1, max_size=6), st.sampled_from(STYLES)), max_size=4
)


class Terminal:
    """What pyte shows of what was written, where the two halves of a wide character are one."""

    def __init__(self, width: int = WIDTH, height: int = HEIGHT) -> None:
        self.screen = pyte.Screen(width, height)
        self.screen.reset_mode(pyte.modes.DECAWM)
        self.stream = pyte.Stream(self.screen)

    def feed(self, text: str) -> None:
        self.stream.feed(text)

    def cells(self) -> list[list[tuple[Any, ...]]]:
        screen = self.screen
        return [[tuple(screen.buffer[y][x]) for x in range(screen.columns)] for y in range(screen.lines)]  # fmt: skip


def strip_of(parts: list[tuple[str, Style | None]], width: int) -> Strip:
    strip = Strip([Segment(text, style) for text, style in parts])
    return strip.adjust_cell_length(width)


def layout(rows: list[list[tuple[str, Style | None]]], width: int = WIDTH) -> LayoutUpdate:
    return LayoutUpdate([[strip_of(row, width)] for row in rows], Region(0, 0, width, len(rows)))


def chops(changes: dict[int, tuple[int, list[tuple[str, Style | None]]]]) -> ChopsUpdate:
    lines: list[dict[int, Strip | None]] = [{} for _ in range(HEIGHT)]
    spans = []
    for y, (x, parts) in changes.items():
        strip = Strip([Segment(text, style) for text, style in parts])
        lines[y][x] = strip
        spans.append((y, x, x + strip.cell_length))
    return ChopsUpdate(lines, spans, [[WIDTH] for _ in range(HEIGHT)])


rows = st.lists(segments, min_size=HEIGHT, max_size=HEIGHT)
changes = st.dictionaries(
    st.integers(0, HEIGHT - 1), st.tuples(st.integers(0, WIDTH - 1), segments), min_size=1
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("layout"), rows),
        st.tuples(st.just("chops"), changes),
        st.tuples(st.just("frame"), st.integers(1, 200)),
        st.tuples(st.just("forget"), st.none()),
        st.tuples(st.just("garbage"), st.text("zZ漢", min_size=1, max_size=20)),
    ),
    max_size=10,
)


def play(cells: Cells, terminal: Terminal, what: str, value: Any) -> None:
    if what == "layout":
        cells.take(layout(value))
    elif what == "chops":
        cells.take(chops(value))
    elif what == "frame":
        terminal.feed(cells.frame((HEIGHT - 1, 0), value, ColorSystem.TRUECOLOR))
    elif what == "garbage":  # something else wrote on the terminal, and the person presses ctrl+l
        terminal.feed(f"\x1b[2;3H\x1b[7m{value}\x1b[0m")
        cells.forget()
    else:
        cells.forget()


@settings(max_examples=80)
@given(rows, steps)
def test_any_frames_end_in_the_screen_that_a_full_render_shows(first: Any, then: Any) -> None:
    cells, terminal = Cells(WIDTH, HEIGHT), Terminal()
    cells.take(layout(first))
    for what, value in then:
        play(cells, terminal, what, value)
    count = 0
    while cells.behind:
        terminal.feed(cells.frame((2,), 30, ColorSystem.TRUECOLOR))
        count += 1
        assert count <= HEIGHT, "every frame brings at least one row"
    whole = Terminal()
    again = Cells(WIDTH, HEIGHT)
    again._want = cells._want
    whole.feed(again.frame((), 1 << 30, ColorSystem.TRUECOLOR))
    assert terminal.cells() == whole.cells()
    assert cells.frame((), 1 << 30, ColorSystem.TRUECOLOR) == ""


@settings(max_examples=40)
@given(rows, st.sampled_from([ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT, ColorSystem.STANDARD]))
def test_it_shows_what_textual_itself_would_have_written(first: Any, system: ColorSystem) -> None:
    update = layout(first)
    cells, ours, theirs = Cells(WIDTH, HEIGHT), Terminal(), Terminal()
    cells.take(update)
    ours.feed(cells.frame((), 1 << 30, system))
    name = {ColorSystem.TRUECOLOR: "truecolor", ColorSystem.EIGHT_BIT: "256", ColorSystem.STANDARD: "standard"}[system]  # fmt: skip
    fresh = layout([[(text, style.copy() if style else None) for text, style in row] for row in first])  # fmt: skip
    theirs.feed(fresh.render_segments(Console(color_system=name, force_terminal=True)).replace("\n", ""))  # fmt: skip
    assert ours.screen.display == theirs.screen.display
    assert ours.cells() == theirs.cells()


@settings(max_examples=60)
@given(rows, rows, st.integers(1, 400), st.lists(st.integers(0, HEIGHT - 1), max_size=4))
def test_rows_go_whole_within_the_budget_and_the_first_ones_first(
    before: Any, after: Any, budget: int, first: list[int]
) -> None:
    cells = Cells(WIDTH, HEIGHT)
    cells.take(layout(before))
    cells.frame((), 1 << 30, ColorSystem.TRUECOLOR)
    cells.take(layout(after))
    ready = [y for y in range(HEIGHT) if cells._shown[y] != cells._want[y]]
    old = [list(row) for row in cells._shown]
    text = cells.frame(first, budget, ColorSystem.TRUECOLOR)
    for y in range(HEIGHT):
        assert cells._shown[y] in (old[y], cells._want[y])
    sent = [y for y in ready if cells._shown[y] == cells._want[y]]
    assert bool(sent) == bool(ready)
    if len(sent) > 2:  # one of the first and the one whose turn it is may exceed it
        assert len(text.encode()) <= budget + 4 + 400
    if [y for y in first if y in ready and y not in sent]:
        # then of the others no more than the one whose turn it is
        assert len([y for y in sent if y not in first]) <= 1


def test_no_row_waits_for_ever_while_others_change_all_the_time() -> None:
    cells = Cells(40, 20)
    shown: set[int] = set()
    for count in range(60):
        cells.take(layout([[(f"{count:x}" * 40, STYLES[2])] for _ in range(20)], 40))
        before = [list(row) for row in cells._shown]
        cells.frame((0, 19, 5), 60, ColorSystem.TRUECOLOR)
        shown |= {y for y in range(20) if cells._shown[y] != before[y]}
    assert shown == set(range(20))


def test_another_size_forgets_what_was_there_and_leaves_out_what_is_outside() -> None:
    cells = Cells(WIDTH, HEIGHT)
    cells.take(layout([[("漢" * 6, None)]] * HEIGHT))
    cells.resize(10, 3)
    cells.take(layout([[("漢" * 6, None)]] * HEIGHT))  # a late one, of the old size
    terminal = Terminal(10, 3)
    terminal.feed(cells.frame((), 1 << 30, ColorSystem.TRUECOLOR))
    assert terminal.screen.display == ["漢" * 5] * 3


def test_a_new_colour_alone_does_not_repeat_the_rest() -> None:
    cells = Cells(WIDTH, 1)
    cells.take(layout([[("aa", STYLES[2]), ("bb", STYLES[4])]]))
    text = cells.frame((), 1 << 30, ColorSystem.TRUECOLOR)
    assert text.count("48;2;16;16;16") == 1
    assert "\x1b[38;2;0;255;0m" in text
