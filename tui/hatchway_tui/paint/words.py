"""Numbers, times and durations in the words of the screen. All times are UTC."""

from __future__ import annotations

import time
from math import isfinite

from hatchway_tui import safe_text


def clock(at: float) -> str:
    """`02:14:07`, or dashes when not known."""
    return time.strftime("%H:%M:%S", time.gmtime(at)) if at > 0 else "--:--:--"


def minute(at: float) -> str:
    """`02:14`."""
    return clock(at)[:5]


def age(seconds: float) -> str:
    """Roughly how long ago: `1s`, `95s`, `24m`, `3h`, `2d`."""
    seconds = max(seconds, 0.0)
    if seconds < 120:
        return f"{seconds:.0f}s"
    if seconds < 5400:
        return f"{seconds / 60:.0f}m"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f}h"
    return f"{seconds / 86400:.0f}d"


def took(seconds: float) -> str:
    """How long something took: `0.4s`, `12s`, `2m10s`, `1h05m`."""
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    return lasting(seconds)


def lasting(seconds: float) -> str:
    """How long something has been going on, in whole seconds: `4s`, `2m10s`, `1h05m`."""
    whole = int(max(seconds, 0.0))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s" if whole % 60 else f"{whole // 60}m"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def number(value: float | None, unit: str = "") -> str:
    """A figure as it is read: few digits, no exponent; `--` when there is none."""
    if value is None or not isfinite(value):
        return "--"
    if unit == "%":
        return f"{value:.2f}"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.1f}M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.1f}k"
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


_BRIEFER = (
    (" on canary against ", " canary, "),
    (" on stable", " stable"),
    (" requests canary", " canary"),
    ("too little to be sure", "too little yet"),
)


def briefly(text: str, cells: int) -> str:
    """The judge's sentence in fewer words, where `cells` are too few for all of them."""
    for long, short in _BRIEFER:
        if safe_text.width(safe_text.safe(text)) <= cells:
            break
        text = text.replace(long, short)
    return text


def count(number_of: int, noun: str) -> str:
    """`1 commit`, `3 commits`."""
    return f"{number_of} {noun}{'' if number_of == 1 else 's'}"
