"""`hatchway policy test [FILE]`: a table of facts and the answers that they should get."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hatchway.cli.rules_dir import calendars_at, config_of, rules_in, wrapped
from hatchway.settings.document import open_page
from hatchway.settings.policy_tests import Outcome, cases_of, run

FILE = "policy-tests.yaml"


def test(options: argparse.Namespace) -> int:
    """0 when every test passes, 1 with what differs. Raises ConfigError."""
    directory = config_of(options.dir)
    path = Path(options.file) if options.file else directory / FILE
    if options.file and options.dir is None and (path.parent / "policy.yaml").exists():
        directory = path.parent
    rules = rules_in(directory)
    page = open_page(path)
    cases = cases_of(page)
    page.raise_troubles()
    outcomes = [run(case, rules, calendars_at(rules, directory, case.at)) for case in cases]
    failed = [o for o in outcomes if o.differs]
    if options.json:
        said = {"ok": not failed, "passed": len(outcomes) - len(failed), "failed": len(failed)}
        print(json.dumps({**said, "tests": [_as_json(o) for o in outcomes]}))
        return 1 if failed else 0
    for outcome in failed:
        case, answer = outcome.case, outcome.said
        print(wrapped(f"FAILED {path}:{case.line}: {case.name}"))
        for line in outcome.differs:
            print(wrapped(line, 4))
        print(wrapped(f"{answer.rule} says {answer.answer}: {answer.why}", 4))
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} tests of the policy pass")
    return 1 if failed else 0


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "name": outcome.case.name,
        "line": outcome.case.line,
        "expected": outcome.case.expect,
        "answer": outcome.said.answer,
        "fired": outcome.said.fired,
        "why": outcome.said.why,
        "differs": outcome.differs,
    }
