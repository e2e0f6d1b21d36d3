"""The eight questions of the first ten seconds, answered from the words of the first rows alone.

`read` is somebody who sees nothing but the text: no colour, no model, nothing of the painters.
What it answers is held against what is the case. It knows English, not the program.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest
import tui_states as states
from msgspec.structs import replace

from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import paint


class Answers(NamedTuple):
    """One for each question."""

    control: tuple[str, str]  # who has it: agent, or the word and whose; "unsure ..." as last heard
    live: bool
    what: tuple[str, str, str]  # the service, to which version, where it is
    verdict: tuple[str, bool]  # the word, and whether a reason is named
    otherwise: str  # what happens if nobody acts: its first words
    waits: int | None
    may: str  # act, stop, some, look
    stop: str  # the key or the person that stops it


def read(rows: list[str]) -> Answers:
    """Somebody who reads the first rows."""
    text = "\n".join(rows)
    return Answers(
        _control(text), _live(text), _what(rows), _verdict(rows), _otherwise(rows), _waits(text),
        _may(text), _stop(text),
    )  # fmt: skip


def _control(text: str) -> tuple[str, str]:
    found = re.search(r"CONTROL +([A-Z]+(?: ALL)?)(\?)?(?: +by (\w+)| +(\w+) since)?", text)
    if not found:
        return "", ""
    sure = "unsure " if found[2] else ""
    return sure + found[1].lower(), "" if sure else found[3] or found[4] or ""


def _live(text: str) -> bool:
    return "DATA LIVE" in text and not re.search(r"SILENT|DOWN|OLD|NO BACKEND", text)


def _what(rows: list[str]) -> tuple[str, str, str]:
    for row in rows:
        found = re.match(r" ?(\S+) (\S+) → (\S+) +(.*)", row)
        if found:
            where = re.sub(r"^✓.*?  (?=[A-Z])", "", found[4])
            named = re.match(r"[A-Z][A-Z ]*(?:\d+%)?", where)
            return found[1], found[3], named[0].strip().lower() if named else ""
        if found := re.match(r" ?(\S+)  no run", row):
            return found[1], "", "no run"
    return "", "", ""


def _block(rows: list[str]) -> list[str]:
    return [row.strip().removeprefix("▎").strip() for row in rows if row.strip().startswith("▎")]


def _verdict(rows: list[str]) -> tuple[str, bool]:
    block = _block(rows)
    words = re.match(r"(NO DATA|NO BACKEND|ROLLED BACK|ROLLING BACK|[A-Z]+)", block[0])
    assert words, block
    because = any(re.match(r"[+?-] \S", row) for row in block)
    return words[0], because or len(block[0]) > len(words[0]) + 8


def _otherwise(rows: list[str]) -> str:
    for row in _block(rows):
        if row.startswith("next"):
            return row.removeprefix("next").strip()
    return ""


def _waits(text: str) -> int | None:
    found = re.search(r"NEEDS YOU (\d+)", text)
    if found:
        return int(found[1])
    return 0 if re.search(r"nothing wait(s|ed)", text) else None


def _may(text: str) -> str:
    if re.search(r"READ-ONLY|may only look", text):
        return "look"
    if "may act" in text:
        return "act"
    if "may stop" in text or "DIRECT to the governor" in text:
        return "stop"
    if re.search(r"no way to act|cannot be reached|not asked yet", text):
        return "nothing sure"
    return "some" if re.search(r"\bmay \w", text) else ""


def _stop(text: str) -> str:
    for pattern, way in (
        (r"ask oncall to stop", "oncall"), (r"p o r go DIRECT", "p, direct"),
        (r"no way to act|cannot be reached|not asked yet", "at the host"),
        (r"p pauses", "p"), (r"r f rolls back", "r f"),
    ):  # fmt: skip
        if re.search(pattern, text):
            return way
    return ""


WHERE = {
    "none": "no run", "waiting": "release waits for a person", "rolling_back": "rolling back",
    "promoted": "promoted", "rolled_back": "rolled back", "held_at_end": "held",
    "rejected": "rejected",
}  # fmt: skip


def truth(facts: states.Facts) -> Answers:
    """The answers by what is the case."""
    live = facts.link == "live" and not (facts.metrics_age > 10 and states.measured(facts))
    confirmed = facts.link == "live" or facts.governor == "answers"
    holder = facts.holder if facts.mode in {"paused", "person"} else ""
    if facts.mode == "person" and holder == "ana":
        holder = "you"
    mode, holder = ("stopped all", "luis") if facts.stop_all else (facts.mode, holder)
    control = (mode, holder) if confirmed else (f"unsure {mode}", "")
    where = WHERE.get(facts.run) or (
        f"canary {facts.weight}%" if states.measured(facts) else
        f"{states.STAGES[facts.stage]} failed" if facts.run == "failed" else
        states.STAGES[facts.stage]
    )  # fmt: skip
    if facts.run == "failed":
        where = "failed"
    what = ("shop", "", where) if facts.run == "none" else ("shop", "1.5.0", where)
    return Answers(
        control, live, what, (_word(facts), True), _next(facts), len(facts.items), *_rights(facts)
    )


def _word(facts: states.Facts) -> str:
    ends = {
        "none": "IDLE", "waiting": "WAITING", "stage": "RUNNING", "promoted": "PROMOTED",
        "rolled_back": "ROLLED BACK", "held_at_end": "HELD", "rejected": "REJECTED",
        "failed": "FAILED",
    }  # fmt: skip
    return ends.get(facts.run) or facts.verdict.replace("_", " ")


def _next(facts: states.Facts) -> str:
    over = facts.run == "none" or facts.run in states.OUTCOMES
    if facts.stop_all:
        return "STOP ALL by luis"
    if facts.mode == "paused":
        return "the agent stays PAUSED" if over else "PAUSED by"
    if facts.mode == "person":
        return f"{facts.holder} has the wheel"
    if over:
        return ""  # whatever it says: it says something
    if facts.link != "live":
        return "as heard"
    return "HELD" if facts.run == "held" else facts.next.split()[0]


def _rights(facts: states.Facts) -> tuple[str, str]:
    if facts.read_only:
        return "look", "oncall"
    if facts.link != "live":
        if facts.governor == "answers":
            return "stop", "p, direct"
        return "nothing sure", "at the host"
    if not facts.can:
        return "look", "oncall"
    key = "r f" if facts.mode == "paused" else "p"
    if set(facts.can) == set(states.CAN):
        return "act", key
    return ("stop", key) if "pause" in facts.can else ("some", "oncall")


def _held(said: Answers, facts: states.Facts) -> dict[str, tuple[object, object]]:
    """The questions that were answered wrongly: what was read, and what is the case."""
    true = truth(facts)
    wrong: dict[str, tuple[object, object]] = {}
    for name, read_, is_ in zip(Answers._fields, said, true, strict=True):
        good = read_ == is_
        if name == "otherwise":
            good = bool(read_) and str(read_).startswith(str(is_))
        if not good:
            wrong[name] = (read_, is_)
    return wrong


def plain(facts: states.Facts) -> bool:
    """The first screen by itself, not the plan of a roll back."""
    return not facts.armed and facts.link != "never"


@pytest.mark.parametrize(
    ("width", "height", "first"), [(80, 24, 8), (120, 40, 13)], ids=["80x24", "120x40"]
)
def test_somebody_who_sees_only_the_first_rows_answers_the_eight_questions(
    width: int, height: int, first: int, bar: Callable[[str, str, str], None]
) -> None:
    """At 120x40 the same rows with air between them: eight that say something, and the reasons."""
    found = [facts for facts in states.sampled(120, 11) if plain(facts)][:30]
    assert len(found) == 30
    wrong: list[str] = []
    right = 0
    for facts in found:
        text = text_of(paint(states.view_of(facts), width, height))
        rows = text.split("\n")[:first]
        missed = _held(read(rows), facts)
        right += len(Answers._fields) - len(missed)
        wrong += [f"{name}: {pair}\n" + "\n".join(rows) for name, pair in missed.items()]
    what = f"eight questions on 30 states, blind, rows 1-{first} of {width}x{height}"
    bar(what, f"{right} of {30 * len(Answers._fields)}", "all")
    assert not wrong, "\n\n".join(wrong[:5])


def test_the_reader_is_not_lucky() -> None:
    """It reads another answer where another thing is the case."""
    base = states.Facts()
    rows = text_of(paint(states.view_of(base), 80, 24)).split("\n")[:8]
    assert not _held(read(rows), base)
    for change in (
        {"mode": "paused", "holder": "luis"}, {"metrics_age": 60.0}, {"weight": 25},
        {"verdict": "UNSURE"}, {"next": "rolls back in 20s"}, {"items": ("release",)},
        {"can": states.CAN[:3]}, {"read_only": True},
    ):  # fmt: skip
        assert _held(read(rows), replace(base, **change)), change  # type: ignore[arg-type]
