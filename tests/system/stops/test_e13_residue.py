"""E13: a rollback is DONE when it was seen to be; a step that was dropped is RESIDUE, by name."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hatchway.core import events as ev

HERE = Path(__file__).parent
STEPS = ("route", "flag", "replicas", "schedule", "cache")


@pytest.fixture
def forgetful(stack: Any) -> Iterator[Callable[[str], None]]:
    """The governor has a target that forgets what `drop(step)` says; afterwards its own again."""
    script = (sys.executable, "-S", str(HERE / "forgetful_target.py"), str(stack.d))
    path = stack.d / "governor.json"
    text = path.read_text()
    doc = json.loads(text)
    doc["services"]["shop"]["target"] = {
        "kind": "command", "set": [*script, "set", "{percent}"], "get": [*script, "get"],
        "rollback": [*script, "rollback"], "inflight": [*script, "inflight"],
        "inventory": [*script, "inventory"], "every_s": 0.2, "timeout_s": 10,
    }  # fmt: skip
    if stack.active():
        stack.stop("rollback")
    stack.give_back()
    stack.kill(stack.governor_process)
    path.write_text(json.dumps(doc))
    stack.start_governor()

    def drop(step: str) -> None:
        (stack.d / "drop").write_text(step)
        if not step:
            subprocess.run([*script, "mend"], check=True, stdout=subprocess.DEVNULL)

    yield drop
    stack.give_back()
    stack.kill(stack.governor_process)
    path.write_text(text)
    stack.start_governor()


def of_run(stack: Any, kind: type[Any]) -> list[Any]:
    """Events of this kind of the newest run."""
    events = stack.journal()
    run = [e.run for e in events if isinstance(e, ev.RunStarted)][-1]
    return [e for e in events if isinstance(e, kind) and e.run == run]


def newest_run(stack: Any) -> Any:
    return [doc for key, doc in stack.demo.docs().items() if key.startswith("run/")][-1]


@pytest.mark.timeout(400)
def test_e13_each_of_five_steps_that_is_dropped_is_found_and_named(
    stack: Any, forgetful: Callable[[str], None], bar: Callable[..., None]
) -> None:
    found = 0
    order = [*random.Random(13).sample(STEPS, len(STEPS)), ""]  # and once, nothing is dropped
    for step in order:
        forgetful("")
        stack.new_run()
        (stack.d / "drop").write_text(step)
        rolled = stack.stop("rollback")
        assert not rolled.refused
        assert rolled.after["observed"]["canary"] == 0, "the traffic goes back in any case"
        if not step:
            stack.until(lambda: of_run(stack, ev.RollbackConfirmed), "it is DONE")
            assert of_run(stack, ev.ResidueFound) == []
            break
        stack.until(lambda: of_run(stack, ev.ResidueFound), f"{step} was dropped, and is found")
        left = of_run(stack, ev.ResidueFound)[-1].left
        assert left == (f"{step} was old and is new",)
        assert of_run(stack, ev.RollbackConfirmed) == [], "not DONE"
        assert step in json.dumps(newest_run(stack)), "a dashboard names it"
        assert f"{step} was old and is new" in stack.demo.cli("status").stdout
        found += 1
        # Cleaned up by hand: then it is DONE, and not before.
        forgetful("")
        stack.until(lambda: of_run(stack, ev.RollbackConfirmed), "it is DONE now")
        stack.give_back()
    bar("E13 detected", f"{found} of {len(STEPS)}", f"{len(STEPS)} of {len(STEPS)}")
    assert found == len(STEPS)
