"""`hatchway reject ITEM`: see `accept`."""

from __future__ import annotations

from hatchway.cli.accept import answer


def main(argv: list[str]) -> int:
    """Say no; 0 when it is journaled, 1 when it is refused."""
    return answer("reject", argv)
