"""`hatchway demo`: a real release of a small shop, on this machine, under the agent's hand."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from hatchway.demo import state_directory
from hatchway.demo.launch import launch
from hatchway.demo.options import FAULTS, BadOption, Options, read_fault

SHOP_TOOLS = ("mypy", "pytest", "ruff")


def main(argv: list[str]) -> int:
    """Run the demo: 0 when it was left (headless: when it ended as intended), 2 on misuse."""
    options = _read(argv)
    if not options.headless and not options.plane_only and not _at_a_terminal():
        print(
            "hatchway demo: this is not a terminal. Add --headless --approve auto to run it"
            " without a screen.",
            file=sys.stderr,
        )
        return 2
    missing = [tool for tool in SHOP_TOOLS if find_spec(tool) is None]
    if missing:
        print(
            f"hatchway demo: the shop's own pipeline runs {', '.join(missing)}, which this"
            " installation lacks. Install the extra: pipx install --force '.[demo]'",
            file=sys.stderr,
        )
        return 2
    try:
        plant = launch(options)
    except (state_directory.BadDirectory, OSError) as error:
        print(f"hatchway demo: {error}", file=sys.stderr)
        return 2
    # Only now, while the processes are loading, what the supervisor itself needs.
    from hatchway.demo.supervisor import supervise  # noqa: PLC0415

    return supervise(plant)


def _read(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="hatchway demo",
        description="A real release of a small shop, on this machine. q leaves and cleans up.",
        epilog=f"Faults: {', '.join(FAULTS)}.",
    )
    add = parser.add_argument
    add("--fault", action="append", default=[], metavar="NAME[@STAGE]", help="may be repeated")
    add("--mode", choices=("recommend", "act"), default="recommend")
    add("--pace", type=float, default=10.0, help="divides the monitoring times (default 10)")
    add("--rate", type=float, default=100.0, help="requests a second (default 100)")
    add("--seed", type=int, default=7, help="of everything that is left to chance (default 7)")
    add("--headless", action="store_true", help="without a screen")
    add("--approve", choices=("auto", "manual"), default="manual", help="headless: who says yes")
    add("--json", action="store_true", help="headless: a summary as the last line of output")
    add("--read-only", action="store_true", help="a dashboard that can only look")
    add("--dir", type=Path, help="the state directory (default: a fresh one, removed at the end)")
    add("--keep", action="store_true", help="do not remove the state directory")
    add("--pipeline", type=Path, metavar="FILE", help="instead of the shipped pipeline")
    add("--plane-only", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    if not 0 < asked.pace <= 1000:
        parser.error(f"--pace {asked.pace:g}: write a number above 0, at most 1000")
    if not 0 < asked.rate <= 5000:
        parser.error(f"--rate {asked.rate:g}: write a number above 0, at most 5000")
    try:
        pipeline = asked.pipeline or state_directory.shipped() / "pipelines" / "shop.yaml"
        text = pipeline.read_text()
        faults = tuple(read_fault(fault, text) for fault in asked.fault)
    except (BadOption, OSError) as error:
        parser.error(str(error))
    return Options(
        directory=asked.dir,
        pace=asked.pace,
        rate=asked.rate,
        seed=asked.seed,
        mode=asked.mode,
        faults=faults,
        headless=asked.headless,
        approve=asked.approve,
        json=asked.json,
        read_only=asked.read_only,
        keep=asked.keep,
        pipeline=asked.pipeline,
        plane_only=asked.plane_only,
    )


def _at_a_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
