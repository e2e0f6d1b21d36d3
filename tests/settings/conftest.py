"""Files that are right, as a starting point for mistakes.

A copy, not the shipped files: those may be tuned without a thought for these tests.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).with_name("example")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A configuration directory in which everything is right."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "config"))


@pytest.fixture
def edit(home: Path) -> Callable[[str, str, str], int]:
    """Replace text that is in one of the files exactly once; gives the line where it is."""

    def replace(file: str, old: str, new: str) -> int:
        path = home / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return text[: text.index(old)].count("\n") + 1

    return replace
