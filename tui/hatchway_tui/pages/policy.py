"""POLICY, WHY NOT: what the agent may do with this service now, which line says so, until when."""

from __future__ import annotations

import time

from hatchway.edge.docs.policy import ConditionDoc, PolicyDoc, RuleDoc
from hatchway_tui.pages.fields import field, folded
from hatchway_tui.pages.page import Ask, Page, Row, answer_to, not_yet
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.view import View

ANSWERS = {"auto": ("AUTO", "ok"), "ask": ("ASK", "warn"), "deny": ("DENY", "bad")}
SIGNS = {"met": ("+", "dim"), "unmet": ("-", "warn"), "unknown": ("?", "warn")}
LEGEND = "+ met   - not met   ? not known, which never counts as met"


def _policy(view: View, width: int) -> list[Row]:
    service = view.hands.service
    doc = answer_to(view, "policy", service)
    if not isinstance(doc, PolicyDoc):
        return not_yet(view, "policy", service)
    mode = f"{doc.mode} (policy.yaml:{doc.mode_line})" if doc.mode else "not named"
    rows = folded(
        f"{doc.service} in {doc.environment}: the agent {doc.level}", width, "hi", bold=True
    )
    old = view.now - doc.at
    told = [f"{mode}; control {doc.control}"]
    told += [f"as it was {words.age(old)} ago"] if old > 5 else []
    rows += field("mode", told, width)
    rows += field("next", [doc.next], width)
    rows += [(), (Piece("IN THE WAY, whatever the policy says", "hi", True),)]
    for bar in doc.bars:
        rows += field(f"  {bar.what}", [bar.why], width, "warn")
    if not doc.bars:
        rows += folded("nothing", width, "dim", indent=2)
    for rule in doc.rules:
        rows += _rule(view, rule, width)
    if doc.not_named:
        text = f"not named in the policy, so denied: {', '.join(doc.not_named)}"
        rows += [(), *folded(text, width, "dim")]
    rows += [(), (Piece(LEGEND, "dim"),)]
    return rows


def _rule(view: View, rule: RuleDoc, width: int) -> list[Row]:
    word, tone = ANSWERS[rule.answer]
    at = f"policy.yaml:{rule.line} " if rule.line else ""
    rows: list[Row] = [
        (),
        (
            Piece(f"{rule.capability:<13} ", "hi", True),
            Piece(f"{word:<4}", tone, True),
            Piece(f"  {at}{rule.fired}", "dim"),
        ),
    ]
    rows += field("  because", [rule.why], width)
    rows += field("  who", [rule.who], width)
    for each in rule.conditions:
        rows += _condition(each, width)
    rows += field("  to change", rule.to_change, width)
    if rule.better_at:
        told = f"{rule.better} from {_day(rule.better_at)} on, if all else is well"
        rows += field("  opens", [told], width, "acc")
    elif rule.changes_at:
        told = f"until {_day(rule.changes_at)}, then {rule.changes_to}"
        rows += field("  calendar", [told], width, "acc")
    return rows


def _condition(each: ConditionDoc, width: int) -> list[Row]:
    sign, tone = SIGNS[each.stands]
    at = f"  :{each.line}" if each.line else ""
    head = (
        Piece(f"  {sign} ", tone, each.stands != "met"),
        Piece(each.condition, "txt" if each.stands == "met" else "hi"),
        Piece(f"  {each.stands}", tone),
        Piece(at, "dim"),
    )
    return [head, *folded(each.fact, width, "dim", indent=6)]


def _day(at: float) -> str:
    """A moment that may be days ahead: `Fri 27 Nov 13:00Z`."""
    return time.strftime("%a %d %b %H:%MZ", time.gmtime(at))


def _asks(view: View) -> Ask:
    return "policy", view.hands.service


PAGE = Page("POLICY: WHY NOT?", _policy, asks=_asks)
