"""`hatchway drill`: the stops tried on staging or on a scratch demo, and the evidence recorded."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

from hatchway.cli.drill_text import cell_line, status_lines, summary
from hatchway.cli.emergency import login, visible
from hatchway.cli.where import find
from hatchway.core.drills import Cell, Evidence, why_not_passed
from hatchway.journal.port import JournalError
from hatchway.rehearse import drill_demo, drill_evidence
from hatchway.rehearse.drill import FAULTS, Drill, Limits, begin
from hatchway.rehearse.drill_faults import Faults, Guard
from hatchway.rehearse.drill_site import CannotGoOn, Site
from hatchway.settings.errors import ConfigError
from hatchway.settings.load import Settings, load_all

NOT_PRODUCTION = frozenset(
    {"staging", "stage", "test", "testing", "qa", "dev", "development", "sandbox", "demo", "drill"}
)
"""Environments that are drilled without asking. Any other name may be production."""

_EPILOG = """\
Tries {pause, takeover, rollback} under {healthy, journal locked, backend hung, backend dead, ...},
measures when each took hold, checks weight and version, gives back after each, and records it all
in DIR/drills and in the journal. A rollback takes the canary's traffic away: during a release that
ends the release. What was not run is said; it does not count as passed.

exit status: 0 passed, 1 not passed (or, with --status, overdue), 2 refused or called wrongly."""


class Refused(Exception):
    """Nothing was tried; the message says why and what to do."""


def main(argv: list[str]) -> int:
    """Run `hatchway drill ...`; returns the exit status."""
    options = _read(argv)
    try:
        if options.status:
            return _status(Path(find(options.dir)), in_json=options.json)
        if options.record:
            return _record(Path(find(options.dir)), Path(options.record))
        with _ended_by_a_signal():
            return _drill(options)
    except (Refused, ConfigError) as error:
        print(f"hatchway drill: {visible(error)}", file=sys.stderr)
        return 2


def _read(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="hatchway drill",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--dir", help="the state directory (with --demo: where to have it, and keep it)")
    add("--demo", action="store_true", help="on a scratch demo that is started for it")
    add("--service", default="", help="which one, where there are several")
    add("--weight", type=int, metavar="N", help="give the canary N %% before each stop")
    add("--start-backend", default="", metavar="COMMAND", help="how a killed backend is started")
    add("--i-know", default="", metavar="ENVIRONMENT", help="its name, typed: it may be production")
    add("--within", type=float, default=Limits().fence_s, metavar="S", help="the fence (default 1)")
    add("--only", action="append", choices=FAULTS, help="this fault; may be repeated, never passes")
    add("--status", action="store_true", help="the last drill of each environment; 1 when overdue")
    add("--record", metavar="FILE", help="record here what a drill of another installation saw")
    add("--json", action="store_true", help="print JSON instead of words")
    options = parser.parse_args(argv)
    if options.within <= 0:
        parser.error("--within takes seconds above 0")
    if options.weight is not None and not 1 <= options.weight <= 50:
        parser.error("--weight takes a percentage from 1 to 50")
    return options


# --- running it -----------------------------------------------------------------------------------


def _drill(options: argparse.Namespace) -> int:
    wanted = Path(options.dir) if options.dir else None
    try:
        with drill_demo.scratch(wanted) if options.demo else nullcontext() as scratch:
            site = scratch or _site(Path(find(options.dir)), options)
            return _run(site, options, scratch=scratch is not None)
    except CannotGoOn as error:
        raise Refused(str(error)) from None


def _site(directory: Path, options: argparse.Namespace) -> Site:
    """The installation that is named. Raises Refused when it may be production."""
    settings = load_all(directory / "config")
    names = [s.name for s in settings.installation.services]
    service = options.service or (names[0] if len(names) == 1 else "")
    if service not in names:
        raise Refused(f"Which service? --service with one of: {', '.join(names)}.")
    environment = settings.installation.environment
    if environment.lower() not in NOT_PRODUCTION and options.i_know != environment:
        raise Refused(
            f"This is {environment}, which may be production: a drill stops its agent 15 times and "
            "takes traffic away. Drill in staging and record it here (--record FILE). If you mean "
            f"it, type its name: --i-know {environment}"
        )
    facts = directory / "demo.sock"
    return Site(directory, service, facts if facts.exists() else None)


def _run(site: Site, options: argparse.Namespace, *, scratch: bool) -> int:
    environment, installation = "demo", "scratch"
    restart = shlex.split(options.start_backend)
    if scratch:
        restart = restart or drill_demo.serve_command(site.directory)
    else:
        known = load_all(site.directory / "config").installation
        environment, installation = known.environment, known.name
    about = begin(site, environment, installation, login(), scratch=scratch)
    path = drill_evidence.path_for(site.directory, about.began)
    guard = Guard(site, path)
    drill = Drill(
        site,
        about,
        path,
        guard,
        Faults(site, guard, restart),
        share=options.weight or (drill_demo.SHARE if scratch else None),
        only=options.only or FAULTS,
        limits=Limits(options.within, options.within + 0.5),
        tell=lambda cell: _tell(cell, in_json=options.json),
    )
    try:
        evidence, text = drill.run()
    except BaseException as error:
        # The guard lifts what is in force, says what is left, and has it recorded.
        guard.abandon()
        if not isinstance(error, CannotGoOn):
            raise
        print(f"hatchway drill: cut off: {visible(error)}", file=sys.stderr)
        return 1
    guard.dismiss()
    return _end(site, evidence, text, path, in_json=options.json)


def _tell(cell: Cell, *, in_json: bool) -> None:
    if not in_json and cell.status != "not_run":
        print(visible(cell_line(cell)), flush=True)


def _end(site: Site, evidence: Evidence, text: str, path: Path, *, in_json: bool) -> int:
    why = why_not_passed(evidence)
    try:
        answer = site.record(text)
        unrecorded = "" if answer.get("ok") else str(answer.get("why"))
    except CannotGoOn as error:
        answer, unrecorded = {}, str(error)
    if in_json:
        found = json.loads(text)
        said = {"passed": not why, "why": why, "file": str(path), "seq": answer.get("seq", 0)}
        print(json.dumps({**said, "unrecorded": unrecorded, "evidence": found}))
    else:
        for line in summary(evidence, path, answer.get("seq", 0), unrecorded):
            print(visible(line))
        if evidence.scratch:
            print("The demo's folder goes now, unless it was named with --dir.")
    return 1 if why or unrecorded else 0


@contextmanager
def _ended_by_a_signal() -> Iterator[None]:
    """SIGTERM and SIGHUP end a drill as Ctrl-C does: orderly."""

    def end(number: int, _: object) -> NoReturn:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(130) from None


# --- looking and recording ------------------------------------------------------------------------


def _status(directory: Path, *, in_json: bool) -> int:
    from hatchway.cli.drill_text import known_drills  # noqa: PLC0415  reads the journal

    settings: Settings = load_all(directory / "config")
    every_s = settings.installation.drill_every_s
    try:
        lines, doc = status_lines(known_drills(directory), every_s, time.time())
    except JournalError as error:
        raise Refused(str(error)) from None
    if in_json:
        print(json.dumps(doc))
    else:
        for line in lines:
            print(visible(line))
    return 1 if doc["due"] else 0


def _record(directory: Path, file: Path) -> int:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{file} cannot be read: {error}") from None
    try:
        answer = Site(directory, "").record(text)
    except CannotGoOn as error:
        raise Refused(f"Nothing was recorded: {error}. Is the backend running?") from None
    if not answer.get("ok"):
        raise Refused(f"Nothing was recorded: {answer.get('why')} {answer.get('todo', '')}")
    print(f"{visible(answer.get('said'))} #{answer.get('seq')}")
    return 0
