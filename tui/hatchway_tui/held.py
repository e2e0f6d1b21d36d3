"""What a person's hands hold: structs that the rules of the keys turn into the next ones. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hatchway.edge.protocol import CommandKind
from hatchway_tui.keys import SHIPPED, Keymap
from hatchway_tui.reading import Extent
from hatchway_tui.steps import Play

FIRE_FROM, FIRE_UNTIL = 0.15, 10.0
TYPE_UNTIL = 30.0
"""With a hazard, the name of the service has to be typed: that takes longer than a key."""
NOTICE_FOR = 8.0

Tone = Literal["plain", "ok", "warn", "bad"]


class Notice(Struct, frozen=True):
    """A sentence to the person on the last row."""

    text: str
    tone: Tone
    until: float


class Ground(Struct, frozen=True):
    """What an armed roll back was armed against."""

    run: str
    to_version: str
    outcome: str
    step: int
    weight: int
    live: bool
    boot: str
    hazard: str = ""


class Armed(Struct, frozen=True):
    """`r` was pressed: `f` rolls back, while `ground` and the authority stay as they are.

    With a `hazard` (in words) it is the name of the service, typed, and Enter.
    """

    at: float
    service: str
    ground: Ground
    mode: str
    epoch: int
    hazard: str = ""
    typed: str = ""

    @property
    def until(self) -> float:
        """When it disarms by itself. A name takes longer to type than a key to press."""
        return self.at + (TYPE_UNTIL if self.hazard else FIRE_UNTIL)


class Entry(Struct, frozen=True):
    """A text that is being typed: a reason, or what a page is searched for."""

    kind: Literal[
        "release",
        "readmit",
        "accept",
        "reject",
        "filter",
        "ask",
        "handover",
        "acknowledge",
        "palette",
    ]
    text: str = ""
    item: str = ""  # of an ask: the stop that is asked for
    digest: str = ""  # of a hand-over: the text that was read


class Order(Struct, frozen=True):
    """A command on its way, or its answer."""

    id: str
    kind: CommandKind
    sent_at: float
    direct: bool = False
    answered: bool = False
    ok: bool = False
    seq: int = 0
    said: str = ""


class Hands(Struct, frozen=True):
    """What the person is doing."""

    keys: Keymap = SHIPPED
    service: str = ""
    page: str = "first"  # or the id of the action that opened it
    scroll: int = 0  # the row on top of a page
    end: int = 0  # the row after the last one shown of a page that follows; 0 while it follows
    seen: int = 0  # how many rows there were when it stopped following
    filter: str = ""  # what was typed after `/` on this page
    match: int = -1  # the row that the search looks at
    across: int = 0  # how often right was pressed more than left
    extent: Extent = Extent()  # what of the page was on the screen at the last key
    sort: str = "needs you"  # of the board
    came_from: str = ""  # the service that was on the screen before the board
    before: Hands | None = None  # what the palette was opened over
    focus: str = ""  # id of the marked item
    focus_at: float = 0.0
    armed: Armed | None = None
    twice_at: float = -1e9  # when `o` was pressed once against another person
    twice_epoch: int = -1
    entry: Entry | None = None
    notice: Notice | None = None
    orders: tuple[Order, ...] = ()
    last_key: str = ""
    last_key_at: float = -1e9
    acted_at: float = -1e9  # when a guarded key was not ignored
    stray_until: float = -1e9


class Send(Struct, frozen=True):
    """Send a command."""

    kind: CommandKind
    service: str
    item: str = ""
    reason: str = ""
    expect_epoch: int = -1
    expect_version: int = -1
    signed: str = ""


class Leave(Struct, frozen=True):
    """Close the dashboard."""


class Redraw(Struct, frozen=True):
    """Draw everything anew."""


Intent = Send | Leave | Redraw | Play
Pressed = tuple[Hands, list[Intent]]


def say(hands: Hands, text: str, tone: Tone, at: float) -> Hands:
    """The hands with a sentence to the person."""
    return replace(hands, notice=Notice(text, tone, at + NOTICE_FOR))
