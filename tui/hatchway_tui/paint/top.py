"""The first rows: who is in control, is the data live, who am I, what is being released."""

from __future__ import annotations

from typing import NamedTuple

from hatchway.edge.docs.replay import ReplayDoc
from hatchway.edge.protocol import RunDoc, StageDoc
from hatchway_tui import safe_text
from hatchway_tui.control import STALE_AFTER, direct, governor_answers, live, who
from hatchway_tui.duty import my_ask_words
from hatchway_tui.mirror import items
from hatchway_tui.paint import replay, words
from hatchway_tui.paint.canvas import Canvas, Piece
from hatchway_tui.paint.story import OUTCOMES, stage_of
from hatchway_tui.view import View


class Group(NamedTuple):
    """Pieces that stay or go together; the lowest `worth` goes first."""

    worth: int
    pieces: tuple[Piece, ...]

    @property
    def cells(self) -> int:
        return sum(safe_text.width(safe_text.safe(piece.text)) for piece in self.pieces)


def row(canvas: Canvas, y: int, left: list[Group], right: list[Group], x: int = 0) -> None:
    """Draw groups from both ends of a row, dropping the least worth until they fit."""
    left, right = [g for g in left if g.pieces], [g for g in right if g.pieces]
    while len(left) + len(right) > 1:
        gaps = 2 * (len(left) + len(right) - 1)
        if sum(group.cells for group in left + right) + gaps <= canvas.width - 2 * x:
            break
        poorest = min(left + right, key=lambda group: group.worth)
        (left if poorest in left else right).remove(poorest)
    end = canvas.width - x
    for group in reversed(right):
        end = canvas.right(end, y, *group.pieces) - 2
    for group in left:
        x = canvas.say(x, y, *group.pieces, end=end) + 2


def control_words(view: View) -> tuple[str, str, str]:
    """The mode as a word, its tone, and the rest of the sentence."""
    control = view.control
    since = f" since {words.minute(control.since)}" if control.since else ""
    if control.stop_all:
        by = control.stop_all.removeprefix("STOP ALL ").partition(":")[0]
        holds = f", {control.holder} has the wheel" if control.mode == "person" else ""
        now = "STOPPED ALL" if control.source != "memory" else "STOPPED ALL?"
        return now, "bad", f"{by}{since}{holds}: no agent may do anything"
    match control.mode:
        case "agent":
            run = view.run
            modes = {"recommend": "recommends only", "act": "acts within policy"}
            level = control.level or (modes[run.mode] if run else "")
            told = ("AGENT", "acc", level)
        case "paused":
            told = ("PAUSED", "warn", f"by {control.holder or '?'}{since}")
        case "person":
            mine = control.holder == who(view.model, view.rights)
            name = "you" if mine else control.holder
            told = ("PERSON", "warn", f"{name}{since}")
        case _:
            told = ("UNKNOWN", "warn", "nobody confirms who is in control")
    if control.source == "memory":
        return told[0] + "?", "warn", "as last heard"
    return told


def data_words(view: View) -> tuple[str, str, str]:
    """Whether the data are live: a word, its tone, and the rest."""
    model = view.model
    silent = view.at - model.heard_at if model.heard_at else view.at - model.phase_since
    if model.replay is not None:
        return "AS OF", "warn", f"{words.clock(view.now)}Z"
    match model.phase:
        case "live":
            if silent > STALE_AFTER - 0.5:
                return "BACKEND SILENT,", "warn", f"data {words.age(silent)} old"
            metrics = view.metrics
            old = view.now - metrics.at if metrics is not None and metrics.at else 0.0
            run = view.run
            if run is not None and run.step is not None and run.status != "ended" and old > 10:
                return "METRICS OLD", "warn", words.age(old)
            return "LIVE", "hi", words.age(max(silent, 1.0))
        case "connecting" if not model.why:
            return "CONNECTING", "dim", ""
        case "silent":
            return "BACKEND SILENT,", "warn", f"data {words.age(silent)} old"
        case _:
            if not model.heard_at:
                return "NO BACKEND", "warn", words.age(silent)
            return "BACKEND DOWN,", "warn", f"data {words.age(silent)} old"


_SHORT = {"BACKEND SILENT,": "SILENT", "BACKEND DOWN,": "DOWN", "METRICS OLD": "OLD"}


def header(view: View, width: int) -> Canvas:
    """Two rows: environment, control, data, clock; me, duty, freeze or what is wrong."""
    past = view.model.replay
    canvas = Canvas(width, 4 if past is not None else 2, "panel")
    pad = 1 if width >= 100 else 0
    system, model = view.model.system, view.model
    word, tone, rest = control_words(view)
    said, data_tone, data_rest = data_words(view)
    environment = (system.environment if system else "").upper()
    by, holds = rest, ""
    if view.control.stop_all:
        by, _, holds = rest.partition(": no agent")[0].partition(", ")
    loud = "hi" if tone != "acc" else "txt"
    lead, heard = ("CONTROL ", "DATA ") if width >= 30 else ("", "")
    lead = "CONTROL WAS " if past is not None else lead
    if width < 60:  # the words that matter are never the ones that have no room
        said = _SHORT.get(said, said)
        data_rest = data_rest.removeprefix("data ").removesuffix(" old") if width >= 24 else ""
    left = [
        Group(110, (Piece(" REPLAY ", "ink", True, "bad"),) if past is not None else ()),
        Group(40, (Piece("HATCHWAY", "hi", True),)),
        Group(70, (Piece(f" {environment} ", "ink", True, "env"),) if environment else ()),
        Group(5, (Piece(system.name),) if system and system.name else ()),
        Group(
            100,
            (
                Piece(lead, "dim"),
                Piece(f" {word} ", "ink", True, tone),
            ),
        ),
        Group(60, (Piece(by, loud),)),
        Group(58, (Piece(holds, loud),) if holds else ()),
        Group(35, (Piece("no agent may do anything", "hi"),) if view.control.stop_all else ()),
    ]
    right = [
        Group(
            90,
            (
                Piece(heard if live(model) else "", "dim"),
                Piece(f"{said} {data_rest}".rstrip(), data_tone, True),
            ),
        ),
        Group(6, _round_trip(view)),
        Group(30, (Piece(_clock(view) if past is None else replay.day(view.now)),)),
    ]
    row(canvas, 0, left, right, pad)
    if past is not None:
        row(canvas, 1, *_past(view, past), pad)
        replay.draw(canvas, view, past, 2, pad)
    elif live(model) or (model.phase == "connecting" and not model.why):
        row(canvas, 1, *_me(view, width - 2 * pad), pad)
    else:
        row(canvas, 1, *_lost(view), pad)
    return canvas


def _past(view: View, past: ReplayDoc) -> tuple[list[Group], list[Group]]:
    """That nothing here is of now, and the keys that step."""
    keys = [view.keys.of(each) for each in ("earlier", "later", "much_earlier", "much_later")]
    left = [
        Group(
            90,
            (
                Piece(f"run {past.run},", "txt", True),
                Piece(" past: nothing is sent from here", "warn"),
            ),
        ),
    ]
    if past.figures:
        left.append(Group(60, (Piece(past.figures, "txt"),)))
    steps = f"{keys[0]} {keys[1]} step  {keys[2]} {keys[3]} ten"
    return left, [Group(70, (Piece(steps, "dim"),))]


def _clock(view: View) -> str:
    """Seconds only while something goes on: an idle screen must send nothing."""
    run = view.run
    idle = live(view.model) and (run is None or run.status == "ended")
    return (words.minute(view.now) if idle else words.clock(view.now)) + "Z"


def _round_trip(view: View) -> tuple[Piece, ...]:
    """The longer of two ways, where one is worth a word: to the backend, or to this terminal."""
    ways = [("link", view.model.round_trip), ("screen", view.screen)]
    name, seconds = max(((each, way or 0.0) for each, way in ways), key=lambda each: each[1])
    if seconds < 0.02:
        return ()
    step = 5 if seconds < 0.1 else 50
    return (Piece(f"{name} {max(round(seconds * 1000 / step) * step, step)}ms", "dim"),)


def _me(view: View, width: int) -> tuple[list[Group], list[Group]]:
    """Who I am, what I may do and the key that stops it; what waits for me; what is wrong."""
    you, system = view.model.you, view.model.system
    may, tone = _may(view)
    left = [
        Group(70, (Piece("you ", "txt", True), Piece(who(view.model, view.rights), "txt", True))),
        Group(12, (Piece(", ".join(you.roles), "dim"),) if you and you.roles else ()),
        Group(86, (Piece(may, tone, tone == "warn"),)),
    ]
    right = [_waits(view)]
    if system is None:
        return left, right
    trouble = system.governor_trouble or system.journal_trouble
    if not trouble and view.control.drift:
        trouble = f"DRIFT {view.control.drift}"
    if trouble:
        # cut rather than dropped, and never in the place of what one may do
        stops = Group(86, (Piece(may.partition("; not")[0], tone, tone == "warn"),))
        room = max(width - stops.cells - right[0].cells - 4, 12)
        cut = Piece(safe_text.fit(trouble, room), "warn", True)
        return [left[0], stops], [*right, Group(95, (cut,))]
    if system.handover:
        short = width < 100  # the page behind its key has the rest
        said = "hand-over not acknowledged" if short else system.handover
        right.append(Group(74, (Piece(said, "warn"),)))
    if system.duty:
        right.append(Group(20, (Piece(f"on duty {system.duty}", "dim"),)))
    # Nothing is said of a freeze when no calendar was asked: that is not the same as none.
    if system.freeze:
        tone = "dim" if system.freeze.startswith("none") else "warn"
        right.append(Group(15 if tone == "dim" else 40, (Piece(f"freeze {system.freeze}", tone),)))
    if system.pace != 1:
        right.append(Group(10, (Piece(f"pace x{system.pace:g}", "dim"),)))
    return left, right


def _waits(view: View) -> Group:
    """How much needs a person: in the past tense when nobody confirms it now."""
    waiting, heard = len(items(view.model)), live(view.model)
    if view.model.rev < 0:
        return Group(0, ())
    if not waiting:
        return Group(75, (Piece("nothing waits" if heard else "nothing waited", "dim"),))
    return Group(88, (Piece(f"NEEDS YOU {waiting}" + (" as heard" * (not heard)), "warn", True),))


_READ_ONLY = "READ-ONLY: ask oncall to stop it"
_STOPS = ("pause", "takeover", "rollback")
_ACTS = {
    "pause": "pause", "takeover": "take over", "rollback": "roll back", "release": "give back",
    "approve": "approve",
}  # fmt: skip


def _may(view: View) -> tuple[str, str]:
    """What the person may do here, in words, and with which key it is stopped."""
    you = view.model.you
    asked = my_ask_words(view.model, view.rights, view.hands.service, view.now)
    if view.rights.read_only or (you and you.read_only):
        return f"READ-ONLY: {asked}" if asked else _READ_ONLY, "warn"
    if you is None:
        return "", "dim"
    typing = view.hands.entry is not None
    pauses = f"{view.keys.while_typing()} pauses" if typing else view.keys.fill("{pause} pauses")
    rolls = view.keys.fill("{rollback} {fire} rolls back")
    stop = rolls if view.control.mode == "paused" else pauses
    may = [word for act, word in _ACTS.items() if act in you.can]
    if not may:
        return f"may only look: {asked or 'ask oncall to stop it'}", "warn"
    if len(may) == len(_ACTS):
        return f"may act: {stop}", "dim"
    if all(act in you.can for act in _STOPS):
        lacks = " or ".join(word for act, word in _ACTS.items() if act not in you.can)
        return f"may stop: {stop}; not {lacks}", "dim"
    if "pause" not in you.can:
        return f"may {', '.join(may)}; ask oncall to stop it", "warn"
    return f"may {', '.join(may)}: {pauses}", "dim"


def _lost(view: View) -> tuple[list[Group], list[Group]]:
    model = view.model
    wait = max(model.retry_at - view.at, 0.0)
    again = f"trying again in {words.took(wait)}" if model.retry_at and wait >= 0.1 else "trying again now"  # fmt: skip
    if model.phase == "silent":
        again = "connected, no word from it"
    if direct(model) and governor_answers(model):
        way = view.keys.fill("{pause} {takeover} {rollback} go DIRECT to the governor")
    elif direct(model):
        way = model.governor_trouble or "the governor was not asked yet"
    else:
        way = "no way to act from here"
    if view.rights.read_only or (model.you is not None and model.you.read_only):
        way = _READ_ONLY
    return (
        [Group(90, (Piece(way, "warn", True),)), Group(60, (Piece(again, "txt"),))],
        [Group(20, (Piece(model.why, "dim"),) if model.why else ()), _waits(view)],
    )


def run_line(view: View, width: int) -> Canvas:
    """One row: service, versions, the stage strip with the current stage marked, risk."""
    canvas = Canvas(width, 1)
    pad = 1 if width >= 100 else 0
    run = view.run
    if run is None:
        name = view.hands.service or "no service yet"
        canvas.say(pad, 0, Piece(name, "hi", True), Piece("  no run", "dim"))
        return canvas
    x = canvas.say(
        pad, 0, Piece(run.service, "hi", True), Piece(f" {run.from_version} ", "stable"),
        Piece("→ ", "dim"), Piece(run.to_version, "acc", True),
    )  # fmt: skip
    end = width - pad
    if run.risk and (width >= 60 or run.risk == "HIGH"):
        tone = {"LOW": "ok", "MEDIUM": "warn", "HIGH": "bad"}.get(run.risk, "warn")
        end = canvas.right(end, 0, Piece("risk ", "dim"), Piece(run.risk, tone, True)) - 2
    _strip(canvas, view, run, x + 3, end)
    return canvas


def now_chip(view: View, run: RunDoc) -> tuple[str, str]:
    """Where the run is, and its tone: `CANARY 5% 2m10s of 10m`."""
    if run.status == "ended":
        word, tone = OUTCOMES.get(run.outcome, (run.outcome.upper(), "warn"))
        return f"{word} {words.minute(run.ended_at)}", tone
    stage = stage_of(run)
    if run.status == "rolling_back":
        return "ROLLING BACK", "warn"
    if run.step is not None and (stage is None or stage.kind == "canary"):
        spent = words.lasting(view.now - run.step.since)
        due = view.now < run.step.until  # held longer than that, the planned time says nothing
        stays = {"held": "HELD ", "waiting": "WAITS "}.get(run.status, "")
        whole = f" of {words.lasting(run.step.until - run.step.since)}" if due and not stays else ""
        return f"{run.step.label} {stays}{spent}{whole}", "warn" if stays else "acc"
    if stage is None:
        return run.status.upper(), "acc"
    spent = words.lasting(view.now - stage.started_at) if stage.started_at else ""
    label = stage.name if stage.kind == "release" else stage.label
    label = f"CANARY {label}" if stage.kind == "canary" and label.endswith("%") else label.upper()
    if stage.status == "failed":
        return f"{label} FAILED", "bad"
    if stage.status == "waiting" or run.status == "waiting":
        return f"{label} WAITS FOR A PERSON {spent}".rstrip(), "warn"
    return f"{label} {spent}".rstrip(), "acc"


def _strip(canvas: Canvas, view: View, run: RunDoc, x: int, end: int) -> None:
    chip, tone = now_chip(view, run)
    done = [stage for stage in run.stages if stage.status in {"passed", "skipped"}]
    current = stage_of(run) if run.status != "ended" else None
    ahead = [stage.label for stage in run.stages if stage.status == "pending" and stage is not current]  # fmt: skip
    if run.status in {"ended", "rolling_back"}:
        ahead = []
    elif run.step is not None and run.step.then:
        steps = (each.strip() for each in run.step.then.split(","))
        ahead = list(dict.fromkeys([*steps, *ahead]))
    room = end - x - safe_text.width(chip) - 4
    named = _named(done)
    after = "  ".join(ahead)
    if safe_text.width(named) + safe_text.width(after) + 2 > room:
        named = named.replace("  ", " ")
    if safe_text.width(named) + safe_text.width(after) + 2 > room:
        named = f"✓ {words.count(len(done), 'stage')}" if done else ""
    if canvas.width < 100 and done:
        named = ""
    if named:
        x = canvas.say(x, 0, Piece(named + "  ", "dim"), end=end)
    x = canvas.say(x, 0, Piece(f" {chip} ", "ink", True, tone), end=end)
    if ahead and end - x > 12:
        lead = "then " if canvas.width < 100 else ""
        after = (", " if canvas.width < 100 else "  ").join(ahead)
        canvas.say(x + 2, 0, Piece(lead + after, "faint"), end=end)


def _named(done: list[StageDoc]) -> str:
    return "  ".join(f"✓ {stage.label}" for stage in done)
