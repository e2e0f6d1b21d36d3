"""`python -m hatchway_tui.picture`: pictures of a running installation's dashboard, as SVG and PNG.

The screen is the real one, against the real backend; Chromium only turns the SVG into a PNG.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hatchway_tui.__main__ import SETTINGS, login

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BACKDROP = "#0b0d10"


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m hatchway_tui.picture", description=__doc__)
    parser.add_argument("out", help="path without ending: OUT.svg and OUT.png are written")
    parser.add_argument("--backend", required=True, metavar="PATH|ws://...")
    parser.add_argument("--governor", default="", metavar="PATH")
    parser.add_argument("--service", default="")
    parser.add_argument("--size", default="120x40", help="COLUMNSxROWS")
    parser.add_argument("--keys", default="", help="pressed before the picture, e.g. 'w' or 'r'")
    parser.add_argument("--until", default="LIVE", help="words that must be on the screen first")
    parser.add_argument("--within", type=float, default=60.0, help="seconds to wait for --until")
    parser.add_argument(
        "--theme", choices=("dark", "light", "blind", "blind-light", "ansi", "mono"), default="dark"
    )
    parser.add_argument("--title", default="hatchway tui")
    parser.add_argument("--no-png", action="store_true")
    return parser.parse_args(argv)


async def draw(asked: argparse.Namespace) -> str:
    """The SVG, once the words that are waited for are there. Raises `TimeoutError`."""
    from hatchway_tui.app import Dashboard  # noqa: PLC0415 - the settings come first
    from hatchway_tui.link import Address  # noqa: PLC0415
    from hatchway_tui.paint.canvas import text_of  # noqa: PLC0415

    width, _, height = asked.size.partition("x")
    address = Address(asked.backend, asked.governor, name=login())
    app = Dashboard(address, service=asked.service, palette=asked.theme)
    async with app.run_test(size=(int(width), int(height))) as pilot:
        end = time.monotonic() + asked.within
        while asked.until not in text_of(app.glass.lines):
            if time.monotonic() > end:
                raise TimeoutError(
                    f"{asked.until!r} was not on the screen within {asked.within:g} s. It shows:\n"
                    + text_of(app.glass.lines)
                )
            await asyncio.sleep(0.05)
        for key in asked.keys:
            await asyncio.sleep(1.2)  # a person looks first; guarded keys insist on it
            await pilot.press(key)
            await asyncio.sleep(0.4)
        app.draw()
        await pilot.pause()
        return offline(app.export_screenshot(title=asked.title))


def offline(svg: str) -> str:
    """The picture without what Rich adds to it: web fonts, links, ids that differ each time."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!-- Generated with .*? -->\s*", "", svg)
    svg = re.sub(r"terminal-\d+-", "t-", svg)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def to_png(svg: Path, png: Path) -> None:
    """Turn the SVG into a PNG of its own size. Raises `RuntimeError` when no browser can."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise RuntimeError("no Chromium found for the PNG: install chromium, or use --no-png")
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg.read_text(encoding="utf-8"))
    width, height = (int(float(side)) + 1 for side in box.groups()) if box else (1500, 1050)
    with tempfile.TemporaryDirectory() as room:
        page = Path(room) / "page.html"
        page.write_text(
            f"<body style='margin:0;background:{BACKDROP}'><img src='{svg.resolve().as_uri()}' "
            f"width={width} height={height} style='display:block'>",
            encoding="utf-8",
        )
        done = subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--allow-file-access-from-files",
                f"--user-data-dir={room}/profile", f"--window-size={width},{height}",
                f"--screenshot={png.resolve()}", page.as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    if done.returncode or not png.exists():
        raise RuntimeError(f"{browser} made no picture: {done.stderr[-300:]}")


def main(argv: list[str] | None = None) -> int:
    """Write the pictures; 1 with the reason when that failed."""
    asked = arguments(argv)
    os.environ.update(SETTINGS)
    svg, png = Path(asked.out + ".svg"), Path(asked.out + ".png")
    svg.parent.mkdir(parents=True, exist_ok=True)
    try:
        svg.write_text(asyncio.run(draw(asked)), encoding="utf-8")
        if not asked.no_png:
            to_png(svg, png)
    except (TimeoutError, RuntimeError, OSError) as error:
        print(f"no picture: {error}", file=sys.stderr)
        return 1
    print(svg if asked.no_png else png)
    return 0


if __name__ == "__main__":
    sys.exit(main())
