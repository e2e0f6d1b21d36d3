"""Runs the demo: keeps its processes, answers at demo.sock, switches faults, and stops it all.

A process that dies is not started again: a demo that hides deaths would show nothing. The backend
can be started again by hand (`hatchway serve`); it is found and stopped at the end all the same.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from hatchway.demo import repo, state_directory
from hatchway.demo.control import Answer, NoAnswer, ask_soon, listen, refusal
from hatchway.demo.instances import CannotStart, Instance, Instances, end_child, splitter
from hatchway.demo.launch import Plant
from hatchway.demo.options import ARMS, FAULTS
from hatchway.demo.repo import RepoError, ShopRepo
from hatchway.demo.schedule import Schedule
from hatchway.demo.sweep import sweep

Task = asyncio.Task[None]

SERVICE = "shop"
BACKEND_READY_S = 30.0
LOOK_S = 0.05  # how often the children are looked at
SCHEDULE_S = 0.25
STOP_S = 4.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CannotGoOn(Exception):
    """The demo ends with this message."""


TROUBLES = (CannotGoOn, CannotStart, NoAnswer, RepoError, OSError)


class Supervisor:
    """One running demo."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.options = plant.options
        self.directory = plant.directory
        self.instances = Instances(plant, plant.directory / "repo")
        self.shop: ShopRepo | None = None
        self.deaths: list[str] = []
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._running: list[Task] = []
        self._schedule = Schedule(self.options.faults)
        self._log_file = (self.directory / "log" / "demo.log").open("a", buffering=1)

    async def run(self) -> int:
        """Run until the dashboard is left, a headless run is over, or a signal; exit status."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._finish, 128 + number)
        status = 1
        try:
            server = await listen(self.directory / "demo.sock", self._answer)
            try:
                async with asyncio.TaskGroup() as tasks:
                    self._spawn(tasks, self._watch())
                    self._spawn(tasks, self._release(tasks))
                    status = await self._end
                    for task in self._running:
                        task.cancel()
            finally:
                server.close()
        except* TROUBLES as troubles:
            self._log(_first(troubles))
            _say(f"hatchway demo: {_first(troubles)}")
        finally:
            await self._stop()
        for death in self.deaths:
            _say(f"hatchway demo: while it ran, {death}")
        return status

    def _spawn(self, tasks: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> Task:
        """Start something that is cancelled when the demo ends."""
        task = tasks.create_task(work, name=getattr(work, "__name__", None))
        self._running.append(task)
        return task

    # --- starting ----------------------------------------------------------------------------

    async def _release(self, tasks: asyncio.TaskGroup) -> None:
        """The repository, the shop in production, customers, and the release of the next version."""
        self.shop = shop = await asyncio.to_thread(self._repository)
        for name in self._schedule.at_start():
            await self.instances.fault(name, on=True)
        ready = self._spawn(tasks, self._open_shop(shop))
        self._spawn(tasks, self._faults())
        if self.options.plane_only:
            return
        await self._start_run(shop)
        await ready
        if self.options.headless:
            self._spawn(tasks, self._headless())

    def _repository(self) -> ShopRepo:
        path = self.directory / "repo"
        if not path.exists():
            broken = any(fault.name == "test-fails" for fault in self.options.faults)
            return repo.create(path, broken=broken)
        return ShopRepo(path, repo.resolve(path, "main"), repo.resolve(path, repo.RELEASE_BRANCH))

    async def _open_shop(self, shop: ShopRepo) -> None:
        await self.instances.ensure("stable", shop.stable)
        arguments = ["-S", "-m", "hatchway.demo.load", "--port", str(self.plant.ports.front)]
        arguments += ["--rate", f"{self.options.rate:g}", "--seed", str(self.options.seed)]
        arguments += ["--sweep", str(self.directory)]
        self.plant.start("load", [*arguments, "--socket", str(self.directory / "load.sock")])
        self._write_facts()
        self._log("the shop is open")

    async def _start_run(self, shop: ShopRepo) -> None:
        """Ask for the release until a backend has it: one that is killed may be started again."""
        command = self.directory / "command.sock"
        backend = self.plant.children["backend"]
        request = {
            **{"op": "start", "id": f"demo-{os.urandom(6).hex()}", "service": SERVICE},
            **{"commit": shop.release, "base": shop.stable},
            **{"mode": self.options.mode, "pace": self.options.pace},
        }
        until = time.monotonic() + BACKEND_READY_S
        while True:
            try:
                said = await ask_soon(command, request, timeout_s=15.0)
                break
            except NoAnswer:
                gave_up = backend.ended and (backend.process.returncode or 0) >= 0
                if gave_up or time.monotonic() > until:
                    why = backend.how() if backend.ended else "the backend does not answer"
                    raise CannotGoOn(
                        f"{why}. Its log is {backend.log} (--keep keeps it)."
                    ) from None
            await asyncio.sleep(0.02)
        if not said.get("ok"):
            raise CannotGoOn(f"the backend refuses the release: {said.get('why', said)}")
        self._log(f"the release has started: {said.get('said', '')}")

    # --- while it runs -------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Notice children that end; the dashboard's end is the demo's."""
        known: set[str] = set()
        while True:
            for child in tuple(self.plant.children.values()):
                if not child.ended:
                    known.discard(child.name)
                elif child.name == "dashboard":
                    self._finish(child.process.returncode)
                elif child.name not in known:
                    known.add(child.name)
                    self.deaths.append(child.how())
                    self._log(child.how())
            await asyncio.sleep(LOOK_S)

    async def _faults(self) -> None:
        """Switch on what waits for the canary's traffic or for a stage."""
        while self._schedule.waits_for_stage or self._schedule.waits_for_traffic:
            due: list[str] = []
            if self._schedule.waits_for_traffic and await self._canary_has_traffic():
                due += self._schedule.at_traffic()
            if self._schedule.waits_for_stage:
                with suppress(NoAnswer):
                    answer = await ask_soon(self.directory / "command.sock", {"op": "status"})
                    due += self._schedule.at_documents(answer.get("docs", {}))
            for name in due:
                await self._fault(name, on=True)
            await asyncio.sleep(SCHEDULE_S)

    async def _canary_has_traffic(self) -> bool:
        answer = await splitter(self.directory, "show stat be 4 2")
        head, _, row = answer.partition("\n")
        facts = dict(zip(head.removeprefix("# ").split(","), row.split(","), strict=False))
        return facts.get("stot", "0") not in ("", "0")

    async def _fault(self, name: str, *, on: bool) -> list[str]:
        """Switch a fault; an instance that is down or hung is no reason to end the demo."""
        try:
            reached = await self.instances.fault(name, on=on)
        except CannotStart as error:
            self._log(str(error))
            return []
        self._log(f"fault {name} {'on' if on else 'off'} at {', '.join(reached) or 'nobody yet'}")
        return [*reached]

    async def _headless(self) -> None:
        from hatchway.demo import headless  # noqa: PLC0415  only here

        await asyncio.to_thread(
            headless.run,
            self.directory,
            approve_auto=self.options.approve == "auto",
            say=lambda text: _print(text, to_stderr=self.options.json),
            stopped=self._end.done,
        )
        if self._end.done():
            return
        onset = min(self.instances.onsets.values(), default=None)
        bad = await self._bad_requests(onset)
        found, status = await asyncio.to_thread(
            headless.summary,
            self.directory,
            faults=[fault.name for fault in self.options.faults],
            mode=self.options.mode,
            fault_on_at=onset,
            bad_requests=bad,
            target_writes=await self._target_writes(),
        )
        if self.options.json:
            import json  # noqa: PLC0415  only here

            _print(json.dumps(found))
        else:
            _print(f"outcome: {found['outcome']} ({'as' if status == 0 else 'not as'} intended)")
        self._finish(status)

    async def _bad_requests(self, since: float | None) -> int:
        """What customers were answered badly: from the fault on, or in all without one."""
        answer = await ask_soon(self.directory / "load.sock", {"op": "stats", "since": since or 0})
        return int(answer["bad_since"])

    async def _target_writes(self) -> dict[str, int]:
        governor = self.directory / "governor.sock"
        status = (await ask_soon(governor, {"op": "status", "service": SERVICE})).get("status", {})
        return {by: int(status.get(f"{by}_writes", 0)) for by in ("agent", "person")}

    # --- demo.sock ---------------------------------------------------------------------------

    async def _answer(self, request: dict[str, Any]) -> Answer:
        """Answer one request at demo.sock."""
        arm: Any = request.get("arm")
        op = request["op"]
        if op in ("ensure", "stop") and arm not in ARMS:
            return refusal("bad_request", f"there is no arm {arm!r}", f"use {', '.join(ARMS)}")
        match op:
            case "ensure":
                return await self._ensure(arm, request.get("commit"))
            case "stop":
                return {"ok": True, "changed": await self.instances.stop(arm)}
            case "fault":
                return await self._switch(request.get("name"), request.get("on"))
            case "status":
                return {"ok": True, **self.facts()}
        return refusal("bad_request", f"there is no op {op!r}", "use ensure, stop, fault, status")

    async def _ensure(self, arm: Any, commit: Any) -> Answer:
        if not commit and arm == "stable" and self.shop is not None:
            commit = self.shop.stable
        if not isinstance(commit, str) or not commit:
            return refusal("bad_request", "which commit?", 'send "commit": "..."')
        try:
            instance, changed = await self.instances.ensure(arm, commit)
        except (CannotStart, RepoError) as error:
            self._log(f"{arm}: {error}")
            return refusal("cannot_start", str(error), f"look into {self.directory}/log")
        if changed:
            self._write_facts()
            self._log(f"{arm} runs {instance.version} ({instance.commit[:7]})")
        return {"ok": True, "changed": changed, **self._about(instance)}

    async def _switch(self, name: Any, on: Any) -> Answer:
        if name not in FAULTS or not isinstance(on, bool):
            return refusal("bad_request", f"there is no fault {name!r}", f"use {', '.join(FAULTS)}")
        if name == "test-fails":
            why = "test-fails is in the commit that is released."
            return refusal("not_now", why, "start the demo with --fault test-fails")
        reached = await self._fault(name, on=on)
        where = f"at {' and '.join(reached)}" if reached else "no instance has it yet"
        return {"ok": True, "arms": reached, "said": f"{name} is {'on' if on else 'off'}: {where}"}

    def facts(self) -> dict[str, Any]:
        """What runs where; also written to D/demo.json."""
        ports = self.plant.ports
        running = {instance.arm: self._about(instance) for instance in self.instances.running()}
        arms = {arm: running.get(arm, {"url": self.instances.url(arm)}) for arm in ARMS}
        children = self.plant.children.values()
        return {
            "pid": os.getpid(),
            "directory": str(self.directory),
            "url": f"http://127.0.0.1:{ports.front}",
            "ports": ports._asdict(),
            "arms": arms,
            "pids": {c.name: c.process.pid for c in children if not c.ended},
            "stable": self.shop.stable if self.shop else "",
            "release": self.shop.release if self.shop else "",
            "faults": self.instances.faults_on,
            "onsets": self.instances.onsets,
            "deaths": self.deaths,
        }

    def _about(self, instance: Instance) -> dict[str, Any]:
        return {
            "url": self.instances.url(instance.arm),
            "version": instance.version,
            "commit": instance.commit,
            "pid": instance.child.process.pid,
        }

    def _write_facts(self) -> None:
        state_directory.write_json(self.directory / "demo.json", self.facts())

    # --- ending --------------------------------------------------------------------------------

    def _finish(self, status: int) -> None:
        if not self._end.done():
            self._end.set_result(status)

    async def _stop(self) -> None:
        """Stop everything: what makes traffic and decisions first, then what serves."""
        children = self.plant.children
        for names in (("dashboard", "load", "backend"), tuple(children)):
            async with asyncio.TaskGroup() as tasks:
                for name in names:
                    if name in children:
                        tasks.create_task(end_child(children[name], STOP_S))
        left = await asyncio.to_thread(sweep, self.directory)
        if left:
            _say(f"hatchway demo: could not stop {', '.join(map(str, left))}")
        os.close(self.plant.pulse)
        self._log_file.close()
        if self.options.keep:
            (self.directory / state_directory.TEMPORARY).unlink(missing_ok=True)
            _say(f"hatchway demo: kept {self.directory}")
        with suppress(OSError):
            (self.directory / "demo.sock").unlink()
        state_directory.forget(self.directory)

    def _log(self, text: str) -> None:
        self._log_file.write(f"{time.strftime('%H:%M:%S')} {text}\n")


def supervise(plant: Plant) -> int:
    """Run the demo that was launched; the exit status."""

    async def run() -> int:
        return await Supervisor(plant).run()

    return asyncio.run(run())


def _first(troubles: BaseExceptionGroup[BaseException]) -> str:
    found: BaseException = troubles
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return str(found)


def _print(text: str, *, to_stderr: bool = False) -> None:
    with suppress(OSError):  # a terminal that is gone is no reason to leave processes behind
        print(text, file=sys.stderr if to_stderr else sys.stdout, flush=True)


def _say(text: str) -> None:
    _print(text, to_stderr=True)
