"""The armed roll back: `r` pauses and shows what would be done, then `f` fires. Pure.

Where going back may not be safe, a key is not enough: the name of the service is typed, and Enter
fires. The pause has happened by then, so that thinking costs nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from hatchway_tui import reading
from hatchway_tui.control import Rights, control_of, live, why_not
from hatchway_tui.held import (
    FIRE_FROM,
    FIRE_UNTIL,
    TYPE_UNTIL,
    Armed,
    Ground,
    Hands,
    Pressed,
    Send,
    say,
)
from hatchway_tui.mirror import Model, items, run_of

TYPED_ON_FOR = 2.5
"""Seconds for which guarded keys are ignored after a name that was being typed."""


def undo_of(model: Model, service: str) -> str:
    """Whether going back is safe, as the backend says: "YES: ...", "NO: ..."; empty: it did not."""
    run = run_of(model, service)
    if run is not None and run.undo:
        return run.undo  # an item goes away with the pause, the run stays
    return next((each.undo for each in items(model) if each.service == service and each.undo), "")


def hazard_of(model: Model, service: str) -> str:
    """What speaks against going back, in words; empty when it is safe or there is nothing to undo.

    What nobody computed is no yes.
    """
    undo, run = undo_of(model, service), run_of(model, service)
    if undo:
        return "" if undo.upper().startswith("YES") else undo
    if live(model) and (run is None or (not run.weight and run.step is None)):
        return ""  # nothing has gone out yet
    return "whether the old version can take the traffic back was not computed"


def ground_of(model: Model, service: str) -> Ground:
    """What a roll back of `service` would act on now."""
    run, known = run_of(model, service), live(model)
    hazard = hazard_of(model, service)
    if run is None:
        return Ground("", "", "", -1, 0, known, model.boot, hazard)
    step = run.step.index if run.step else -1
    return Ground(
        run.id, run.to_version, run.outcome, step, run.weight, known, model.boot, hazard
    )  # fmt: skip


def arm(hands: Hands, model: Model, rights: Rights, at: float) -> Pressed:
    """Pause, and show what would be done."""
    why = why_not(model, rights, "rollback", hands.service)
    if why:
        return say(hands, f"not done: {why}", "warn", at), []
    control, ground = control_of(model, hands.service), ground_of(model, hands.service)
    armed = Armed(at, hands.service, ground, control.mode, control.epoch, ground.hazard)
    hands = replace(reading.opened(hands, "first"), armed=armed, notice=None)
    return hands, [Send("pause", hands.service, reason="before a roll back")]


def fire(hands: Hands, model: Model, rights: Rights, at: float) -> Pressed:
    """`f`: roll back, if it was armed against what is still so."""
    armed = hands.armed
    if armed is None:
        text = "{fire} does nothing alone: press {rollback} first, it shows what {fire} would do"
        return say(hands, hands.keys.fill(text), "warn", at), []
    if at - armed.at < FIRE_FROM:
        text = "{fire}: too soon after {rollback}, ignored; press again"
        return say(hands, hands.keys.fill(text), "warn", at), []
    return _fired(hands, armed, model, rights, at)


def _fired(hands: Hands, armed: Armed, model: Model, rights: Rights, at: float) -> Pressed:
    hands = replace(hands, armed=None)
    if at > armed.until:
        text = f"more than {armed.until - armed.at:.0f} s passed; press {{rollback}} again"
        return disarmed(hands, at, hands.keys.fill(text)), []
    why = moved(armed, model)
    if why:
        return disarmed(hands, at, why), []
    why = why_not(model, rights, "rollback", armed.service)
    if why:
        return say(hands, f"not done: {why}", "warn", at), []
    return replace(hands, notice=None), [Send("rollback", armed.service)]


def name_typed(
    hands: Hands, model: Model, rights: Rights, key: str, char: str | None, at: float, fast: bool
) -> Pressed:
    """A key while the name of the service is asked for. Only the whole name and Enter fire."""
    armed = hands.armed
    assert armed is not None
    match key:
        case "escape" | "ctrl+c":
            return disarmed(hands, at, "left. The agent stays paused"), []
        case "enter" | "ctrl+j":
            if fast:
                return say(hands, "Enter: ignored, press again", "warn", at), []
            if armed.typed.strip() != armed.service:
                return say(hands, f"not fired: type {armed.service}, then Enter", "warn", at), []
            return _fired(hands, armed, model, rights, at)
        case "backspace" | "ctrl+h":
            return replace(hands, armed=replace(armed, typed=armed.typed[:-1])), []
        case "ctrl+u":
            return replace(hands, armed=replace(armed, typed="")), []
    if char and char.isprintable() and len(armed.typed) < 80:
        return replace(hands, armed=replace(armed, typed=armed.typed + char)), []
    return disarmed(hands, at, "any other key disarms"), []


def moved(armed: Armed, model: Model) -> str:
    """Why the ground of an armed roll back is no longer what it was; empty when it is."""
    ground = ground_of(model, armed.service)
    if ground.hazard != armed.ground.hazard:
        return "whether it is safe to go back has changed; look again"
    if ground != armed.ground:
        return "the run or the connection has changed; look again"
    control = control_of(model, armed.service)
    same = control.epoch == armed.epoch and control.mode == armed.mode
    ours = control.mode == "paused" and 0 <= control.epoch - armed.epoch <= 1
    return "" if same or ours else "who is in control has changed; look again"


def settled(hands: Hands, model: Model, at: float) -> Hands:
    """Disarmed, when the time is over or the ground has moved."""
    armed = hands.armed
    if armed is None:
        return hands
    if at > armed.until:
        seconds = TYPE_UNTIL if armed.hazard else FIRE_UNTIL
        return disarmed(hands, at, f"{seconds:.0f} s passed. The agent stays paused")
    why = moved(armed, model)
    return disarmed(hands, at, why) if why else hands


def disarmed(hands: Hands, at: float, why: str) -> Hands:
    """The hands without the armed roll back, and why, to the person.

    Who is typing a name does not stop at once: its other letters are no commands.
    """
    if hands.armed is not None and hands.armed.typed:
        hands = replace(hands, stray_until=max(hands.stray_until, at + TYPED_ON_FOR))
    return say(replace(hands, armed=None), f"roll back disarmed: {why}", "warn", at)
