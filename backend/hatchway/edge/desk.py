"""What the backend does for people, behind the door: stops, approvals, starts.

Stops go to the governor first and to the journal afterwards; everything else is decided, journaled
and then seen to. Each command is answered once: the same id again gets the same answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from hatchway.conductor.authority import AuthorityFollower
from hatchway.conductor.in_force import InForce
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.terms import Terms, policy_says
from hatchway.core import asks, residue
from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core.decide import Accepted, Refused, decide
from hatchway.core.plan import Installation, PipelinePlan, ServiceSpec
from hatchway.core.policy import Policy, mode_in_force
from hatchway.core.state import Answered, State
from hatchway.edge.asking import Asking
from hatchway.edge.door import Answer, DrillReport, OrderRequest, Request, StartRequest, kind_of
from hatchway.edge.drills import BadEvidence, recorded
from hatchway.edge.handing import Handing
from hatchway.edge.identity import Identity, People
from hatchway.edge.orders import ordered
from hatchway.edge.protocol import Ack, Command
from hatchway.edge.protocol import Refused as WireRefused
from hatchway.edge.signing import Signing
from hatchway.edge.yes import Yes
from hatchway.forge.port import Forge, ForgeError
from hatchway.journal.port import Duplicate, JournalError
from hatchway.targets.port import Declined, Target, TargetError

STOPS = frozenset({"pause", "takeover", "rollback", "stop_all"})
OF_SHIFTS = frozenset({"handover", "acknowledge"})
OF_ALL = frozenset({"stop_all", "readmit", *OF_SHIFTS})
JOURNALED_WITHIN_S = 1.0


class Desk:
    """The backend's side of `edge.door.Door`."""

    def __init__(
        self,
        *,
        installation: Installation,
        pipelines: Mapping[str, PipelinePlan],
        policy: InForce,
        ledger: Ledger,
        target: Target,
        follower: AuthorityFollower,
        forges: Mapping[str, Forge],
        clock: Callable[[], float],
        allowed_signers: Path | None = None,
        handing: Handing | None = None,
    ) -> None:
        self._installation = installation
        self._pipelines = pipelines
        self._in_force = policy
        self._ledger = ledger
        self._target = target
        self._follower = follower
        self._forges = forges
        self._clock = clock
        self._terms = Terms(
            ledger=ledger,
            forges=forges,
            policy=lambda: self._policy,
            pipelines=lambda: self._pipelines,
        )
        signing = Signing(allowed_signers, time.monotonic)
        self._yes = Yes(ledger, self._terms, signing, People(installation))
        self._handing = handing
        self._asking = Asking(
            ledger, clock, decide=self._decide, stop=self._at_governor, refuse=self._refuse
        )

    @property
    def _policy(self) -> Policy:
        return self._in_force.policy

    async def command(self, command: Command, who: Identity) -> Answer:
        """Stops, giving back, yes and no."""
        about = self._service(command.service) or ""
        if command.kind in ABOUT_ITEMS:
            about = command.item
        known = self._known(command.id, command.kind, about)
        if known is not None:
            return known
        if command.kind not in STOPS and command.id in self._ledger.state.answers:
            return _reused(command.id)
        if command.kind in ABOUT_ITEMS:
            service_of = self._service_of(command.item)
            if service_of and not who.covers(service_of):
                return _out_of_scope(command.id, who, service_of)
        if command.kind == "challenge":
            text = await self._yes.challenge(command)
            if isinstance(text, Refused):
                return WireRefused(command.id, text.code, text.why, text.todo)
            return Ack(command.id, 0, text)
        if command.kind in ("accept", "reject"):
            return await self._close_item(command, who)
        if command.kind == "review":
            review = cmd.Review(
                id=command.id,
                by=who.name,
                run=command.item,
                reason=command.reason,
                verdict=command.verdict,
            )
            return await self._decide(review, who, f"review {command.item}")
        if command.kind in OF_ALL and who.services:
            return _out_of_scope(command.id, who, "all of them")
        if command.kind in OF_SHIFTS:
            if self._handing is None:
                return WireRefused(command.id, "not_here", "No shifts are handed over here.")
            return await self._handing.command(command, who, self._decide, self._refuse)
        if command.kind in OF_ALL:
            return await self._at_governor(command, "", who)
        service = self._service(command.service)
        if service is None:
            return self._no_such_service(command.id, command.service)
        if not who.covers(service):
            return _out_of_scope(command.id, who, service)
        if command.kind == "release":
            return await self._release(command, service, who)
        if command.kind == "ask":
            return await self._asking.ask(command, service, who)
        return await self._at_governor(command, service, who)

    async def start(self, request: StartRequest, who: Identity) -> Answer:
        """Start a run of a service's pipeline."""
        service = self._service(request.service)
        if service is None:
            return self._no_such_service(request.id, request.service)
        if not who.covers(service):
            return _out_of_scope(request.id, who, service)
        forge = self._forges[service]
        try:
            commit = await forge.resolve(request.commit or "HEAD")
            known = self._known(request.id, "start", f"{service} {commit}")
            if known is not None:
                return known
            if request.id in self._ledger.state.answers:
                return _reused(request.id)
            tag = await _tag(forge, request.commit, commit)
            base = await forge.resolve(
                request.base or self._ledger.state.live_commit(service) or f"{commit}~1"
            )
            versions = await forge.version(base), await forge.version(commit)
        except ForgeError as error:
            refused = Refused("no_such_commit", str(error), "Name a commit of the repository.")
            return await self._refuse(request.id, who, "start", refused)
        plan = self._pipelines[service]
        start = cmd.StartRun(
            id=request.id,
            by=who.name,
            service=service,
            environment=plan.environment,
            commit=commit,
            base=base,
            from_version=versions[0],
            to_version=versions[1],
            mode=mode_in_force(self._policy, plan.environment, request.mode),
            pace=max(1.0, request.pace),
            plan=plan,
            policy_digest=self._policy.digest,
            attests=self._spec(service).attests is not None,
            policy_says=policy_says(self._policy, plan.environment),
            ref=tag,
            who=who.who,
        )
        return await self._decide(start, who, f"start {service} {commit}")

    async def drill(self, report: DrillReport, who: Identity) -> Answer:
        """Record the evidence of a drill; the same evidence again is the same answer."""
        if who.services:  # what it gives back, it gives back to the agents of all services
            return _out_of_scope(report.id, who, "all of them")
        known = self._known(report.id, "drill")
        if known is not None:
            return known
        if report.id in self._ledger.state.answers:
            return _reused(report.id)
        try:
            event = recorded(report.evidence, self._clock())
        except BadEvidence as error:
            refused = Refused("bad_evidence", str(error), "Send the file as the drill wrote it.")
            return await self._refuse(report.id, who, "drill", refused)
        return await self._journal(report.id, who, "drill", lambda _: Accepted((event,)))

    async def order(self, request: OrderRequest, who: Identity) -> Answer:
        """Quarantine, expectations, the breaker: what a person says is decided and journaled."""
        known = self._known(request.id, request.kind)
        if known is not None:
            return known
        if request.id in self._ledger.state.answers:
            return _reused(request.id)
        service = self._service(request.service)
        if service is None:
            return self._no_such_service(request.id, request.service)
        if not who.covers(service):
            return _out_of_scope(request.id, who, service)
        what = f"{request.kind} {request.item or service}"
        command = ordered(request, self._spec(service), who.name)
        return await self._decide(command, who, what)

    async def note(self, request: Request, who: Identity, refused: WireRefused) -> None:
        """Journal that somebody was turned away at the door.

        Without the id: what one may not ask for is no answer to another who may.
        """
        about = getattr(request, "item", "") or getattr(request, "service", "")
        what = f"{kind_of(request)} {about[:100]}".strip()
        event = ev.CommandRefused(
            command="",
            by=who.name,
            what=what,
            code=refused.code,
            why=refused.why,
            todo=refused.todo,
            how=who.who.how,
        )
        with contextlib.suppress(JournalError):
            await self._ledger.record(lambda _: (event,), actor=who.name)

    # --- stops ------------------------------------------------------------------------------------

    async def _at_governor(self, command: Command, service: str, who: Identity) -> Answer:
        """The governor acts; then its spool is merged. A journal that cannot write stops nobody."""
        op = command.kind
        try:
            said = await self._target.stop(
                service, op, id=command.id, by=who.name, reason=command.reason
            )
        except Declined as no:
            refused = Refused(no.code, str(no), no.todo)
            return await self._refuse(command.id, who, f"{op} {service}".strip(), refused)
        except TargetError as error:
            return WireRefused(
                command.id,
                "governor",
                f"{error}. Whether it was done is not known.",
                "Do it on the governor's host: "
                f"hatchway {op.replace('_', '')} --direct. Twice does no harm.",
            )
        try:
            async with asyncio.timeout(JOURNALED_WITHIN_S):
                for each in (service,) if service else self._services():
                    await self._follower.read(each)
        except (TargetError, JournalError, TimeoutError):
            return Ack(
                command.id, 0, f"{said.rstrip('.')}; not in the journal yet, the governor has it"
            )
        if not service:
            return Ack(command.id, self._ledger.state.seq, said)  # of them all, not of one
        return self._known(command.id, op) or Ack(command.id, self._ledger.state.seq, said)

    async def _release(self, command: Command, service: str, who: Identity) -> Answer:
        release = cmd.Release(
            id=command.id,
            by=who.name,
            service=service,
            reason=command.reason,
            expect_epoch=command.expect_epoch,
        )
        outcome = decide(self._ledger.state, release, self._clock())
        if isinstance(outcome, Refused):
            return await self._refuse(command.id, who, f"release {service}", outcome)
        return await self._at_governor(command, service, who)

    # --- decisions --------------------------------------------------------------------------------

    async def _close_item(self, command: Command, who: Identity) -> Answer:
        asked: cmd.Accept | cmd.Reject
        of_oncall = asks.named(self._ledger.state.asks, command.item)
        if of_oncall is not None:
            return await self._asking.answer(of_oncall, command, who)
        what = f"{command.kind} {command.item}"
        if command.kind == "accept":
            yes = await self._yes.accept(command, who)
            if isinstance(yes, Refused):
                return await self._refuse(command.id, who, what, yes)
            asked = yes
        else:
            asked = cmd.Reject(
                id=command.id,
                by=who.name,
                item=command.item,
                reason=command.reason,
                who=who.who,
            )
        service = self._rolls_back(asked) if self._ledger.trouble else ""
        if not service:
            answer = await self._decide(asked, who, what)
            if isinstance(answer, Ack) or answer.code != "journal":
                return answer
            service = self._rolls_back(asked)
            if not service:
                return answer
        # Going back removes risk: it does not wait for a journal. The governor's spool has it, and
        # is merged when the journal writes again.
        reason = f"accepted {command.item} while the journal could not write"
        rollback = msgspec.structs.replace(command, kind="rollback", reason=reason)
        return await self._at_governor(rollback, service, who)

    def _rolls_back(self, asked: cmd.Accept | cmd.Reject) -> str:
        """The service that this yes would roll back; empty when it would not, or is refused."""
        state = self._ledger.state
        if isinstance(asked, cmd.Accept):
            for run in state.runs.values():
                item = run.items.get(asked.item)
                if item is not None and item.capability == "rollback":
                    outcome = decide(state, asked, self._clock())
                    return run.service if isinstance(outcome, Accepted) else ""
        return ""

    async def _decide(self, command: cmd.Command, who: Identity, what: str) -> Answer:
        if command.by != who.name:  # a key said who it really is
            who = msgspec.structs.replace(who, name=command.by)
        return await self._journal(
            command.id, who, what, lambda state: decide(state, command, self._clock())
        )

    async def _journal(
        self, id: str, who: Identity, what: str, outcome_in: Callable[[State], Accepted | Refused]
    ) -> Answer:
        refused: Refused | None = None

        def once(state: State) -> tuple[ev.Event, ...]:
            nonlocal refused
            if id in state.answers:
                return ()
            outcome = outcome_in(state)
            if isinstance(outcome, Accepted):
                return outcome.events
            refused = outcome
            return ()

        try:
            await self._ledger.record(once, actor=who.name, idem=id)
        except Duplicate:
            pass  # the same command came twice at once; the other one has the answer
        except JournalError as error:
            return WireRefused(
                id,
                "journal",
                f"{error}. What adds risk is refused while it cannot be recorded.",
                "Make room or unlock the journal; pause, take over and roll back still work.",
            )
        if refused is not None:
            return await self._refuse(id, who, what, refused)
        verb, _, about = what.partition(" ")
        known = self._known(id, verb, about)
        if known is not None:
            return known
        if id in self._ledger.state.answers:  # another command of this id came at the same time
            return _reused(id)
        return WireRefused(id, "lost", "The answer is older than what is kept.")

    async def _refuse(self, id: str, who: Identity, what: str, refused: Refused) -> Answer:
        event = ev.CommandRefused(
            command=id,
            by=who.name,
            what=what,
            code=refused.code,
            why=refused.why,
            todo=refused.todo,
            how=who.who.how,
        )

        def once(state: State) -> tuple[ev.Event, ...]:
            return () if id in state.answers else (event,)

        # A refusal changes nothing, so it is also good unrecorded.
        with contextlib.suppress(JournalError):
            await self._ledger.record(once, actor=who.name, idem=id)
        return WireRefused(id, refused.code, refused.why, refused.todo)

    def _known(self, id: str, verb: str, about: str = "") -> Answer | None:
        """The answer that this very command got before; None also for another one of this id."""
        known = self._ledger.state.answers.get(id)
        if known is None or known.what not in (verb, *_stops_of(verb, about)):
            return None
        if known.what == verb and known.about and about and known.about != about:
            return None
        return _answer(id, known)

    # --- names ------------------------------------------------------------------------------------

    def _services(self) -> list[str]:
        return [s.name for s in self._installation.services]

    def _service(self, name: str) -> str | None:
        names = self._services()
        if not name and len(names) == 1:
            return names[0]
        return name if name in names else None

    def _service_of(self, item: str) -> str:
        """Whose question, residue or run this names; empty when it names none."""
        for run in self._ledger.state.runs.values():
            if item in run.items or item in (run.id, residue.item_of(run)):
                return run.service
        asked = asks.named(self._ledger.state.asks, item)
        return asked.service if asked is not None else ""

    def _spec(self, service: str) -> ServiceSpec:
        return next(s for s in self._installation.services if s.name == service)

    def _no_such_service(self, id: str, name: str) -> WireRefused:
        names = ", ".join(s.name for s in self._installation.services)
        return WireRefused(
            id, "no_such_service", f"No service is called {name!r}.", f"Say one of: {names}."
        )


async def _tag(forge: Forge, asked: str, commit: str) -> str:
    """The tag that was asked for; empty for anything else. A branch is meant to move, a tag is not."""
    if not asked or commit.startswith(asked):
        return ""
    with contextlib.suppress(ForgeError):
        name = asked.removeprefix("refs/tags/")
        if await forge.resolve(f"refs/tags/{name}") == commit:
            return name
    return ""


def _out_of_scope(id: str, who: Identity, service: str) -> WireRefused:
    why = f"what {who.name} came with is good for {', '.join(who.services)}, not for {service}"
    return WireRefused(id, "not_allowed", why, "use a token for this service, or ask oncall")


ABOUT_ITEMS = frozenset({"accept", "reject", "review", "challenge", "acknowledge"})


def _stops_of(verb: str, item: str) -> tuple[str, ...]:
    """The stops that a yes to `item` may have been carried out as; see `_close_item`."""
    return ("rollback", asks.right_for(item)) if verb == "accept" else ()


def _reused(id: str) -> WireRefused:
    why = "This id was used for another command before; nothing was changed."
    return WireRefused(id, "id_reused", why, "Send it again with a new id.")


def _answer(id: str, known: Answered) -> Answer:
    if known.code:
        return WireRefused(id, known.code, known.said, known.todo)
    return Ack(id, known.seq, known.said)
