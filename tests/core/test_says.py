"""What files say, in words that two of them can be compared by."""

from __future__ import annotations

from typing import Any

import msgspec

from hatchway.core.says import differences, says
from hatchway.settings.load import load_pipeline, load_policy, shipped


def test_the_shipped_policy_and_pipeline_read_as_their_files_do() -> None:
    prod = load_policy(shipped() / "policy.yaml").environments["prod"]
    said = says(prod)
    assert said["promote.when.data_age_below"].endswith("s")
    assert said["promote.answer"] in ("auto", "ask")
    plan = says(load_pipeline(shipped() / "pipelines" / "shop.yaml"))
    assert plan["release.expires"] == "14400s"
    assert plan["release.separation"] == "author, pusher"
    assert plan["canary.steps.2.weight"] == "25"
    assert plan["canary.steps.2.monitor"] == "120s"
    assert not any("{" in value or "digest" in name for name, value in {**said, **plan}.items())


def test_every_change_of_a_plan_is_said(world: Any) -> None:
    before = says(world.plan)
    canary = world.plan.stages[2]
    steps = (msgspec.structs.replace(canary.steps[0], weight=10), *canary.steps[1:])
    stages = (*world.plan.stages[:2], msgspec.structs.replace(canary, steps=steps))
    after = says(msgspec.structs.replace(world.plan, stages=stages, digest="other"))
    assert differences(before, after) == ("canary.steps.1.weight 5 -> 10",)
    assert differences(before, before) == ()
    fewer = says(msgspec.structs.replace(world.plan, stages=world.plan.stages[1:]))
    gone = differences(before, fewer)
    assert "checks.kind checks -> nothing" in gone
