"""`python -m hatchway.demo.deploy ARM [--commit ID]`: what the shop's pipeline deploys with.

It says what it wants to the demo's supervisor, which makes it so; asking twice changes nothing.
`python -m hatchway.demo.deploy url ARM` prints where an arm is.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from hatchway.cli.where import find
from hatchway.demo.control import Answer, NoAnswer, ask
from hatchway.demo.options import ARMS

PATIENCE_S = 60.0


def main(argv: list[str]) -> int:
    """Deploy, or print an address; 1 when that is not possible."""
    parser = argparse.ArgumentParser(prog="python -m hatchway.demo.deploy")
    parser.add_argument("what", choices=(*ARMS, "url"))
    parser.add_argument("arm", nargs="?", choices=ARMS, help="after `url`")
    parser.add_argument("--commit", default=os.environ.get("HATCHWAY_COMMIT", ""))
    parser.add_argument("--dir", help="the demo's state directory ($HATCHWAY_DIR)")
    options = parser.parse_args(argv)
    if (options.what == "url") != (options.arm is not None):
        parser.error("write ARM [--commit ID], or: url ARM")
    demo = Path(find(options.dir)) / "demo.sock"
    try:
        if options.what == "url":
            return _print_url(ask(demo, {"op": "status"}), options.arm)
        if not options.commit and options.what != "stable":
            parser.error("--commit is missing, and $HATCHWAY_COMMIT is not set")
        request = {"op": "ensure", "arm": options.what, "commit": options.commit}
        return _print_deployed(ask(demo, request, PATIENCE_S), options.what)
    except NoAnswer as error:
        print(f"deploy: the demo does not answer: {error}", file=sys.stderr)
        return 1


def _print_url(answer: Answer, arm: str) -> int:
    if not answer.get("ok"):
        return _refused(answer)
    print(answer["arms"][arm]["url"])
    return 0


def _print_deployed(answer: Answer, arm: str) -> int:
    if not answer.get("ok"):
        return _refused(answer)
    did = "runs now" if answer["changed"] else "ran already"
    print(f"{arm}: {answer['version']} ({answer['commit'][:7]}) {did} at {answer['url']}")
    return 0


def _refused(answer: Answer) -> int:
    why = f"{answer.get('why', 'refused')} {answer.get('todo', '')}"
    print(f"deploy: {why.strip()}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
