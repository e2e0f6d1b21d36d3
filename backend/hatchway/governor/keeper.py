"""Joins the pure decisions, the disk and the targets. One thread only; it never waits for a target.

A stop is durable before it is answered. When the disk refuses, a stop still counts, latched in
memory, and its answer says so; what adds risk is refused until the disk writes again.
"""

from __future__ import annotations

import os
import time
from collections import deque

from hatchway.governor import authority as au
from hatchway.governor import requests
from hatchway.governor.driver import Order, Report
from hatchway.governor.haproxy import HAProxy
from hatchway.governor.ledger import Ledger
from hatchway.governor.service import Service, Waiting
from hatchway.governor.settings_target import CommandSettings
from hatchway.governor.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hatchway.governor.requests import Peer
    from hatchway.governor.settings import Settings
    from hatchway.governor.settings_target import TargetSettings
    from hatchway.governor.target import Target

    Doc = dict[str, Any]
    Reply = Callable[[Doc], None]

ROLLBACK_ANSWER_S = 0.4
"""A rollback is answered after this time at the latest, done or not; it goes on by itself."""
SPOOL_BYTES = 48_000
GAP_S = 2.0
"""The loop goes round every 0.1 s; after a gap like this the process itself stood still."""


def opened(settings: TargetSettings) -> Target:
    """The adapter of a target. Starting processes costs half a megabyte: only where it is needed."""
    if isinstance(settings, CommandSettings):
        from hatchway.governor.command import CommandTarget  # noqa: PLC0415

        return CommandTarget(settings)
    return HAProxy(settings)


class Keeper:
    """Answers requests. `wake` is called from other threads when `work` should be called."""

    def __init__(self, settings: Settings, ledger: Ledger, wake: Callable[[], None]) -> None:
        self._lease_s = settings.lease_s
        self._ledger = ledger
        self._leased_at = time.monotonic()
        self._lease_seen = False
        self._lapse_rollback_s = settings.lapse_rollback_s
        self._worked_at = self._awake_since = self._leased_at
        self._serial = 0
        self._reports: deque[tuple[str, Report]] = deque()
        self._services: dict[str, Service] = {}
        for each in settings.services:
            target = opened(each.target)
            self._services[each.name] = Service(each.name, target, self._poster(each.name, wake))
            ledger.adopt(each.name, each.agent_may_write)
            picture = ledger.states[each.name].picture
            if picture is not None:
                target.remember(picture["process"])
        for name, service in self._services.items():
            self._steer(name)
            service.driver.start()

    def handle(self, doc: Doc, peer: Peer, reply: Reply) -> None:
        """Do what one line asks; `reply` is called exactly once, now or later."""
        try:
            name, request = requests.read(doc, peer, tuple(self._services))
        except requests.BadRequest as error:
            reply(error.answer)
            return
        match request:
            case requests.Status():
                reply(self._status_answer(name))
            case requests.Entries():
                reply(self._ledger.spooled(name, request.after, SPOOL_BYTES))
            case au.Lease():
                self._lease(name, reply)
            case au.Stop() if request.op in requests.OF_ALL:
                reply(self._for_all(request))
            case au.Stop():
                self._stop(name, request, reply)
            case au.Apply():
                self._apply(name, request, reply)
            case au.Arm():
                picture = self._services[name].picture()
                reply(self._decide(name, replace(request, picture=picture))[0])
            case _:
                reply(self._decide(name, request)[0])

    def work(self) -> None:
        """What is due: reports of the targets, late rollback answers, the dead-man, the disk."""
        while self._reports:
            name, report = self._reports.popleft()
            self._reported(name, report)
        now = time.monotonic()
        for name, service in self._services.items():
            for waiting in [w for w in service.waiting if w.until and w.until <= now]:
                service.waiting.remove(waiting)
                waiting.reply(self._rollback_answer(name, waiting.answer))
        self._look_for_lapse(now)
        self._ledger.retry()

    def _look_for_lapse(self, now: float) -> None:
        """The dead-man: the backend is silent. `now` is monotonic."""
        if now - self._worked_at > GAP_S:
            self._awake_since = now  # this process stood still: it has not heard the backend either
        self._worked_at = now
        silent = now - self._leased_at
        if silent <= self._lease_s:
            return
        back_s = self._lapse_rollback_s
        awake = now - self._awake_since > self._lease_s
        lapse = au.Lapse(silent, goes_back=0 < back_s < silent and awake)
        for name in self._services:
            # Most rounds find that there is nothing to do any more: they must not cost a decision.
            if lapse.goes_back or self._ledger.states[name].mode == "agent":
                answer, effects = self._decide(name, lapse)
                if effects:
                    self._fence_out(name, answer)

    def _for_all(self, stop: au.Stop) -> Doc:
        """STOP ALL, or letting the agents in again: one durable change of every service.

        Also of those that the configuration does not name at the moment: they may come back.
        """
        now, seq = time.time(), self._ledger.next_seq
        states: list[au.Authority] = []
        lines: list[Doc] = []
        answers: list[Doc] = []
        away = [name for name in self._ledger.states if name not in self._services]
        for name in (*self._services, *away):
            new, answer, effects = au.decide(self._ledger.states[name], stop, now, seq + len(lines))
            lines += [e.entry for e in effects if isinstance(e, au.Spool)]
            if any(isinstance(e, au.Save) for e in effects):
                states.append(new)
            if name in self._services or answer["ok"]:
                answers.append(answer)
        done = [answer for answer in answers if answer["ok"]]
        if not done:
            return answers[0]
        trouble = self._ledger.commit_all(tuple(states), lines) if states else ""
        for state in states:
            if state.service in self._services:
                self._fence_out(state.service, done[0])
        said = " ".join(answer["said"] for answer in done)
        if trouble:
            said = f"{said} Not durable: {trouble}."
        answer = {**done[-1], "said": said, "services": list(self._services)}
        return {**answer, "durable": False} if trouble else answer

    def _stop(self, name: str, stop: au.Stop, reply: Reply) -> None:
        answer, effects = self._decide(name, stop)
        if not answer["ok"]:
            reply(answer)
            return
        if not answer["replayed"]:
            self._fence_out(name, answer)
        service = self._services[name]
        if any(isinstance(e, au.Drive) for e in effects):
            until = time.monotonic() + ROLLBACK_ANSWER_S
            service.waiting.append(Waiting(service.order.serial, reply, answer, until=until))
        elif stop.op == "rollback":
            reply(self._rollback_answer(name, answer))
        else:
            reply(answer)

    def _fence_out(self, name: str, stopped: Doc) -> None:
        """After a stop: a new order, and an answer for those whose change it overtook."""
        self._steer(name)
        service = self._services[name]
        for waiting in [w for w in service.waiting if w.key]:
            service.waiting.remove(waiting)
            why = f"A stop came while {waiting.key} was under way; it is undone. {stopped.get('said', '')}"
            waiting.reply(au.refuse("fenced", why, "Read the status and decide again."))

    def _apply(self, name: str, ask: au.Apply, reply: Reply) -> None:
        service = self._services[name]
        under_way = [w for w in service.waiting if w.key]
        answer, effects = self._decide(name, ask)
        if not answer["ok"] or not any(isinstance(e, au.Drive) for e in effects):
            reply(answer)
            return
        for other in [w for w in under_way if w.key != ask.key]:
            service.waiting.remove(other)
            why = f"{ask.key} came while {other.key} was under way and replaces it."
            other.reply(au.refuse("fenced", why, "Read the status and decide again."))
        if not any(w.key == ask.key for w in service.waiting):
            self._give(service, Order(0, ask.canary, "exactly", ask.epoch, ask.key))
        service.waiting.append(Waiting(service.order.serial, reply, answer, ask.key))

    def _lease(self, name: str, reply: Reply) -> None:
        self._leased_at = time.monotonic()
        self._lease_seen = True
        for each in self._services:
            self._decide(each, au.Lease())
        reply(self._status_answer(name))

    def _decide(self, name: str, request: au.Request) -> tuple[Doc, tuple[au.Effect, ...]]:
        """Decide and make it durable. The answer says when it could not be."""
        old = self._ledger.states[name]
        new, answer, effects = au.decide(old, request, time.time(), self._ledger.next_seq)
        saves = [e for e in effects if isinstance(e, au.Save)]
        lines = [e.entry for e in effects if isinstance(e, au.Spool)]
        trouble = self._ledger.commit(new, lines) if saves else self._ledger.unsaved()
        if not trouble:
            return answer, effects
        if any(e.adds_risk for e in saves):
            self._ledger.states[name] = old
            why = f"It could not be made durable ({trouble}); nothing was changed."
            todo = "Free the governor's disk. Stops still work."
            return au.refuse("not_durable", why, todo), ()
        if "said" in answer:
            answer = {
                **answer,
                "said": f"{answer['said']} Not durable: {trouble}.",
                "durable": False,
            }
        return answer, effects

    # --- the targets ----------------------------------------------------------------------------

    def _poster(self, name: str, wake: Callable[[], None]) -> Callable[[Report], None]:
        def post(report: Report) -> None:
            self._reports.append((name, report))
            wake()

        return post

    def _give(self, service: Service, order: Order) -> None:
        self._serial += 1
        service.order = replace(order, serial=self._serial)
        service.ordered_at = time.monotonic()
        service.driver.give(service.order)

    def _steer(self, name: str) -> None:
        """The order that the durable state asks for when no apply is under way."""
        service, state = self._services[name], self._ledger.states[name]
        looks = state.ceiling == "none" or state.desired is None
        order = Order(0, state.desired or 0, "look" if looks else "down", state.epoch)
        if (service.order.percent, service.order.how) != (order.percent, order.how):
            self._give(service, order)

    def _reported(self, name: str, report: Report) -> None:
        service = self._services[name]
        service.note(report)
        if report.serial != service.order.serial:
            return  # of an order that has been replaced: shown, but nothing is concluded from it
        service.look_for_drift(self._ledger.states[name], report.at)
        desired = self._ledger.states[name].desired
        weights = report.weights
        there = weights is not None and desired is not None and weights.has(desired)
        mine = [w for w in service.waiting if w.serial <= report.serial]
        key = next((w.key for w in mine if w.key), "")
        if weights is not None and (there or desired is None) and service.seen is not None:
            picture = service.picture()
            key = key if there else ""
            self._decide(name, au.Observed(weights.percent, service.seen, key, picture))
        for waiting in mine:
            if waiting.key:
                service.waiting.remove(waiting)
                waiting.reply(self._applied(service, waiting, there))
            elif there:
                service.waiting.remove(waiting)
                waiting.reply(self._rollback_answer(name, waiting.answer))
        if not any(w.key for w in service.waiting):
            self._steer(name)

    def _applied(self, service: Service, waiting: Waiting, there: bool) -> Doc:
        if there:
            return {**waiting.answer, "observed": service.seen}
        why = service.trouble or "the target does not have the weights it was given"
        why = f"{waiting.key} is not done: {why}."
        return au.refuse("target_failed", why, "Ask again with the same key, or stop.")

    def _rollback_answer(self, name: str, answer: Doc) -> Doc:
        service = self._services[name]
        seen = service.seen or {}
        done = seen.get("canary") == 0 and not service.trouble
        left = "" if done else (service.trouble or f"the canary still has {seen.get('canary')} %")
        if done and seen.get("canary_inflight", 0) > 0:
            left = f"{seen['canary_inflight']} requests are still under way on the canary"
        return {**answer, "observed": service.seen, "done": done, "left": left}

    # --- the status -----------------------------------------------------------------------------

    def _status_answer(self, name: str) -> Doc:
        if name:
            return {"ok": True, "status": self.status(name)}
        return {"ok": True, "statuses": [self.status(each) for each in self._services]}

    def status(self, name: str) -> Doc:
        """Everything that is known of a service."""
        service, state = self._services[name], self._ledger.states[name]
        age = time.monotonic() - self._leased_at
        service.look_for_drift(state, time.time())
        return {
            "service": name,
            "epoch": state.epoch,
            "mode": state.mode,
            "holder": state.holder,
            "since": state.since,
            "reason": state.reason,
            # Before the first look at the target nobody wants anything yet: 0, and a trouble.
            "desired": {"canary": state.desired or 0},
            "observed": service.seen,
            "drained": service.drained,
            "target_trouble": service.trouble,
            "drift": service.drift,
            "drift_since": service.drift_since,
            "drift_own": bool(service.drift) and au.unresolved(state),
            "residue": service.residue(state),
            "residue_at": service.inventory_at,
            "unfit": list(service.inventory.unfit) if service.inventory else [],
            "capsule": state.capsule,
            "lease_age_s": round(age, 3) if self._lease_seen else None,
            "lease_s": self._lease_s,
            "lapse_rollback_s": self._lapse_rollback_s or None,
            "stop_all": state.barred,
            "spool_seq": self._ledger.durable_spool(name),
            "agent_may_write": state.agent_may_write,
            "agent_writes": state.agent_writes,
            "person_writes": state.person_writes,
            "system_writes": state.system_writes,
            "disk_trouble": self._ledger.trouble,
            "pid": os.getpid(),
        }
