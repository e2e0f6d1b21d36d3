"""Broken variants of the design. Each is a mistake that somebody could make, and must be caught.

A mutant that no schedule catches means that the simulation cannot see that mistake, and so that it
proves nothing about its absence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hatchway.conductor import authority as follower_module
from hatchway.conductor import weights
from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.core import evolve
from hatchway.governor import authority as au
from hatchway.governor import driver, haproxy, keeper, ledger, store
from hatchway.governor.value import replace
from hatchway.targets.port import NotApplied, Observed, TargetError
from simulated import schedules
from simulated.world import World

Put = Callable[[Any, str, Any], None]


@dataclass(frozen=True)
class Mutant:
    """`breaks` is the promise, or the promises, that a schedule must find broken.

    `favour` are faults that each schedule has besides its own, where the mistake takes a rare
    accident to show: they make the test quick, all schedules have them now and then.
    """

    name: str
    breaks: tuple[str, ...]
    put: Callable[[Put], None]
    favour: tuple[Callable[[World], None], ...] = ()


def no_fence(put: Put) -> None:
    real = au._no

    def no(state: Any, ask: Any) -> Any:
        return real(state, replace(ask, epoch=state.epoch))

    put(au, "_no", no)


def order_not_checked_when_sent(put: Put) -> None:
    """A stop replaces the order, and the driver goes on with the commands of the old one."""
    put(driver._Guard, "__enter__", lambda self: None)
    put(driver._Guard, "__exit__", lambda self, *_: None)


def fence_and_rollback_in_two(put: Put) -> None:
    """First the epoch and the hold become durable, and then that 0 % is desired."""
    real = keeper.Keeper._decide

    def decide(self: Any, name: str, request: Any) -> Any:
        if not isinstance(request, au.Stop) or request.op != "rollback":
            return real(self, name, request)
        before = self._ledger.states[name]
        answer, effects = real(self, name, request)
        after = self._ledger.states[name]
        if after is not before and before.desired is not None:
            half = replace(after, desired=before.desired, ceiling=before.ceiling)
            self._ledger.commit(half, [])
            keeper.time.monotonic()
            put_boundary()
            self._ledger.commit(replace(half, desired=0, ceiling="latched"), [])
        return answer, effects

    put(keeper.Keeper, "_decide", decide)


def put_boundary() -> None:
    World.now.boundary("between fence and rollback")


def acknowledged_before_durable(put: Put) -> None:
    """The stop is answered from memory, the disk is written when there is time."""

    def commit(self: Any, new: Any, lines: list[Any]) -> str:
        self.states[new.service] = new
        self._outbox.extend(lines)
        self.next_seq += len(lines)
        self._dirty = True
        return ""

    put(ledger.Ledger, "commit", commit)


def line_not_in_the_state(put: Put) -> None:
    """The spool line is written after the state, and the state does not owe it."""
    real = ledger.Ledger._doc

    def doc(self: Any) -> Any:
        return {**real(self), "outbox": []}

    put(ledger.Ledger, "_doc", doc)


def line_without_the_state(put: Put) -> None:
    """The spool line is the record of a stop, and nobody reads it back at the start."""

    def retry(self: Any) -> None:
        if not (self._dirty or self._outbox):
            return
        try:
            while self._outbox:
                self._store.append(self._outbox[0])
                del self._outbox[0]
            put_boundary()
            self._store.save(self._doc())
            self._dirty = False
            self.trouble = ""
        except OSError as error:
            self.trouble = str(error)

    put(ledger.Ledger, "retry", retry)
    put(ledger.Ledger, "_catch_up", lambda self, entry: None)


def nothing_synced(put: Put) -> None:
    """State and spool are left to the page cache."""
    put(store.os, "fsync", lambda fd: None)


def lower_first(put: Put) -> None:
    real = haproxy.steps
    put(haproxy, "steps", lambda *a: list(reversed(real(*a))))


def keys_forgotten(put: Put) -> None:
    """An apply that was carried out is not remembered, so the same one again is a new one."""
    real = au._apply

    def apply(state: Any, ask: Any) -> Any:
        return real(replace(state, keys=()), ask)

    put(au, "_apply", apply)


def overtaken_key_repeated(put: Put) -> None:
    """What was: a raise that a way back replaced is done when it is asked for again."""
    real = au._apply

    def apply(state: Any, ask: Any) -> Any:
        overtaken = [k for k in state.keys[:-1] if k.key == ask.key and k.observed is None]
        return real(replace(state, keys=tuple(k for k in state.keys if k not in overtaken)), ask)

    put(au, "_apply", apply)


def no_capsule_needed(put: Put) -> None:
    real = au._no

    def no(state: Any, ask: Any) -> Any:
        return real(replace(state, capsule=state.capsule or {"none": 0}), ask)

    put(au, "_no", no)


def undone_raise_left_standing(put: Put) -> None:
    """What was: giving control back believes the share that was confirmed before the raise."""
    real = au._after

    def after(state: Any, stop: Any, now: float) -> Any:
        new = real(state, stop, now)
        if stop.op in ("takeover", "release") and not au.unresolved(state):
            new = replace(new, ceiling="none")
        return new

    put(au, "_after", after)


def raise_under_way_kept(put: Put) -> None:
    """A pause leaves a raise that is under way to its end."""
    real = au._after

    def after(state: Any, stop: Any, now: float) -> Any:
        new = real(state, stop, now)
        kept = stop.op == "pause" and au.unresolved(state)
        return replace(new, desired=state.desired, ceiling="none") if kept else new

    put(au, "_after", after)
    put(keeper.Keeper, "_steer", lambda self, name: None)


def released_by_time(put: Put) -> None:
    """A pause that nobody has renewed for a while is over."""
    real = keeper.Keeper.work

    def work(self: Any) -> None:
        for name, state in self._ledger.states.items():
            if state.mode == "paused" and keeper.time.time() - state.since > 1.5:
                stop = au.Stop("release", f"time-{state.epoch}", "time", reason="over")
                self._decide(name, stop)
        real(self)

    put(keeper.Keeper, "work", work)


def dead_man_releases(put: Put) -> None:
    """When the backend is heard again, whatever paused it meanwhile is over."""
    real = keeper.Keeper._lease

    def lease(self: Any, name: str, reply: Any) -> None:
        for each, state in self._ledger.states.items():
            if state.mode == "paused":
                self._decide(
                    each, au.Stop("release", f"alive-{state.epoch}", "hatchway", reason="alive")
                )
        real(self, name, reply)

    put(keeper.Keeper, "_lease", lease)


def strangers_release(put: Put) -> None:
    """Whoever can reach the socket may give control back."""
    from hatchway.governor import requests

    put(requests.Peer, "trusted", True)


def higher_epoch_ignored(put: Put) -> None:
    """After a start the journal is believed, and not the governor."""

    async def read(self: Any, service: str) -> Any:
        standing = await self._target.standing(service)
        self._live.standing[service] = standing, self._clock()
        return standing

    put(follower_module.AuthorityFollower, "read", read)


def spool_merged_twice(put: Put) -> None:
    """Lines of the spool have no name of their own in the journal, and its number is not kept."""

    async def journal(self: Any, event: Any, idem: str) -> None:
        await self._ledger.record(lambda state: (event,), actor=event.by or "hatchway")

    real = evolve._authority_changed

    def changed(state: Any, event: Any, *more: Any) -> Any:
        spool = state.authority_of(event.service).spool
        late = event.op != "adopted" and event.spool % 2 == 0
        new = real(state, event, *more)
        if late:
            known = new.authority_of(event.service)
            known = evolve._replace(known, spool=spool)
            new = evolve._replace(new, authority={**new.authority, event.service: known})
        return new

    put(follower_module.AuthorityFollower, "_journal", journal)
    put(evolve, "_authority_changed", changed)


def act_first_always(put: Put) -> None:
    """Raises, too, are sent before they are in the journal."""
    real = Ledger.record

    async def record(self: Any, decide: Any, **more: Any) -> Any:
        for event in decide(self.state):
            if isinstance(event, ev.EffectIntended) and event.weight > 0:
                target = self._journal._backend.target
                await target.apply(
                    "shop", epoch=event.epoch, key=event.key, canary=event.weight, by=event.by
                )
        return await real(self, decide, **more)

    put(Ledger, "record", record)


def silence_is_success(put: Put) -> None:
    """A governor that does not answer in time will have done it."""
    real = weights.Weights.send

    async def send(self: Any, run: Any, effect: Any) -> Observed | NotApplied:
        try:
            return await real(self, run, effect)
        except TargetError:
            return Observed(canary=effect.weight, stable=0, inflight=0, total=0, at=0.0)

    async def outcome(self: Any, run: Any, effect: Any, answer: Any) -> Any:
        if isinstance(answer, NotApplied):
            return ev.EffectFenced(run=run.id, key=effect.key, code=answer.code, why=answer.why)
        return ev.EffectVerified(run=run.id, key=effect.key, observed=answer.canary)

    put(weights.Weights, "send", send)
    put(weights.Weights, "_outcome", outcome)


def adopted_epochs_keep_trust(put: Put) -> None:
    """What was: an epoch whose spool lines the governor's full disk owes changes no trust."""
    real = evolve._authority_changed

    def changed(state: Any, event: Any, *more: Any) -> Any:
        modes = {run.id: run.mode for run in state.runs.values()}
        new = real(state, event, *more)
        if event.op != "adopted":
            return new
        runs = {k: evolve._replace(r, mode=modes[k]) for k, r in new.runs.items()}
        return evolve._replace(new, runs=runs)

    put(evolve, "_authority_changed", changed)


def trust_comes_back_with_control(put: Put) -> None:
    """The agent acts again as soon as control was given back."""
    real = evolve._authority_changed

    def changed(state: Any, event: Any, *more: Any) -> Any:
        modes = {run.id: run.mode for run in state.runs.values()}
        new = real(state, event, *more)
        runs = {k: evolve._replace(r, mode=modes[k]) for k, r in new.runs.items()}
        return evolve._replace(new, runs=runs)

    put(evolve, "_authority_changed", changed)


MUTANTS: Sequence[Mutant] = (
    Mutant("no fence", ("E4",), no_fence),
    Mutant("the order is not checked when a command is sent", ("E4",), order_not_checked_when_sent),
    Mutant(
        "fence and rollback are two changes", ("rollback", "converges"), fence_and_rollback_in_two
    ),
    Mutant("acknowledged before it is durable", ("E7",), acknowledged_before_durable),
    Mutant("the state does not owe its spool line", ("E16", "converges"), line_not_in_the_state),
    Mutant("the spool line comes without the state", ("E7", "E4", "E16"), line_without_the_state),
    Mutant("nothing is synced", ("E7", "E16"), nothing_synced, (World.power_cut,)),
    Mutant("lower first, raise second", ("raise first",), lower_first),
    Mutant("apply keys are forgotten", ("no effect doubled",), keys_forgotten, (schedules.twice,)),
    Mutant(
        "an overtaken raise is repeated",
        ("no effect doubled",),
        overtaken_key_repeated,
        (schedules.killed_while_locked,),
    ),
    Mutant("no capsule is needed", ("no capsule",), no_capsule_needed, (schedules.older_state,)),
    Mutant(
        "an undone raise is left standing",
        ("converges",),
        undone_raise_left_standing,
        (schedules.killed_and_target_away,),
    ),
    Mutant("a pause lets a raise finish", ("E4", "E5", "converges"), raise_under_way_kept),
    Mutant("released by time-out", ("E7/E8",), released_by_time),
    Mutant("the dead-man releases", ("E7/E8",), dead_man_releases),
    Mutant("anybody may give control back", ("E12",), strangers_release),
    Mutant("the governor's epoch is ignored", ("E16", "converges"), higher_epoch_ignored),
    Mutant("the spool is merged twice", ("E4", "E16"), spool_merged_twice),
    Mutant("raises are sent before they are journaled", ("without an intent",), act_first_always),
    Mutant("silence counts as success", ("done is what was observed",), silence_is_success),
    Mutant("trust comes back with control", ("E8",), trust_comes_back_with_control),
    Mutant(
        "an adopted epoch keeps the trust",
        ("E8",),
        adopted_epochs_keep_trust,
        (schedules.disk_full,),
    ),
)
