"""The demo's state directory: made, filled with the shipped configuration, pointed at, removed."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import hatchway
from hatchway.cli.where import demo_pointers

TEMPORARY = "temporary"  # a file that says: remove this directory at the end
LONGEST_PATH = 80  # so that every socket's path stays below 100 bytes
SHIPPED_MODE = "    mode: recommend "
SHIPPED_PORTS = {"metrics": 8100, "stable": 8101, "canary": 8102}


class BadDirectory(Exception):
    """The directory cannot be used; the message says why and what to do."""


class Ports(NamedTuple):
    """Where everything listens on 127.0.0.1."""

    front: int
    metrics: int
    stable: int
    canary: int
    staging: int


def shipped() -> Path:
    """The configuration that comes with Hatchway: installed, or in a checkout.

    `settings.shipped()` says the same, but loads YAML before the first process is started.
    """
    package = Path(hatchway.__file__).parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent.parent / "config"


def make(wanted: Path | None) -> Path:
    """The directory to use, made if need be; without `wanted` a fresh one. Raises BadDirectory."""
    if wanted is None:
        directory = Path(tempfile.mkdtemp(prefix="d-", dir=_private_place()))
        (directory / TEMPORARY).touch()
    else:
        directory = wanted.expanduser().absolute()
        if len(os.fsencode(directory)) > LONGEST_PATH:
            raise BadDirectory(f"{directory} is too long for sockets in it; use a shorter --dir.")
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BadDirectory(f"cannot make {directory}: {error.strerror}.") from error
    (directory / "log").mkdir(exist_ok=True)
    return directory


def lock(directory: Path) -> int:
    """Claim the directory for this process; returns the lock, to be kept open. BadDirectory."""
    held = os.open(directory / "demo.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise BadDirectory(
            f"a demo is running in {directory} already. Stop it first, or use another --dir."
        ) from None
    return held


def _private_place() -> Path:
    """A directory of our own below /tmp: short, and nobody else may put anything into it."""
    place = Path(f"/tmp/hatchway-{os.getuid()}")  # noqa: S108  checked below
    place.mkdir(mode=0o700, exist_ok=True)
    about = place.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o022:
        raise BadDirectory(f"{place} is not a directory of yours alone; use --dir.")
    return place


def reserve() -> tuple[Ports, list[socket.socket]]:
    """Choose free ports, and the sockets that keep them from others until they are closed.

    A bound socket that does not listen refuses connections, and lets another socket with
    SO_REUSEADDR, as asyncio's servers have it, listen on its port.
    """
    held = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in Ports._fields]
    for sock in held:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
    return Ports(*(sock.getsockname()[1] for sock in held)), held


def configure(
    directory: Path, ports: Ports, mode: Literal["act", "recommend"], pipeline: Path | None
) -> None:
    """Write D/config with the real ports and mode, and the governor's own configuration.

    `pipeline` is a file to use instead of the shipped pipeline.
    """
    config = directory / "config"
    shutil.copytree(shipped(), config, dirs_exist_ok=True)
    if pipeline is not None:
        shutil.copyfile(pipeline, config / "pipelines" / "shop.yaml")
    policy = config / "policy.yaml"
    rules = policy.read_text()
    if rules.count(SHIPPED_MODE) != 1:
        raise BadDirectory(f"{shipped()}/policy.yaml must have '{SHIPPED_MODE}' exactly once.")
    policy.write_text(rules.replace(SHIPPED_MODE, f"    mode: {mode} "))
    path = config / "hatchway.yaml"
    text = path.read_text()
    for name, was in SHIPPED_PORTS.items():
        old, new = f"127.0.0.1:{was}/", f"127.0.0.1:{getattr(ports, name)}/"
        if text.count(old) != 1:
            raise BadDirectory(f"{shipped()}/hatchway.yaml must name {old} exactly once.")
        text = text.replace(old, new)
    path.write_text(text)
    target = {"kind": "haproxy", "socket": "splitter.sock", "backend": "be"}
    # In recommend mode the agent has no way to write: not by policy, but by the governor.
    service = {"target": target, "agent_may_write": mode == "act"}
    write_json(directory / "governor.json", {"services": {"shop": service}})


def write_json(path: Path, document: object) -> None:
    """Write a file that is never seen half-written."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(document, indent=1) + "\n")
    new.replace(path)


def point_at(directory: Path) -> None:
    """Tell the command line where this demo is (see cli/where.py)."""
    place = Path(demo_pointers()[0])
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = place.parent / f".demo-{os.getpid()}"  # seen only when it is whole
    new.write_text(f"{directory}\n")
    new.replace(place / str(os.getpid()))


def forget(directory: Path) -> None:
    """Take the pointer back, and remove the directory if it is a temporary one."""
    for place in demo_pointers():
        for pointer in Path(place).glob("*"):
            with suppress(OSError, ValueError):
                if pointer.read_text().strip() == str(directory):
                    pointer.unlink()
    if (directory / TEMPORARY).exists():
        shutil.rmtree(directory, ignore_errors=True)
