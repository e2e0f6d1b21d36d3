"""The targets in `governor.json`: an HAProxy by its runtime socket, or your own commands."""

from __future__ import annotations

import os

from hatchway.governor.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST_SOCKET_PATH = 100
MOST_SECONDS = 120.0
PLACEHOLDERS = ("percent", "stable_percent", "key", "epoch")
COMMANDS = ("set", "get", "rollback", "inflight", "inventory")


class BadSettings(Exception):
    """The configuration cannot be used; the message says what is wrong and what to write."""


class HAProxySettings(Value):
    """An HAProxy, by its runtime socket."""

    socket: str
    backend: str
    stable: str
    canary: str


class CommandSettings(Value):
    """Your own commands, as lists of words. An empty list: there is no such command.

    `timeouts_s` by command, `timeout_s` for the others. `every_s` is how often the share is read.
    Without `inflight` the canary counts as drained when it had 0 % for `drained_after_s`.
    """

    set: tuple[str, ...]
    get: tuple[str, ...]
    rollback: tuple[str, ...] = ()
    inflight: tuple[str, ...] = ()
    inventory: tuple[str, ...] = ()
    timeout_s: float = 5.0
    timeouts_s: dict[str, float] = {}  # noqa: RUF012  a value: nobody changes it
    every_s: float = 2.0
    drained_after_s: float = 0.0
    directory: str = "."


TargetSettings = HAProxySettings | CommandSettings


def read_target(doc: Any, where: str, directory: str) -> TargetSettings:
    """The target at `where` in the file. Raises BadSettings."""
    kind = doc.get("kind") if isinstance(doc, dict) else None
    if kind == "command":
        return _command(doc, where, directory)
    known(doc, where, {"kind", "socket", "backend", "stable", "canary"})
    if kind != "haproxy":
        raise BadSettings(f'{where}.kind must be "haproxy" or "command", it is {kind!r}.')
    return _haproxy(doc, where, directory)


def _haproxy(doc: Any, where: str, directory: str) -> HAProxySettings:
    words = {"backend": "be", "stable": "stable", "canary": "canary", **doc}
    for key in ("socket", "backend", "stable", "canary"):
        word = words.get(key)
        if not isinstance(word, str) or not word:
            raise BadSettings(f"{where}.{key} must be a text.")
        # The names go into HAProxy's command language: ';' and blanks would end a command early.
        if key != "socket" and (not word.isprintable() or set(word) & set(" ;/,<\\\"'")):
            raise BadSettings(f"{where}.{key}: {word!r} cannot be a name in HAProxy.")
    if words["stable"] == words["canary"]:
        raise BadSettings(f"{where}: stable and canary are the same server.")
    path = os.path.join(directory, words["socket"])
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise BadSettings(f"{where}.socket: {path} is too long for a socket, use a shorter.")
    return HAProxySettings(path, words["backend"], words["stable"], words["canary"])


def _command(doc: Any, where: str, directory: str) -> CommandSettings:
    times = ("timeout_s", "every_s", "drained_after_s")
    known(doc, where, {"kind", "timeouts_s", *COMMANDS, *times})
    words = {name: _words(doc.get(name), f"{where}.{name}") for name in COMMANDS}
    for name in ("set", "get"):
        if not words[name]:
            example = '["my-split", "{percent}"]' if name == "set" else '["my-split", "get"]'
            raise BadSettings(f'{where}.{name} is missing: write "{name}": {example}.')
    if not any("{percent}" in w or "{stable_percent}" in w for w in words["set"]):
        raise BadSettings(
            f"{where}.set does not say which share: put {{percent}} into a word of it."
        )
    for name in ("get", "inflight", "inventory"):
        if any("{" + p + "}" in w for w in words[name] for p in PLACEHOLDERS):
            raise BadSettings(f"{where}.{name} only reads: it has no placeholders.")
    seconds = {key: _seconds(doc[key], f"{where}.{key}") for key in times if key in doc}
    if not words["inflight"] and "drained_after_s" not in seconds:
        raise BadSettings(
            f'{where}: nothing tells when the canary is empty. Write "inflight": [...], which '
            'prints requests under way and requests ever; or "drained_after_s": 30, if so long '
            "after 0 % it is."
        )
    each = doc.get("timeouts_s", {})
    known(each, f"{where}.timeouts_s", set(COMMANDS))
    each = {name: _seconds(value, f"{where}.timeouts_s.{name}") for name, value in each.items()}
    read: dict[str, Any] = {**words, **seconds}
    return CommandSettings(**read, timeouts_s=each, directory=directory)


def _words(found: Any, where: str) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list) or not found:
        raise BadSettings(
            f'{where} is a list of words, e.g. ["my-split", "{{percent}}"]: no shell.'
        )
    for word in found:
        if not isinstance(word, str) or "\0" in word:
            raise BadSettings(f"{where}: {word!r} is not a word.")
        for name in _placeholders(word):
            if name not in PLACEHOLDERS:
                names = ", ".join("{" + p + "}" for p in PLACEHOLDERS)
                raise BadSettings(f"{where}: there is no {{{name}}}. Known: {names}.")
    return tuple(found)


def _placeholders(word: str) -> list[str]:
    """What looks like a placeholder: a name between braces, as `{percent}`. JSON does not."""
    inside = [part.partition("}")[0] for part in word.split("{")[1:] if "}" in part]
    return [name for name in inside if name.isidentifier()]


def _seconds(found: Any, where: str) -> float:
    if (
        isinstance(found, bool)
        or not isinstance(found, int | float)
        or not 0 < found <= MOST_SECONDS
    ):
        raise BadSettings(
            f"{where} must be a number of seconds, above 0 and up to {MOST_SECONDS:g}."
        )
    return float(found)


def known(doc: Any, where: str, keys: set[str]) -> None:
    """Raises BadSettings unless `doc` is an object with none but these keys."""
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
