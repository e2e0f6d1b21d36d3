"""The governor's configuration: `governor.json` in the state directory."""

from __future__ import annotations

import json
import os

from hatchway.governor.settings_target import BadSettings, known, read_target
from hatchway.governor.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hatchway.governor.settings_target import TargetSettings


class ServiceSettings(Value):
    """One service. Without `agent_may_write` it is only recommended for."""

    name: str
    target: TargetSettings
    agent_may_write: bool = True


class Settings(Value):
    """All of it. `lease_s`: this long without a sign of the backend, and the agent is paused.

    `lapse_rollback_s`: so long, and what it had given a share of the traffic is taken back. 0: never.
    """

    services: tuple[ServiceSettings, ...]
    lease_s: float = 15.0
    lapse_rollback_s: float = 0.0


def read_settings(directory: str) -> Settings:
    """Read `directory`/governor.json. Raises BadSettings."""
    path = os.path.join(directory, "governor.json")
    try:
        with open(path, "rb") as file:
            doc = json.loads(file.read())
    except OSError as error:
        raise BadSettings(
            f"{path}: {error.strerror}. Write one, or give the state directory with --dir."
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadSettings(f"{path}: this is not JSON: {error}.") from error
    try:
        return _settings(doc, directory)
    except BadSettings as error:
        raise BadSettings(f"{path}: {error}") from None


def _settings(doc: Any, directory: str) -> Settings:
    known(doc, "the file", {"services", "lease_s", "lapse_rollback_s"})
    services = doc.get("services")
    if not isinstance(services, dict) or not services:
        raise BadSettings('"services" must name at least one service, e.g. {"shop": {...}}.')
    lease_s = doc.get("lease_s", 15.0)
    if isinstance(lease_s, bool) or not isinstance(lease_s, int | float) or not lease_s > 0:
        raise BadSettings('"lease_s" must be a number of seconds above 0, e.g. 15.')
    back_s = doc.get("lapse_rollback_s", 0)
    if isinstance(back_s, bool) or not isinstance(back_s, int | float) or back_s < 0:
        raise BadSettings('"lapse_rollback_s" must be a number of seconds, e.g. 120; 0 is never.')
    if 0 < back_s <= lease_s:
        raise BadSettings(
            f'"lapse_rollback_s" is {back_s:g} and "lease_s" {lease_s:g}: first the agent is paused, '
            f"then its share is taken back. Write {4 * lease_s:g}, say."
        )
    found = tuple(_service(n, s, directory) for n, s in services.items())
    return Settings(found, float(lease_s), float(back_s))


def _service(name: str, doc: Any, directory: str) -> ServiceSettings:
    where = f"services.{name}"
    known(doc, where, {"target", "agent_may_write"})
    may = doc.get("agent_may_write", True)
    if not isinstance(may, bool):
        raise BadSettings(f"{where}.agent_may_write must be true or false.")
    return ServiceSettings(name, read_target(doc.get("target"), f"{where}.target", directory), may)
