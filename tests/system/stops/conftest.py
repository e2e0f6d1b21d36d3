"""One real installation whose stops are tried: shop, splitter, traffic, governor and a backend.

The backend can fall ill (sick_backend.py) and its metrics come through cables that can be cut. The
state directory is a file system of its own where the tests run as root, so that its disk can be
filled up. A stop is always the command that a person types; when it took hold is read from the
governor's own spool, on the same clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.demo.summary import Reader
from hatchway.journal.sqlite_file import scan
from hatchway.rehearse.drill_demo import STEADY

HERE = Path(__file__).parent
HATCHWAY = (sys.executable, "-m", "hatchway")
WEIGHT = 5
DISK_MB = 160
NOTIFY = """
notify:
  pager:
    command:
      - sh
      - -c
      - 'if test -e notifier-down; then touch notifier-hung; exec sleep 8; else cat > /dev/null; fi'
    timeout: 6s
"""


class Cable:
    """Carries TCP connections on to another port until it is cut."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut = False
        self._closing = False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closing:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            if self.cut:
                return
            with socket.create_connection(("127.0.0.1", self._to), timeout=5) as far:
                other = {near: far, far: near}
                while not self.cut:
                    for end in select.select([near, far], [], [], 0.1)[0]:
                        data = end.recv(65_536)
                        if not data:
                            return
                        other[end].sendall(data)

    def close(self) -> None:
        self._closing = self.cut = True
        self._listener.close()


@dataclass(frozen=True)
class Tried:
    """A stop as it was seen from outside. Times in seconds from the start of the command."""

    status: int
    answer: dict[str, Any]
    words: str
    fence: float
    effect: float
    took: float
    entry: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def refused(self) -> bool:
        return not self.answer.get("ok")


class Stack:
    """The installation. `demo` has the socket calls of tests/system/conftest.py."""

    def __init__(self, demo: Any, cables: list[Cable]) -> None:
        self.demo = demo
        self.d: Path = demo.d
        self.cables = cables
        self.governor_process: subprocess.Popen[bytes] | None = None
        self.backend: subprocess.Popen[bytes] | None = None
        self._runs = 0
        self._tries = 0

    # --- processes --------------------------------------------------------------------------------

    def start_governor(self) -> None:
        self.governor_process = self.demo.spawn(
            "governor", *HATCHWAY, "governor", "--dir", str(self.d)
        )
        self.until(lambda: self.status()["observed"], "the governor has seen the target")

    def start_backend(self, *, sick: bool = True) -> None:
        """The real one; with `sick` it can fall ill."""
        (self.d / "backend.pid").unlink(missing_ok=True)
        argv = (sys.executable, str(HERE / "sick_backend.py")) if sick else (*HATCHWAY, "serve", "--dir")  # fmt: skip
        self.backend = self.demo.spawn("backend", *argv, str(self.d))
        self.until(lambda: (self.d / "backend.pid").exists() and self.demo.docs(), "the backend")

    def kill(self, process: subprocess.Popen[bytes] | None) -> None:
        assert process is not None
        process.kill()
        process.wait(10)

    # --- looking ----------------------------------------------------------------------------------

    def until(self, true: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        return self.demo.until(lambda _: true(), seconds, what)

    def status(self) -> dict[str, Any]:
        """What the governor says."""
        status: dict[str, Any] = self.demo.governor()
        return status

    def spool(self, after: int) -> list[dict[str, Any]]:
        answer = self.demo.ask("governor.sock", op="spool", service="shop", after=after)
        entries: list[dict[str, Any]] = answer["entries"]
        return entries

    def target(self) -> dict[str, Any]:
        """The target's own account: weights of both arms, and the commits that run there."""
        facts = self.demo.ask("demo.sock", op="status")
        commits = {arm: facts["arms"][arm].get("commit") for arm in ("stable", "canary")}
        return {"weights": self.weights(), "commits": commits}

    def weights(self) -> dict[str, int]:
        """What the splitter gives to each arm."""
        weights = {}
        for arm in ("stable", "canary"):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(str(self.d / "splitter.sock"))
                s.sendall(f"get weight be/{arm}\n".encode())
                weights[arm] = int(s.makefile().read().split()[0])
        return weights

    def journal(self) -> list[ev.Event | ev.Unknown]:
        return [h.event for h in Reader().read(scan(self.d / "journal.db"))]

    def journaled(self, reason: str) -> list[ev.AuthorityChanged]:
        """Changes of authority with this reason."""
        events = self.journal()
        return [e for e in events if isinstance(e, ev.AuthorityChanged) and e.reason == reason]

    def healthy(self) -> bool:
        """Backend and governor agree on who is in control, and the journal writes."""
        docs, status = self.demo.docs(), self.status()
        doc, system = docs["authority/shop"], docs["system"]
        same = (doc["mode"], doc["epoch"]) == (status["mode"], status["epoch"])
        return same and not system["journal_trouble"] and not system["governor_trouble"]

    # --- doing ------------------------------------------------------------------------------------

    def new_run(self) -> None:
        """Release a commit of its own, up to the canary's 5 %."""
        self._runs += 1
        facts = json.loads((self.d / "demo.json").read_text())
        git = ("git", "-C", str(self.d / "repo"), "-c", "user.name=t", "-c", "user.email=t@invalid")
        commit = subprocess.run(
            [*git, "commit-tree", f"{facts['release']}^{{tree}}", "-p", facts["release"], "-m",
             f"again {self._runs}"],
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        # What runs says that it is 1.5.0: the tag says so too, of this commit.
        subprocess.run([*git, "tag", "-f", "v1.5.0", commit], check=True, capture_output=True)
        answer = self.demo.ask(
            op="start", id=f"start-{self._runs}", service="shop", commit=commit,
            base=facts["stable"], mode="act", pace=10.0, seconds=20.0,
        )  # fmt: skip
        assert answer["ok"], answer
        self.demo.approve()
        self.until(lambda: self.status()["observed"]["canary"] == WEIGHT, "5 % for the canary", 120)

    def active(self) -> bool:
        """Whether a release is under way."""
        runs = [d for k, d in self.demo.docs().items() if k.startswith("run/")]
        return bool(runs) and runs[-1]["status"] != "ended"

    def give_back(self) -> None:
        """As a person does, through the backend."""
        if self.status()["mode"] == "agent":
            return
        self.until(self.healthy, "all is well again")
        said = self.demo.cli("resume", "--reason", "it was a test")
        assert said.returncode == 0, said.stdout + said.stderr
        self.until(self.healthy, "given back, and known to be")

    def set_weight(self, percent: int = WEIGHT) -> None:
        """A person's own change of the weight, at the governor."""
        self._tries += 1
        status = self.status()
        if status["observed"]["canary"] == percent:
            return
        answer = self.demo.ask(
            "governor.sock", op="apply", epoch=status["epoch"], key=f"by-hand-{self._tries}",
            canary=percent, by={"kind": "person", "name": status["holder"] or "ana"},
        )  # fmt: skip
        assert answer["ok"], answer

    def stop(self, verb: str, *options: str) -> Tried:
        """Type `hatchway VERB`, and see what came of it and when."""
        self._tries += 1
        reason = f"{verb} number {self._tries}"
        before = self.status()
        began = time.time()
        process = subprocess.Popen(
            [*HATCHWAY, verb, "shop", "--reason", reason, "--json", *options, "--dir", str(self.d)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        effect = 0.0
        while process.poll() is None:
            seen = self.status()
            if not effect and seen["epoch"] > before["epoch"]:
                done = verb != "rollback" or (seen["observed"] or {}).get("canary") == 0
                effect = time.time() - began if done else effect
            time.sleep(0.01)
        took = time.time() - began
        out, err = process.communicate()
        answer = json.loads(out) if out.strip() else {"ok": False, "why": err}
        after = self.status()
        # With a full disk the line is in the governor's memory until it can be written.
        found = self.demo.ask(
            "governor.sock", op="spool", service="shop", after=before["spool_seq"]
        )
        entries = [e for e in found["entries"] if e["reason"] == reason]
        entry = entries[0] if entries else {"at": after["since"], "reason": reason}
        return Tried(
            status=process.returncode, answer=answer, words=out + err, fence=entry["at"] - began,
            effect=effect or took, took=took, entry=entry, before=before,
            after=after,
        )  # fmt: skip


@contextlib.contextmanager
def disk_of_its_own() -> Iterator[Path]:
    """A folder, as root on a small file system of its own: one that can be filled up."""
    room = Path(tempfile.mkdtemp(prefix="hw-"))
    mounted = False
    if os.getuid() == 0:
        size = f"size={DISK_MB}m,mode=700"
        mount = ["mount", "-t", "tmpfs", "-o", size, "hatchway-test", str(room)]
        mounted = subprocess.run(mount, check=False).returncode == 0
    try:
        yield room
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(room)], check=False)
        shutil.rmtree(room, ignore_errors=True)


@contextlib.contextmanager
def installation(room: Path, start_plane: Callable[..., Any]) -> Iterator[Stack]:
    steady = room / "steady.yaml"
    steady.write_text(STEADY)
    demo = start_plane(room / "d", "--pipeline", str(steady), "--mode", "act", "--rate", "60")
    cables: list[Cable] = []
    try:
        demo.until(lambda d: json.loads((d.d / "demo.json").read_text())["stable"], 60, "the shop")
        config = demo.d / "config" / "hatchway.yaml"
        text, ports = config.read_text(), json.loads((demo.d / "demo.json").read_text())["ports"]
        for name in ("metrics", "stable", "canary"):
            cables.append(Cable(ports[name]))
            text = text.replace(f"127.0.0.1:{ports[name]}/", f"127.0.0.1:{cables[-1].port}/")
        config.write_text(text + NOTIFY)
        stack = Stack(demo, cables)
        stack.start_governor()
        stack.start_backend()
        yield stack
    finally:
        demo.stop()
        for cable in cables:
            cable.close()


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    with disk_of_its_own() as found:
        yield found


@pytest.fixture(scope="module")
def idle(room: Path, start_plane: Callable[..., Any]) -> Iterator[Stack]:
    """An installation in which nothing was ever released."""
    with installation(room, start_plane) as found:
        yield found


@pytest.fixture(scope="module")
def stack(room: Path, start_plane: Callable[..., Any]) -> Iterator[Stack]:
    """An installation at 5 % of a release; tests of one file share it, one after the other."""
    with installation(room, start_plane) as found:
        found.new_run()
        yield found
