"""`hatchway tui` and the picture maker, as a person starts them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


TUI = ("-c", "import sys; from hatchway.cli.tui import main; sys.exit(main(sys.argv[1:]))")


def test_without_an_installation_it_says_what_to_do(tmp_path: Path) -> None:
    done = run(*TUI, "--dir", str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "there is no installation at" in done.stderr
    assert "hatchway demo" in done.stderr


def test_without_a_terminal_it_names_the_plain_ways(tmp_path: Path) -> None:
    done = run(*TUI, "--dir", str(tmp_path))
    assert done.returncode == 2
    assert "hatchway status --json" in done.stderr


def test_an_unreadable_token_is_said(tmp_path: Path) -> None:
    done = run(
        "-m", "hatchway_tui", "--backend", "ws://127.0.0.1:1", "--token-file", str(tmp_path / "t")
    )
    assert done.returncode == 2
    assert "--token-file" in done.stderr


async def test_the_sockets_of_a_directory_are_found(
    backend: Any, governor: Any, room: Path
) -> None:
    def drive() -> int:
        child = pexpect.spawn(
            sys.executable, [*TUI, "--dir", str(room), "--read-only"], dimensions=(24, 80),
            timeout=40,
        )  # fmt: skip
        child.expect_exact("READ-ONLY")
        child.send("q")
        child.expect(pexpect.EOF)
        child.close()
        return int(child.exitstatus)

    assert await asyncio.to_thread(drive) == 0
    assert backend.subscribed[0].read_only


async def test_a_picture_is_the_real_screen(backend: Any, room: Path) -> None:
    out = room / "first"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hatchway_tui.picture", str(out), "--backend",
        str(room / "backend.sock"), "--size", "80x24", "--no-png",
    )  # fmt: skip
    assert await process.wait() == 0
    svg = (room / "first.svg").read_text()
    assert "CANARY" in svg
    assert "HATCHWAY" in svg


@pytest.mark.parametrize(
    "module",
    ["hatchway_tui.mirror", "hatchway_tui.hands", "hatchway_tui.paint.first", "hatchway_tui.link"],
)
def test_the_pure_layers_do_not_import_textual(module: str) -> None:
    code = f"import sys, {module}; sys.exit(any(name.split('.')[0] == 'textual' for name in sys.modules))"
    assert run("-c", code).returncode == 0


def test_first_paint_imports_neither_websockets_nor_httpx() -> None:
    code = "import sys, hatchway_tui.app; sys.exit(any(n in sys.modules for n in ('websockets', 'httpx')))"
    assert run("-c", code).returncode == 0
