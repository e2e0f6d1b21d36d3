"""A small plan, and a world that answers what `next_actions` asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hatchway.core import events as ev
from hatchway.core import next as nx
from hatchway.core.evolve import evolve
from hatchway.core.plan import (
    CanaryStage,
    CanaryStep,
    CommandStage,
    JobPlan,
    PipelinePlan,
    ReleaseStage,
)
from hatchway.core.state import Run, State

PLAN = PipelinePlan(
    name="shop",
    service="shop",
    environment="prod",
    stages=(
        CommandStage("checks", "checks", ((JobPlan("lint", "x"), JobPlan("types", "x")),), 30.0),
        ReleaseStage("release"),
        CanaryStage(
            "canary",
            ((JobPlan("start", "x"),),),
            (
                CanaryStep(5, 120.0),
                CanaryStep(25, 120.0),
                CanaryStep(100, 300.0, hold_back=5),
            ),
        ),
    ),
    digest="plan",
)


@dataclass
class World:
    """The journal as a list, the clock as a number, the governor as two numbers."""

    mode: ev.Mode = "act"
    plan: PipelinePlan = PLAN
    now: float = 1000.0
    state: State = field(default_factory=State)
    log: list[ev.Event] = field(default_factory=list)
    weight: int = 0
    weights: list[int] = field(default_factory=list)
    spool: int = 0

    def start(self) -> None:
        self.record(
            ev.RunStarted(
                run="1",
                service="shop",
                environment="prod",
                mode=self.mode,
                pace=10.0,
                commit="c1",
                base="c0",
                from_version="1.4.0",
                to_version="1.5.0",
                plan=self.plan,
                policy_digest="policy",
            )
        )

    @property
    def run(self) -> Run:
        return self.state.runs["1"]

    def record(self, *events: ev.Event, idem: str = "") -> None:
        for event in events:
            copy = ev.decode(ev.kind_of(event), ev.encode(event))
            assert copy == event, "an event must come back from the journal as it went in"
            self.log.append(event)
            self.state = evolve(self.state, event, seq=self.state.seq + 1, at=self.now, idem=idem)

    def actions(self) -> tuple[nx.Action, ...]:
        return nx.next_actions(self.state, self.run, self.now)

    def step(self, job: str = "passed") -> bool:
        """Do what is due once; False when nothing is."""
        actions = self.actions()
        for action in actions:
            match action:
                case nx.Record(events):
                    self.record(*events)
                    return True
                case nx.RunJob():
                    self.record(
                        ev.JobEnded(
                            run="1",
                            stage=action.stage,
                            job=action.job.name,
                            attempt=action.attempt,
                            status=job,  # type: ignore[arg-type]
                            seconds=1.0,
                            why="exit status 1" if job == "failed" else "",
                        )
                    )
                case nx.CancelJob():
                    pass
                case nx.GatherRelease():
                    self.record(
                        ev.ReleaseRequested(
                            run="1",
                            risk="MEDIUM",
                            reasons=("r",),
                            attention=(),
                            changes=(),
                            files=(),
                        )
                    )
                case nx.Ask():
                    topic = "block_deploy" if action.topic == "failed" else "open_release"
                    self.propose(topic, "auto")
                case nx.ArmCapsule():
                    self.record(ev.CapsuleArmed(run="1", checksum="sum"))
                case nx.Apply(_, effect):
                    self.apply(effect.key, effect.epoch, effect.weight)
                case nx.ConfirmRollback():
                    self.weight = 0
                    self.record(
                        ev.RunEnded(run="1", outcome="rolled_back", why="by a person"),
                    )
        return bool(actions)

    def apply(self, key: str, epoch: int, weight: int) -> None:
        """What the governor would do: refuse an old epoch and everything while paused."""
        authority = self.state.authority_of("shop")
        if epoch != authority.epoch or authority.mode == "paused":
            self.record(ev.EffectFenced(run="1", key=key, code="fenced", why="epoch"))
            return
        self.weight = weight
        self.weights.append(weight)
        self.record(ev.EffectVerified(run="1", key=key, observed=weight))

    def propose(
        self, capability: str, answer: str, step: int | None = None, on: str = "PASS"
    ) -> None:
        authority = self.state.authority_of("shop")
        proposal = f"p{len(self.run.proposals) + 1}"
        self.record(
            ev.ProposalMade(
                run="1",
                proposal=proposal,
                capability=capability,  # type: ignore[arg-type]
                step=self.run.step if step is None else step,
                epoch=authority.epoch,
                brain="rules",
                confidence=1.0,
                headline="h",
                evidence=(),
                digest="d",
                answer=answer,  # type: ignore[arg-type]
                rule="r",
                why="w",
            )
        )
        if answer == "ask":
            self.record(
                ev.ItemOpened(
                    run="1",
                    item=f"{proposal}.item",
                    type="recommendation",
                    capability=capability,  # type: ignore[arg-type]
                    step=self.run.step,
                    expires_at=self.now + 1800,
                    binding={"epoch": str(authority.epoch), "verdict": on},
                )
            )

    def settle(self, limit: int = 100) -> None:
        """Do what is due until nothing is, or until the run waits for somebody."""
        for _ in range(limit):
            if not self.run.active or not self.step():
                return
        raise AssertionError(f"no end to it: {self.actions()}")

    def authority(self, op: str, by: str = "ana") -> None:
        """What the governor's spool would say."""
        self.spool += 1
        modes = {"pause": "paused", "takeover": "person", "rollback": "paused", "release": "agent"}
        if op == "rollback":
            self.weight = 0
        self.record(
            ev.AuthorityChanged(
                service="shop",
                spool=self.spool,
                op=op,
                command=f"{op}-{self.spool}",
                by=by,
                reason="because",
                epoch=self.state.authority_of("shop").epoch + 1,
                mode=modes[op],  # type: ignore[arg-type]
                holder="" if op == "release" else by,
                desired=self.weight,
                direct=False,
                at=self.now,
            )
        )

    def close_item(self, status: str = "accepted", by: str = "ana") -> None:
        item = next(i for i in self.run.items.values() if i.status == "open")
        self.record(
            ev.ItemClosed(run="1", item=item.id, status=status, by=by)  # type: ignore[arg-type]
        )

    def verdict(self, word: str, action: str = "none") -> None:
        self.record(
            ev.VerdictChanged(
                run="1",
                step=self.run.step,
                word=word,  # type: ignore[arg-type]
                action=action,  # type: ignore[arg-type]
                headline="h",
                evidence=(),
                confidence=0.9,
            )
        )

    def to_canary(self) -> None:
        """Through the checks and the approval to the first share."""
        self.start()
        self.settle()
        self.close_item()
        self.settle()
        assert self.run.step == 0


@pytest.fixture
def make_world() -> Callable[..., World]:
    return World


@pytest.fixture
def world() -> World:
    return World()
