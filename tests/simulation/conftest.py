"""The simulation is a package beside its tests; figures of all workers are added up."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def _found() -> Iterator[None]:
    """`import simulated` works within these tests."""
    sys.path.insert(0, HERE)
    yield
    sys.path.remove(HERE)


@pytest.fixture
def alone() -> Iterator[Callable[..., Any]]:
    """`alone(function, ...)`: what a function of `simulated.parts` returns in a process of its own."""
    from simulated import parts

    with ProcessPoolExecutor(1, get_context("spawn"), parts.alone) as pool:
        yield lambda function, *args: pool.submit(function, *args).result()


@pytest.fixture
def summed(
    tmp_path_factory: pytest.TempPathFactory, testrun_uid: str
) -> Callable[[str, int, dict[str, float]], dict[str, float] | None]:
    """`summed(what, parts, figures)`: the sums when this was the last of the parts, in any worker."""

    def add(what: str, parts: int, figures: dict[str, float]) -> dict[str, float] | None:
        path = tmp_path_factory.getbasetemp().parent / f"{what}-{testrun_uid}.jsonl"
        with path.open("a") as file:  # a line is short: it is written in one piece
            file.write(json.dumps(figures) + "\n")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        if len(lines) < parts:
            return None
        return {key: sum(line[key] for line in lines) for key in figures}

    return add
