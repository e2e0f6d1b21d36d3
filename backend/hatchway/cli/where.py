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
    """The files that may hold the path of the running demo; a demo writes the first of them."""
    places = [f"/tmp/hatchway-{os.getuid()}/demo"]  # noqa: S108  the owner is checked on reading
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        places.insert(0, os.path.join(runtime, "hatchway-demo"))
    return places


def _running_demo() -> str:
    newest, found = 0.0, ""
    for pointer in demo_pointers():
        try:
            with open(pointer, encoding="utf-8") as file:
                about = os.fstat(file.fileno())
                directory = file.read(4096).strip()
        except (OSError, ValueError):
            continue
        # Anybody may write below /tmp: another account's pointer must not choose where stops go.
        mine = about.st_uid == os.getuid()
        alive = any(os.path.exists(os.path.join(directory, s)) for s in _SOCKETS)
        if mine and directory and alive and about.st_mtime > newest:
            newest, found = about.st_mtime, directory
    return found


_SOCKETS = ("governor.sock", "command.sock")
