"""First paint of the dashboard against a bare Textual hello, on a real pty.

Bar: the dashboard's first paint <= 1.25 x the hello's, in the same run; also printed: the first
true screen (the backend's snapshot painted). Time from exec to the words on the wire.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import select
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import ModuleType

HELLO = """
import os
os.environ["TEXTUAL_ANIMATIONS"] = "none"
from textual.app import App
from textual.widgets import Static
class Hello(App):
    def compose(self):
        yield Static("HATCHWAY hello")
Hello().run()
"""


def scripted() -> ModuleType:
    """The scripted backend of the dashboard's tests."""
    path = Path(__file__).resolve().parent.parent / "tui" / "conftest.py"
    spec = importlib.util.spec_from_file_location("scripted", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scripted"] = module
    spec.loader.exec_module(module)
    return module


def paint(command: list[str], *words: bytes) -> list[float]:
    """Seconds from exec until each of `words` came out of the pty."""
    master, slave = os.openpty()
    plain = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    child = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env=plain | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "120", "LINES": "40"},
    )  # fmt: skip
    os.close(slave)
    seen, times = b"", [0.0] * len(words)
    while not all(times) and time.perf_counter() - began < 30:
        if select.select([master], [], [], 0.5)[0]:
            seen += os.read(master, 65536)
            for i, word in enumerate(words):
                if not times[i] and word in seen:
                    times[i] = time.perf_counter() - began
    child.terminate()
    child.wait(10)
    os.close(master)
    return times


def main() -> int:
    """Print medians and the ratio; 1 when the bar is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    kit = scripted()
    room = Path(tempfile.mkdtemp(prefix="hw"))
    backend = kit.Backend(room / "b", kit.Scenes().build("canary"))
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(backend.start(), loop).result(5)
    hello, first, true = [], [], []
    dashboard = [sys.executable, "-m", "hatchway_tui", "--backend", str(room / "b")]
    for _ in range(runs):
        hello += paint([sys.executable, "-c", HELLO], b"HATCHWAY hello")
        one, two = paint(dashboard, b"HATCHWAY", b"LIVE")
        first.append(one)
        true.append(two)
    asyncio.run_coroutine_threadsafe(backend.stop(), loop).result(5)
    base, ours = statistics.median(hello), statistics.median(first)
    print(f"bare Textual hello   {base * 1000:6.0f} ms")
    print(f"first paint          {ours * 1000:6.0f} ms   x{ours / base:.2f} (bar 1.25)")
    print(
        f"first true screen    {statistics.median(true) * 1000:6.0f} ms   worst {max(true) * 1000:.0f} ms"
    )
    return int(ours > 1.25 * base)


if __name__ == "__main__":
    sys.exit(main())
