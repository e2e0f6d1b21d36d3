"""S35: a change of config, flags or a kill switch goes the same way as one of code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hatchway.core import events as ev
from hatchway.core import next as nx
from hatchway.core.plan import RiskRule
from hatchway.core.risk import assess, risk_of

CODE = ("shop/cart.py  +9 -2",)
KINDS = {
    "config": ("config/shop.yaml  +1 -1",),
    "flags": ("flags/checkout.json  +1 -1",),
    "a kill switch": ("ops/kill_switch.txt  +1 -1",),
    "nothing that is known": (),
}


def way(make: Callable[[], Any], files: tuple[str, ...]) -> list[str]:
    """What happens to a release of these files, up to 100 %, with its words taken off."""
    world = make()
    world.start()
    said: list[str] = []
    for _ in range(200):
        if not world.run.active:
            break
        actions = world.actions()
        said += [type(a).__name__ for a in actions]
        if any(isinstance(a, nx.GatherRelease) for a in actions):
            request = ev.ReleaseRequested(
                run="1", risk="LOW", reasons=(), attention=(), changes=(), files=files
            )
            world.record(request)
        elif any(i.status == "open" for i in world.run.items.values()) and not actions:
            world.close_item()
        elif not world.step():
            world.now += 60
            world.verdict("PASS")
            world.propose("promote", "auto")
    return [*said, f"{world.run.outcome}", *map(str, world.weights)]


@pytest.mark.parametrize("files", KINDS.values(), ids=KINDS)
def test_s35_no_kind_of_file_takes_a_short_cut(make_world: Any, files: tuple[str, ...]) -> None:
    as_code = way(make_world, CODE)
    assert as_code[-1:] == ["100"]
    assert way(make_world, files) == as_code


@pytest.mark.parametrize(
    "path", ["config/shop.yaml", "flags/checkout.json", "ops/kill_switch.txt", "requirements.txt"]
)
def test_s35_what_is_no_document_is_never_harmless_by_its_name(path: str) -> None:
    assert risk_of(path, ()) == "MEDIUM"
    assert assess([path], (RiskRule("shop/*", "LOW", "code"),)).risk == "MEDIUM"
