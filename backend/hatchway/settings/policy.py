"""`policy.yaml` -> `Policy`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import cast, get_args

from hatchway.core.policy import (
    ALWAYS_ALLOWED,
    CAPABILITIES,
    RISKS,
    VERDICTS,
    AutomaticRollbacksBelow,
    Condition,
    ConfidenceAtLeast,
    Control,
    ControlIs,
    DataAgeBelow,
    EnvironmentPolicy,
    Mode,
    Policy,
    Risk,
    RiskAtMost,
    Rule,
    StableHealthy,
    UndoSafe,
    Verdict,
    VerdictIn,
    Word,
)
from hatchway.settings.document import Node, Page, Table
from hatchway.settings.errors import quoted, unknown
from hatchway.settings.fields import Fields, check_name
from hatchway.settings.words import NotUnderstood

CONDITIONS: Mapping[str, Callable[[Fields, str], Condition]] = {
    "verdict": lambda f, k: VerdictIn(
        cast(tuple[Verdict, ...], f.words(k, VERDICTS, example="[PASS]"))
    ),
    "data_age_below": lambda f, k: DataAgeBelow(f.duration(k, example="10s", high=30.0)),
    "stable_healthy": lambda f, k: StableHealthy(f.flag(k)),
    "control": lambda f, k: ControlIs(cast(Control, f.choice(k, get_args(Control)))),
    "automatic_rollbacks_below": lambda f, k: AutomaticRollbacksBelow(
        f.whole(k, low=1, high=10, example=1)
    ),
    "confidence_at_least": lambda f, k: ConfidenceAtLeast(
        f.number(k, low=0, high=1, example="0.9")
    ),
    "undo_safe": lambda f, k: UndoSafe(f.flag(k)),
    "risk_at_most": lambda f, k: RiskAtMost(cast(Risk, f.choice(k, RISKS))),
}

NEEDED: Mapping[str, tuple[str, Verdict]] = {
    "promote": ("verdict", "PASS"),
    "rollback": ("verdict", "REGRESS"),
}
"""What an automatic change of traffic must at least stand on."""


def policy_of(page: Page) -> Policy:
    """The policy in a page; mistakes are reported to the page."""
    fields = Fields(page, page.root, "the policy", ("version", "environments"))
    version = fields.whole("version", low=1, high=1, example=1)
    environments = {}
    table = fields.table("environments", required=True, example="prod: ...")
    for name, entry in (table.entries if table else {}).items():
        try:
            check_name(name)
        except NotUnderstood as error:
            page.report(entry.key, f"an environment: {error.what}", error.write)
        environments[name] = _environment(page, entry.value, name)
    return Policy(version, environments, sha256(page.data).hexdigest())


def _environment(page: Page, node: Node, name: str) -> EnvironmentPolicy:
    fields = Fields(page, node, f"the environment {quoted(name)}", ("mode", "capabilities"))
    mode = fields.choice("mode", get_args(Mode))
    rules = {}
    table = fields.table("capabilities", required=True, example="promote: {answer: ask}")
    for capability, entry in (table.entries if table else {}).items():
        if capability in CAPABILITIES:
            rules[capability] = _rule(page, entry.value, capability)
        else:
            page.report(entry.key, *unknown("unknown capability", capability, CAPABILITIES))
    return EnvironmentPolicy(cast(Mode, mode), rules)


def _rule(page: Page, node: Node, capability: str) -> Rule:
    fields = Fields(page, node, f"the rule for {capability}", ("answer", "when"))
    answer = fields.choice("answer", get_args(Word))
    table = fields.table("when")
    if fields.has("when") and answer in {"ask", "deny"}:
        fields.report("when", f'"when" goes with answer: auto, not with {answer}', "no when")
    if capability in ALWAYS_ALLOWED and (answer in {"ask", "deny"} or fields.has("when")):
        fields.report(
            "answer", f"{capability} is always allowed: it changes nothing", "answer: auto, no when"
        )
    when = _conditions(page, table) if table else ()
    if answer == "auto" and capability in NEEDED:
        key, verdict = NEEDED[capability]
        if not any(isinstance(c, VerdictIn) and set(c.words) <= {verdict} for c in when):
            fields.report(
                "when",
                f"{capability} by itself only stands on the verdict {verdict}",
                f"when: {{{key}: [{verdict}]}}, or answer: ask",
            )
    return Rule(cast(Word, answer), when)


def _conditions(page: Page, table: Table) -> tuple[Condition, ...]:
    found: list[Condition] = []
    known = Fields(page, table, "the conditions", table.entries)
    for key, entry in table.entries.items():
        if key in CONDITIONS:
            found.append(CONDITIONS[key](known, key))
        else:
            page.report(entry.key, *unknown("unknown condition", key, CONDITIONS))
    return tuple(found)
