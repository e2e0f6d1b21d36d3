"""From an event of the journal to what people outside are told. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hatchway.core import events as ev
from hatchway.core.evolve import said_of_authority
from hatchway.core.state import State
from hatchway.notify.duty_words import told_of_answers, told_of_duty
from hatchway.notify.told import Told

TITLE = 200
TEXT = 2000
DEAD_MAN = "dead-man"
BAD_ENDS = {"failed": "warning", "rolled_back": "page", "held": "warning"}


def told(event: ev.Event | ev.Unknown, state: State) -> Iterator[Told]:
    """What `event` is worth to people outside; `state` is the one after it."""
    match event:
        case ev.AuthorityChanged():
            yield from _authority(event)
            yield from told_of_answers(event.service, state)
        case ev.ProposalMade(capability="page") if event.answer != "deny":
            yield Told(
                kind="page",
                severity="page",
                title=f"{_of(state, event.run)}: the agent calls people: {event.headline}",
                text="\n".join(f"{e.sign} {e.text}" for e in event.evidence),
                service=_of(state, event.run),
                run=event.run,
            )
        case ev.RunHeld() | ev.RunResumed() | ev.RunEnded():
            yield from _run(event, state)
        case ev.OncallAsked() | ev.AskDeclined() | ev.HandedOver() | ev.HandoverAcknowledged():
            yield from told_of_duty(event, state)
        case ev.TargetChanged() | ev.TargetRestored() | ev.BreakerOpened() | ev.BreakerClosed():
            yield from _service(event)
        case ev.PolicyRefused():
            place = f"{event.file}:{event.line}" if event.line else event.file
            yield Told(
                kind="policy_refused",
                key="policy",
                title=f"a changed policy is refused, the old one stays: {place}: {event.why}",
            )
        case ev.PolicyChanged():
            title = "another policy is in force" + (f", by {event.by}" if event.by else "")
            yield Told(
                kind="policy_refused",
                key="policy",
                state="resolved",
                title=title,
                text="\n".join(event.changes),
            )
        case ev.ResidueFound():
            yield Told(
                kind="residue",
                key=f"residue/{event.run}",
                severity="page",
                title=f"{_of(state, event.run)}: rolled back, and not all is as it was",
                text="\n".join(event.left),
                service=_of(state, event.run),
                run=event.run,
            )
        case ev.ResidueAccepted() | ev.RollbackConfirmed():
            how = "all is as it was"
            if isinstance(event, ev.ResidueAccepted):
                how = f"accepted by {event.by}: {event.reason}"
            yield Told(
                kind="residue",
                key=f"residue/{event.run}",
                state="resolved",
                title=f"{_of(state, event.run)}: {how}",
                service=_of(state, event.run),
                run=event.run,
            )


def _of(state: State, run: str) -> str:
    found = state.runs.get(run)
    return found.service if found is not None else ""


def _authority(event: ev.AuthorityChanged) -> Iterator[Told]:
    if event.op == "adopted":
        return  # read back, not done
    by_itself = event.by == DEAD_MAN
    yield Told(
        kind="dead_man" if by_itself else "authority",
        severity="page" if by_itself or event.op in ("rollback", "stop_all") else "warning",
        title=f"{event.service}: {said_of_authority(event)}",
        text=event.reason,
        service=event.service,
    )


def _run(event: ev.RunHeld | ev.RunResumed | ev.RunEnded, state: State) -> Iterator[Told]:
    service = _of(state, event.run)
    where = f"{service} run {event.run}"
    over = "ended" if isinstance(event, ev.RunEnded) else "goes on"
    if isinstance(event, ev.RunHeld):
        yield Told(
            kind="held",
            key=f"held/{event.run}/{event.cause}",
            severity="page" if event.cause == "rollback" else "warning",
            title=f"{where} is held: {event.why}",
            service=service,
            run=event.run,
        )
        return
    yield Told(
        kind="held",
        key=f"held/{event.run}/*",
        state="resolved",
        title=f"{where} {over}: {event.why}",
        service=service,
        run=event.run,
    )
    if isinstance(event, ev.RunEnded) and event.outcome in BAD_ENDS:
        yield Told(
            kind="ended_badly",
            severity="page" if BAD_ENDS[event.outcome] == "page" else "warning",
            title=f"{where} ended: {event.outcome.replace('_', ' ')}",
            text=event.why,
            service=service,
            run=event.run,
        )


def _service(
    event: ev.TargetChanged | ev.TargetRestored | ev.BreakerOpened | ev.BreakerClosed,
) -> Iterator[Told]:
    service = event.service
    match event:
        case ev.TargetChanged():
            yield Told(
                kind="unattributed_change",
                key=f"changed/{service}/{event.what}",
                severity="page",
                title=f"{service}: the {event.what} was changed, and not by Hatchway",
                text=f"wanted {event.wanted}, found {event.found}: {event.why}",
                service=service,
                run=event.run,
            )
        case ev.TargetRestored():
            yield Told(
                kind="unattributed_change",
                key=f"changed/{service}/{event.what}",
                state="resolved",
                title=f"{service}: the {event.what} is again as it is wanted",
                service=service,
            )
        case ev.BreakerOpened():
            yield Told(
                kind="breaker",
                key=f"breaker/{service}",
                severity="page",
                title=f"{service}: the agent only recommends: {event.why}",
                service=service,
                run=event.run,
            )
        case ev.BreakerClosed():
            yield Told(
                kind="breaker",
                key=f"breaker/{service}",
                state="resolved",
                title=f"{service}: the breaker was closed by {event.by}",
                text=event.reason,
                service=service,
            )


def plain(text: str, most: int, *, lines: bool = False) -> str:
    """Text from outside: control, bidi and zero-width characters made visible, and not too long."""
    shown = "".join(
        c
        if c.isprintable() or (lines and c == "\n")
        else c.encode("unicode_escape", "replace").decode()
        for c in text[: 2 * most]
    )
    return shown if len(shown) <= most else shown[: most - 1] + "…"
