"""The checkout and its Python modules."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def tracked(root: Path) -> list[Path]:
    """Every file that git would ship: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout.decode()
    files = [root / name for name in listed.split("\0") if name]
    return [file for file in files if file.is_file()]


@pytest.fixture(scope="session")
def modules(root: Path) -> dict[str, Path]:
    """Every module of the two packages by its dotted name."""
    found = {}
    for home in (root / "backend", root / "tui"):
        for file in sorted(home.glob("*/**/*.py")):
            if "shop_template" in file.parts:  # the demo shop's own code
                continue
            parts = file.relative_to(home).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found
