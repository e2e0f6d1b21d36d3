"""Starting the demo's processes, with as little imported as possible: they load side by side.

Everything here is done before the supervisor has an event loop.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import hatchway
from hatchway.demo import state_directory
from hatchway.demo.options import Options
from hatchway.demo.state_directory import Ports

MARK = "HATCHWAY_DEMO"  # the same as in sweep.py, which is not needed yet


class Child:
    """One process of the demo, its output in D/log/NAME.log."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    @property
    def ended(self) -> bool:
        """Whether it has ended (and has been reaped)."""
        return self.process.poll() is not None

    def how(self) -> str:
        """In words how it ended, with its last line."""
        status = self.process.returncode
        words = f"killed by signal {-status}" if status and status < 0 else f"exit status {status}"
        last = self.last_line()
        return f"{self.name} ended ({words})" + (f": {last}" if last else "")

    def last_line(self) -> str:
        """The newest line of its log, at most 300 characters."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


class Plant(NamedTuple):
    """What was started, and what keeps it alive."""

    options: Options
    directory: Path
    ports: Ports
    lifeline: int  # children read it; it ends when the supervisor ends
    pulse: int  # the other end: never given to anybody
    lock: int
    held: list[socket.socket]
    environment: dict[str, str]
    children: dict[str, Child]

    def start(self, name: str, arguments: list[str], *, cwd: Path | None = None) -> Child:
        """Start a process of our interpreter; it gets `--lifeline FD` and no terminal."""
        log = self.directory / "log" / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments, "--lifeline", str(self.lifeline)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd or self.directory,
                env=self.environment,
                pass_fds=(self.lifeline,),
                start_new_session=True,
            )
        child = self.children[name] = Child(name, process, log)
        return child


def launch(options: Options) -> Plant:
    """Make the state directory and start everything that needs no repository.

    Raises state_directory.BadDirectory.
    """
    directory = state_directory.make(options.directory)
    lock = state_directory.lock(directory)
    ports, held = state_directory.reserve()
    state_directory.configure(directory, ports, options.mode, options.pipeline)
    lifeline, pulse = os.pipe()
    plant = Plant(
        *(options, directory, ports, lifeline, pulse, lock, held),
        environment=_environment(directory),
        children={},
    )
    where = str(directory)
    # First what takes longest to load.
    if not (options.headless or options.plane_only):
        plant.children["dashboard"] = _dashboard(plant)
    if not options.plane_only:
        plant.start("backend", ["-m", "hatchway", "serve", "--dir", where])
        plant.start("governor", ["-S", "-m", "hatchway.governor", "--dir", where])
    arguments = ["-S", "-m", "hatchway.demo.splitter"]
    arguments += ["--port", str(ports.front), "--metrics", str(ports.metrics)]
    arguments += ["--stable", str(ports.stable), "--canary", str(ports.canary)]
    plant.start("splitter", [*arguments, "--socket", str(directory / "splitter.sock")])
    state_directory.point_at(directory)
    return plant


def _dashboard(plant: Plant) -> Child:
    """The dashboard has the terminal, and its signals: it stays in our session."""
    directory = plant.directory
    command = [sys.executable, "-m", "hatchway_tui"]
    command += ["--backend", str(directory / "backend.sock")]
    command += ["--governor", str(directory / "governor.sock")]
    if plant.options.read_only:
        command.append("--read-only")
    process = subprocess.Popen(command, env=plant.environment)
    return Child("dashboard", process, directory / "log" / "dashboard.log")


def _environment(directory: Path) -> dict[str, str]:
    # -S leaves out the site directories, and in a .pyz nothing is installed at all.
    roots = [str(Path(hatchway.__file__).parent.parent)]
    dashboard = importlib.util.find_spec("hatchway_tui")
    if dashboard is not None and dashboard.origin:
        roots.append(str(Path(dashboard.origin).parent.parent))
    path = os.environ.get("PATH", os.defpath)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(roots)),
        "PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{path}",
        "HATCHWAY_DIR": str(directory),
        MARK: str(directory),
    }
