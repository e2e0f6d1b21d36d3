"""From what came over the wire to a command about a service. Pure."""

from __future__ import annotations

from typing import assert_never

from hatchway.core import commands as cmd
from hatchway.core.plan import ServiceSpec
from hatchway.edge.door import OrderRequest


def ordered(request: OrderRequest, service: ServiceSpec, by: str) -> cmd.Order:
    """The command that `by` gives about `service`."""
    match request.kind:
        case "lift":
            return cmd.Lift(
                id=request.id,
                by=by,
                service=service.name,
                commit=request.item,
                reason=request.reason,
            )
        case "expect":
            return cmd.Expect(
                id=request.id,
                by=by,
                service=service.name,
                metric=request.item,
                at_most=request.at_most,
                for_s=request.for_s,
                ticket=request.ticket,
                reason=request.reason,
                metrics=service.metrics,
            )
        case "withdraw":
            return cmd.Withdraw(
                id=request.id,
                by=by,
                service=service.name,
                expectation=request.item,
                reason=request.reason,
            )
        case "close":
            return cmd.CloseBreaker(
                id=request.id, by=by, service=service.name, reason=request.reason
            )
        case _:
            assert_never(request.kind)
