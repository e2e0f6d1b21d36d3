"""The first screen: which panel gets which rows. The reading order is the same at every size.

Rows are given out by importance: the header, the run and the verdict's sentence come first, then
one row of buttons, then what needs a person, and so on; what is left over goes to the panels in
the order in which more room helps most.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from hatchway_tui.mirror import items
from hatchway_tui.pages import page as pages
from hatchway_tui.pages.registry import PAGES
from hatchway_tui.paint import bottom, middle, needs, top
from hatchway_tui.paint.canvas import Canvas, Line
from hatchway_tui.paint.others import others, others_height
from hatchway_tui.paint.plan import plan, plan_height
from hatchway_tui.reading import Extent
from hatchway_tui.view import View

WIDE, TALL, HIGH = 108, 34, 48


class Section(Struct):
    """A panel of the stack: rows asked for in three rounds, and how to draw it."""

    draw: Callable[[int], Canvas]
    least: int  # below this it is left out
    good: int  # what it should have
    most: int  # what it can make use of
    worth: int  # the higher, the longer it stays on a small screen
    rows: int = 0


def paint(view: View, width: int, height: int) -> tuple[Line, ...]:
    """The whole screen: `height` rows, each exactly `width` cells."""
    canvas = Canvas(width, height)
    if height < 1 or width < 1:
        return canvas.lines()
    sections = _sections(view, width, height)
    _share_out(sections, height)
    y = 0
    for section in sections:
        if section.rows:
            canvas.blit(0, y, section.draw(section.rows))
            y += section.rows
    return canvas.lines()


def extent(view: View, width: int, height: int) -> Extent:
    """What of the open page is on the screen; nothing when no page is open."""
    opened = PAGES.get(view.hands.page)
    if opened is None or height < 1 or width < 1:
        return Extent()
    sections = _sections(view, width, height)
    _share_out(sections, height)
    room = next((each.rows for each in sections if each.most == height), 1)
    return pages.extent_of(opened, view, width, max(room, 1))


def _share_out(sections: list[Section], height: int) -> None:
    left = height
    for section in sorted(sections, key=lambda each: -each.worth):
        if section.least > left:
            break  # what is worth less has no place where this has none
        section.rows = section.least
        left -= section.least
    for goal in ("good", "most"):
        for section in sorted(sections, key=lambda each: -each.worth):
            if section.rows or section.least == 0:
                more = min(max(getattr(section, goal) - section.rows, 0), left)
                section.rows += more
                left -= more
    spring = max(sections, key=lambda each: each.most)
    spring.rows += left


def _sections(view: View, width: int, height: int) -> list[Section]:
    wide, airy = width >= WIDE and height >= TALL, height >= TALL
    blank = Canvas(0, 0)

    def gap(worth: int) -> list[Section]:
        # an empty row between panels, where there is room for air
        return [Section(lambda _: blank, 0, 1, 1, worth)] if airy else []

    big = 3 if height >= 20 and width >= 48 else 1
    tall = 4 if view.model.replay is not None else 2
    head = Section(lambda rows: top.header(view, width), 1, tall, tall, 100)
    line = Section(lambda rows: top.run_line(view, width), 1, 1, 1, 95)
    stops = Section(lambda rows: bottom.buttons(view, width, rows), big, big, big, 101)
    keys = Section(lambda rows: bottom.hints(view, width), 1, 1, 1, 60)
    if view.hands.entry or view.hands.notice:
        keys.worth = 98  # what is typed or said must be seen
    if view.hands.page != "first":
        opened = PAGES[view.hands.page]
        body = Section(lambda rows: pages.paint(opened, view, width, rows), 1, height, height, 90)
        return [head, line, body, stops, keys]
    armed = view.hands.armed
    if armed is not None:
        tall = plan_height(view, armed, width)
        says = Section(lambda rows: plan(view, armed, width, rows), 2, tall, tall, 97)
    else:
        asked = middle.verdict_height(view, width)
        # on a canary it keeps its height: the figures below it must not move up and down
        steady = view.compared and (view.run is None or view.run.status != "ended")
        good = 5 if steady else min(asked, 5)
        most = max(good, min(asked, 9 if height >= HIGH else 7)) if airy else good
        says = Section(lambda rows: middle.verdict(view, width, rows), 1, good, most, 92)
    middles = _wide(view, width) if wide else _narrow(view, width, height)
    return [
        head, *gap(22), line, *gap(21), says, *gap(20), *middles, *gap(19), stops, keys,
    ]  # fmt: skip


def _narrow(view: View, width: int, height: int) -> list[Section]:
    run, metrics = view.run, view.metrics
    waiting = len(items(view.model))
    out: list[Section] = []
    if metrics is not None and (view.compared or run is None):
        shown, count = metrics.metrics, len(metrics.metrics)
        if height >= TALL and middle.plotted(view):
            out.append(Section(lambda rows: middle.plots(view, width, rows), 5, 8, 14, 45))
            shown = tuple(metric for metric in shown if not metric.plot)
            count = len(shown)
        if count:
            out.append(
                Section(lambda rows: middle.table(view, width, rows, shown), 2, count + 1, count + 1, 50)
            )  # fmt: skip
    elif run is not None and run.stages:
        out.append(Section(lambda rows: middle.stages(view, run, width, rows), 1, 6, 30, 50))
    cards = needs.good_height(view)
    out.append(
        Section(
            lambda rows: needs.needs(view, width, rows),
            1 + bool(waiting),
            cards,
            1 + 5 * max(waiting, 1) if waiting else 2,
            70 if waiting else 30,
        )
    )
    out.append(Section(lambda rows: bottom.last(view, width, rows), 1, 2, 51, 40))
    return out


def _wide(view: View, width: int) -> list[Section]:
    out: list[Section] = []
    most = 1000  # without plots all the room is for what happened and what is printed
    if middle.plotted(view):
        most = min(max(needs.whole_height(view, width - int(width * 0.58) - 3) + 7, 15), 22)
        out.append(Section(lambda rows: middle.plots(view, width, rows), 6, 8, 1000, 45))
        out.append(Section(lambda _: Canvas(0, 0), 0, 1, 1, 18))
    out.append(Section(lambda rows: _columns(view, width, rows), 8, 15, most, 70))
    return out


def _columns(view: View, width: int, rows: int) -> Canvas:
    """Left what is watched and what happened, right what needs a person and what ships."""
    canvas = Canvas(width, rows)
    left = int((width - 2) * 0.58)
    right = width - left - 3
    run, metrics = view.run, view.metrics
    measured = view.compared
    rest = tuple(each for each in metrics.metrics if not each.plot) if metrics else ()
    if measured or run is None:
        upper = min(2 + max(len(rest), 1), rows - 3)
    else:
        upper = min(1 + middle.stages_height(view, run), rows - 4)
    upper += rows > upper + 6  # an empty row
    over = Canvas(left, upper)
    if measured or run is None:
        over.rule(0, "ALSO WATCHED", x=1)
        if rest:
            over.blit(0, 1, middle.table(view, left, upper - 1, rest))
        else:
            over.put(3, 1, "nothing is measured now" if run is None else "nothing else", "dim")
    else:
        over.rule(0, "STAGES", x=1)
        over.blit(1, 1, middle.stages(view, run, left - 1, upper - 1))
    canvas.blit(0, 0, over)
    many = others_height(view, rows - upper)
    if many:
        canvas.blit(0, upper, others(view, left, many))
        upper += many + (rows > upper + many + 4)
    canvas.blit(0, upper, bottom.last(view, left, rows - upper))
    cards = needs.whole_height(view, right)
    split = max(min(max(cards, 3), rows - 4), 2)
    canvas.blit(left + 2, 0, needs.needs(view, right, split))
    below = rows - split
    if not measured and below >= 12:
        canvas.blit(left + 2, rows - (below - 7), bottom.log(view, right, below - 7))
        below = 7
    canvas.blit(left + 2, split, bottom.ships(view, right, below))
    return canvas
