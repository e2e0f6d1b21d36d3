"""`make screenshots`: pictures of the dashboard's states and pages, and a recording, of real demos.

Two releases run side by side, one that is good and one with a bad canary. A wide and a narrow
dashboard are attached to each; they press the keys, and every state is taken from both.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from hatchway_tui.__main__ import SETTINGS, login

os.environ.update(SETTINGS)  # before textual is imported

from film import Film

from hatchway_tui.app import Dashboard
from hatchway_tui.keys import SHIPPED, shown
from hatchway_tui.link import Address
from hatchway_tui.pages.registry import PAGES
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.picture import offline, to_png

HATCHWAY = (sys.executable, "-m", "hatchway")
SIZES = ((120, 40), (80, 24))
PATIENCE = 300.0
OUT = Path(__file__).parents[2] / "screenshots"
RECORDING = "recording.svg"


class Studio:
    """A demo with a wide and a narrow dashboard on it."""

    def __init__(self, d: Path, screens: list[Dashboard], out: Path) -> None:
        self.d, self.screens, self.out = d, screens, out
        self.wide, self.narrow = screens
        self._film: asyncio.Task[None] | None = None

    def filmed(self) -> Film:
        """A recording of the wide screen from now on."""
        film = Film(self.wide)

        async def roll() -> None:
            while True:
                film.look()
                await asyncio.sleep(0.05)

        self._film = asyncio.create_task(roll(), name="film")
        return film

    def cut(self) -> None:
        """No more of it."""
        if self._film is not None:
            self._film.cancel()

    async def until(self, *words: str, on: Dashboard | None = None) -> None:
        """Until every screen (or only `on`) shows all the words. Raises `TimeoutError`."""
        screens = [on] if on else self.screens
        await self.that(
            lambda: all(word in text_of(s.glass.lines) for s in screens for word in words),
            " and ".join(map(repr, words)),
        )

    async def that(self, true: Callable[[], object], what: str) -> None:
        """Until something is true. Raises `TimeoutError` with the screen."""
        end = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > end:
                raise TimeoutError(f"never: {what}\n{text_of(self.wide.glass.lines)}")
            await asyncio.sleep(0.05)

    async def press(self, screen: Dashboard, key: str, char: str | None = None) -> None:
        """A key, after the look at the screen that guarded keys insist on."""
        await asyncio.sleep(1.5)
        screen.pressed(key, key if char is None else char or None, time.monotonic())

    async def pages(self, *names: str) -> None:
        """A picture of each page, once the backend's answer to it is there."""
        for name in names:
            key = SHIPPED.keys[name][0]
            for screen in self.screens:
                await self.press(screen, key, shown(key))
                await self.until(PAGES[name].title, on=screen)
            await self.that(
                lambda: all(
                    "asking the backend" not in text_of(s.glass.lines) for s in self.screens
                ),
                f"the answer to the page {name}",
            )
            await self.take(f"page-{name}")
            for screen in self.screens:
                await self.press(screen, "escape", "")

    async def take(self, name: str, *screens: Dashboard) -> None:
        """Write NAME-120x40.svg and NAME-80x24.svg (or only those of `screens`)."""
        for screen in screens or self.screens:
            screen.draw()
            await asyncio.sleep(0.2)
            svg = offline(screen.export_screenshot(title="hatchway tui"))
            path = self.out / f"{name}-{screen.size.width}x{screen.size.height}.svg"
            path.write_text(svg, encoding="utf-8")
            print(path.name, flush=True)


@asynccontextmanager
async def demo(room: Path, out: Path, *options: str) -> AsyncIterator[Studio]:
    """A running demo and its dashboards."""
    d = room / "demo"
    ours, theirs = os.openpty()  # for the demo's own dashboard: without one it ends with the run
    environment = {**os.environ, "TERM": "xterm-256color", "XDG_RUNTIME_DIR": str(room)}
    process = await asyncio.create_subprocess_exec(
        *HATCHWAY, "demo", "--dir", str(d), "--keep", *options,
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    asyncio.get_running_loop().add_reader(ours, _drain, ours)
    address = Address(str(d / "backend.sock"), str(d / "governor.sock"), name=login())
    try:
        async with AsyncExitStack() as stack:
            screens = []
            for size in SIZES:
                screen = Dashboard(address, palette="dark")
                await stack.enter_async_context(screen.run_test(size=size))
                screens.append(screen)
            studio = Studio(d, screens, out)
            stack.callback(studio.cut)
            yield studio
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.wait()
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)


def _drain(terminal: int) -> None:
    """Read what the demo's own dashboard draws: a terminal that is full would stop it."""
    try:
        if os.read(terminal, 65_536):
            return
    except OSError:
        pass
    asyncio.get_running_loop().remove_reader(terminal)


async def good_release(room: Path, out: Path) -> None:
    """Checks, approval, canary, promoted: in recommend mode, each step with a person's yes."""
    async with demo(room, out) as studio:
        await studio.until("UNIT TESTS")
        await asyncio.sleep(0.6)
        await studio.take("checks")
        await studio.until("NEEDS YOU 1", "APPROVE")
        await asyncio.sleep(1.0)
        await studio.take("approval")
        await studio.press(studio.wide, "a")
        for share in ("5%", "25%", "100%"):
            await studio.until(f"CANARY {share}", "PASS", "NEEDS YOU 1")
            if share == "5%":
                await asyncio.sleep(1.0)
                await studio.take("canary")
                await studio.pages("run", "changes", "policy", "board")
            await studio.press(studio.wide, "a")
        await studio.until("PROMOTED")
        await asyncio.sleep(9.0)  # the notice of the key has gone
        await studio.take("promoted")


async def bad_release(room: Path, out: Path) -> None:
    """The agent asks to roll back; the backend dies and comes again; a person rolls back."""
    async with demo(room, out, "--mode", "recommend", "--fault", "errors") as studio:
        await studio.until("NEEDS YOU 1", "APPROVE")
        film = studio.filmed()
        await studio.press(studio.wide, "a")
        await studio.until("REGRESS", "NEEDS YOU 1", "ROLL BACK shop")
        await asyncio.sleep(2.0)
        await studio.take("regression")
        os.kill(int((studio.d / "backend.pid").read_text()), signal.SIGKILL)
        await studio.until("BACKEND DOWN", "DIRECT")
        await asyncio.sleep(3.0)
        await studio.take("backend-dead")
        with open(studio.d / "log" / "serve-again.log", "wb") as log:
            served = await asyncio.create_subprocess_exec(
                *HATCHWAY, "serve", "--dir", str(studio.d), stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            await studio.until("DATA LIVE", "NEEDS YOU 1")
            for screen in reversed(studio.screens):
                await studio.press(screen, "r")
                await studio.until("AGENT PAUSED", "press f to fire", on=screen)
                await asyncio.sleep(0.6)
                await studio.take("armed", screen)
            await studio.press(studio.wide, "f")
            await studio.until("ROLLED BACK")
            await asyncio.sleep(9.0)  # the notice of the key has gone
            film.write(out / RECORDING)
            await studio.take("rolled-back")
            await studio.pages("why", "log", "record", "handover", "keys")
        finally:
            with suppress(ProcessLookupError):
                served.terminate()
            await served.wait()


STORIES = {"good": good_release, "bad": bad_release}


async def make(out: Path, stories: list[str]) -> None:
    """Both releases at once; each in a folder of its own that is removed."""
    async with asyncio.TaskGroup() as group:
        for name in stories:
            room = Path(tempfile.mkdtemp(prefix=f"hw-{name}-"))
            group.create_task(_in_room(name, room, out), name=name)


async def _in_room(name: str, room: Path, out: Path) -> None:
    try:
        await STORIES[name](room, out)
    except BaseException:
        for log in sorted((room / "demo" / "log").glob("*.log")):
            print(f"{name}: {log.name}:\n{log.read_text()[-2000:]}", file=sys.stderr)
        raise
    finally:
        shutil.rmtree(room, ignore_errors=True)


def main(argv: list[str] | None = None) -> int:
    """Write the pictures; an exception says which words never came."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--only", choices=tuple(STORIES), help="one of the two releases")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args(argv)
    asked.out.mkdir(exist_ok=True)
    asyncio.run(make(asked.out, [asked.only] if asked.only else list(STORIES)))
    for svg in sorted(asked.out.glob("*.svg")):
        if svg.name != RECORDING and not svg.name.startswith("page-"):  # these are for browsers
            to_png(svg, svg.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
