"""`hatchway replay` on a real terminal: it opens, steps, acts on nothing, and leaves with 0."""

from __future__ import annotations

import sys
from pathlib import Path

import replay_story as story

_TUI = str(Path(__file__).parent.parent / "tui")
if _TUI not in sys.path:
    sys.path.append(_TUI)

from harness.tty import Terminal, opened, restored  # noqa: E402


async def test_a_past_run_is_stepped_through_with_the_keys_of_a_real_terminal(
    tmp_path: Path,
) -> None:
    story.write(tmp_path / "journal.db", story.story())
    command = [sys.executable, "-m", "hatchway.cli.main", "replay", "2", "--dir", str(tmp_path)]
    async with opened(Terminal(command, 100, 30)) as tty:
        await tty.until("REPLAY", "seq 85 of 85", "ROLLED BACK")
        tty.send("[")
        await tty.until("seq 83 of 85", "RESIDUE")
        tty.send("{")
        await tty.until("seq 59 of 85", "CANARY 5%", "DATA AS OF 14:14:19Z")
        tty.send("p")
        await tty.until("nothing is sent from here")
        tty.send("]")
        await tty.until("seq 63 of 85")
        tty.send("q")
        assert await tty.ended() == 0
    assert restored(tty.bytes)
