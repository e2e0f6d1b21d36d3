"""kill -9 of real processes: nothing doubled, nothing without an intent, a stop is still there.

The governor and the demo's splitter are the real processes; the backend is the real conductor over
the real journal (kill_backend.py), without stages that take time. tests/system/test_crash.py kills
the whole demo.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.journal.chain import Verified, verify
from hatchway.journal.port import JournalError
from hatchway.journal.sqlite_file import scan

KILLS = int(os.environ.get("HATCHWAY_KILLS", "300"))
PARTS = 2
STOP_EVERY = 6
PATIENCE_S = 60.0
BACKEND = Path(__file__).parent / "kill_backend.py"


def until(true: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := true():
                return found
        except (OSError, ValueError, KeyError, JournalError):
            pass
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def ask(path: Path, **request: Any) -> dict[str, Any]:
    """One JSON line to the governor."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(10)
        link.connect(str(path))
        link.sendall(json.dumps(request).encode() + b"\n")
        with link.makefile("rb") as lines:
            answer: dict[str, Any] = json.loads(lines.readline())
            return answer


class Wire(threading.Thread):
    """Between the governor and the splitter: writes down each command that changes a weight."""

    def __init__(self, path: Path, splitter: Path) -> None:
        super().__init__(daemon=True)
        self.sets: list[tuple[float, str, int]] = []  # when (wall clock), arm, weight
        self._splitter = splitter
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._closed = False

    def run(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            with link:
                link.settimeout(5)
                try:
                    self._carry(link)
                except OSError:
                    continue  # one of the two is being killed

    def _carry(self, link: socket.socket) -> None:
        line = b""
        while not line.endswith(b"\n"):
            part = link.recv(4096)
            if not part:
                return
            line += part
        words = line.split()
        if words[:2] == [b"set", b"server"]:
            arm = words[2].partition(b"/")[2].decode()
            self.sets.append((time.time(), arm, int(words[4])))
        with socket.socket(socket.AF_UNIX) as there:
            there.settimeout(5)
            there.connect(str(self._splitter))
            there.sendall(line)
            there.shutdown(socket.SHUT_WR)
            while part := there.recv(65536):
                link.sendall(part)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


class Rig:
    """The three processes, and what a person does at the governor's socket."""

    def __init__(self, d: Path) -> None:
        self.d = d
        self.socket = d / "governor.sock"
        target = {"kind": "haproxy", "socket": "wire.sock"}
        doc = {"services": {"shop": {"target": target}}, "lease_s": 60.0}
        (d / "governor.json").write_text(json.dumps(doc))
        self.wire = Wire(d / "wire.sock", d / "splitter.sock")
        self.wire.start()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        try:
            self._begin()
        except BaseException:
            self.close()  # else what has started is left running
            raise

    def _begin(self) -> None:
        d = self.d
        ports = [str(free_port()) for _ in range(4)]
        words = zip(("--port", "--metrics", "--stable", "--canary"), ports, strict=True)
        options = [word for pair in words for word in pair]
        socket_ = ["--socket", str(d / "splitter.sock")]
        self._start("splitter", "-m", "hatchway.demo.splitter", *socket_, *options)
        until((d / "splitter.sock").exists, "the splitter listens")
        self.start("governor")
        until(lambda: self.status()["observed"], "the governor has read its target")
        self.start("backend")

    def start(self, name: str) -> None:
        if name == "governor":
            self._start(name, "-S", "-m", "hatchway.governor", "--dir", str(self.d))
        else:
            self._start(name, str(BACKEND), str(self.d))

    def _start(self, name: str, *words: str) -> None:
        import hatchway

        path = str(Path(hatchway.__file__).parent.parent)
        with (self.d / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, *words],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self, *names: str) -> None:
        for name in names:
            self.running[name].send_signal(signal.SIGKILL)
        for name in names:
            self.running[name].wait(10)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = ask(self.socket, op="status", service="shop")["status"]
        return status

    def say(self, op: str, id_: str) -> dict[str, Any]:
        """Said until it is answered: the governor may be starting."""
        request = {"op": op, "service": "shop", "id": id_, "by": "ana", "reason": "a drill"}
        return dict(until(lambda: ask(self.socket, **request, direct=True), f"{op} is answered"))

    def put_back(self) -> None:
        """A stop in the midst of a change downwards leaves less than is wanted. It is called drift,
        and holds the release until a person puts it back.
        """
        try:
            status = self.status()
        except (OSError, ValueError, KeyError):
            return
        if status["drift"] and status["mode"] == "agent":
            share = status["desired"]["canary"]
            for arm, weight in (("stable", 100 - share), ("canary", share)):
                with socket.socket(socket.AF_UNIX) as link:
                    link.connect(str(self.d / "splitter.sock"))
                    link.sendall(f"set server be/{arm} weight {weight}\n".encode())
                    link.recv(100)

    def goes_on(self) -> None:
        """Wait until the backend has journaled something: on a busy machine it starts slowly."""
        before, end = self._written(), time.monotonic() + 10.0
        while self._written() == before and time.monotonic() < end:
            time.sleep(0.01)

    def _written(self) -> list[tuple[int, int]]:
        written = []
        for path in sorted(self.d.glob("journal.db*")):
            with contextlib.suppress(FileNotFoundError):  # SQLite has just taken it away
                stat = path.stat()
                written.append((stat.st_size, stat.st_mtime_ns))
        return written

    def events(self) -> list[tuple[float, Any]]:
        records = scan(self.d / "journal.db")
        return [(r.at, ev.decode(r.kind, r.payload)) for r in records]

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(10)
        self.wire.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    d = Path(tempfile.mkdtemp(prefix="hw-"))
    made = Rig(d)
    yield made
    made.close()
    shutil.rmtree(d)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_kill_9_doubles_nothing_and_forgets_no_stop(
    rig: Rig,
    part: int,
    bar: Callable[[str, str, str], None],
    summed: Callable[[str, int, dict[str, float]], dict[str, float] | None],
) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    dice = random.Random(seed)
    kills = stops = 0
    while kills < KILLS / PARTS:
        # Over two orders of magnitude: start-up and quiet moments are hit alike.
        rig.put_back()
        if dice.random() < 0.5:
            rig.goes_on()
        time.sleep(10 ** dice.uniform(-2.0, 0.0))
        names = dice.choice((("backend",), ("governor",), ("backend", "governor"), ("backend",)))
        if kills % STOP_EVERY == STOP_EVERY - 1:
            stops += 1
            stop_and_kill(rig, dice.choice(("pause", "takeover")), stops, names)
        else:
            rig.kill(*names)
            for name in names:
                rig.start(name)
        kills += len(names)
        for name, process in rig.running.items():
            log = (rig.d / f"{name}.log").read_text()[-2000:]
            assert process.poll() is None, f"the {name} ended by itself:\n{log}"
    (rig.d / "enough").touch()
    until(lambda: settled(rig), "the last release ends")
    found = check(rig, stops)
    total = summed("kills", PARTS, {"kills": kills, "stops": stops, **found})
    if total is not None:
        figure = (
            f"{total['kills']:.0f} kills, {total['stops']:.0f} stops held, {total['runs']:.0f} "
            f"releases, {total['raises']:.0f} raises at the target, 0 doubled"
        )
        bar("kill -9", figure, ">= 300 kills, 0 doubled, 0 without an intent")


def stop_and_kill(rig: Rig, op: str, number: int, names: tuple[str, ...]) -> None:
    """A stop is answered, and everybody dies: it is still there, until it is given back."""
    answer = rig.say(op, f"{op}-{number}")
    answered = time.time()
    assert answer["ok"], answer
    assert answer.get("durable", True), answer
    rig.kill(*names)
    for name in names:
        rig.start(name)
    status = until(rig.status, "the governor answers")
    assert (status["mode"], status["holder"]) == (answer["mode"], "ana")
    assert status["epoch"] == answer["epoch"]
    time.sleep(0.05)
    after = [s for s in rig.wire.sets if s[0] > answered and s[1] == "canary"]
    share = answer["desired"]["canary"]
    assert all(weight <= share for _, _, weight in after), f"{answer}: {after}"
    released = rig.say("release", f"release-{number}")
    assert released["ok"], released


def settled(rig: Rig) -> bool:
    rig.put_back()
    ends = Counter(type(e).__name__ for _, e in rig.events())
    return ends["RunStarted"] == ends["RunEnded"] > 0


def check(rig: Rig, stops: int) -> dict[str, int]:
    """What must hold of the journal and of what reached the target."""
    assert isinstance(verify(scan(rig.d / "journal.db")), Verified)
    events = rig.events()
    intents: dict[str, int] = {}
    steps: dict[str, list[int]] = {}
    allowed: list[tuple[float, int]] = []  # when a raise was intended, to what
    for at, event in events:
        match event:
            case ev.EffectIntended():
                assert event.key not in intents, f"{event.key} was intended twice"
                intents[event.key] = event.weight
                allowed.append((at, event.weight))
            case ev.EffectVerified():
                assert event.key in intents, f"{event.key} happened without an intent"
            case ev.StepEntered():
                steps.setdefault(event.run, []).append(event.step)
            case ev.RunEnded():
                assert event.outcome == "promoted", event
    for run, entered in steps.items():
        assert entered == list(range(len(entered))), f"run {run}: {entered}"
    for kind in (ev.StageStarted, ev.StageEnded):
        stages = Counter((e.run, e.stage) for _, e in events if isinstance(e, kind))
        assert set(stages.values()) <= {1}, stages
    changes = Counter(
        e.command for _, e in events if isinstance(e, ev.AuthorityChanged) and e.op != "adopted"
    )
    assert set(changes.values()) <= {1}, changes
    assert len(changes) == 2 * stops, f"{stops} stops, each given back: {changes}"
    raises, has = 0, 0
    used: Counter[int] = Counter()
    for at, arm, weight in rig.wire.sets:
        if arm != "canary":
            continue
        if weight > has:
            raises += 1
            used[weight] += 1
            intended = sum(1 for when, share in allowed if share == weight and when <= at)
            assert intended, f"{weight} % reached the target without an intent"
            assert used[weight] <= intended, f"{weight} % was done {used[weight]} times"
        has = weight
    return {"runs": len(steps), "raises": raises}
