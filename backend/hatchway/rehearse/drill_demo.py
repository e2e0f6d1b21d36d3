"""A scratch demo for a drill: shop, traffic, governor and backend on loopback, a release at 5 %.

It proves that the stops of this program work on this machine. It proves nothing about anybody's
own targets, and so its drill never counts where an agent wants to act by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hatchway.cli.ask import Silent, ask
from hatchway.rehearse.drill_site import CannotGoOn, Site

SHARE = 5
STARTS_S = 90.0
STEADY = """\
# A canary that stays at 5 % for as long as a drill takes: it is stopped, not judged.
pipeline: shop
service: shop
environment: prod

stages:
  - name: checks
    kind: checks
    budget: 5m
    parallel:
      compile: python -m compileall -q shop
  - name: release
    kind: release
    separation: [author, pusher]  # one account starts the demo's release and approves it
  - name: canary
    kind: canary
    deploy:
      - start: python -m hatchway.demo.deploy canary
    steps:
      - weight: 5
        monitor: 20h
        excludes: 10
      - weight: 100
        hold_back: 5
        monitor: 1h
        excludes: 10
"""


def serve_command(directory: Path) -> list[str]:
    """What starts a backend there."""
    return [sys.executable, "-m", "hatchway", "serve", "--dir", str(directory)]


@contextlib.contextmanager
def scratch(wanted: Path | None) -> Iterator[Site]:
    """Run a demo until the block is left: in `wanted`, which is kept, or in a folder that is not.

    Raises CannotGoOn.
    """
    room = Path(tempfile.mkdtemp(prefix="hw-drill-"))
    directory = (wanted or room / "d").absolute()
    running: list[subprocess.Popen[bytes]] = []
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (room / "steady.yaml").write_text(STEADY)
        hatchway = [sys.executable, "-m", "hatchway"]
        plane = ["demo", "--dir", str(directory), "--plane-only", "--keep", "--mode", "act"]
        _start(running, room, [*hatchway, *plane, "--pipeline", str(room / "steady.yaml")])
        site = Site(directory, "shop", directory / "demo.sock")
        facts = _until(lambda: _facts(directory), "the demo's shop does not open", room)
        _start(running, room, [*hatchway, "governor", "--dir", str(directory)])
        _start(running, room, serve_command(directory))
        _release(site, facts, room)
        yield site
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
        shutil.rmtree(room, ignore_errors=True)


def _start(running: list[subprocess.Popen[bytes]], room: Path, argv: list[str]) -> None:
    with open(room / "log", "ab") as log:
        # A session of its own: what ends the drill from the keyboard must not end this first.
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    running.append(process)


def _facts(directory: Path) -> Any:
    facts = json.loads((directory / "demo.json").read_text())
    return facts if facts["stable"] else None


def _release(site: Site, facts: Any, room: Path) -> None:
    """Start the release, approve it, and wait until the canary has its share."""
    command = os.fspath(site.directory / "command.sock")
    request = {
        **{"op": "start", "id": "drill", "service": "shop", "commit": facts["release"]},
        **{"base": facts["stable"], "mode": "act", "pace": 10.0},
    }
    _until(lambda: ask(command, request, 15.0).get("ok"), "the release does not start", room)

    def approved() -> bool:
        items = ask(command, {"op": "status"}, 5.0)["docs"]["needs-you"]["items"]
        for item in items:
            ask(command, {"op": "accept", "id": f"yes {item['id']}", "item": item["id"]}, 5.0)
        return bool((site.status()["observed"] or {}).get("canary") == SHARE)

    _until(approved, f"the canary does not come to {SHARE} %", room)


def _until(true: Callable[[], Any], what: str, room: Path) -> Any:
    end = time.monotonic() + STARTS_S
    while time.monotonic() < end:
        with contextlib.suppress(Silent, CannotGoOn, OSError, ValueError, KeyError):
            found = true()
            if found:
                return found
        time.sleep(0.05)
    last = (room / "log").read_text(errors="replace").strip().splitlines()[-1:]
    raise CannotGoOn(f"{what} within {STARTS_S:g} s. {''.join(last)[:300]}")
