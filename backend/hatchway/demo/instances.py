"""The shop's instances: one for each arm, started from a checkout of its commit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from hatchway.demo import repo
from hatchway.demo.launch import Child, Plant
from hatchway.demo.options import ARMS, FAULTS, Arm

READY_S = 20.0
STOP_S = 3.0
ERROR_RATE = 0.01  # what fails in production on a good day
WORK_MS = 20.0


class CannotStart(Exception):
    """An instance did not come up; the message says why."""


class Instance(NamedTuple):
    """A running shop."""

    arm: Arm
    commit: str
    version: str
    child: Child
    control: Path  # the Unix socket that switches its faults


class Instances:
    """Keeps each arm as it is wanted, and their faults as they are set."""

    def __init__(self, plant: Plant, repository: Path) -> None:
        self._plant = plant
        self._repo = repository
        self._running: dict[Arm, Instance] = {}
        self._locks = {arm: asyncio.Lock() for arm in ARMS}
        self._on: set[str] = set()
        self.onsets: dict[str, float] = {}

    def url(self, arm: Arm) -> str:
        """Where an arm is, or will be."""
        return f"http://127.0.0.1:{getattr(self._plant.ports, arm)}"

    def running(self) -> list[Instance]:
        """Those whose process lives."""
        return [instance for instance in self._running.values() if not instance.child.ended]

    @property
    def faults_on(self) -> list[str]:
        """Faults that are switched on."""
        return sorted(self._on)

    async def ensure(self, arm: Arm, commit: str) -> tuple[Instance, bool]:
        """Have this arm run this commit, and take traffic at it if it is in the splitter.

        Returns the instance and whether anything had to change. Raises CannotStart, RepoError.
        """
        full = await asyncio.to_thread(repo.resolve, self._repo, commit)
        async with self._locks[arm]:
            now = self._running.get(arm)
            if now is not None and now.commit == full and not now.child.ended:
                return now, False  # also with a fault: what was asked for runs
            place = await asyncio.to_thread(
                repo.checkout, self._repo, full, self._plant.directory / "work"
            )
            await self._stop(arm)
            instance = self._start(arm, full, place)
            self._running[arm] = instance
            await self._until_ready(instance)
            for name in sorted(self._on):
                if arm in FAULTS[name]:
                    await self._switch(instance, name, on=True)
            if arm != "staging":
                await self._point_splitter(arm)
            return instance, True

    async def stop(self, arm: Arm) -> bool:
        """Stop an arm; False when it was not running."""
        async with self._locks[arm]:
            return await self._stop(arm)

    async def fault(self, name: str, *, on: bool) -> list[Arm]:
        """Switch a fault; returns the arms that run and have it now. It stays for later ones."""
        (self._on.add if on else self._on.discard)(name)
        reached: list[Arm] = []
        for instance in self.running():
            if instance.arm in FAULTS[name]:
                await self._switch(instance, name, on=on)
                reached.append(instance.arm)
        return reached

    async def _switch(self, instance: Instance, name: str, *, on: bool) -> None:
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_unix_connection(str(instance.control))
                writer.write(f"{name} {'on' if on else 'off'}\n".encode())
                said = (await reader.readline()).decode().strip()
                writer.close()
        except OSError as error:
            said = f"it does not listen: {error or 'no answer'}"
        if said != "ok":
            raise CannotStart(f"{instance.arm} cannot switch {name}: {said}")
        if on:
            self.onsets.setdefault(name, time.time())

    def _start(self, arm: Arm, commit: str, place: Path) -> Instance:
        control = self._plant.directory / f"{arm}.ctl"
        control.unlink(missing_ok=True)
        arguments = ["-m", "shop", "--port", str(self._port(arm)), "--arm", arm]
        arguments += ["--control", str(control), "--seed", str(self._plant.options.seed)]
        if arm != "staging":  # a smoke test must not fail by bad luck
            arguments += ["--error-rate", str(ERROR_RATE), "--work-ms", str(WORK_MS)]
        child = self._plant.start(arm, arguments, cwd=place)
        version = (place / "VERSION").read_text().strip()
        return Instance(arm, commit, version, child, control)

    async def _until_ready(self, instance: Instance) -> None:
        until = time.monotonic() + READY_S
        while not await healthy(self._port(instance.arm)):
            if instance.child.ended:
                raise CannotStart(instance.child.how())
            if time.monotonic() > until:
                raise CannotStart(f"{instance.arm} was not healthy within {READY_S:g} s")
            await asyncio.sleep(0.02)
        if instance.child.ended:  # then somebody else has answered there
            raise CannotStart(instance.child.how())

    async def _point_splitter(self, arm: Arm) -> None:
        answer = await splitter(
            self._plant.directory, f"set server be/{arm} addr 127.0.0.1 port {self._port(arm)}"
        )
        if "by 'stats socket command'" not in answer:
            raise CannotStart(f"the splitter does not take {arm}: {answer.strip() or 'silence'}")

    async def _stop(self, arm: Arm) -> bool:
        instance = self._running.pop(arm, None)
        if instance is None:
            return False
        self._plant.children.pop(arm, None)
        await end_child(instance.child, STOP_S)
        return True

    def _port(self, arm: Arm) -> int:
        port: int = getattr(self._plant.ports, arm)
        return port


async def end_child(child: Child, patience_s: float) -> None:
    """Ask a process to stop, then kill it, and reap it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.ended:
            return
        with contextlib.suppress(OSError):
            os.kill(child.process.pid, number)
            os.kill(child.process.pid, signal.SIGCONT)  # one that is stopped hears nothing
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while not child.ended:  # noqa: ASYNC110  a process is no event
                    await asyncio.sleep(0.01)


async def healthy(port: int) -> bool:
    """Whether a shop answers 200 at /healthz."""
    with contextlib.suppress(OSError):
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
            try:
                return (await reader.readline()).split(b" ")[1:2] == [b"200"]
            finally:
                writer.close()
    return False


async def splitter(directory: Path, command: str, patience_s: float = 5.0) -> str:
    """The splitter's answer to a command; empty when it does not answer in time."""
    try:
        async with asyncio.timeout(patience_s):
            while True:
                try:
                    reader, writer = await asyncio.open_unix_connection(
                        str(directory / "splitter.sock"), limit=1 << 20
                    )
                except (FileNotFoundError, ConnectionRefusedError):  # it is only starting
                    await asyncio.sleep(0.02)
                    continue
                writer.write(f"{command}\n".encode())
                try:
                    return (await reader.read()).decode()
                finally:
                    writer.close()
    except OSError:
        return ""
