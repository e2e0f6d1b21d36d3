"""What a person may say about a service as such: see `decide.py`. The agent may say none of it."""

from __future__ import annotations

import math
from typing import assert_never

from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core import expectations
from hatchway.core.answers import Accepted, Refused
from hatchway.core.breaker import is_open
from hatchway.core.people import fold
from hatchway.core.plan import MetricSpec
from hatchway.core.quarantine import named
from hatchway.core.state import State

NOT_PEOPLE = frozenset({"", "agent", "hatchway", "system", "dead-man", "judge", "runner"})
MOST_EXPECTED = 20
"""Expectations in force of one service: more are a way not to look."""


def why_only_recommends(state: State, service: str, now: float) -> str:
    """Why the agent does nothing by itself in `service`, whatever policy allows; or empty."""
    breaker = state.breakers.get(service)
    if breaker is not None and is_open(breaker, now):
        return f"the breaker is open: {breaker.why}"
    back = state.last_back(service)
    if back is not None and back.unsettled and back.residue:
        return f"the rollback of run {back.id} left something behind: {back.residue[0]}"
    return ""


def order(state: State, command: cmd.Order, now: float) -> Accepted | Refused:
    """Decide on what a person orders. Pure; `now` in seconds since 1970."""
    if fold(command.by) in NOT_PEOPLE:
        return Refused("not_a_person", "Only a person may say this; the agent never.")
    if not isinstance(command, cmd.Withdraw) and not command.reason.strip():
        return Refused(
            "reason_missing",
            "This needs a reason; it goes into the journal.",
            "Say why, with --reason.",
        )
    match command:
        case cmd.Lift():
            return _lift(state, command)
        case cmd.Expect():
            return _expect(state, command, now)
        case cmd.Withdraw():
            return _withdraw(state, command)
        case cmd.CloseBreaker():
            return _close(state, command, now)
        case _:
            assert_never(command)


def _lift(state: State, command: cmd.Lift) -> Accepted | Refused:
    found = named(state.quarantine, command.service, command.commit)
    if len(found) != 1:
        many = f"{len(found)} commits" if found else "no commit"
        return Refused(
            "no_such_quarantine",
            f"{command.commit!a} names {many} in the quarantine of {command.service}.",
            "hatchway quarantine list names them.",
        )
    lifted = ev.QuarantineLifted(
        service=command.service, commit=found[0].commit, by=command.by, reason=command.reason
    )
    return Accepted((lifted,))


def _expect(state: State, command: cmd.Expect, now: float) -> Accepted | Refused:
    spec = next((m for m in command.metrics if m.name == command.metric), None)
    if spec is None:
        names = ", ".join(m.name for m in command.metrics if not expectations.protected(m))
        return Refused(
            "no_such_metric",
            f"{command.service} has no metric called {command.metric!a}.",
            f"Those that can be expected to rise: {names or 'none'}.",
        )
    refused = _not_to_be_expected(spec) or _unbounded(command)
    if refused is not None:
        return refused
    known = [e for e in state.expectations.get(command.service, {}).values() if e.expires_at > now]
    if len(known) >= MOST_EXPECTED:
        return Refused(
            "too_many",
            f"{len(known)} things are expected of {command.service} already.",
            "Withdraw one: hatchway expect list",
        )
    declared = ev.ExpectationDeclared(
        service=command.service,
        expectation=f"expect-{state.seq + 1}",
        metric=command.metric,
        at_most=command.at_most,
        expires_at=now + command.for_s,
        ticket=command.ticket.strip(),
        by=command.by,
        reason=command.reason,
    )
    return Accepted((declared,))


def _not_to_be_expected(spec: MetricSpec) -> Refused | None:
    if expectations.protected(spec):
        return Refused(
            "protected",
            f"{spec.label} is a protected metric: it says whether users are served, and nothing "
            "may excuse it.",
            "If it does not say that: protected: false in hatchway.yaml, which is reviewed.",
        )
    if spec.worse == "down" or spec.kind == "state":
        return Refused(
            "wrong_way",
            f"{spec.label} is worse when it falls: at most says nothing about it.",
            "Hold the run for that time instead: hatchway pause",
        )
    return None


def _unbounded(command: cmd.Expect) -> Refused | None:
    if not math.isfinite(command.at_most):
        return Refused("no_bound", "An expectation needs a bound.", "Say --at-most NUMBER.")
    least, most = expectations.SHORTEST_S, expectations.LONGEST_S
    if not least <= command.for_s <= most:
        return Refused(
            "bad_duration",
            f"{command.for_s:g} s is not between {least:g} s and {most / 3600:g} h.",
            "Say --for 20m; what is so for longer belongs into hatchway.yaml.",
        )
    if not command.ticket.strip():
        return Refused("ticket_missing", "Where can one read why?", "Say --ticket T.")
    return None


def _withdraw(state: State, command: cmd.Withdraw) -> Accepted | Refused:
    if command.expectation not in state.expectations.get(command.service, {}):
        return Refused(
            "no_such_expectation",
            f"Nothing called {command.expectation!a} is expected of {command.service}.",
            "hatchway expect list names them.",
        )
    withdrawn = ev.ExpectationWithdrawn(
        service=command.service,
        expectation=command.expectation,
        by=command.by,
        reason=command.reason,
    )
    return Accepted((withdrawn,))


def _close(state: State, command: cmd.CloseBreaker, now: float) -> Accepted | Refused:
    if not is_open(state.breakers.get(command.service), now):
        return Refused(
            "not_open", f"The breaker of {command.service} is not open: the agent acts as it may."
        )
    closed = ev.BreakerClosed(service=command.service, by=command.by, reason=command.reason)
    return Accepted((closed,))
