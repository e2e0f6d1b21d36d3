"""What takes long starts first: the workers share out what is left (see addopts)."""

from __future__ import annotations

import pytest

SLOW = ("test_crash", "test_outcomes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first, then everything in the order it was found in."""

    def place(item: pytest.Item) -> int:
        name = item.path.stem
        return SLOW.index(name) if name in SLOW else len(SLOW)

    items.sort(key=place)
