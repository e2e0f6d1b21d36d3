"""Loading one file, or a whole configuration directory, or raising everything that is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

import hatchway
from hatchway.core.manifest import MANIFEST
from hatchway.core.plan import CanaryStage, Installation, PipelinePlan
from hatchway.core.policy import Policy
from hatchway.core.schedules import Schedules
from hatchway.settings.calendars import FILE as CALENDARS
from hatchway.settings.calendars import schedules_of
from hatchway.settings.document import Node, Page, Table, open_page
from hatchway.settings.errors import ConfigError, Trouble, quoted, unknown
from hatchway.settings.installation import installation_of
from hatchway.settings.manifest import manifest_of
from hatchway.settings.pipeline import pipeline_of
from hatchway.settings.policy import check_calendars, policy_of

PathLike = str | os.PathLike[str]
T = TypeVar("T")


class Settings(Struct, frozen=True):
    """A configuration directory. `pipelines` by the service they release.

    `notes` say what is allowed and perhaps not meant.
    """

    installation: Installation
    pipelines: dict[str, PipelinePlan]
    policy: Policy
    notes: tuple[Trouble, ...] = ()
    schedules: Schedules = Schedules()


class Rules(Struct, frozen=True):
    """What decides: the policy, and the calendars that it asks."""

    policy: Policy
    schedules: Schedules


def shipped() -> Path:
    """The configuration that comes with the program: the demo shop's."""
    package = Path(hatchway.__file__).resolve().parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parents[1] / "config"


def load_installation(path: PathLike) -> Installation:
    """Read `hatchway.yaml`. Raises ConfigError."""
    page = open_page(path)
    return _checked(page, installation_of(page))


def load_pipeline(path: PathLike) -> PipelinePlan:
    """Read a pipeline file. Raises ConfigError."""
    page = open_page(path)
    return _checked(page, pipeline_of(page))


def load_policy(path: PathLike) -> Policy:
    """Read `policy.yaml`. Raises ConfigError."""
    page = open_page(path)
    return _checked(page, policy_of(page))


def load_rules(directory: PathLike, policy: str = "policy.yaml") -> Rules:
    """Read a policy, and the `calendars.yaml` beside it if there is one. Raises ConfigError."""
    rules, pages = _rules(Path(directory), policy)
    troubles = [trouble for page in pages for trouble in page.troubles]
    if troubles:
        raise ConfigError(troubles)
    return rules


def _rules(home: Path, policy: str = "policy.yaml") -> tuple[Rules, list[Page]]:
    page = open_page(home / policy)
    pages = [page]
    found, schedules = policy_of(page), Schedules()
    if (home / CALENDARS).exists():
        calendars = open_page(home / CALENDARS)
        pages.append(calendars)
        schedules = schedules_of(calendars)
    if not any(p.troubles for p in pages):
        check_calendars(page, found, schedules)
    return Rules(found, schedules), pages


def load_all(directory: PathLike) -> Settings:
    """Read a directory with hatchway.yaml, policy.yaml and the services' pipelines.

    Raises one ConfigError with everything that is wrong in any of the files or between them.
    """
    home = Path(directory)
    main = open_page(home / "hatchway.yaml")
    installation = installation_of(main)
    rules, rule_pages = _rules(home)
    policy = rules.policy
    pages = [main, *rule_pages]
    pipelines: dict[str, PipelinePlan] = {}
    for service in installation.services:
        if not service.pipeline:
            continue
        page = open_page(home / service.pipeline)
        if page.root is None and not (home / service.pipeline).exists():
            place = _find(main.root, "services", service.name, "pipeline")
            main.report(place, f"there is no file {quoted(service.pipeline)}", _files_of(home))
            continue
        pages.append(page)
        pipelines[service.name] = pipeline_of(page)
        if not page.troubles:
            _check_fit(page, pipelines[service.name], service.name, installation, policy)
    troubles = [trouble for page in pages for trouble in page.troubles]
    if troubles:
        raise ConfigError(troubles)
    notes = tuple(note for page in pages for note in page.notes)
    return Settings(installation, pipelines, policy, notes, rules.schedules)


def check_file(path: PathLike) -> tuple[Trouble, ...]:
    """Check one file by what it says it is, and give what is to be noted. Raises ConfigError."""
    page = open_page(path)
    keys = set(page.root.entries) if isinstance(page.root, Table) else set()
    if Path(path).name == MANIFEST:
        manifest_of(page)
    elif "pipeline" in keys or "stages" in keys:
        pipeline_of(page)
    elif "environments" in keys:
        policy_of(page)
    elif keys & {"windows", "freezes", "oncall"}:
        schedules_of(page)
    elif keys or not page.troubles:
        installation_of(page)
    page.raise_troubles()
    return tuple(page.notes)


def _checked(page: Page, value: T) -> T:
    page.raise_troubles()
    return value


def _check_fit(
    page: Page, plan: PipelinePlan, service: str, installation: Installation, policy: Policy
) -> None:
    """Does the pipeline fit the service that names it, its installation and the policy?"""
    if plan.service != service:
        page.report(
            _find(page.root, "service"),
            f"hatchway.yaml names this pipeline for {quoted(service)}, not {quoted(plan.service)}",
            f"service: {service}",
        )
    if plan.environment != installation.environment:
        page.report(
            _find(page.root, "environment"),
            f"hatchway.yaml is for {quoted(installation.environment)}",
            f"environment: {installation.environment}",
        )
    elif policy.environments and plan.environment not in policy.environments:
        what = "policy.yaml does not name the environment"
        place = _find(page.root, "environment")
        page.report(place, *unknown(what, plan.environment, policy.environments))
    if not any(isinstance(stage, CanaryStage) for stage in plan.stages):
        page.report(
            _find(page.root, "stages"), "no stage of kind canary: nothing would be released"
        )


def _find(root: Node | None, *keys: str) -> Node | None:
    """The value below the keys, for saying where something is."""
    node = root
    for key in keys:
        if not isinstance(node, Table) or key not in node.entries:
            return node
        node = node.entries[key].value
    return node


def _files_of(home: Path) -> str:
    found = sorted(str(path.relative_to(home)) for path in home.glob("pipelines/*.yaml"))[:8]
    return f"one of {', '.join(found)}" if found else "a pipeline file, and name it here"
