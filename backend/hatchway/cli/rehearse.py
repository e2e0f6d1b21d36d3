"""`hatchway rehearse`: plays an incident to the real backend over your own policy and pipeline."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from hatchway.cli.rehearse_text import as_json, as_words, listed
from hatchway.core.plan import CanaryStage
from hatchway.rehearse.house import Over
from hatchway.rehearse.outcome import Result, result_of
from hatchway.rehearse.play import Played, play
from hatchway.rehearse.reading import load, names
from hatchway.rehearse.scenario import Scenario
from hatchway.settings.errors import ConfigError, Trouble
from hatchway.settings.load import load_all, load_pipeline, load_rules, shipped

_EPILOG = """\
Without --dir, --policy or --pipeline it runs over the configuration that comes with hatchway.
The environment's mode is taken as "act": an agent that only asks is stopped anyway. Nothing is
touched: time, traffic, target and people are scripted; the agent, the judge, the policy and the
governor's rules are the real ones. docs/rehearsals.md says how to write your own.

exit status: 0 stopped (with --all: every one), 1 not stopped or not shown, 2 called wrongly."""


def main(argv: list[str]) -> int:
    """Run `hatchway rehearse ...`; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="hatchway rehearse",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME|FILE", help="one of --list, or a file")
    parser.add_argument("--dir", help="a directory with hatchway.yaml, policy.yaml, pipelines")
    parser.add_argument("--policy", metavar="FILE", help="a policy instead of the shipped one")
    parser.add_argument("--pipeline", metavar="FILE", help="a pipeline instead of the shipped one")
    parser.add_argument("--service", help="which one of --dir (default: the first)")
    parser.add_argument(
        "--list", action="store_true", help="the rehearsals that come with hatchway"
    )
    parser.add_argument("--all", action="store_true", help="run all of them, a line each")
    parser.add_argument("--json", action="store_true", help="print JSON instead of words")
    options = parser.parse_args(argv)
    if sum((options.name is not None, options.list, options.all)) != 1:
        parser.error("name a rehearsal or a file, or say --list or --all")
    if options.dir and (options.policy or options.pipeline):
        parser.error("--dir has a policy and a pipeline; name either it or them")
    try:
        if options.list:
            scenarios = [load(name) for name in names()]
            print(listed(scenarios, as_json=options.json))
            return 0
        over, file = _over(options)
        wanted = names() if options.all else (options.name,)
        results = [_rehearsed(load(name), over) for name in wanted]
    except ConfigError as error:
        for trouble in error.troubles:
            print(f"hatchway rehearse: {trouble}", file=sys.stderr)
        return 2
    if options.json:
        documents = [as_json(*each, file) for each in results]
        print(json.dumps(documents if options.all else documents[0]))
    else:
        bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        for line in as_words(results, over, file, bold=bold):
            print(line)
    return 0 if all(result.word == "STOPPED" for _, _, result in results) else 1


def _rehearsed(scenario: Scenario, over: Over) -> tuple[Scenario, Played, Result]:
    played = play(scenario, over)
    return scenario, played, result_of(scenario, played)


def _over(options: argparse.Namespace) -> tuple[Over, Path]:
    """What is meant, and the policy's file. Raises ConfigError.

    The calendars are those beside the policy.
    """
    home = _home(options.dir) if options.dir else shipped()
    file = Path(options.policy) if options.policy else home / "policy.yaml"
    if options.pipeline:
        plan = load_pipeline(options.pipeline)
    else:
        plans = load_all(home).pipelines
        name = options.service or next(iter(plans), "")
        if name not in plans:
            what = f"there is no service {name!a} with a pipeline"
            raise ConfigError([Trouble(str(home), 0, 0, what, f"one of {', '.join(plans)}")])
        plan = plans[name]
    rules = load_rules(file.parent, file.name)
    if not any(isinstance(stage, CanaryStage) for stage in plan.stages):
        what = "this pipeline has no stage of kind canary: there is nothing to rehearse"
        raise ConfigError([Trouble(options.pipeline or str(home), 0, 0, what)])
    if plan.environment not in rules.policy.environments:
        what = f"the policy does not name the environment {plan.environment} of the pipeline"
        raise ConfigError([Trouble(str(file), 0, 0, what)])
    return Over(rules.policy, plan, rules.schedules, file.parent), file


def _home(named: str) -> Path:
    """Where hatchway.yaml is: in the directory itself, or in its config/."""
    for home in (Path(named), Path(named) / "config"):
        if (home / "hatchway.yaml").exists():
            return home
    raise ConfigError([Trouble(named, 0, 0, "holds no hatchway.yaml", "--dir DIRECTORY")])
