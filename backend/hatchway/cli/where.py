"""Finds the state directory of the installation that is meant. Standard library only."""

from __future__ import annotations

import os


def find(given: str | None = None) -> str:
    """`given` (--dir), else $HATCHWAY_DIR, else the newest running demo, else the home's own.

    The directory need not exist.
    """
    named = given or os.environ.get("HATCHWAY_DIR")
    if named:
        return os.path.abspath(os.path.expanduser(named))
    return _running_demo() or os.path.expanduser("~/.local/state/hatchway")


state_directory = find


def demo_pointers() -> list[str]:
    """Folders with a file for each running demo; a demo writes into the first of them."""
    places = [f"/tmp/hatchway-{os.getuid()}/demos"]  # noqa: S108  the owner is checked on reading
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        places.insert(0, os.path.join(runtime, "hatchway-demos"))
    return places


def _running_demo() -> str:
    newest, found = 0.0, ""
    for place in demo_pointers():
        try:
            pointers = [os.path.join(place, name) for name in os.listdir(place)]
        except OSError:
            continue
        for pointer in pointers:
            at, directory = _read(pointer)
            alive = any(os.path.exists(os.path.join(directory, s)) for s in _SOCKETS)
            if directory and alive and at > newest:
                newest, found = at, directory
    return found


def _read(pointer: str) -> tuple[float, str]:
    """When a demo wrote it, and the demo's directory; empty when it is not to be believed."""
    try:
        with open(pointer, encoding="utf-8") as file:
            about = os.fstat(file.fileno())
            # Anybody may write below /tmp: another account's must not choose where stops go.
            if about.st_uid != os.getuid():
                return 0.0, ""
            return about.st_mtime, file.read(4096).strip()
    except (OSError, ValueError):
        return 0.0, ""


_SOCKETS = ("governor.sock", "command.sock")
