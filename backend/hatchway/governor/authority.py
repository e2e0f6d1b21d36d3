"""Who is in control of a service, and what its canary's share shall be: pure, no I/O, no clock.

`decide(state, request, now, seq)` answers every request. The caller makes the effects true in the
order in which they are given. What holds whatever happens:

- the epoch never falls, and every change of authority raises it;
- while held (`paused`), `desired` never rises; only `release` gives control back to the agent;
- a stop undoes what was not confirmed yet: `desired` goes back to the last confirmed share, so
  that nothing of an older epoch stands after the stop was acknowledged.

Shares are percent of the traffic (0..100), times seconds since the epoch (UTC).
"""

from __future__ import annotations

from hatchway.governor.value import Value, replace

TYPE_CHECKING = False  # the real one lives in typing, which costs half a megabyte
if TYPE_CHECKING:
    from typing import Any, Literal

    Mode = Literal["agent", "paused", "person"]
    # What is done about a target that has more than `desired`:
    # none: it is reported; apply: driven down until seen once, a stop cancels it;
    # until_seen: driven down until seen once, nothing cancels it; latched: for as long as it lasts.
    Ceiling = Literal["none", "apply", "until_seen", "latched"]
    Verb = Literal["pause", "takeover", "rollback", "stop_all", "release", "readmit"]
    Doc = dict[str, Any]

REMEMBERED = 128
"""How many apply keys and how many stop ids are kept for replays."""

DEAD_MAN = "dead-man"


class Key(Value):
    """An apply that was accepted. `observed` is what the target showed when it was confirmed."""

    key: str
    canary: int
    observed: Doc | None = None


class Stopped(Value):
    """A change of authority that was answered."""

    op: str
    id: str
    answer: Doc


class Authority(Value):
    """The durable state of one service. `agent_may_write` comes from the configuration."""

    service: str
    epoch: int = 1
    mode: Mode = "agent"
    holder: str = ""
    since: float = 0.0
    reason: str = ""
    desired: int | None = None  # None until the target was seen for the first time
    confirmed: int | None = None  # the last share that was both desired and read back
    ceiling: Ceiling = "none"
    capsule: Doc | None = None
    picture: Doc | None = None  # the target before the first share of this capsule's release
    spool: int = 0  # the seq of its newest line in the spool
    leased: bool = False  # a lease was taken once: the dead-man is armed
    agent_writes: int = 0
    person_writes: int = 0
    system_writes: int = 0
    keys: tuple[Key, ...] = ()
    stops: tuple[Stopped, ...] = ()
    agent_may_write: bool = True
    barred: Doc | None = None  # STOP ALL: by whom, when and why the agents may do nothing


# --- requests -----------------------------------------------------------------------------------


class Stop(Value):
    """A change of authority. `by` is who it is for, `uid` who was at the socket.

    stop_all is a pause that also bars the agents, of every service; readmit lets them in again.
    """

    op: Verb
    id: str
    by: str
    uid: int = -1
    reason: str = ""
    direct: bool = False
    tty: str = ""
    claimed: str = ""  # a name the peer gave itself and may not


class Apply(Value):
    """Bring the canary to `canary` percent. The same `key` again is the same apply."""

    epoch: int
    key: str
    canary: int
    kind: Literal["agent", "person", "system"]
    name: str = ""


class Arm(Value):
    """Store the rollback capsule, and the before-picture with it where there is one."""

    capsule: Doc
    picture: Doc | None = None


class Lease(Value):
    """The backend lives."""


class Lapse(Value):
    """The backend has not renewed its lease for `after_s` seconds.

    `goes_back`: for so long that a share of the traffic is not left where it is.
    """

    after_s: float
    goes_back: bool = False


class Observed(Value):
    """The target was read: the canary's share. `key` when this was the read-back of an apply.

    `picture` is the target's inventory, where it is known.
    """

    canary: int
    seen: Doc
    key: str = ""
    picture: Doc | None = None


Request = Stop | Apply | Arm | Lease | Lapse | Observed


# --- effects ------------------------------------------------------------------------------------


class Save(Value):
    """The new state must be durable before anything else happens. `adds_risk`: or not at all."""

    adds_risk: bool = False


class Spool(Value):
    """This line must be in the spool, durably, before the answer is given."""

    entry: Doc


class Drive(Value):
    """The target must be brought to `desired`; answer when it was read back. `key` of an apply."""

    key: str = ""


Effect = Save | Spool | Drive
Decision = tuple[Authority, "Doc", tuple[Effect, ...]]


def decide(state: Authority, request: Request, now: float, seq: int) -> Decision:
    """The new state, the answer and the effects. `seq` is the number of the next spool line."""
    match request:
        case Stop():
            return _stop(state, request, now, seq)
        case Apply():
            return _apply(state, request)
        case Arm():
            return _arm(state, request)
        case Lease():
            if state.leased:
                return state, {"ok": True}, ()
            return replace(state, leased=True), {"ok": True}, (Save(),)
        case Lapse():
            return _lapse(state, request, now, seq)
        case Observed():
            return _observed(state, request)


def refuse(code: str, why: str, todo: str) -> Doc:
    """A refusal as it goes over the socket."""
    return {"ok": False, "code": code, "why": why, "todo": todo}


def unresolved(state: Authority) -> bool:
    """Whether something was desired that nobody has seen at the target yet."""
    return state.desired is not None and state.desired != state.confirmed


def _stop(state: Authority, stop: Stop, now: float, seq: int) -> Decision:
    for known in state.stops:
        if known.op == stop.op and known.id == stop.id:
            again = stop.op == "rollback" and state.ceiling == "latched" and state.desired == 0
            return state, {**known.answer, "replayed": True}, (Drive(),) if again else ()
    if stop.op in ("release", "readmit"):
        if stop.op == "release" and state.mode == "agent":
            return state, _nothing_to_release(state), ()
        if stop.op == "readmit" and state.barred is None:
            why = f"The agents of {state.service} are not stopped (epoch {state.epoch})."
            return state, refuse("nothing_to_release", why, "Nothing is needed."), ()
        if not stop.reason.strip():
            why = "Control was not given back: a reason is needed, it goes into the audit log."
            return state, refuse("reason_needed", why, "Say why it is safe, with --reason."), ()
    return _carried_out(state, stop, now, seq)


def _carried_out(state: Authority, stop: Stop, now: float, seq: int) -> Decision:
    """A change of authority, whether or not its id was used before."""
    new = replace(_after(state, stop, now), spool=seq)
    said = _said(state, new, stop)
    desired = {} if new.desired is None else {"canary": new.desired}
    common = {
        "seq": seq,
        "id": stop.id,
        "op": stop.op,
        "at": now,
        "epoch": new.epoch,
        "mode": new.mode,
        "holder": new.holder,
        "desired": desired,
        "barred": new.barred is not None,
    }
    entry = {
        **common,
        "service": state.service,
        "by": stop.by,
        "uid": stop.uid,
        "reason": stop.reason,
        "direct": stop.direct,
    }
    entry.update({k: v for k, v in (("tty", stop.tty), ("claimed", stop.claimed)) if v})
    answer = {"ok": True, **common, "said": said, "replayed": False}
    stops = (*state.stops, Stopped(stop.op, stop.id, answer))[-REMEMBERED:]
    drive = (Drive(),) if stop.op == "rollback" else ()
    return replace(new, stops=stops), answer, (Save(), Spool(entry), *drive)


def _after(state: Authority, stop: Stop, now: float) -> Authority:
    """The state after a change of authority."""
    if stop.op == "readmit":
        return replace(state, epoch=state.epoch + 1, barred=None)
    new = replace(state, epoch=state.epoch + 1, since=now, reason=stop.reason, holder=stop.by)
    if stop.op == "rollback":
        return replace(new, mode="paused", desired=0, ceiling="latched")
    undone = unresolved(state) and state.ceiling in ("none", "apply")
    if undone:
        new = replace(new, desired=state.confirmed)
    if stop.op in ("pause", "stop_all"):
        ceiling: Ceiling = "latched" if undone else state.ceiling
        if stop.op == "stop_all":
            new = replace(new, barred={"by": stop.by, "at": now, "reason": stop.reason})
        return replace(new, mode="paused", ceiling=ceiling)
    # From here on hands may move the target: hold the ceiling only until it was seen. One that
    # stands may not have been seen yet, also when the share that it goes back to was once confirmed.
    standing = state.ceiling != "none" or unresolved(state)
    ceiling = "until_seen" if standing else "none"
    if stop.op == "takeover":
        return replace(new, mode="person", ceiling=ceiling)
    return replace(new, mode="agent", holder="", ceiling=ceiling)


def _said(old: Authority, new: Authority, stop: Stop) -> str:
    share = "not known yet" if new.desired is None else f"{new.desired} %"
    undone = ""
    if stop.op != "rollback" and unresolved(old) and old.ceiling in ("latched", "until_seen"):
        undone = f" The way back to {old.desired} % is not finished and goes on."
    elif stop.op != "rollback" and new.desired != old.desired:
        undone = f" A change to {old.desired} % was under way and is undone."
    match stop.op:
        case "pause":
            again = " It was paused already." if old.mode == "paused" else ""
            words = f"PAUSED by {stop.by}: the canary stays at {share}.{again}"
        case "takeover":
            again = f" It was with {old.holder} before." if old.mode == "person" else ""
            words = f"TAKEN OVER by {stop.by}: the agent cannot write, the canary stays at {share}.{again}"
        case "rollback":
            idle = old.desired == 0 and old.confirmed == 0
            words = f"ROLLED BACK by {stop.by} and paused: the canary shall get 0 %."
            words += " It had no traffic before." if idle else ""
        case "stop_all":
            words = f"STOPPED by {stop.by}: {new.service} is paused, the canary stays at {share}."
            words += " Agents may do nothing."
        case "release":
            words = f"GIVEN BACK to the agent by {stop.by}: the canary is at {share}."
            if new.barred is not None:
                words += f" Agents stay out since STOP ALL by {new.barred['by']}."
        case "readmit":
            words = f"AGENTS let in again by {stop.by}: {new.service} is {_held(new)}."
    return f"{words}{undone} Epoch {new.epoch}."


def _held(state: Authority) -> str:
    if state.mode == "agent":
        return "with the agent"
    return f"{'paused by' if state.mode == 'paused' else 'with'} {state.holder} as before"


def _nothing_to_release(state: Authority) -> Doc:
    why = f"The agent is in control of {state.service} already (epoch {state.epoch})."
    return refuse("nothing_to_release", why, "Nothing is needed.")


def _lapse(state: Authority, lapse: Lapse, now: float, seq: int) -> Decision:
    if not state.leased:
        return state, {"ok": True}, ()
    # Its id can be foreseen: had somebody used it before, a replay would hold nothing.
    silent = f"the backend has been silent for {lapse.after_s:.0f} s"
    if state.mode == "agent":
        id = f"{DEAD_MAN}-{state.service}-{state.epoch}"
        return _carried_out(state, Stop("pause", id, by=DEAD_MAN, reason=silent), now, seq)
    # Where a person holds the share or drives, silence of the backend moves nothing.
    partial = state.desired is not None and 0 < state.desired < 100
    if lapse.goes_back and partial and (state.mode, state.holder) == ("paused", DEAD_MAN):
        id = f"{DEAD_MAN}-back-{state.service}-{state.epoch}"
        return _carried_out(state, Stop("rollback", id, by=DEAD_MAN, reason=silent), now, seq)
    return state, {"ok": True}, ()


def _arm(state: Authority, arm: Arm) -> Decision:
    if arm.capsule == state.capsule:
        return state, {"ok": True}, ()
    new = replace(state, capsule=arm.capsule, picture=arm.picture)
    return new, {"ok": True}, (Save(adds_risk=True),)


def _apply(state: Authority, ask: Apply) -> Decision:
    known = next((k for k in state.keys if k.key == ask.key), None)
    if known is not None and known.canary != ask.canary:
        why = f"The key {ask.key} was used for {known.canary} % before; nothing was changed."
        return state, refuse("bad_request", why, "Use a new key for a new change."), ()
    no = _no(state, ask)
    if known is not None and known.observed is not None and (no or state.keys[-1] is not known):
        # It happened, and time has moved on: say so, touch nothing.
        return state, {"ok": True, "observed": known.observed, "replayed": True}, ()
    if no:
        return state, no, ()
    if known is not None and state.keys[-1] is not known:
        why = f"{state.keys[-1].key} came after {ask.key} and replaced it; nothing was changed."
        return state, refuse("fenced", why, "Read the status and decide again."), ()
    answer = {"ok": True, "replayed": known is not None}
    if known is not None and state.desired == ask.canary:
        return state, answer, (Drive(ask.key),)
    keys = (*(k for k in state.keys if k is not known), Key(ask.key, ask.canary))[-REMEMBERED:]
    raises = state.confirmed is None or ask.canary > state.confirmed
    writes = 0 if known is not None else 1
    new = replace(
        state,
        desired=ask.canary,
        ceiling="none" if raises else "apply",
        keys=keys,
        agent_writes=state.agent_writes + writes * (ask.kind == "agent"),
        person_writes=state.person_writes + writes * (ask.kind == "person"),
        system_writes=state.system_writes + writes * (ask.kind == "system"),
    )
    return new, answer, (Save(adds_risk=raises), Drive(ask.key))


def _no(state: Authority, ask: Apply) -> Doc | None:
    """Why an apply may not happen, or None."""
    if ask.kind == "agent" and not state.agent_may_write:
        why = f"The agent only recommends for {state.service}; it has no write path."
        return refuse("agent_may_not_write", why, "A person accepts the recommendation.")
    if ask.kind == "agent" and state.barred is not None:
        why = f"STOP ALL by {state.barred['by']}: no agent may do anything."
        return refuse("agents_stopped", why, "A person says: hatchway resume --agents --reason ...")
    if ask.epoch != state.epoch:
        why = f"Epoch {ask.epoch} is over, {state.service} is at epoch {state.epoch}; nothing was changed."
        return refuse("fenced", why, "Read the status and decide again.")
    if state.mode == "paused":
        why = f"{state.service} is paused by {state.holder} ({state.reason or 'no reason given'})."
        return refuse("held", why, "A person gives control back: hatchway resume --reason ...")
    if state.mode == "person" and (ask.kind != "person" or ask.name != state.holder):
        why = f"{state.holder} is in control of {state.service}."
        return refuse("held", why, f"Only {state.holder} changes it until it is given back.")
    if state.desired is None or (state.confirmed is None and ask.canary > 0):
        why = f"The target of {state.service} has not been read yet; nothing was changed."
        return refuse("target_failed", why, "See target_trouble in the status, then ask again.")
    if ask.canary > (state.confirmed or 0) and state.capsule is None:
        why = "No way back is stored for this release; nothing was changed."
        return refuse("no_capsule", why, "Arm a rollback capsule first.")
    return None


def _observed(state: Authority, seen: Observed) -> Decision:
    if state.desired is None:
        new = replace(state, desired=seen.canary, confirmed=seen.canary)
        return new, {"ok": True}, (Save(),)
    if seen.canary != state.desired:
        return state, {"ok": True}, ()
    new = state
    if state.capsule is not None and state.picture is None and seen.canary == 0:
        # It could not be taken when the capsule was armed, and nothing has been changed since.
        new = replace(new, picture=seen.picture)
    if state.confirmed != seen.canary:
        new = replace(new, confirmed=seen.canary)
    if state.ceiling in ("apply", "until_seen"):
        new = replace(new, ceiling="none")
    if seen.key and any(k.key == seen.key and k.observed is None for k in state.keys):
        done = (replace(k, observed=seen.seen) if k.key == seen.key else k for k in state.keys)
        new = replace(new, keys=tuple(done))
    answer = {"ok": True, "observed": seen.seen}
    return new, answer, () if new == state else (Save(),)
