"""Rehearsals as fixtures: those that come with the program, and scenes that a test writes itself."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from hatchway.brains.port import Situation
from hatchway.core import events as ev
from hatchway.core.plan import PipelinePlan
from hatchway.core.policy import EnvironmentPolicy, Policy, Rule, VerdictIn
from hatchway.core.schedules import Schedules
from hatchway.rehearse import scenario as sc
from hatchway.rehearse.house import Over
from hatchway.rehearse.outcome import Result, result_of
from hatchway.rehearse.play import Played, play
from hatchway.rehearse.reading import load
from hatchway.settings.load import load_all, shipped

VERSIONS = (sc.Version("1.4.0"), sc.Version("1.5.0"))

WEAKEST = Policy(
    1,
    {
        "prod": EnvironmentPolicy(
            "act",
            {
                "promote": Rule("auto", (VerdictIn(("PASS",)),)),
                "rollback": Rule("auto", (VerdictIn(("REGRESS",)),)),
                "block_deploy": Rule("auto"),
                "open_release": Rule("auto"),
            },
        )
    },
    digest="weakest",
)
"""Nothing but what the loader insists on: whatever still stops the agent, no policy takes away."""


class Scene:
    """What came of a scene, with the questions that tests ask."""

    def __init__(self, scenario: sc.Scenario, played: Played) -> None:
        self.scenario = scenario
        self.played = played

    @property
    def result(self) -> Result:
        return result_of(self.scenario, self.played)

    @property
    def guards(self) -> set[str]:
        return {stop.guard for stop in self.result.guards}

    @property
    def run(self) -> Any:
        """The newest run."""
        return next(reversed(self.played.state.runs.values()))

    def of(self, kind: type[Any]) -> list[Any]:
        """Events of a kind, in order."""
        return [e for e in self.played.events if isinstance(e, kind)]

    def when(self, kind: type[Any], **fields: Any) -> list[float]:
        """When events of a kind with these values came, in seconds after the first share."""
        return [
            record.at - self.played.began
            for record, event in zip(self.played.records, self.played.events, strict=True)
            if isinstance(event, kind)
            and all(getattr(event, name) == value for name, value in fields.items())
        ]

    def proposals(self, capability: str) -> list[Any]:
        return [p for p in self.of(ev.ProposalMade) if p.capability == capability]

    @property
    def said(self) -> str:
        """Every word of the judge, and of the agent."""
        events = [*self.of(ev.VerdictChanged), *self.of(ev.ProposalMade)]
        return "\n".join(event.headline for event in events)

    def raised(self, after: float = 1.0) -> list[int]:
        """The shares that the canary was given after so many seconds."""
        began = self.played.began
        return [w.new for w in self.played.writes if w.new > w.old and w.at - began > after]

    def rolled_back_by(self, kind: str) -> int:
        """How often traffic was taken from the canary by an agent, or a person."""
        return sum(w.new == 0 and w.by == kind for w in self.played.writes)


@pytest.fixture(scope="session")
def plan() -> PipelinePlan:
    """The pipeline that is shipped."""
    return load_all(shipped()).pipelines["shop"]


@pytest.fixture(scope="session")
def policy() -> Policy:
    """The policy that is shipped."""
    return load_all(shipped()).policy


@pytest.fixture(scope="session")
def weakest() -> Policy:
    return WEAKEST


@pytest.fixture(scope="session")
def rehearsed(policy: Policy, plan: PipelinePlan) -> Callable[[str], Scene]:
    """Play a rehearsal that comes with the program over the shipped configuration, once."""

    @functools.cache
    def rehearse(name: str) -> Scene:
        scenario = load(name)
        return Scene(scenario, play(scenario, Over(policy, plan)))

    return rehearse


@pytest.fixture
def scene(policy: Policy, plan: PipelinePlan) -> Callable[..., Scene]:
    """Play entries (seconds, what happens), for so many seconds."""

    def played(lasts: float, *when: tuple[float, sc.Do], **given: Any) -> Scene:
        over = given.pop("over", policy)
        pipeline = given.pop("pipeline", plan)
        stuck = given.pop("stuck", False)
        calendars = given.pop("calendars", Schedules())
        scenario = sc.Scenario(
            name="scene",
            title="a scene",
            story="a scene",
            lasts=lasts,
            versions=given.pop("versions", VERSIONS),
            when=tuple(sc.Entry(at, do) for at, do in when),
            nevers=given.pop("nevers", (sc.Never("rollback_by_agent"), sc.Never("raise", 1))),
            **given,
        )
        found = play(scenario, Over(over, pipeline, calendars))
        assert stuck or not found.stuck, found.stuck
        return Scene(scenario, found)

    return played


@pytest.fixture(scope="session")
def asking() -> Policy:
    """Promotions are asked for, rollbacks are done."""
    place = WEAKEST.environments["prod"]
    rules = {**place.capabilities, "promote": Rule("ask")}
    return Policy(1, {"prod": EnvironmentPolicy("act", rules)}, digest="asking")


@pytest.fixture
def failed_stage(rehearsed: Callable[[str], Scene]) -> Callable[[tuple[str, ...]], Situation]:
    """What a brain is asked when a stage failed and its command printed these lines last."""
    run = rehearsed("stripe-2019").run

    def situation(tail: tuple[str, ...]) -> Situation:
        return Situation(
            topic="failed", run=run, now=1.0, stage="unit tests", why="exit status 1", tail=tail
        )

    return situation
