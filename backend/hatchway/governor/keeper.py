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
from hatchway.governor.driver import Driver, Order, Report
from hatchway.governor.haproxy import HAProxy
from hatchway.governor.ledger import Ledger
from hatchway.governor.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hatchway.governor.requests import Peer
    from hatchway.governor.settings import ServiceSettings, Settings

    Doc = dict[str, Any]
    Reply = Callable[[Doc], None]

ROLLBACK_ANSWER_S = 0.4
"""A rollback is answered after this time at the latest, done or not; it goes on by itself."""
DRAINED_S = 0.4
"""The canary's request counter must stand still for this long before it counts as drained."""
DRIFT_AFTER_S = 3.0
"""A change that is under way is not called drift before this."""
SPOOL_BYTES = 48_000
UNKNOWN = -1
"""Requests of the canary, when its weight could be read and its statistics could not."""


class Waiting(Value):
    """A client that is answered when the target was read back."""

    serial: int
    reply: Reply
    answer: Doc
    key: str = ""  # of an apply; empty for a rollback
    until: float = 0.0  # monotonic; of a rollback


class Service:
    """What is known of one service besides its durable state."""

    def __init__(self, settings: ServiceSettings, post: Callable[[Report], None]) -> None:
        self.driver = Driver(settings.name, HAProxy(settings.target), post)
        self.order = Order(0, 0, "look")
        self.ordered_at = 0.0
        self.waiting: list[Waiting] = []
        self.seen: Doc | None = None
        self.report: Report | None = None
        self.trouble = "the target has not been read yet"
        self.still_since = 0.0  # monotonic; 0 when the canary is not at rest

    @property
    def drained(self) -> bool:
        """Weight 0 read back, nothing under way, and the counter stood still for a while."""
        return bool(
            self.still_since
            and self.report
            and self.report.ticks - self.still_since >= DRAINED_S
            and not self.trouble
        )


class Keeper:
    """Answers requests. `wake` is called from other threads when `work` should be called."""

    def __init__(self, settings: Settings, ledger: Ledger, wake: Callable[[], None]) -> None:
        self._lease_s = settings.lease_s
        self._ledger = ledger
        self._leased_at = time.monotonic()
        self._lease_seen = False
        self._serial = 0
        self._reports: deque[tuple[str, Report]] = deque()
        self._services: dict[str, Service] = {}
        for each in settings.services:
            self._services[each.name] = Service(each, self._poster(each.name, wake))
            ledger.adopt(each.name, each.agent_may_write)
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
            case au.Stop():
                self._stop(name, request, reply)
            case au.Apply():
                self._apply(name, request, reply)
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
        silent = now - self._leased_at
        if silent > self._lease_s:
            for name in self._services:
                if self._ledger.states[name].mode == "agent":
                    answer, effects = self._decide(name, au.Lapse(silent))
                    if effects:
                        self._fence_out(name, answer)
        self._ledger.retry()

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
            self._give(service, ask.canary, "exactly")
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
        if not saves:
            return answer, effects
        trouble = self._ledger.commit(new, [e.entry for e in effects if isinstance(e, au.Spool)])
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

    def _give(self, service: Service, percent: int, how: str) -> None:
        self._serial += 1
        service.order = Order(self._serial, percent, how)  # type: ignore[arg-type]
        service.ordered_at = time.monotonic()
        service.driver.give(service.order)

    def _steer(self, name: str) -> None:
        """The order that the durable state asks for when no apply is under way."""
        service, state = self._services[name], self._ledger.states[name]
        how = "look" if state.ceiling == "none" or state.desired is None else "down"
        percent = state.desired or 0
        if (service.order.percent, service.order.how) != (percent, how):
            self._give(service, percent, how)

    def _reported(self, name: str, report: Report) -> None:
        service = self._services[name]
        _note(service, report)
        if report.serial != service.order.serial:
            return  # of an order that has been replaced: shown, but nothing is concluded from it
        desired = self._ledger.states[name].desired
        weights = report.weights
        there = weights is not None and desired is not None and weights.has(desired)
        mine = [w for w in service.waiting if w.serial <= report.serial]
        key = next((w.key for w in mine if w.key), "")
        if weights is not None and (there or desired is None) and service.seen is not None:
            self._decide(name, au.Observed(weights.percent, service.seen, key if there else ""))
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
            "drift": self._drift(service, state),
            "capsule": state.capsule,
            "lease_age_s": round(age, 3) if self._lease_seen else None,
            "lease_s": self._lease_s,
            "spool_seq": state.spool,
            "agent_may_write": state.agent_may_write,
            "agent_writes": state.agent_writes,
            "person_writes": state.person_writes,
            "system_writes": state.system_writes,
            "disk_trouble": self._ledger.trouble,
            "pid": os.getpid(),
        }

    def _drift(self, service: Service, state: au.Authority) -> str:
        if state.desired is None or service.report is None or service.report.weights is None:
            return ""
        if service.report.weights.has(state.desired):
            return ""
        under_way = service.order.how != "look"
        if under_way and time.monotonic() - service.ordered_at < DRIFT_AFTER_S:
            return ""
        has = f"{state.desired} % is wanted and the target has {service.report.weights.percent} %"
        if under_way:
            return f"{has}: the governor keeps trying"
        return f"{has}: it was changed outside Hatchway, or it lost its weights in a restart"


def _note(service: Service, report: Report) -> None:
    """Keep what a report says of the target, for the status."""
    service.trouble = report.trouble
    if report.weights is None:
        service.still_since = 0.0
        return
    before = service.seen
    percent, traffic = report.weights.percent, report.traffic
    served = report.weights.canary + report.weights.stable > 0
    if not served:
        service.trouble = service.trouble or "both weights are 0: nobody is served"
    service.report = report
    service.seen = {
        "canary": percent,
        "stable": 100 - percent if served else 0,
        "canary_inflight": traffic.inflight if traffic else UNKNOWN,
        "canary_total": traffic.total if traffic else UNKNOWN,
        "at": report.at,
    }
    at_rest = percent == 0 and traffic is not None and traffic.inflight == 0
    if not at_rest:
        service.still_since = 0.0
    elif not service.still_since or (before or {}).get("canary_total") != traffic.total:  # type: ignore[union-attr]
        service.still_since = report.ticks
