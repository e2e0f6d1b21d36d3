"""`hatchway metrics`: can a service's metrics judge a canary, and which metrics could."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import time
from pathlib import Path

import yaml
from msgspec import Struct

from hatchway.cli import prospecting, where
from hatchway.cli.emergency import visible
from hatchway.core.plan import CanaryStage, ServiceSpec
from hatchway.metrics import listing
from hatchway.metrics.catalogue import Catalogue
from hatchway.metrics.increments import arm_values
from hatchway.metrics.open import opened
from hatchway.metrics.port import Scrape
from hatchway.metrics.prospects import Prospect, prospects
from hatchway.metrics.suggestion import Looked, as_yaml, suggestion
from hatchway.metrics.survey import survey
from hatchway.settings.errors import ConfigError, quoted
from hatchway.settings.load import load_installation, load_pipeline


class _Wrong(Exception):
    """Called wrongly, or the configuration is: the text is for standard error."""


class _Asked(Struct, frozen=True):
    """A service as the files have it. `directory` is the state directory."""

    service: ServiceSpec
    stage: CanaryStage | None
    directory: Path | None


class _Seen(Struct, frozen=True):
    """What the live endpoints said."""

    scrapes: tuple[Scrape, ...]
    about: tuple[str, ...]
    listed: dict[str, Catalogue]
    seconds: float


def main(argv: list[str]) -> int:
    """Check or suggest: 0 when all can be judged, 1 when not, 2 on misuse or a wrong file."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.what == "suggest":
            return asyncio.run(_suggest(arguments.url, arguments.canary, arguments.json))
        return _check(arguments)
    except _Wrong as error:
        print("\n".join(visible(line) for line in str(error).splitlines()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatchway metrics",
        description="Can a service's metrics judge a canary? Which of its metrics could?",
    )
    verbs = parser.add_subparsers(dest="what", required=True, metavar="check|suggest")
    check = verbs.add_parser(
        "check",
        help="look at a service's live endpoints and say what can be judged by them",
        description="Looks at the live endpoints of a service and says for each metric whether it"
        " is there, whether a canary can be judged by it, and how small a regression would be"
        " seen in the planned steps at this traffic. Exit status: 0 all judged metrics can be"
        " judged, 1 not all, 2 a wrong file or call.",
    )
    check.add_argument("service", nargs="?", help="may be left out where there is only one")
    place = check.add_mutually_exclusive_group()
    place.add_argument("--dir", help="a state directory, or one that holds hatchway.yaml")
    place.add_argument("--config", type=Path, metavar="FILE", help="a hatchway.yaml")
    check.add_argument("--seconds", type=float, default=10.0, help="how long to look (default 10)")
    check.add_argument("--json", action="store_true", help="print JSON instead of words")
    suggest = verbs.add_parser(
        "suggest",
        help="look at pages of metrics and print what hatchway.yaml could say",
        description="Reads pages of metrics and prints endpoints and metrics for hatchway.yaml,"
        " with what each guess stands on. Exit status: 0, or 1 when nothing of it can judge a"
        " canary, 2 when a page cannot be read.",
    )
    suggest.add_argument("url", nargs="+", metavar="URL", help="a page of metrics (of stable)")
    suggest.add_argument(
        "--canary", action="append", default=[], metavar="URL", help="the canary's own page"
    )
    suggest.add_argument("--json", action="store_true", help="print JSON instead of YAML")
    return parser


# --- check ------------------------------------------------------------------------------------


def _check(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.seconds <= 3600:
        raise _Wrong("hatchway metrics check: --seconds takes a number from 1 to 3600")
    asked = _asked(arguments)
    name = asked.service.name
    if sys.stderr.isatty():
        print(f"looking at {name} for {arguments.seconds:g} s ...", file=sys.stderr)
    seen = asyncio.run(_look(asked, arguments.seconds))
    found = prospects(asked.service, survey(asked.service, seen.scrapes), asked.stage, seen.listed)
    what = (name, found, seen.about, len(seen.scrapes), seen.seconds)
    if arguments.json:
        print(json.dumps(prospecting.as_json(*what)))
    else:
        for line in prospecting.report(*what).splitlines():
            print(visible(line))
    return 0 if _all_judged(found) else 1


def _all_judged(found: tuple[Prospect, ...]) -> bool:
    judged = [prospect for prospect in found if prospect.spec.judged]
    return bool(judged) and all(prospect.ok for prospect in judged)


def _asked(arguments: argparse.Namespace) -> _Asked:
    """The service, its canary stage and where they are. Raises _Wrong."""
    directory = None if arguments.config else Path(where.find(arguments.dir))
    file = arguments.config or _file_of(directory or Path())
    try:
        installation = load_installation(file)
        services = {service.name: service for service in installation.services}
        service = services.get(arguments.service or _only(services))
        if service is None:
            raise _Wrong(
                f"hatchway metrics check: {file} has no service {quoted(arguments.service)};"
                f" it has {', '.join(services)}"
            )
        plan = load_pipeline(file.parent / service.pipeline)
    except ConfigError as error:
        raise _Wrong(f"{error}\nhatchway metrics check: nothing was looked at") from None
    stage = next((stage for stage in plan.stages if isinstance(stage, CanaryStage)), None)
    return _Asked(service, stage, directory)


def _file_of(directory: Path) -> Path:
    for place in (directory, directory / "config"):
        if (place / "hatchway.yaml").exists():
            return place / "hatchway.yaml"
    raise _Wrong(
        f"hatchway metrics check: {directory} holds no hatchway.yaml;"
        " name its directory with --dir or the file with --config"
    )


def _only(services: dict[str, ServiceSpec]) -> str:
    if len(services) == 1:
        return next(iter(services))
    raise _Wrong(f"hatchway metrics check: which service? One of {', '.join(services)}")


async def _look(asked: _Asked, seconds: float) -> _Seen:
    """Look as often as the judge would, for so long."""
    service = asked.service
    metrics = opened(service, asked.directory)
    loop = asyncio.get_running_loop()
    try:
        about = await metrics.about()
        looks = max(2, math.floor(seconds / service.scrape_s) + 1)
        every = seconds / (looks - 1)
        begun = loop.time()
        scrapes = []
        for number in range(looks):
            await asyncio.sleep(begun + number * every - loop.time())
            scrapes.append(await metrics.look(time.time()))
    finally:
        await metrics.close()
    return _Seen(tuple(scrapes), about, await _listed(service), scrapes[-1].at - scrapes[0].at)


async def _listed(service: ServiceSpec) -> dict[str, Catalogue]:
    """Everything that the endpoints have of stable, where it can be listed."""
    found = {}
    for endpoint in service.endpoints:
        try:
            found[endpoint.name] = await listing.listed(
                endpoint, arm_values(service, endpoint)["stable"]
            )
        except listing.Unlisted:
            continue  # the metrics of this endpoint say themselves why
    return found


# --- suggest ----------------------------------------------------------------------------------


async def _suggest(urls: list[str], canary: list[str], in_json: bool) -> int:
    looked = []
    for url in (*urls, *canary):
        try:
            looked.append(Looked(url, await listing.page(url), url in canary))
        except listing.Unlisted as error:
            raise _Wrong(
                f"hatchway metrics suggest: {url} cannot be read: {error}."
                " Give the address of a page in Prometheus' text format, often .../metrics"
            ) from None
    found = suggestion(looked)
    if in_json:
        said = {"ok": bool(found.judged), "notes": found.notes}
        print(json.dumps({**said, "service": yaml.safe_load(as_yaml(found))}))
        return 0 if found.judged else 1
    print("# Guessed from what is there; put it below a service in hatchway.yaml, then run")
    print("# hatchway metrics check SERVICE. Limits are from today's figures: yours to set.")
    print(as_yaml(found), end="")
    if not found.judged:
        print(
            "hatchway metrics suggest: nothing here can judge a canary: no counter of requests"
            " with their outcome and no histogram of latency. Add one to the service, or give the"
            " page of the load balancer in front of it.",
            file=sys.stderr,
        )
    return 0 if found.judged else 1
