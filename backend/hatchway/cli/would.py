"""`hatchway would`: what the agent could do at a time, and when next it may. Starts nothing."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from hatchway.cli.rules_dir import (
    add_time,
    calendars_at,
    config_of,
    time_in,
    time_words,
    wrapped,
)
from hatchway.core.canary import weight_of
from hatchway.core.plan import CanaryStage, PipelinePlan, ReleaseStage
from hatchway.core.policy import Policy, Rule
from hatchway.core.prospect import Prospect, lasting, prospect
from hatchway.runners.visible import visible
from hatchway.settings.errors import ConfigError, Trouble, unknown
from hatchway.settings.load import Rules, load_all

_EPILOG = """\
Every condition but the calendars is taken as met: it says what the time allows, not whether a
canary is good. A run started in recommend mode always asks.
exit status: 0 said, 2 a file or the time cannot be understood."""


class Line(Struct, frozen=True):
    """One step, and what the agent could do about it."""

    step: str
    capability: str
    prospect: Prospect
    first: bool = False


def main(argv: list[str]) -> int:
    """Run `hatchway would ...`; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="hatchway would",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="PIPELINE|SERVICE", help="default: all")
    parser.add_argument("--dir", help="a state directory, or one that holds hatchway.yaml")
    parser.add_argument("--json", action="store_true", help="print JSON instead of words")
    add_time(parser)
    options = parser.parse_args(argv)
    try:
        return _say(options)
    except ConfigError as error:
        for trouble in error.troubles:
            print(f"hatchway would: {trouble}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0


def _say(options: argparse.Namespace) -> int:
    directory = config_of(options.dir)
    settings = load_all(directory)
    at = time_in(options.at, time.time())
    plans = _plans(settings.pipelines, options.name)
    rules = Rules(settings.policy, settings.schedules)
    found = [(plan, lines(rules, directory, plan, at)) for plan in plans]
    if options.json:
        print(json.dumps({"ok": True, "at": at, "pipelines": [_as_json(*each) for each in found]}))
        return 0
    for plan, said in found:
        print(wrapped(f"{plan.service} in {plan.environment} at {time_words(at)}"))
        for line in said:
            _print(line)
    print("if every condition but the calendars is met; a run in recommend mode asks")
    return 0


def _plans(plans: dict[str, PipelinePlan], name: str | None) -> list[PipelinePlan]:
    if name is None:
        return list(plans.values())
    found = [plan for service, plan in plans.items() if name in (service, plan.name)]
    if not found:
        what, write = unknown("there is no service or pipeline", name, plans)
        raise ConfigError([Trouble("hatchway.yaml", 0, 0, what, write)])
    return found


def lines(rules: Rules, directory: Path, plan: PipelinePlan, at: float) -> list[Line]:
    """Each step of a pipeline where the agent needs leave, and each other capability."""
    calendars = lasting(calendars_at(rules, directory, at), time.time())

    def ask(step: str, capability: str, weight: int | None = None, first: bool = False) -> Line:
        policy = _by_approval(rules.policy, plan.environment) if first else rules.policy
        return Line(
            step,
            capability,
            prospect(policy, plan.environment, capability, calendars, at, weight),
            first,
        )

    named = [ask(*step) for step in _steps(plan)]
    place = rules.policy.environments.get(plan.environment)
    asked = {line.capability for line in named}
    others = [c for c in (place.capabilities if place else ()) if c not in asked]
    return [*named, *(ask("at any time", c, 0 if c == "rollback" else None) for c in others)]


def _by_approval(policy: Policy, environment: str) -> Policy:
    """The policy for the first share: the release's approval covers it, where no freeze does not."""
    place = policy.environments.get(environment)
    if place is None or "promote" not in place.capabilities:
        return policy
    asks = {**place.capabilities, "promote": Rule("ask")}
    place = replace(place, capabilities=asks)
    return replace(policy, environments={**policy.environments, environment: place})


def _steps(plan: PipelinePlan) -> Iterator[tuple[str, str, int | None, bool]]:
    for stage in plan.stages:
        match stage:
            case ReleaseStage():
                yield stage.name, "open_release", None, False
            case CanaryStage():
                for number in range(len(stage.steps) + 1):
                    share = weight_of(stage, number)
                    yield f"{stage.name} to {share}%", "promote", share, number == 0
            case _:
                pass


def _print(line: Line) -> None:
    said = line.prospect.said
    print(f"  {visible(line.step):<22} {said.answer:<5} {visible(line.capability)}")
    if line.first and not said.freeze:
        print(wrapped("the release's approval covers it", 29))
    elif said.answer != "auto" or said.freeze:
        print(wrapped(f"{said.why} [{said.fired}]", 29))
    if line.prospect.better_at is not None:
        print(wrapped(f"next {line.prospect.better}: {time_words(line.prospect.better_at)}", 29))
    elif line.prospect.changes_at is not None:
        until = time_words(line.prospect.changes_at)
        print(wrapped(f"until {until}, then {line.prospect.changes_to}", 29))


def _as_json(plan: PipelinePlan, said: list[Line]) -> dict[str, object]:
    return {
        "pipeline": plan.name,
        "service": plan.service,
        "environment": plan.environment,
        "steps": [
            {
                "step": line.step,
                "capability": line.capability,
                "answer": line.prospect.said.answer,
                "fired": line.prospect.said.fired,
                "why": line.prospect.said.why,
                "people": line.prospect.said.people,
                "freeze": line.prospect.said.freeze,
                "changes_at": line.prospect.changes_at,
                "changes_to": line.prospect.changes_to,
                "better_at": line.prospect.better_at,
                "better": line.prospect.better,
            }
            for line in said
        ],
    }
