"""What is released in the simulation: a service with a canary of 5, 25 and 100 %."""

from __future__ import annotations

from hatchway.core.plan import (
    CanaryStage,
    CanaryStep,
    CommandStage,
    Installation,
    JobPlan,
    PipelinePlan,
    ReleaseStage,
    ServiceSpec,
    TargetSpec,
)
from hatchway.core.policy import (
    AutomaticRollbacksBelow,
    ControlIs,
    DataAgeBelow,
    EnvironmentPolicy,
    Policy,
    Rule,
    StableHealthy,
    VerdictIn,
)

SERVICE = "shop"
LEASE_S = 6.0  # a request that is lost costs two of them, and is no lapse yet


def _step(weight: int, hold_back: int = 0) -> CanaryStep:
    return CanaryStep(weight, 0.5, hold_back=hold_back, extends=60_000, at_most_s=86_400.0)


PLAN = PipelinePlan(
    name=SERVICE,
    service=SERVICE,
    environment="prod",
    stages=(
        CommandStage("checks", "checks", ((JobPlan("lint", "x"),),), 60.0),
        ReleaseStage("release"),
        CanaryStage("canary", ((JobPlan("start", "x"),),), (_step(5), _step(25), _step(100, 5))),
    ),
    digest="plan",
)
POLICY = Policy(
    version=1,
    environments={
        "prod": EnvironmentPolicy(
            "act",
            {
                "promote": Rule(
                    "auto",
                    (
                        VerdictIn(("PASS",)),
                        DataAgeBelow(10.0),
                        StableHealthy(True),
                        ControlIs("agent"),
                    ),
                ),
                "rollback": Rule(
                    "auto",
                    (VerdictIn(("REGRESS",)), ControlIs("agent"), AutomaticRollbacksBelow(1)),
                ),
                "block_deploy": Rule("auto"),
                "open_release": Rule("auto"),
            },
        )
    },
    digest="policy",
)
INSTALLATION = Installation(
    environment="prod",
    name="simulation",
    services=(ServiceSpec(SERVICE, "r", "p", TargetSpec("haproxy", "s"), (), ()),),
)
