"""Real targets for one contract: the demo's splitter, HAProxy 2.6, and somebody's own commands."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HAPROXY = """
global
  nbthread 1
  stats socket {d}/real.sock mode 600 level admin
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
frontend fe
  bind 127.0.0.1:{port}
  default_backend be
backend be
  balance roundrobin
  server stable 127.0.0.1:{stable} weight 100
  server canary 127.0.0.1:{canary} weight 0
"""

SCRIPT = r"""#!/bin/sh
if [ -e hang ]; then sleep 600; fi
case $1 in
get) cat share ;;
set)
  echo "begun $2 $3 $4 $5" >> log
  while [ -e slow ]; do sleep 0.02; done
  if [ ! -e deaf ]; then echo "$2" > new; mv new share; fi
  echo "done $2" >> log ;;
inflight) cat inflight ;;
inventory) cat inventory ;;
esac
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Backend:
    """A server that answers at once, or, for /slow, when it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        go = self.go

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/slow":
                    go.wait(60)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self.go.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


class Tap:
    """Stands on the administration socket: notes what is set, and can hold everything back."""

    def __init__(self, path: Path, real: Path) -> None:
        self.real = real
        self.hang = False
        self.deaf = False
        self.busy = False  # with a change
        self.slow = threading.Event()
        self.slow.set()
        self.sets: list[str] = []
        self._held: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._listener.settimeout(0.05)
        self._closing = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._closing:
            with contextlib.suppress(TimeoutError):
                link, _ = self._listener.accept()
                link.settimeout(5)
                if self.hang:
                    self._held.append(link)
                    continue
                with contextlib.suppress(OSError), link:
                    self._relay(link)

    def _relay(self, link: socket.socket) -> None:
        line = link.makefile("r").readline()
        if line.startswith("set server"):
            self.sets.append(line.split()[2].removeprefix("be/") + "=" + line.split()[4])
            self.busy = True
            self.slow.wait(30)
        answer = "\n" if self.busy and self.deaf else ask(self.real, line)
        self.busy = False
        link.sendall(answer.encode())

    def close(self) -> None:
        self.slow.set()
        self._closing = True
        self._thread.join()
        self._listener.close()
        for link in self._held:
            link.close()


def ask(path: Path, line: str) -> str:
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(str(path))
        link.sendall(line.strip().encode() + b"\n")
        link.shutdown(socket.SHUT_WR)
        return link.makefile("r").read()


class Steered:
    """A proxy with a runtime socket: HAProxy, or the splitter, which speaks its language."""

    def __init__(self, directory: Path, which: str) -> None:
        self.backends = {"stable": Backend(), "canary": Backend()}
        self.port, self.real = free_port(), directory / "real.sock"
        ports = {name: backend.port for name, backend in self.backends.items()}
        self.tap = Tap(directory / "tap.sock", self.real)
        self.target = {"kind": "haproxy", "socket": "tap.sock"}
        if which == "haproxy":
            program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
            assert program, "install HAProxy: apt-get install haproxy"
            config = directory / "haproxy.cfg"
            config.write_text(HAPROXY.format(d=directory, port=self.port, **ports))
            command = [program, "-db", "-f", str(config)]
        else:
            numbers = {"port": self.port, "metrics": free_port(), "patience": 30, **ports}
            options = [f"--{name}={number}" for name, number in numbers.items()]
            command = [sys.executable, "-m", "hatchway.demo.splitter", *options]
            command.append(f"--socket={self.real}")
        with (directory / "target.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def up(self) -> bool:
        with contextlib.suppress(OSError):
            return "initial" in ask(self.real, "get weight be/canary")
        return False

    def share(self) -> int:
        canary, stable = (
            int(ask(self.real, f"get weight be/{arm}").split()[0]) for arm in ("canary", "stable")
        )
        return canary if canary + stable == 100 else -1  # between two commands

    def by_hand(self, percent: int) -> None:
        ask(self.real, f"set server be/stable weight {100 - percent}")
        ask(self.real, f"set server be/canary weight {percent}")

    def disturb(self) -> str:
        ask(self.real, "set server be/stable state drain")
        return "server stable was"

    def calm(self) -> None:
        ask(self.real, "set server be/stable state ready")

    def occupy(self) -> None:
        """A request is under way on the canary."""
        self.threads = [threading.Thread(target=self._get) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def _get(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port), 60) as link:
            link.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            link.recv(1000)

    def vacate(self) -> None:
        for backend in self.backends.values():
            backend.go.set()
        for thread in self.threads:
            thread.join()

    def changes(self) -> list[str]:
        return list(self.tap.sets)

    def raised_first(self) -> bool:
        """Whether at no time nobody was served, as the commands came."""
        now = {"stable": 100, "canary": 0}
        for change in self.tap.sets:
            arm, _, weight = change.partition("=")
            now[arm] = int(weight)
            if sum(now.values()) < 100:
                return False
        return True

    def hang(self, on: bool) -> None:
        self.tap.hang = on

    def deaf(self, on: bool) -> None:
        self.tap.deaf = on

    def slow(self, on: bool) -> None:
        """A change that was begun does not end."""
        (self.tap.slow.clear if on else self.tap.slow.set)()

    def settled(self) -> bool:
        return not self.tap.busy

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.tap.close()
        for backend in self.backends.values():
            backend.close()


class Commanded:
    """A target behind a shell script; its state is in files."""

    def __init__(self, directory: Path) -> None:
        self.d = directory
        script = directory / "split.sh"
        script.write_text(SCRIPT)
        script.chmod(0o755)
        self.write("share", "0")
        self.write("inflight", "0 7")
        self.write("inventory", "server stable: 10.0.0.1:80\nserver canary: 10.0.0.2:80")
        self.write("log", "")
        self.target: dict[str, Any] = {
            "kind": "command",
            "set": ["./split.sh", "set", "{percent}", "{stable_percent}", "{key}", "{epoch}"],
            **{name: ["./split.sh", name] for name in ("get", "inflight", "inventory")},
            "every_s": 0.2,
            "timeout_s": 2,
        }

    def write(self, name: str, text: str) -> None:
        (self.d / f"{name}.new").write_text(text + "\n")
        (self.d / f"{name}.new").rename(self.d / name)

    def up(self) -> bool:
        return True

    def share(self) -> int:
        return int((self.d / "share").read_text())

    def by_hand(self, percent: int) -> None:
        self.write("share", str(percent))

    def disturb(self) -> str:
        self.write("inventory", "server stable: 10.0.0.1:80\nserver canary: 10.6.6.6:80")
        return "server canary was 10.0.0.2:80 and is 10.6.6.6:80"

    def calm(self) -> None:
        self.write("inventory", "server stable: 10.0.0.1:80\nserver canary: 10.0.0.2:80")

    def occupy(self) -> None:
        self.write("inflight", "2 9")

    def vacate(self) -> None:
        self.write("inflight", "0 9")

    def changes(self) -> list[str]:
        return [line for line in (self.d / "log").read_text().splitlines() if "begun" in line]

    def raised_first(self) -> bool:
        """One command says both shares, and they are the whole."""
        words = [line.split() for line in self.changes()]
        return all(int(w[1]) + int(w[2]) == 100 for w in words)

    def _flag(self, name: str, on: bool) -> None:
        (self.d / name).touch() if on else (self.d / name).unlink()

    def hang(self, on: bool) -> None:
        self._flag("hang", on)

    def deaf(self, on: bool) -> None:
        self._flag("deaf", on)

    def slow(self, on: bool) -> None:
        self._flag("slow", on)

    def settled(self) -> bool:
        return True  # what was begun was ended with the stop

    def close(self) -> None:
        pass


@pytest.fixture(params=["splitter", "haproxy", "command"])
def plant(request: pytest.FixtureRequest, short_dir: Path, wait_for: Any) -> Iterator[Any]:
    which = request.param
    made = Commanded(short_dir) if which == "command" else Steered(short_dir, which)
    try:
        wait_for(made.up, f"{which} is up")
        yield made
    finally:
        made.close()


@pytest.fixture
def steering(plant: Any, cold: Any) -> Any:
    """A governor that steers the plant and has seen it."""
    doc = {"services": {"shop": {"target": plant.target}}, "lease_s": 60.0}
    (cold.directory / "governor.json").write_text(json.dumps(doc))
    cold.start().seen()
    return cold


Check = Callable[[], Any]


@pytest.fixture
def stays() -> Callable[[Check], None]:
    """Fails when `check` is false at any time within a second."""

    def watch(check: Check) -> None:
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            assert check()
            time.sleep(0.02)

    return watch
