"""Faults by name and time, and what is said about a wrong one."""

from __future__ import annotations

import pytest

from hatchway.demo import state_directory
from hatchway.demo.options import FAULTS, BadOption, Fault, places_of, read_fault
from hatchway.demo.schedule import Schedule

PIPELINE = (state_directory.shipped() / "pipelines" / "shop.yaml").read_text()


def test_a_fault_can_be_set_for_each_stage_and_each_canary_weight_of_the_shipped_pipeline():
    places = places_of(PIPELINE)
    assert {"checks", "unit tests", "staging", "canary", "5", "25", "100"} <= set(places)
    for place in places:
        assert read_fault(f"errors@{place}", PIPELINE) == Fault("errors", place)
    assert read_fault("slow", PIPELINE) == Fault("slow")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("erors", "Did you mean 'errors'?"),
        ("errors@cannary", "Did you mean 'canary'?"),
        ("errors@7", "Write one of: "),
        ("test-fails@canary", "leave the stage out"),
    ],
)
def test_a_wrong_fault_gets_told_what_to_write(text: str, hint: str):
    with pytest.raises(BadOption) as bad:
        read_fault(text, PIPELINE)
    assert hint in str(bad.value)


def run(step: int | None, **stages: str) -> dict[str, object]:
    return {
        "system": {},
        "run/1": {
            "stages": [{"name": name, "status": status} for name, status in stages.items()],
            "step": None if step is None else {"weight": step},
        },
    }


def test_faults_come_at_the_start_with_the_first_traffic_or_at_their_stage():
    faults = (Fault("errors"), Fault("both-arms"), Fault("slow", "25"), Fault("hang", "staging"))
    schedule = Schedule((*faults, Fault("test-fails")))
    assert schedule.at_start() == ["errors"]
    assert schedule.waits_for_traffic
    assert schedule.at_traffic() == ["both-arms"]
    assert not schedule.waits_for_traffic
    assert schedule.at_documents(run(None, checks="running", staging="pending")) == []
    assert schedule.at_documents(run(None, checks="passed", staging="running")) == ["hang"]
    assert schedule.at_documents(run(5, staging="passed", canary="running")) == []
    assert schedule.waits_for_stage
    assert schedule.at_documents(run(25, staging="passed", canary="running")) == ["slow"]
    assert not schedule.waits_for_stage


def test_every_fault_is_known_to_the_shop_itself():
    source = (state_directory.Path(__file__).parents[2]).joinpath(
        "backend/hatchway/demo/shop_template/v1_4_0/shop/faults.py"
    )
    text = source.read_text()
    assert all(f'"{name}"' in text for name, arms in FAULTS.items() if arms)
