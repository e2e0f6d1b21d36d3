"""The dashboard on a tape: `hatchway replay` calls `main` when it has read the journal."""

from __future__ import annotations

from hatchway.edge.docs.replay import Tape
from hatchway_tui.__main__ import arguments, show


def main(tape: Tape, seq: int, look: list[str]) -> int:
    """Show the run from record `seq` on; `look` are options about looks. 0 when it was left."""
    asked = arguments(
        [
            "--backend",
            "none: a replay",
            "--bell",
            "off",
            "--notify",
            "off",
            *look,
            "--service",
            tape.service,
        ]
    )
    return show(asked, tape=tape, seq=seq)
