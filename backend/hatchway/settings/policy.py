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
    Approvals,
    AutomaticRollbacksBelow,
    Condition,
    ConfidenceAtLeast,
    Control,
    ControlIs,
    DataAgeBelow,
    EnvironmentPolicy,
    InWindow,
    Mode,
    Policy,
    RegressedIn,
    Risk,
    RiskAtMost,
    Rule,
    StableHealthy,
    UndoSafe,
    Verdict,
    VerdictIn,
    WeightAtMost,
    Word,
)
from hatchway.core.schedules import Schedules
from hatchway.core.windows import CalendarKind
from hatchway.settings.document import Node, Page, Scalar, Table
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
    "regressed_in": lambda f, k: RegressedIn(_names(f, k, "[errors, latency]")),
    "weight_at_most": lambda f, k: WeightAtMost(f.whole(k, low=1, high=100, example=25)),
    "window": lambda f, k: InWindow(_names(f, k, "office-hours")),
}

ROLES = ("operator", "approver", "admin")
"""Roles of which an approval may want one person each."""

NEEDED: Mapping[str, tuple[str, Verdict]] = {
    "promote": ("verdict", "PASS"),
    "rollback": ("verdict", "REGRESS"),
}
"""What an automatic change of traffic must at least stand on."""


def policy_of(page: Page) -> Policy:
    """The policy in a page; mistakes are reported to the page."""
    fields = Fields(page, page.root, "the policy", ("version", "agent_deploys_to", "environments"))
    version = fields.whole("version", low=1, high=1, example=1)
    environments = {}
    table = fields.table("environments", required=True, example="prod: ...")
    for name, entry in (table.entries if table else {}).items():
        try:
            check_name(name)
        except NotUnderstood as error:
            page.report(entry.key, f"an environment: {error.what}", error.write)
        environments[name] = _environment(page, entry.value, name)
    deploys = None
    if fields.has("agent_deploys_to"):
        deploys = fields.words("agent_deploys_to", environments, example="[staging]")
    digest = sha256(page.data).hexdigest()
    return Policy(version, environments, digest, deploys, _lines(page.root))


def _lines(root: Node | None) -> dict[str, int]:
    """Where everything stands, by the names that the policy's answers have: "prod.promote"."""
    found: dict[str, int] = {}

    def take(node: Node | None, inside: str) -> None:
        for key, entry in node.entries.items() if isinstance(node, Table) else ():
            name = inside if key in ("environments", "capabilities") else f"{inside}.{key}"
            found.setdefault(name.removeprefix("."), entry.key.line)
            take(entry.value, name)

    take(root, "")
    found.pop("", None)
    return found


def check_calendars(page: Page, policy: Policy, schedules: Schedules) -> None:
    """Report every window and freeze that the policy names and calendars.yaml does not."""
    for name, place in policy.environments.items():
        at = _below(page.root, "environments", name)
        _report_unknown(page, _below(at, "freezes"), place.freezes, "freeze", schedules)
        for capability, rule in place.capabilities.items():
            when = _below(at, "capabilities", capability, "when", "window")
            for condition in rule.when:
                if isinstance(condition, InWindow):
                    _report_unknown(page, when, condition.names, "window", schedules)


def _report_unknown(
    page: Page,
    node: Node | None,
    names: tuple[str, ...],
    kind: CalendarKind,
    schedules: Schedules,
) -> None:
    known = schedules.names(kind)
    for name in names:
        if name in known:
            continue
        what, write = unknown(f"calendars.yaml has no {kind}", name, known)
        page.report(node, what, write or f"{name}: ... under {kind}s: in calendars.yaml")


def _below(node: Node | None, *keys: str) -> Node | None:
    """The value below the keys; None where there is none."""
    for key in keys:
        entry = node.entries.get(key) if isinstance(node, Table) else None
        node = entry.value if entry is not None else None
    return node


def _environment(page: Page, node: Node, name: str) -> EnvironmentPolicy:
    keys = ("mode", "capabilities", "freezes", "freeze_override", "approvals")
    fields = Fields(page, node, f"the environment {quoted(name)}", keys)
    mode = fields.choice("mode", get_args(Mode))
    rules = {}
    table = fields.table("capabilities", required=True, example="promote: {answer: ask}")
    for capability, entry in (table.entries if table else {}).items():
        if capability in CAPABILITIES:
            rules[capability] = _rule(page, entry.value, capability)
        else:
            page.report(entry.key, *unknown("unknown capability", capability, CAPABILITIES))
    freezes = _names(fields, "freezes", "[weekend]") if fields.has("freezes") else ()
    override = fields.whole("freeze_override", 0, low=0, high=10, example=2)
    if fields.has("freeze_override") and not freezes:
        what = '"freeze_override" without freezes: there is nothing to go on in spite of'
        fields.report("freeze_override", what, "freezes: [weekend]")
    return EnvironmentPolicy(
        cast(Mode, mode), rules, freezes, override, _by_risk(page, fields, name)
    )


def _by_risk(page: Page, fields: Fields, name: str) -> dict[str, int]:
    table = fields.table("approvals", example="HIGH: 2")
    if table is None:
        return {}
    risks = Fields(page, table, f"the approvals of {quoted(name)}", RISKS)
    found = {r: risks.whole(r, low=1, high=10, example=2) for r in RISKS if risks.has(r)}
    order = [found[r] for r in RISKS if r in found]
    if order != sorted(order):
        risks.report(next(iter(found)), "a higher risk takes fewer people", "HIGH: 2, MEDIUM: 1")
    return found


def _names(fields: Fields, key: str, example: str) -> tuple[str, ...]:
    """One name, or a list of different ones; at least one."""
    node = fields.value(key)
    if isinstance(node, Scalar):
        return (fields.take(key, "", "", example, lambda text, _: check_name(text)),)
    found = fields.texts(key, example=example, check=check_name)
    if not found:
        fields.report(key, f'"{key}" names nothing', f"{key}: {example}")
    return found


def _approvals(page: Page, fields: Fields, what: str) -> Approvals:
    """How many people, or also which roles: `approvals: 2`, or `{people: 2, roles: [...]}`."""
    node = fields.value("approvals")
    if not isinstance(node, Table):
        return Approvals(fields.whole("approvals", 1, low=1, high=10, example=2))
    inner = Fields(page, node, f"the approvals of {what}", ("people", "roles"))
    roles = inner.words("roles", ROLES, example="[operator, approver]")
    people = inner.whole("people", max(1, len(roles)), low=1, high=10, example=2)
    if people < len(roles):
        inner.report("people", f"{len(roles)} roles need as many people", f"people: {len(roles)}")
    return Approvals(people, roles)


def _rule(page: Page, node: Node, capability: str) -> Rule:
    fields = Fields(page, node, f"the rule for {capability}", ("answer", "when", "approvals"))
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
    asks = capability in {"promote", "open_release"} and answer != "deny"
    if fields.has("approvals") and not asks:
        what = "how many people say yes is for promote and open_release: going back takes one"
        fields.report("approvals", what, "no approvals")
    return Rule(cast(Word, answer), when, _approvals(page, fields, capability))


def _conditions(page: Page, table: Table) -> tuple[Condition, ...]:
    found: list[Condition] = []
    known = Fields(page, table, "the conditions", table.entries)
    for key, entry in table.entries.items():
        if key in CONDITIONS:
            found.append(CONDITIONS[key](known, key))
        else:
            page.report(entry.key, *unknown("unknown condition", key, CONDITIONS))
    return tuple(found)
