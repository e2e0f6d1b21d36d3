"""`hatchway policy`: is the policy right, what does it say to something and why, and its tests."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module

from hatchway.cli.rules_dir import add_time
from hatchway.settings.errors import ConfigError

_EPILOG = """\
exit status: 0 fine; 1 a test of the policy failed; 2 a file cannot be used, or misuse.
docs/policy.md has the whole vocabulary, docs/calendars.md windows and freezes."""


def main(argv: list[str]) -> int:
    """Run `hatchway policy ...`; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        module = import_module(f"hatchway.cli.policy_{options.verb}")
        status: int = getattr(module, options.verb)(options)
        return status
    except ConfigError as error:
        if options.json:
            troubles = [
                {
                    "file": t.file,
                    "line": t.line,
                    "column": t.column,
                    "what": t.what,
                    "write": t.write,
                }
                for t in error.troubles
            ]
            print(json.dumps({"ok": False, "troubles": troubles}))
        else:
            for trouble in error.troubles:
                print(trouble, file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatchway policy",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True, dest="verb", metavar="verb")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--dir", help="a state directory, or one that holds policy.yaml")
    shared.add_argument("--json", action="store_true", help="print JSON instead of words")

    def verb(name: str, words: str) -> argparse.ArgumentParser:
        return verbs.add_parser(name, parents=[shared], help=words, description=words)

    check = verb("check", "every mistake, with file, line and what to write")
    check.add_argument("file", nargs="?", metavar="FILE", help="a policy.yaml")
    explain = verb("explain", "what the policy says, and how each condition stands")
    explain.add_argument("rule", metavar="CAPABILITY|RULE", help="promote, or prod.promote")
    explain.add_argument("--env", help="the environment (default: the only one, or prod)")
    explain.add_argument("--mode", choices=("recommend", "act"), default="act")
    explain.add_argument("--run", help="how it stood at the agent's last word in this run")
    explain.add_argument("--facts", default="", metavar="NAME=VALUE[@AGE],...")
    add_time(explain)
    test = verb("test", "run tests: given facts, expect an answer")
    test.add_argument("file", nargs="?", metavar="FILE", help="default: policy-tests.yaml there")
    trust = verb("trust", "say that what a calendar feed now says is right")
    trust.add_argument("calendar", metavar="CALENDAR", help="a name in calendars.yaml, or on-call")
    return parser
