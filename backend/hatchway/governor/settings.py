"""The governor's configuration: `governor.json` in the state directory."""

from __future__ import annotations

import json
import os

from hatchway.governor.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST_SOCKET_PATH = 100


class BadSettings(Exception):
    """The configuration cannot be used; the message says what is wrong and what to write."""


class HAProxySettings(Value):
    """An HAProxy, by its runtime socket."""

    socket: str
    backend: str
    stable: str
    canary: str


class ServiceSettings(Value):
    """One service. Without `agent_may_write` it is only recommended for."""

    name: str
    target: HAProxySettings
    agent_may_write: bool = True


class Settings(Value):
    """All of it. `lease_s`: this long without a sign of the backend, and the agent is paused."""

    services: tuple[ServiceSettings, ...]
    lease_s: float = 15.0


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
    _known(doc, "the file", {"services", "lease_s"})
    services = doc.get("services")
    if not isinstance(services, dict) or not services:
        raise BadSettings('"services" must name at least one service, e.g. {"shop": {...}}.')
    lease_s = doc.get("lease_s", 15.0)
    if isinstance(lease_s, bool) or not isinstance(lease_s, int | float) or not lease_s > 0:
        raise BadSettings('"lease_s" must be a number of seconds above 0, e.g. 15.')
    return Settings(tuple(_service(n, s, directory) for n, s in services.items()), float(lease_s))


def _service(name: str, doc: Any, directory: str) -> ServiceSettings:
    where = f"services.{name}"
    _known(doc, where, {"target", "agent_may_write"})
    target = doc.get("target")
    _known(target, f"{where}.target", {"kind", "socket", "backend", "stable", "canary"})
    if target.get("kind") != "haproxy":
        raise BadSettings(f'{where}.target.kind must be "haproxy", it is {target.get("kind")!r}.')
    words = {"backend": "be", "stable": "stable", "canary": "canary", **target}
    for key in ("socket", "backend", "stable", "canary"):
        word = words.get(key)
        if not isinstance(word, str) or not word:
            raise BadSettings(f"{where}.target.{key} must be a text.")
        # The names go into HAProxy's command language: ';' and blanks would end a command early.
        if key != "socket" and (not word.isprintable() or set(word) & set(" ;/,<\\\"'")):
            raise BadSettings(f"{where}.target.{key}: {word!r} cannot be a name in HAProxy.")
    if words["stable"] == words["canary"]:
        raise BadSettings(f"{where}.target: stable and canary are the same server.")
    may = doc.get("agent_may_write", True)
    if not isinstance(may, bool):
        raise BadSettings(f"{where}.agent_may_write must be true or false.")
    path = os.path.join(directory, words["socket"])
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise BadSettings(f"{where}.target.socket: {path} is too long for a socket, use a shorter.")
    return ServiceSettings(
        name, HAProxySettings(path, words["backend"], words["stable"], words["canary"]), may
    )


def _known(doc: Any, where: str, keys: set[str]) -> None:
    if not isinstance(doc, dict):
        raise BadSettings(f"{where} must be an object {{...}}.")
    for key in doc:
        if key not in keys:
            from difflib import get_close_matches  # noqa: PLC0415  only on the way out

            close = get_close_matches(key, keys, 1)
            hint = (
                f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(sorted(keys))}."
            )
            raise BadSettings(f"{where} has an unknown key {key!r}.{hint}")
