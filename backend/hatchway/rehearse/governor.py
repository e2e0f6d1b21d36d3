"""The governor's own rules over a target of one number a service: only its disk and socket lack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from hatchway.core import events as ev
from hatchway.governor import authority as rules
from hatchway.governor.target import differences
from hatchway.targets.governor import observed_of, spool_line, stop_all_said
from hatchway.targets.port import Declined, NotApplied, Observed, Standing, TargetError


class Write(Struct, frozen=True):
    """A change that reached the target: who asked for it, what it was before and after."""

    at: float
    key: str
    by: str
    old: int
    new: int


class RehearsedGovernor:
    """Passes for a target (`targets.port.Target`). It outlives the backend, as the real one does."""

    def __init__(self, services: tuple[str, ...], clock: Callable[[], float]) -> None:
        self._clock = clock
        self.state = {name: rules.Authority(name) for name in services}
        self.weight = dict.fromkeys(services, 0)
        self.writes: list[Write] = []
        self.refusals: list[tuple[float, str, str]] = []  # when, code, why
        self.how = "ok"  # refuses, deaf (takes it and changes nothing), silent
        self.facts: dict[str, str] = {}  # what the target is like besides the share
        self._moved: dict[str, float] = {}  # when somebody moved it past the governor
        self._spooled: dict[str, list[dict[str, Any]]] = {name: [] for name in services}
        self._seq = 0
        self._reads = 0
        for name in services:
            self._observe(name)

    def _decide(self, name: str, request: Any, by: str = "") -> dict[str, Any]:
        state, answer, effects = rules.decide(
            self.state[name], request, self._clock(), self._seq + 1
        )
        self.state[name] = state
        for effect in effects:
            if isinstance(effect, rules.Spool):
                self._seq += 1
                self._spooled[name].append(effect.entry)
            if isinstance(effect, rules.Drive) and self.how == "ok":
                self._drive(name, effect.key, by, state.desired or 0)
        if not answer["ok"]:
            self.refusals.append((self._clock(), answer["code"], answer["why"]))
        return answer

    def _drive(self, name: str, key: str, by: str, weight: int) -> None:
        if weight != self.weight[name]:
            self.writes.append(Write(self._clock(), key, by, self.weight[name], weight))
        self.weight[name] = weight

    def by_hand(self, service: str, weight: int) -> None:
        """Somebody moves the traffic past the governor."""
        self.weight[service] = weight
        self._moved[service] = self._clock()

    def _picture(self) -> dict[str, Any]:
        return {"at": self._clock(), "facts": self._lines(), "process": 1}

    def _lines(self) -> list[str]:
        return [f"{name}: {value}" for name, value in self.facts.items()]

    def _residue(self, state: rules.Authority) -> tuple[str, ...]:
        """What differs from the picture that was taken when the capsule was armed."""
        if state.picture is None:
            return ()
        return tuple(differences(tuple(state.picture["facts"]), tuple(self._lines())))

    def _observe(self, name: str, key: str = "") -> dict[str, Any]:
        self._reads += 1
        weight = self.weight[name]
        seen = {
            "canary": weight,
            "stable": 100 - weight,
            "canary_inflight": 0,
            "canary_total": 0,
            "at": float(self._reads),
        }
        self._decide(name, rules.Observed(weight, seen, key))
        return seen

    def _answer(self) -> None:
        if self.how == "silent":
            raise TargetError("the governor does not answer: time-out")

    async def standing(self, service: str) -> Standing:
        await asyncio.sleep(0)
        self._answer()
        seen = self._observe(service)
        state = self.state[service]
        drifts = self.weight[service] != state.desired and service in self._moved
        return Standing(
            service=service,
            epoch=state.epoch,
            mode=state.mode,
            holder=state.holder,
            spool=state.spool,
            desired=state.desired or 0,
            observed=observed_of(seen),
            trouble="",
            drift=f"the canary has {seen['canary']} %, {state.desired} % is wanted"
            if drifts
            else "",
            drift_since=self._moved.get(service, 0.0) if drifts else 0.0,
            residue=self._residue(state),
            residue_at=self._clock(),
            agent_writes=state.agent_writes,
            person_writes=state.person_writes,
            stop_all=stop_all_said(state.barred),
        )

    async def renew_lease(self) -> None:
        self._answer()

    async def arm(self, service: str, capsule: dict[str, Any]) -> None:
        self._answer()
        self._decide(service, rules.Arm(capsule, self._picture()))

    async def apply(
        self, service: str, *, epoch: int, key: str, canary: int, by: ev.By
    ) -> Observed | NotApplied:
        await asyncio.sleep(0)
        self._answer()
        request = rules.Apply(epoch=epoch, key=key, canary=canary, kind=by.kind, name=by.name)
        if self.how == "refuses":
            return NotApplied("target_failed", "the target answers 503")
        answer = self._decide(service, request, by.kind)
        if not answer["ok"]:
            return NotApplied(answer["code"], answer["why"])
        if "observed" in answer:
            return observed_of(answer["observed"])
        if self.weight[service] != canary:
            return NotApplied("target_failed", "the target does not have the weights")
        return observed_of(self._observe(service, key))

    async def stop(self, service: str, op: str, *, id: str, by: str, reason: str) -> str:
        await asyncio.sleep(0)
        self._answer()
        request = rules.Stop(op=op, id=id, by=by, reason=reason)  # type: ignore[arg-type]
        said = []
        for name in (service,) if service else tuple(self.state):
            answer = self._decide(name, request, "person")
            if not answer["ok"]:
                raise Declined(answer["code"], answer["why"], answer.get("todo", ""))
            said.append(str(answer["said"]))
        return " ".join(said)

    async def spool(self, service: str, after: int) -> tuple[ev.AuthorityChanged, ...]:
        self._answer()
        return tuple(spool_line(service, e) for e in self._spooled[service] if e["seq"] > after)
