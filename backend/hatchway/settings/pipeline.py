"""A pipeline file -> `PipelinePlan`."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Literal, cast

from hatchway.core.plan import (
    CanaryStage,
    CanaryStep,
    CommandStage,
    JobGroups,
    JobPlan,
    PipelinePlan,
    ReleaseStage,
    RiskRule,
    StagePlan,
)
from hatchway.core.policy import RISKS, Risk
from hatchway.settings.document import Node, Page, Scalar, Table
from hatchway.settings.errors import quoted
from hatchway.settings.fields import NAME, TITLE, Fields, check_name, clean, describe
from hatchway.settings.words import NotUnderstood, duration_words, seconds

CommandKind = Literal["checks", "tests", "scan", "build", "deploy"]
COMMAND_KINDS = ("checks", "tests", "scan", "build", "deploy")
KINDS = (*COMMAND_KINDS, "release", "canary")
STAGE_KEYS = {
    "command": ("name", "kind", "budget", "parallel", "steps", "artifact"),
    "release": (
        *("name", "kind", "approvals", "expires", "risk"),
        *("separation", "signed", "listed"),
    ),
    "canary": ("name", "kind", "deploy", "steps"),
}
SEPARATION = ("author", "pusher", "requester")
DEFAULT_BUDGET_S = 600.0
DEPLOY_BUDGET_S = 120.0  # of each command that brings up the canary
ADVANCE = ("early", "timed")
OnUnsure = Literal["extend", "ask", "hold"]
PATIENT: tuple[OnUnsure, int] = ("extend", 2)
_EXTEND = re.compile(r"extend ([1-9][0-9]{0,2})")


def pipeline_of(page: Page) -> PipelinePlan:
    """The plan in a page; mistakes are reported to the page."""
    fields = Fields(page, page.root, "a pipeline", ("pipeline", "service", "environment", "stages"))
    name = fields.text("pipeline", pattern=NAME, example="shop")
    service = fields.text("service", pattern=NAME, example="shop")
    environment = fields.text("environment", pattern=NAME, example="prod")
    stages: list[StagePlan] = []
    for node in fields.items("stages", required=True, example="[{name: checks, ...}]"):
        stage = _stage(page, node)
        if stage is not None:
            if any(stage.name == other.name for other in stages):
                page.report(node, f"two stages are named {quoted(stage.name)}", "another name")
            if isinstance(stage, CanaryStage) and any(isinstance(s, CanaryStage) for s in stages):
                page.report(node, "a second canary stage", "one canary stage with more steps")
            if isinstance(stage, CanaryStage) and not any(
                isinstance(s, ReleaseStage) for s in stages
            ):
                page.report(
                    node,
                    "no release stage comes before the canary: nobody could approve its first share",
                    "- {name: release, kind: release} before it",
                )
            stages.append(stage)
    digest = sha256(page.data).hexdigest()
    return PipelinePlan(name, service, environment, tuple(stages), digest)


def _stage(page: Page, node: Node) -> StagePlan | None:
    if not isinstance(node, Table):
        page.report(node, f"a stage is a mapping, found {describe(node)}", "name: checks")
        return None
    # The kind decides which keys there may be, so it is read before the others are judged.
    kind = Fields(page, node, "a stage", node.entries).choice("kind", KINDS)
    if kind in COMMAND_KINDS:
        return _commands(page, node, cast(CommandKind, kind))
    if kind == "release":
        return _release(page, node)
    return _canary(page, node) if kind == "canary" else None


def _commands(page: Page, node: Table, kind: CommandKind) -> CommandStage:
    fields = Fields(page, node, f"a {kind} stage", STAGE_KEYS["command"])
    name = fields.text("name", pattern=TITLE, example=kind)
    budget = fields.duration("budget", DEFAULT_BUDGET_S, example="60s")
    groups = _Jobs(page, budget)
    match fields.has("parallel"), fields.has("steps"):
        case True, True:
            fields.report("steps", '"parallel" and "steps" in one stage', "steps: with both in it")
        case False, False:
            fields.report("parallel", f"a {kind} stage has no commands", "parallel: {lint: ruff .}")
        case True, _:
            groups.add(fields.table("parallel", required=True, example="lint: ruff check"))
        case _:
            groups.add_steps(fields, "steps")
    return CommandStage(name, kind, groups.done(), budget, _artifact(fields, kind))


def _artifact(fields: Fields, kind: CommandKind) -> str:
    path = fields.text("artifact", "", example="dist/shop.tar.gz")
    if path and kind != "build":
        fields.report(
            "artifact", f'"artifact" belongs to kind: build, not to {kind}', "kind: build"
        )
    elif path.startswith("/") or ".." in path.split("/"):
        fields.report("artifact", "an artifact lies in the checkout", "artifact: dist/shop.tar.gz")
    return path


class _Jobs:
    """The commands of one stage, with names that are unique in it."""

    def __init__(self, page: Page, budget_s: float) -> None:
        self.page = page
        self.budget_s = budget_s
        self.groups: list[tuple[JobPlan, ...]] = []
        self.names: set[str] = set()

    def add_steps(self, fields: Fields, key: str) -> None:
        """A list of mappings: one after the other, those within one side by side."""
        for node in fields.items(key, required=True, example="[{build: make}]"):
            if isinstance(node, Table):
                self.add(node)
            else:
                self.page.report(
                    node, f'"{key}" lists name: command, found {describe(node)}', "- build: make"
                )

    def add(self, table: Table | None) -> None:
        """A group of commands side by side."""
        if table is None:
            return
        jobs = []
        for name, entry in table.entries.items():
            try:
                check_name(name, TITLE)
            except NotUnderstood as error:
                self.page.report(entry.key, f"a command's name: {error.what}", error.write)
            if name in self.names:
                self.page.report(
                    entry.key, f"two commands of the stage are named {quoted(name)}", "another name"
                )
            self.names.add(name)
            jobs.append(self._job(name, entry.value, entry.key))
        if jobs:
            self.groups.append(tuple(jobs))

    def _job(self, name: str, node: Node, key: Scalar) -> JobPlan:
        if isinstance(node, Table):
            fields = Fields(self.page, node, f"the command {quoted(name)}", ("run", "timeout"))
            timeout = fields.duration("timeout", self.budget_s, example="30s")
            if timeout > self.budget_s:
                budget = duration_words(self.budget_s)
                fields.report("timeout", f"longer than the budget, {budget}", f"timeout: {budget}")
            run = fields.take("run", "", "", "a command", lambda text, _: _command(text))
            if not fields.has("run"):
                self.page.report(key, f"the command {quoted(name)} has no run", "run: make test")
            return JobPlan(name, run, timeout)
        if not isinstance(node, Scalar) or node.empty:
            found = describe(node)
            self.page.report(key, f"{quoted(name)} takes a command, found {found}", f"{name}: make")
            return JobPlan(name, "", self.budget_s)
        try:
            return JobPlan(name, _command(node.text), self.budget_s)
        except NotUnderstood as error:
            self.page.report(node, f"the command {quoted(name)}: {error.what}", error.write)
            return JobPlan(name, "", self.budget_s)

    def done(self) -> JobGroups:
        return tuple(self.groups)


def _command(text: str) -> str:
    return clean(text, "a command line", lines=True, most=10_000)


def _release(page: Page, node: Table) -> ReleaseStage:
    fields = Fields(page, node, "a release stage", STAGE_KEYS["release"])
    rules = []
    for item in fields.items("risk", example='[{path: "api/*", risk: HIGH, why: ...}]'):
        rule = Fields(page, item, "a risk rule", ("path", "risk", "why"))
        path = rule.text("path", example='"api/*"')
        risk = rule.choice("risk", RISKS)
        why = rule.text("why", example="changes what other services call")
        rules.append(RiskRule(path, cast(Risk, risk), why))
    approvals, by_risk = _approvals(page, fields)
    return ReleaseStage(
        fields.text("name", pattern=TITLE, example="release"),
        approvals,
        fields.duration("expires", 4 * 3600.0, example="4h"),
        tuple(rules),
        by_risk,
        fields.words("separation", SEPARATION, example="[author, pusher]", default=SEPARATION),
        fields.flag("signed", False),
        fields.flag("listed", False),
    )


def _approvals(page: Page, fields: Fields) -> tuple[int, dict[str, int]]:
    """One number of people, or one for each risk; a risk that is not named takes the most."""
    if not isinstance(fields.value("approvals"), Table):
        return fields.whole("approvals", 1, low=1, high=10, example=1), {}
    table = Fields(page, fields.table("approvals"), "the approvals by risk", RISKS)
    numbers = {r: table.whole(r, low=1, high=10, example=1) for r in RISKS if table.has(r)}
    return max(numbers.values(), default=1), numbers


def _canary(page: Page, node: Table) -> CanaryStage:
    fields = Fields(page, node, "a canary stage", STAGE_KEYS["canary"])
    name = fields.text("name", pattern=TITLE, example="canary")
    jobs = _Jobs(page, DEPLOY_BUDGET_S)
    if fields.has("deploy"):
        jobs.add_steps(fields, "deploy")
    steps: list[CanaryStep] = []
    nodes = fields.items("steps", required=True, example="[{weight: 5, monitor: 2m}]")
    for item in nodes:
        before = len(page.troubles)
        step = _canary_step(page, item)
        if len(page.troubles) > before:
            continue  # its weight may not be what was meant: nothing follows from it
        if steps and step.weight <= steps[-1].weight:
            page.report(
                item,
                f"weight {step.weight} after {steps[-1].weight}: weights rise from step to step",
                f"a weight above {steps[-1].weight}",
            )
        steps.append(step)
    if steps and len(steps) == len(nodes) and steps[-1].weight != 100:
        page.report(nodes[-1], f"the last weight is {steps[-1].weight}, not 100", "weight: 100")
    elif steps and len(steps) == len(nodes) and not steps[-1].hold_back:
        page.note(
            nodes[-1],
            "without hold_back nothing is left to compare with at 100 %: the final step can only "
            "hold and page, never roll back by itself",
            "hold_back: 5",
        )
    return CanaryStage(name, jobs.done(), tuple(steps))


def _canary_step(page: Page, node: Node) -> CanaryStep:
    keys = ("weight", "monitor", "advance", "on_unsure", "at_most", "hold_back", "excludes")
    before = len(page.troubles)
    fields = Fields(page, _without_extend(page, node), "a canary step", keys)
    weight = fields.whole("weight", low=1, high=100, example=5)
    monitor = fields.duration("monitor", example="2m")
    advance = fields.choice("advance", ADVANCE, "timed")
    on_unsure, extends = fields.take("on_unsure", PATIENT, PATIENT, "ask", _on_unsure)
    at_most = fields.duration("at_most", 0.0, example="10m") or None
    hold_back = fields.whole("hold_back", 0, low=0, high=50, example=5)
    excludes = fields.number("excludes", 2.0, low=1.01, high=1000, example="2")
    right = len(page.troubles) == before
    if right and hold_back >= weight:
        fields.report(
            "hold_back", f"hold_back {hold_back} leaves nothing of {weight}", "a smaller one"
        )
    if right and at_most is not None and at_most <= monitor:
        fields.report(
            "at_most",
            f"at_most {duration_words(at_most)} leaves nothing after monitor, "
            f"{duration_words(monitor)}: the step would always be held",
            f"at_most: {duration_words(3 * monitor)}",
        )
    return CanaryStep(
        weight,
        monitor,
        hold_back,
        excludes,
        cast(Literal["early", "timed"], advance),
        on_unsure,
        extends,
        at_most,
    )


def _on_unsure(text: str, _: bool) -> tuple[OnUnsure, int]:
    if text == "ask":
        return "ask", 0
    if text == "hold":
        return "hold", 0
    match = _EXTEND.fullmatch(text)
    if match:
        return "extend", int(match[1])
    if text.startswith("extend"):
        raise NotUnderstood(
            f"{quoted(text)} is not extend and how many times, 1 to 999", "extend 2"
        )
    raise NotUnderstood(f"unknown word {quoted(text)}", "extend 2, ask or hold")


def _without_extend(page: Page, node: Node) -> Node:
    """The step without `extend`, which `at_most` took the place of."""
    if not isinstance(node, Table) or "extend" not in node.entries:
        return node
    entries = dict(node.entries)
    old = entries.pop("extend")
    said = []
    for entry in (entries.get("monitor"), old):
        try:
            said.append(
                seconds(entry.value.text if entry and isinstance(entry.value, Scalar) else "")
            )
        except NotUnderstood:
            said.append(0.0)
    write = f"at_most: {duration_words(sum(said))}" if all(said) else "at_most: 10m"
    what = '"extend" is now "at_most": the longest time of the step, with "monitor" in it'
    page.report(old.key, what, write)
    return Table(entries, node.line, node.column)
