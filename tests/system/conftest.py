"""The real thing: `hatchway demo` as a process of its own, on loopback, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hatchway.conductor.live import Live
from hatchway.demo.summary import Reader
from hatchway.edge.protocol import RunDoc
from hatchway.edge.views import run_doc
from hatchway.edge.words import line_of
from hatchway.journal.sqlite_file import scan

HATCHWAY = (sys.executable, "-m", "hatchway")


def wait_for(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll until it is true; a readable failure when it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError, LookupError):
            found = true()
            if found:
                return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:g} s: {what}")


@dataclass
class Demo:
    """A running demo. `d` is its state directory."""

    d: Path
    process: subprocess.Popen[bytes]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def ask(self, sock: str = "command.sock", seconds: float = 5.0, **request: Any) -> Any:
        """One JSON line to a socket of the demo, and its answer."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(seconds)
            s.connect(str(self.d / sock))
            s.sendall(json.dumps(request).encode() + b"\n")
            with s.makefile("rb") as lines:
                return json.loads(lines.readline())

    def docs(self) -> dict[str, Any]:
        """All documents, as a dashboard would see them."""
        answer = self.ask(op="status")
        assert answer["ok"], answer
        docs: dict[str, Any] = answer["docs"]
        return docs

    def run_doc(self) -> Any:
        """The newest run."""
        return [doc for key, doc in self.docs().items() if key.startswith("run/")][-1]

    def ended(self, seconds: float = 60.0) -> tuple[RunDoc, list[str]]:
        """Wait for the demo's own end; the run as a dashboard would show it, and the audit."""
        self.process.wait(seconds)
        reader = Reader()
        happened = reader.read(scan(self.d / "journal.db"))
        run = list(reader.state.runs.values())[-1]
        authority = reader.state.authority_of(run.service)
        lines = [line_of(h.record, h.event) for h in happened]
        doc = run_doc(run, authority, Live(), time.time())
        return doc, [f"{line.who}: {line.text}" for line in lines if line is not None]

    def governor(self) -> Any:
        """The governor's status."""
        return self.ask("governor.sock", op="status")["status"]

    def pid(self, name: str) -> int:
        """The pid of the backend or of one of the demo's own processes."""
        if name == "backend":
            return int((self.d / "backend.pid").read_text())
        return int(json.loads((self.d / "demo.json").read_text())["pids"][name])

    def cli(self, *words: str, seconds: float = 30.0) -> subprocess.CompletedProcess[str]:
        """`hatchway ...` on this demo."""
        return subprocess.run(
            [*HATCHWAY, *words, "--dir", str(self.d)],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def serve(self) -> subprocess.Popen[bytes]:
        """A new backend, as a person would start it."""
        with open(self.d / "log" / "serve-again.log", "ab") as log:
            process = subprocess.Popen(
                [*HATCHWAY, "serve", "--dir", str(self.d)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def until(self, true: Callable[[Demo], Any], seconds: float, what: str) -> Any:
        """Poll something about this demo."""
        return wait_for(lambda: true(self), seconds, what)

    def until_weight(self, weight: int, seconds: float = 120.0) -> None:
        """Until the target has this share."""
        self.until(
            lambda d: d.governor()["observed"]["canary"] == weight, seconds, f"weight {weight}"
        )

    def approve(self, seconds: float = 120.0) -> str:
        """Wait for the release's approval to be asked for, and give it."""

        def accepted(d: Demo) -> str:
            items = d.docs()["needs-you"]["items"]
            item = next((i for i in items if i["kind"] == "approval"), None)
            if item is None:
                return ""
            answer = d.ask(op="accept", id=f"yes-{item['id']}", item=item["id"])
            return str(item["id"]) if answer["ok"] else ""

        return str(self.until(accepted, seconds, "an approval to give"))


def left_over(d: Path) -> list[str]:
    """Processes that still have the demo's directory in their command line, environment or cwd."""
    found = []
    for proc in Path("/proc").iterdir():
        if not proc.name.isdigit() or int(proc.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            said = (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
            cwd = os.readlink(proc / "cwd")
            if os.fsencode(d) in said or cwd.startswith(str(d)):
                found.append(f"{proc.name} {(proc / 'cmdline').read_bytes()!r}")
    return found


@pytest.fixture
def demo_dir() -> Iterator[Path]:
    d = Path(tempfile.mkdtemp(prefix="hw-"))
    yield d
    shutil.rmtree(d, ignore_errors=True)


@pytest.fixture
def start_demo(demo_dir: Path) -> Iterator[Callable[..., Demo]]:
    """Start `hatchway demo --headless ...` and stop it afterwards; nothing may be left over."""
    demos: list[Demo] = []

    def start(*options: str) -> Demo:
        d = demo_dir / f"d{len(demos)}"
        with open(f"{d}.out", "wb") as out, open(f"{d}.err", "wb") as err:
            process = subprocess.Popen(
                [*HATCHWAY, "demo", "--dir", str(d), "--headless", *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        demo = Demo(d, process)
        demos.append(demo)
        return demo

    yield start
    for demo in demos:
        demo.process.send_signal(signal.SIGTERM)
        try:
            demo.process.wait(20)
        except subprocess.TimeoutExpired:
            demo.process.kill()
            demo.process.wait(5)
        for process in demo.started:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            process.wait(10)
        wait_for(lambda d=demo.d: not left_over(d), 15, f"no process left of {demo.d}")


@pytest.fixture
def headless(demo_dir: Path) -> Callable[..., tuple[dict[str, Any], int]]:
    """Run a demo to its end; its summary and its exit status."""

    def run(*options: str, seconds: float = 240.0) -> tuple[dict[str, Any], int]:
        process = subprocess.run(
            [*HATCHWAY, "demo", "--dir", str(demo_dir / "d"), "--headless", "--json", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert process.stdout.strip(), process.stderr[-3000:]
        return json.loads(process.stdout.strip().splitlines()[-1]), process.returncode

    return run
