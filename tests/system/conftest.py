"""The real thing: `hatchway demo` as a process of its own, on loopback, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from hatchway.conductor.live import Live
from hatchway.demo.summary import Reader
from hatchway.edge.protocol import RunDoc
from hatchway.edge.views import run_doc
from hatchway.edge.words import line_of
from hatchway.journal.sqlite_file import scan
from hatchway.settings.load import shipped

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


class Screen(pyte.Screen):
    """A screen that counts how often it rang."""

    bells = 0

    def bell(self, *_: Any) -> None:
        self.bells += 1


class Terminal:
    """A command in a real terminal that is read all the time and replayed to a screen by pyte."""

    def __init__(self, argv: Sequence[str], width: int, height: int, **environ: str) -> None:
        kept = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "COLORFGBG"}}
        kept |= {"TERM": "xterm-256color"}
        self.child = pexpect.spawn(
            argv[0], list(argv[1:]), dimensions=(height, width), env=kept | environ
        )
        self.child.delaybeforesend = None
        self.pid: int = self.child.pid
        self._screen = Screen(width, height)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._closing = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        fd, closing = self.child.child_fd, self._closing[0]
        while True:
            ready, _, _ = select.select([fd, closing], [], [])
            if closing in ready:
                return
            try:
                data = os.read(fd, 65_536)
            except OSError:  # the other end has been closed by all who had it
                return
            if not data:
                return
            with self._lock:  # pyte does not know the kitty protocol
                self._stream.feed(data.replace(b"\x1b[<u", b""))

    @property
    def text(self) -> str:
        """What is on the screen now."""
        with self._lock:
            return "\n".join(self._screen.display)

    @property
    def bells(self) -> int:
        """How often it rang."""
        return self._screen.bells

    @property
    def first_row(self) -> str:
        """Who is in control, and whether the data are live."""
        return self.text.partition("\n")[0]

    def until(self, *words: str, seconds: float = 60.0) -> float:
        """Wait until all the words are on the screen; the seconds it took."""
        began = time.monotonic()
        try:
            wait_for(lambda: all(word in self.text for word in words), seconds, repr(words))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text}") from None
        return time.monotonic() - began

    def press(self, keys: str) -> None:
        """Keys of the keyboard, one after the other as a person types: guarded keys insist on it."""
        for key in keys:
            time.sleep(0.1)
            os.write(self.child.child_fd, key.encode())

    def ended(self, seconds: float = 30.0) -> int:
        """Wait for the command's end: its exit status, or minus the signal's number."""
        wait_for(lambda: not self.child.isalive(), seconds, f"{self.pid} ends\n{self.text}")
        status = self.child.exitstatus
        return int(status) if status is not None else -int(self.child.signalstatus)

    def cut(self) -> None:
        """Close the terminal, as when its window is closed: what runs in it gets SIGHUP."""
        if self.child.closed:
            return
        os.write(self._closing[1], b"x")
        self._reader.join(10)
        self.child.ptyproc.fileobj.close()
        self.child.closed = True

    def close(self) -> None:
        """Cut it, and kill what would not go."""
        self.cut()
        with contextlib.suppress(AssertionError):
            self.ended(15)
        with contextlib.suppress(ProcessLookupError):
            if self.child.isalive():
                os.kill(self.pid, signal.SIGKILL)
        for end in self._closing:
            os.close(end)


@dataclass
class Demo:
    """A running demo. `d` is its state directory; `screen` its own dashboard, if it has one."""

    d: Path
    process: subprocess.Popen[bytes] | None = None
    screen: Terminal | None = None
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def stop(self) -> None:
        """Stop it and what was started on it; nothing may be left over."""
        if self.screen is not None:
            self.screen.close()
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        for process in self.started:
            for number in (signal.SIGCONT, signal.SIGTERM):  # one that is stopped hears nothing
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        wait_for(lambda: not left_over(self.d), 15, f"no process left of {self.d}")

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
        assert self.process is not None
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
        return self.spawn("serve-again", *HATCHWAY, "serve", "--dir", str(self.d))

    def spawn(self, name: str, *argv: str) -> subprocess.Popen[bytes]:
        """A process beside the demo, with its output in log/NAME.log; it ends with the demo."""
        with open(self.d / "log" / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
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
def patient_pipeline(demo_dir: Path) -> Path:
    """The shipped pipeline, with budgets for a machine that is busy with other tests."""
    text = (shipped() / "pipelines" / "shop.yaml").read_text()
    assert "budget: 30s" in text
    path = demo_dir / "patient.yaml"
    path.write_text(text.replace("budget: 30s", "budget: 5m").replace("budget: 60s", "budget: 5m"))
    return path


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
        demo.stop()


@pytest.fixture(scope="module")
def start_plane() -> Iterator[Callable[..., Demo]]:
    """`start_plane(d, *options)`: the shop, its traffic and the splitter, without backend and
    governor; the caller starts what it wants. Nothing may be left over.
    """
    demos: list[Demo] = []

    def start(d: Path, *options: str) -> Demo:
        d.mkdir(parents=True, exist_ok=True)
        with open(d / "plane.out", "wb") as out:
            process = subprocess.Popen(
                [*HATCHWAY, "demo", "--dir", str(d), "--plane-only", "--keep", *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                env={**os.environ, "XDG_RUNTIME_DIR": str(d)},
            )  # fmt: skip
        demos.append(Demo(d, process))
        return demos[-1]

    yield start
    for demo in demos:
        demo.stop()


@pytest.fixture
def open_demo(demo_dir: Path) -> Iterator[Callable[..., Demo]]:
    """`hatchway demo` as a person starts it: in a terminal of a given size, with its dashboard."""
    demos: list[Demo] = []

    def start(width: int, height: int, *options: str) -> Demo:
        d = demo_dir / f"s{len(demos)}"
        command = [*HATCHWAY, "demo", "--dir", str(d), *options]
        screen = Terminal(command, width, height, XDG_RUNTIME_DIR=str(demo_dir))
        demos.append(Demo(d, screen=screen))
        return demos[-1]

    yield start
    for demo in demos:
        demo.stop()


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Run a command in a terminal: `terminal(*argv, width=80, height=24)`."""
    opened: list[Terminal] = []

    def start(*argv: str, width: int = 80, height: int = 24, **environ: str) -> Terminal:
        opened.append(Terminal(argv, width, height, **environ))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.fixture(scope="module")
def waiting() -> Iterator[Demo]:
    """A demo that waits for an approval nobody gives, for tests that change nothing for long."""
    room = Path(tempfile.mkdtemp(prefix="hw-"))
    quick = str(Path(__file__).parent / "quick.yaml")
    d = room / "d"
    with open(room / "out", "wb") as out:
        process = subprocess.Popen(
            [*HATCHWAY, "demo", "--dir", str(d), "--headless", "--approve", "manual", "--keep",
             "--mode", "act", "--pipeline", quick],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            env={**os.environ, "XDG_RUNTIME_DIR": str(room)},
        )  # fmt: skip
    demo = Demo(d, process)
    try:
        demo.until(lambda d: d.docs()["needs-you"]["items"], 120, "an approval is asked for")
        yield demo
    finally:
        demo.stop()
        shutil.rmtree(room, ignore_errors=True)


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
