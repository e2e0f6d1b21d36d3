"""S28 on real processes: nobody but the governor ever speaks to the target."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hatchway.settings.load import load_all

Start = Callable[..., Any]
QUICK = str(Path(__file__).parent / "quick.yaml")


class Tap:
    """Stands where the target's socket was, notes the process of each caller, and passes it on."""

    def __init__(self, path: Path) -> None:
        self._path, self._real = path, path.with_name("tapped.sock")
        os.rename(path, self._real)
        self.callers: list[int] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            size = struct.calcsize("3i")
            peer = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            self.callers.append(struct.unpack("3i", peer)[0])
            threading.Thread(target=self._pass_on, args=(caller,), daemon=True).start()

    def _pass_on(self, caller: socket.socket) -> None:
        with caller, socket.socket(socket.AF_UNIX) as real, suppress(OSError):
            real.connect(str(self._real))
            back = threading.Thread(target=_copy, args=(real, caller), daemon=True)
            back.start()
            _copy(caller, real)
            back.join()

    def close(self) -> None:
        self._listener.close()
        os.rename(self._real, self._path)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def demo(start_demo: Start) -> Any:
    return start_demo("--pipeline", QUICK, "--approve", "manual", "--mode", "act", "--keep")


@pytest.fixture
def tap(demo: Any) -> Iterator[Tap]:
    demo.until(lambda d: d.governor()["observed"], 60, "the governor has read the target")
    demo.until(lambda d: d.docs(), 60, "the backend answers")
    service = load_all(demo.d / "config").installation.services[0]
    tapped = Tap(demo.d / service.target.socket)
    yield tapped
    tapped.close()


def test_s28_the_agents_process_holds_nothing_that_opens_the_target(demo: Any, tap: Tap) -> None:
    demo.approve()
    demo.until_weight(5)
    backend, governor = demo.pid("backend"), demo.pid("governor")
    environment = (Path("/proc") / str(backend) / "environ").read_bytes().decode()
    words = ("splitter", "haproxy", "token", "secret", "password", "key=")
    assert not [word for word in words if word in environment.lower()]
    held = [
        os.readlink(fd) for fd in (Path("/proc") / str(backend) / "fd").iterdir() if fd.exists()
    ]
    assert not [path for path in held if "splitter" in path]
    assert demo.cli("rollback", "--reason", "the end of the test").returncode == 0
    demo.until_weight(0)
    assert governor in tap.callers, "the target was read and changed through the tap"
    # The demo's own process is the world here: the machine room in which the target runs.
    assert set(tap.callers) <= {governor, demo.process.pid}
    assert backend not in tap.callers
