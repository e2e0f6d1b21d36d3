"""The options of a canary step come through the file as they were written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.core.plan import CanaryStage, CanaryStep
from hatchway.settings import ConfigError, load_pipeline

Edit = Callable[[str, str, str], int]
SHOP = "pipelines/shop.yaml"
OLD = "on_unsure: extend 2"


def last_step(home: Path) -> CanaryStep:
    stage = load_pipeline(home / SHOP).stages[-1]
    assert isinstance(stage, CanaryStage)
    return stage.steps[-1]


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ("excludes: 5", ("timed", "extend", 2, None)),
        ("advance: early", ("early", "extend", 2, None)),
        ("advance: timed\n        on_unsure: extend 999", ("timed", "extend", 999, None)),
        ("on_unsure: ask", ("timed", "ask", 0, None)),
        ('on_unsure: "hold"\n        at_most: 1h', ("timed", "hold", 0, 3600.0)),
    ],
)
def test_what_is_written_is_what_is_read(
    home: Path, edit: Edit, written: str, options: tuple[Any, ...]
) -> None:
    if written.startswith("excludes"):
        edit(SHOP, f"        {OLD}\n", "")
    else:
        edit(SHOP, OLD, written)
    step = last_step(home)
    assert (step.advance, step.on_unsure, step.extends, step.at_most_s) == options


def test_a_canary_that_nobody_could_approve_is_a_mistake(tmp_path: Path) -> None:
    page = tmp_path / "alone.yaml"
    page.write_text(
        "pipeline: alone\nservice: shop\nenvironment: prod\nstages:\n"
        "  - {name: canary, kind: canary, steps: [{weight: 100, hold_back: 5, monitor: 1m}]}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_pipeline(page)
    (trouble,) = caught.value.troubles
    assert "nobody could approve its first share" in str(trouble)
