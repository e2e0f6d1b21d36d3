"""The words of `hatchway rehearse`: what happened, which guard stopped it, at 80 columns."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hatchway.core.plan import CanaryStage, PipelinePlan
from hatchway.rehearse.guards import GUARDS
from hatchway.rehearse.house import Over
from hatchway.rehearse.outcome import Harm, Result
from hatchway.rehearse.play import Played
from hatchway.rehearse.scenario import Scenario
from hatchway.rehearse.story import Line, story
from hatchway.rehearse.where import rule_lines
from hatchway.runners.visible import visible

WIDTH = 79
WHO = 9
Rehearsed = tuple[Scenario, Played, Result]


def listed(scenarios: Sequence[Scenario], *, as_json: bool) -> str:
    """The rehearsals that come with hatchway, one a line."""
    if as_json:
        return json.dumps([{"rehearsal": s.name, "title": s.title} for s in scenarios])
    width = max(len(s.name) for s in scenarios)
    return "\n".join(f"{s.name:{width}}  {visible(s.title)}" for s in scenarios)


def as_words(
    rehearsed: Sequence[Rehearsed], over: Over, file: Path, *, bold: bool
) -> Iterator[str]:
    """One rehearsal in full, several in a line each."""
    plan = over.plan
    mode = over.policy.environments[plan.environment].mode
    if len(rehearsed) == 1:
        scenario, played, result = rehearsed[0]
        yield from _head(scenario, file, plan, mode)
        yield ""
        yield from _timeline(played, result)
        yield ""
        yield from _end(scenario, result, file, plan, bold=bold)
        return
    yield from _over(file, plan, mode)
    width = max(len(s.name) for s, _, _ in rehearsed)
    for scenario, _, result in rehearsed:
        by = f"by {result.first.guard}" if result.first else visible(_why(result))
        yield from _hanging(f"{scenario.name:{width}}  {result.word} {by}", width + 2)
    stopped = sum(result.word == "STOPPED" for _, _, result in rehearsed)
    yield f"{stopped} of {len(rehearsed)} stopped"


def _why(result: Result) -> str:
    return result.why or "; ".join(f"{_clock(h.at)} {h.text}" for h in result.harms[:1])


def _head(scenario: Scenario, file: Path, plan: PipelinePlan, mode: str) -> Iterator[str]:
    yield from _hanging(f"REHEARSAL {scenario.name}: {scenario.title}", 2)
    yield from _wrapped(scenario.story, "  ")
    if scenario.source:
        yield from _wrapped(f"After {scenario.source}.", "  ")
    yield ""
    yield from _over(file, plan, mode)


def _over(file: Path, plan: PipelinePlan, mode: str) -> Iterator[str]:
    canary = next(stage for stage in plan.stages if isinstance(stage, CanaryStage))
    steps = ", ".join(f"{step.weight} %" for step in canary.steps)
    yield from _hanging(f"over  {file}: {plan.environment}", 6)
    yield from _hanging(f"      pipeline {plan.name}: {steps}", 6)
    if mode == "recommend":
        yield "      (mode: recommend; rehearsed as act, where the agent may do more)"


def _timeline(played: Played, result: Result) -> Iterator[str]:
    for line in story(played, result):
        yield from _line(line)


def _line(line: Line) -> Iterator[str]:
    who = "STOPPED" if line.who == "STOP" else line.who
    mark = ">" if line.who == "STOP" else " "
    lead = f"{_clock(line.at):>6} {mark} {visible(who)[: WHO - 1]:{WHO}}"
    yield from textwrap.wrap(
        visible(line.text), WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead)
    )


def _clock(seconds: float) -> str:
    whole = max(0, int(seconds + 0.5))
    return f"{whole // 60}:{whole % 60:02d}"


def _end(
    scenario: Scenario, result: Result, file: Path, plan: PipelinePlan, *, bold: bool
) -> Iterator[str]:
    word = f"\x1b[1m{result.word}\x1b[0m" if bold else result.word
    if result.first is None:
        yield f"{word}: {scenario.name}" if result.word == "NOT SHOWN" else f"{word} by anything"
        if result.why:
            yield from _wrapped(f"{result.why}.", "  ")
        for harm in {harm.danger: harm for harm in reversed(result.harms)}.values():
            yield from _harm(harm, file, plan)
        yield from _advice(scenario, result, file)
        return
    guard = result.first.guard
    yield f"{word} by {guard}"
    what = GUARDS.get(guard) or GUARDS.get(guard.split(":")[0], "")
    yield from _wrapped(f"{what[:1].upper()}{what[1:]}. {_whose(guard)}", "  ")
    others = dict.fromkeys(
        s.guard for s in result.guards if s.guard not in (guard, "judge:unsure", "judge:regress")
    )
    if others:
        yield from _wrapped(f"It would also have met: {', '.join(others)}.", "  ")
    if scenario.without:
        yield from _wrapped(f"Without it {scenario.without}", "  ")


def _whose(guard: str) -> str:
    if guard.startswith(("policy", "calendar")):
        return "It is a rule of this policy: without it nothing else might have stopped it."
    return "It is built in: no policy can take it away."


def _harm(harm: Harm, file: Path, plan: PipelinePlan) -> Iterator[str]:
    yield from _wrapped(f"At {_clock(harm.at)} {harm.text}. {harm.why}".rstrip(), "  ")
    lines = rule_lines(file, plan.environment, harm.capability) if harm.capability else ()
    if lines:
        yield f"  What let it, in {file}:"
        yield from (f"    {number:>4} | {visible(text)}"[:WIDTH] for number, text in lines)


def _advice(scenario: Scenario, result: Result, file: Path) -> Iterator[str]:
    if result.word != "NOT STOPPED" or not scenario.advice:
        return
    yield f"  What would stop it, in {file}:"
    for each in scenario.advice:
        yield from _wrapped(f"{each.capability}: {each.write}", "    ")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(visible(text), WIDTH, initial_indent=indent, subsequent_indent=indent)


def _hanging(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        visible(text), WIDTH, subsequent_indent=" " * indent, drop_whitespace=True,
        break_on_hyphens=False,
    )  # fmt: skip


def as_json(scenario: Scenario, played: Played, result: Result, file: Path) -> dict[str, Any]:
    """One rehearsal for programs. Times are seconds after the first share."""
    return {
        "rehearsal": scenario.name,
        "title": scenario.title,
        "verdict": result.word,
        "stopped": result.word == "STOPPED",
        "guard": result.first.guard if result.first else "",
        "why": result.first.why if result.first else _why(result),
        "guards": [{"at": round(s.at, 1), "guard": s.guard, "why": s.why} for s in result.guards],
        "harms": [
            {"at": round(h.at, 1), "what": h.danger, "text": h.text, "rule": h.capability}
            for h in result.harms
        ],
        "timeline": [
            {"at": round(line.at, 1), "who": line.who, "text": line.text}
            for line in story(played, result)
        ],
        "policy": str(file),
    }
