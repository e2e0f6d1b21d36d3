"""Every palette can be read, and what has a meaning stays apart, whichever colours somebody sees."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
import tui_states as states
from rich.color import ColorSystem, ColorType
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME

from hatchway_tui import __main__ as dashboard
from hatchway_tui.paint import ink
from hatchway_tui.paint.canvas import Line, Look
from hatchway_tui.paint.first import paint
from hatchway_tui.paint.ink import PALETTES, palette_for, style_of

RGB = tuple[float, float, float]
FULL = [name for name, colours in PALETTES.items() if "bg" in colours]
GROUNDS = ("bg", "panel", "btn")
MEANING = ("ok", "warn", "bad", "acc", "stable")
SECONDARY = ("faint", "limit")
"""What is said elsewhere too: pending stages, counts, the word on the limit line."""
ORNAMENT = ("line", "limitline")
"""Rules, dashes: nothing is read from them."""

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", IEEE Transactions on Visualization and Computer Graphics 15(6), 2009: severity 1.0,
# on linear RGB.
EYES: dict[str, tuple[RGB, RGB, RGB]] = {
    "common": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}  # fmt: skip
APART = {"dark": 20.0, "light": 12.0, "blind": 28.0, "blind-light": 20.0}
"""The least distance (CIE 1976, L*a*b*) of two colours with a meaning; 2.3 can just be told apart."""


def linear(colour: str) -> RGB:
    """`#rrggbb` as linear light, 0 to 1."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2, 1 to 21."""

    def luminance(colour: str) -> float:
        red, green, blue = linear(colour)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def seen(colour: str, eyes: str) -> RGB:
    """L*a*b* (D65) of what somebody sees."""
    light = linear(colour)
    red, green, blue = (
        min(max(sum(weight * c for weight, c in zip(row, light, strict=True)), 0.0), 1.0)
        for row in EYES[eyes]
    )

    def root(t: float) -> float:
        return t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116

    x = root((0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047)
    y = root(0.2126729 * red + 0.7151522 * green + 0.0721750 * blue)
    z = root((0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, eyes: str) -> float:
    """How far two colours are apart for somebody."""
    pairs = zip(seen(one, eyes), seen(other, eyes), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


@pytest.mark.parametrize("name", FULL)
def test_every_text_can_be_read_on_every_ground(
    name: str, bar: Callable[[str, str, str], None]
) -> None:
    colours = PALETTES[name]
    texts = set(colours) - {*GROUNDS, *ORNAMENT, "ink"}
    ratios = {
        (fg, bg): contrast(colours[fg], colours[bg])
        for fg in texts for bg in GROUNDS
    }  # fmt: skip
    chips = ("acc", "warn", "bad", "ok", "env", "dim", "faint")
    ratios |= {("ink", chip): contrast(colours["ink"], colours[chip]) for chip in chips}
    poor = {
        pair: round(ratio, 2) for pair, ratio in ratios.items()
        if ratio < (3.0 if set(pair) & set(SECONDARY) else 4.5)
    }  # fmt: skip
    assert poor == {}
    body = min(ratio for pair, ratio in ratios.items() if not set(pair) & set(SECONDARY))
    bar(f"least contrast of a text, {name}", f"{body:.1f}", "4.5")


@pytest.mark.parametrize("name", FULL)
def test_colours_with_a_meaning_stay_apart_for_every_eye(
    name: str, bar: Callable[[str, str, str], None]
) -> None:
    colours = PALETTES[name]
    found = {
        (one, other, eyes): distance(colours[one], colours[other], eyes)
        for one, other in itertools.combinations(MEANING, 2)
        for eyes in EYES
    }
    least = min(found, key=lambda each: found[each])
    bar(f"nearest two colours, {name}", f"{found[least]:.0f} ({' and '.join(least[:2])})", f"{APART[name]:.0f}")  # fmt: skip
    assert found[least] >= APART[name], least


def test_the_eyes_are_simulated() -> None:
    """Red and green of one lightness fall together for some, and only for them."""
    red, green = "#c05020", "#808000"
    assert distance(red, green, "common") > 2 * distance(red, green, "deuteranopia")
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("name", FULL)
def test_256_colours_are_still_read(name: str) -> None:
    """Where there are only 256, each is the nearest of them."""
    colours = PALETTES[name]

    def reduced(look: str) -> str:
        colour = Style(color=colours[look]).color
        assert colour is not None
        fewer = colour.downgrade(ColorSystem.EIGHT_BIT)
        assert fewer.type is not ColorType.TRUECOLOR
        return fewer.get_truecolor().hex

    for fg in ("txt", "hi", *MEANING):
        for bg in GROUNDS:
            assert contrast(reduced(fg), reduced(bg)) >= 3.9, (fg, bg)


def _looks(lines: tuple[Line, ...]) -> Iterator[tuple[str, Look]]:
    for line in lines:
        yield from line


def test_sixteen_colours_never_hide_a_text_in_bright_black() -> None:
    """In more than one widespread scheme it is the colour of the ground."""
    for fg in ("txt", "dim", "faint", "hi", "stable", *MEANING):
        style = style_of("ansi", Look(fg))
        assert style.color is None or style.color.name != "bright_black", fg
        shade = style.color.get_truecolor(DEFAULT_TERMINAL_THEME) if style.color else None
        assert shade != DEFAULT_TERMINAL_THEME.background_color


CALM = states.Facts(risk="LOW", attention=())


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60)])
def test_a_healthy_canary_shows_no_alarm_and_little_colour(
    width: int, height: int, bar: Callable[[str, str, str], None]
) -> None:
    above = paint(states.view_of(CALM), width, height)[:-4]  # the stops have their colours always
    cells = width * len(above)
    alarming = [
        (text, look) for text, look in _looks(above)
        if text.strip() and {look.fg, look.bg} & {"warn", "bad"}
    ]  # fmt: skip
    assert alarming == []
    hues = {"acc", "ok"}
    coloured = sum(
        sum(char != " " or look.bg in hues for char in text)
        for text, look in _looks(above) if {look.fg, look.bg} & hues
    )  # fmt: skip
    bar(f"coloured cells of a healthy canary, {width}x{height}", f"{coloured / cells:.1%}", "6%")
    assert coloured / cells <= 0.06


def test_what_is_abnormal_is_coloured() -> None:
    bad = paint(states.view_of(states.Facts(verdict="REGRESS", risk="HIGH")), 80, 24)[:-4]
    assert any(look.fg == "bad" and text.strip() for text, look in _looks(bad))


@pytest.mark.parametrize(
    ("environ", "asked", "palette"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "auto", "dark"),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, "auto", "light"),
        ({"TERM": "xterm-256color", "COLORFGBG": "15;0"}, "auto", "dark"),
        ({"TERM": "xterm-256color"}, "blind", "blind"),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, "blind", "blind-light"),
        ({"TERM": "screen"}, "auto", "ansi"),
        ({"TERM": "screen-256color"}, "auto", "dark"),
        ({"TERM": "linux"}, "auto", "ansi"),
        ({"TERM": "xterm", "COLORFGBG": "0;15"}, "auto", "mono"),
        ({"TERM": "xterm-ghostty"}, "auto", "dark"),
        ({"TERM": "vt100"}, "auto", "mono"),
        ({"TERM": "dumb"}, "auto", "mono"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "auto", "mono"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "auto", "dark"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "light", "light"),
    ],
)
def test_the_palette_fits_the_terminal(environ: dict[str, str], asked: str, palette: str) -> None:
    assert palette_for(environ, asked) == palette


def test_every_theme_can_be_asked_for() -> None:
    for theme in ink.THEMES:
        asked = dashboard.arguments(["--backend", "/x", "--theme", theme])
        assert asked.theme == theme
