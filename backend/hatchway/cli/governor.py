"""`hatchway governor`: becomes the governor, without the rest of the program in its memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hatchway
from hatchway.cli.where import find

USAGE = """\
usage: hatchway governor [--dir DIRECTORY] [--lifeline FD]

Runs the governor in the foreground. It reads DIRECTORY/governor.json and serves
DIRECTORY/governor.sock. With --lifeline it ends when that file descriptor reaches its end."""


def main(argv: list[str]) -> int:  # noqa: RET503  execve does not return
    """Become the governor; returns only after --help."""
    if "--help" in argv or "-h" in argv:
        print(USAGE)
        return 0
    if not any(word == "--dir" or word.startswith("--dir=") for word in argv):
        argv = [*argv, "--dir", find()]
    package = str(Path(hatchway.__file__).resolve().parent.parent)
    environment = {**os.environ, "PYTHONPATH": package}
    command = [sys.executable, "-S", "-m", "hatchway.governor", *argv]
    os.execve(sys.executable, command, environment)  # noqa: S606
