"""Everything that the first screen says, one sentence a fact. Pure.

A sentence has a key and a sign: it is news when the sign differs from the last one of its key.
Figures that change with each look are in the text and not in the sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from hatchway.edge.protocol import ItemDoc, MetricDoc, RunDoc
from hatchway_tui.control import live, who
from hatchway_tui.mirror import items
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.plan import plan
from hatchway_tui.paint.story import stage_of, story
from hatchway_tui.paint.top import control_words, data_words, now_chip
from hatchway_tui.view import View

ACTS = {
    "pause": "pause", "takeover": "take over", "rollback": "roll back", "release": "give back",
    "approve": "approve",
}  # fmt: skip
_BRAILLE = re.compile(r"[\u2800-\u28ff]")
_FRAMES = re.compile(r"[─━│┃┏┓┗┛┈╎▎▌█▇▆▅▄▃▂▁]+")


class Sentence(NamedTuple):
    """`text` is for people and not yet safe to print."""

    key: str
    text: str
    sign: object


def sentences(view: View, numbers: dict[str, int]) -> list[Sentence]:
    """How things are; `numbers` are what the items are called when they are answered."""
    said = [*_control(view), *_you(view), *_system(view), *_run(view), *_story(view)]
    if view.compared and view.metrics is not None:
        said += [_metric(view, each) for each in view.metrics.metrics]
    return said + list(_needs(view, numbers))


def _control(view: View) -> Iterator[Sentence]:
    system = view.model.system
    if system is not None:
        name = f", {system.name}" if system.name else ""
        pace = f", monitoring times divided by {system.pace:g}" if system.pace != 1 else ""
        yield Sentence("system", f"Hatchway {system.environment.upper()}{name}{pace}.", "")
    word, _, rest = control_words(view)
    yield Sentence("control", f"Control: {word}{', ' + rest if rest else ''}.", (word, rest))
    said, _, age = data_words(view)
    text = "Data: live." if said == "LIVE" else f"Data: {said} {age}".rstrip(" ,") + "."
    yield Sentence("data", text, said)
    if not live(view.model) and view.model.why:
        yield Sentence("link", f"The link: {view.model.why}.", view.model.why)


def _you(view: View) -> Iterator[Sentence]:
    you = view.model.you
    name = who(view.model, view.rights)
    if view.rights.read_only or (you and you.read_only):
        text = f"You are {name}, read-only: ask those on call to stop it."
    elif not live(view.model):
        text = f"You are {name}; pause, takeover and rollback go straight to the governor."
        if not view.model.governor_known:
            text = f"You are {name}; nothing can be done from here: no governor is known."
        elif view.model.governor_trouble:
            text = f"You are {name}; {view.model.governor_trouble}."
    else:
        may = ", ".join(word for act, word in ACTS.items() if you and act in you.can)
        text = f"You are {name} and may {may or 'only look'}."
    yield Sentence("you", text, text)


def _system(view: View) -> Iterator[Sentence]:
    system, control = view.model.system, view.control
    if system is not None:
        for key, what in (
            ("governor_trouble", "Governor"), ("journal_trouble", "Journal"), ("drill", "Drill"),
            ("checkpoint", "Checkpoint"), ("duty", "On duty"), ("freeze", "Freeze"),
        ):  # fmt: skip
            text = getattr(system, key)
            if text:
                yield Sentence(key, f"{what}: {text}.", text)
    if control.drift:
        yield Sentence("drift", f"DRIFT: {control.drift}.", control.drift)
    doc = view.model.authority.get(view.hands.service)
    if doc is not None and doc.stop_all:
        yield Sentence("stop_all", f"No agent may do anything: {doc.stop_all}.", doc.stop_all)


def _run(view: View) -> Iterator[Sentence]:
    run = view.run
    if run is None:
        yield Sentence("run", f"{view.hands.service or 'No service'}: no run.", "")
        return
    stage = stage_of(run)
    risk = f", risk {run.risk}" if run.risk else ""
    what = f"{run.service} {run.from_version} to {run.to_version}"
    sign = (
        run.id,
        run.status,
        run.outcome,
        run.risk,
        run.step and run.step.index,
        stage and stage.name,
    )
    yield Sentence("run", f"{what}: {now_chip(view, run)[0]}{risk}.", sign)
    yield from _ships(run)


def _ships(run: RunDoc) -> Iterator[Sentence]:
    for number, text in enumerate(run.attention):
        yield Sentence(f"attention/{number}", f"Look at: {text}.", (run.id, text))


def _story(view: View) -> Iterator[Sentence]:
    told = story(view)
    sure = f" ({told.sure})" if told.sure else ""
    yield Sentence("story", f"{told.word}: {told.headline}{sure}", (told.word, told.headline))
    for number, line in enumerate(told.why):
        lead = {"+": "Because", "-": "Against it", "?": "Not known"}[line.sign]
        key = f"why/{line.evidence or number}"
        yield Sentence(key, f"{lead}: {line.text}.", (told.word, line.sign))
    if told.next:
        yield Sentence("next", f"Next: {told.next}.", re.sub(r"\d+", "", told.next))


def _metric(view: View, metric: MetricDoc) -> Sentence:
    def amount(value: float | None, text: str) -> str:
        shown = text or words.number(value, metric.unit)
        return "no data" if shown == "--" else f"{shown} {'' if text else metric.unit}".rstrip()

    limit = ""
    if metric.limit is not None and metric.limit_is != "none":
        least = "at least" if metric.limit_is == "min" else "at most"
        limit = f", limit {least} {amount(metric.limit, '')}"
    count = f" of {metric.n} requests" if metric.n else ""
    old = f", {words.age(view.now - metric.at)} old" if metric.at else ""
    text = (
        f"{metric.label}: canary {amount(metric.canary, metric.text_canary)}{count},"
        f" stable {amount(metric.stable, metric.text_stable)}{limit}: {metric.says}{old}."
    )
    return Sentence(f"metric/{metric.name}", text, metric.says)


def _needs(view: View, numbers: dict[str, int]) -> Iterator[Sentence]:
    waiting = items(view.model)
    if view.model.rev < 0:
        return
    if not waiting:
        yield Sentence("needs", "Nothing waits for you.", 0)
        return
    count = f"{len(waiting)} items need you" if len(waiting) > 1 else "1 item needs you"
    yield Sentence("needs", f"{count}, the oldest for {words.age(view.now - min(i.asked_at for i in waiting))}.", len(waiting))  # fmt: skip
    for item in waiting:
        yield Sentence(f"item/{item.id}", item_words(view, item, numbers[item.id]), item.changed)


def item_words(view: View, item: ItemDoc, number: int) -> str:
    """A card as sentences: what, risk, undo, who, until when, and how it is answered."""
    facts = [f"Item {number}: {item.title}"]
    facts += [f"risk {item.risk}"] if item.risk else []
    facts += [f"undo safe {item.undo}"] if item.undo else []
    facts += [f"agent {item.confidence:.0%} sure"] if item.confidence is not None else []
    facts += [f"ends {words.minute(item.expires_at)} UTC"] if item.expires_at else []
    said = [", ".join(facts), *([f"A yes changes: {item.changes}"] if item.changes else [])]
    said += item.lines
    said += [f"Changed since it was asked: {text}" for text in item.changed]
    if item.who:
        said.append(f"May be answered by {', '.join(item.who)}")
    said += [f"The rule before: {item.record}"] if item.record else []
    if item.default:
        said.append(f"If nobody answers: {item.default.removeprefix('no answer: ')}")
    why = " WHY" if item.risk == "HIGH" and item.capability != "rollback" else ""
    said.append(f"Type: accept {number}{why}; or: reject {number} WHY")
    return ". ".join(text.rstrip(".") for text in said) + "."


def plan_words(view: View) -> list[str]:
    """What a roll back would do, a sentence a line."""
    armed = view.hands.armed
    if armed is None:
        return []
    rows = text_of(plan(view, armed, 200, 12).lines()).split("\n")
    rows = [re.sub(r"  +", ": ", row.strip(" ▎"), count=1) for row in rows]
    return [rows[0], *(row for row in rows[2:] if ": " in row)]


def spoken(row: str) -> str:
    """A row of a page without what only eyes make something of; empty when nothing is left."""
    if _BRAILLE.search(row):
        return ""
    return re.sub(r"  +", "  ", _FRAMES.sub(" ", row)).strip()
