"""Tests that somebody writes beside a policy: given facts, expect an answer."""

from __future__ import annotations

from datetime import UTC
from typing import cast, get_args

from msgspec import Struct

from hatchway.core.policy import CAPABILITIES, Mode, PolicyAnswer, answer
from hatchway.core.windows import Calendar
from hatchway.settings.document import Node, Page, Scalar
from hatchway.settings.errors import quoted
from hatchway.settings.facts import NAMES, STANDS, facts_of, standing
from hatchway.settings.fields import Fields
from hatchway.settings.load import Rules
from hatchway.settings.moments import EXAMPLE, moment
from hatchway.settings.words import NotUnderstood

KEYS = (
    *("name", "environment", "capability", "mode", "at", "facts", "calendars"),
    *("expect", "fired", "people", "freeze"),
)
A_MOMENT = 1_767_225_600.0  # 2026-01-01 00:00Z: the time of a test that names none


class Case(Struct, frozen=True):
    """One test. Facts that are left out are unknown."""

    name: str
    line: int
    environment: str
    capability: str
    mode: Mode
    at: float
    facts: dict[str, str]
    calendars: dict[str, str]
    expect: str
    fired: str = ""
    people: int = 0
    freeze: str = ""


class Outcome(Struct, frozen=True):
    """What came of a test. `differs` is what was expected and what came instead; empty: passed."""

    case: Case
    said: PolicyAnswer
    differs: tuple[str, ...]


def cases_of(page: Page) -> tuple[Case, ...]:
    """The tests in a page; mistakes are reported to the page."""
    fields = Fields(page, page.root, "the policy's tests", ("tests",))
    nodes = fields.items("tests", required=True, example="- name: ...")
    return tuple(_case(page, node, number) for number, node in enumerate(nodes, 1))


def _case(page: Page, node: Node, number: int) -> Case:
    fields = Fields(page, node, f"test {number}", KEYS)
    at = A_MOMENT
    if fields.has("at"):
        at = fields.take("at", A_MOMENT, A_MOMENT, EXAMPLE, lambda t, _: moment(t, A_MOMENT, UTC))
    facts = _texts(page, fields, "facts", NAMES)
    try:
        facts_of(facts, at)
    except NotUnderstood as error:
        fields.report("facts", error.what, error.write)
    calendars = _texts(page, fields, "calendars", None)
    for stands in calendars.values():
        if stands not in STANDS:
            fields.report("calendars", f"{quoted(stands)} is no way to stand", " or ".join(STANDS))
    return Case(
        name=fields.text("name", f"test {number}"),
        line=node.line,
        environment=fields.text("environment", example="prod"),
        capability=fields.choice("capability", CAPABILITIES),
        mode=cast(Mode, fields.choice("mode", get_args(Mode), "act")),
        at=at,
        facts=facts,
        calendars=calendars,
        expect=fields.choice("expect", ("auto", "ask", "deny")),
        fired=fields.text("fired", "", example="prod.promote.when.verdict"),
        people=fields.whole("people", 0, low=1, high=10, example=2),
        freeze=fields.text("freeze", "", example="weekend"),
    )


def _texts(page: Page, fields: Fields, key: str, names: tuple[str, ...] | None) -> dict[str, str]:
    """A mapping of words to words; a list is its words with commas between."""
    table = fields.table(key, example="verdict: PASS")
    if table is None:
        return {}
    inner = Fields(page, table, f"the {key}", names or table.entries)
    found = {}
    for name in table.entries:
        if names is not None and name not in names:
            continue
        value = inner.value(name)
        if isinstance(value, Scalar):
            found[name] = value.text
        elif value is not None:
            found[name] = ",".join(inner.texts(name, example="[errors]"))
    return found


def run(case: Case, rules: Rules, calendars: dict[str, Calendar]) -> Outcome:
    """Ask the policy. `calendars` are as they are at the test's time."""
    known = dict(calendars)
    differs = []
    for name, stands in case.calendars.items():
        if name in known:
            known[name] = standing(known[name], stands, case.at)
        else:
            differs.append(f"calendars.yaml has no {name}")
    facts = facts_of(case.facts, case.at, known)
    said = answer(rules.policy, case.environment, case.capability, facts, case.mode, case.at)
    if said.answer != case.expect:
        differs.append(f"expected {case.expect}, it is {said.answer}")
    if case.fired and said.fired != case.fired:
        differs.append(f"expected {case.fired} to decide, it is {said.fired}")
    if case.people and said.people != case.people:
        differs.append(f"expected {case.people} people, it is {said.people}")
    if case.freeze and said.freeze != case.freeze:
        differs.append(f"expected the freeze {case.freeze}, it is {said.freeze or 'none'}")
    return Outcome(case, said, tuple(differs))
