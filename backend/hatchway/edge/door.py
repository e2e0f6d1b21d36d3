"""The one door from the edge to the backend, and the one place where rights are checked."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Literal, Protocol

import msgspec

from hatchway.core.asks import right_for
from hatchway.core.roles import STOPS
from hatchway.edge import protocol
from hatchway.edge.health import Health
from hatchway.edge.identity import RIGHTS, Identity
from hatchway.edge.tokens import TokenFileError, Tokens

log = logging.getLogger("hatchway.edge")

ANSWER_S = 30.0
"""How long a command may go unanswered before its sender is told so, in seconds."""

OrderKind = Literal["lift", "expect", "withdraw", "close"]

ID_MAX = 128
REASON_MAX = 1000


class StartRequest(msgspec.Struct, frozen=True):
    """Start a run of a service's pipeline for a commit. `pace` divides the monitoring times.

    `base` is the commit that is live; empty means the one that was promoted last.
    """

    id: str
    service: str = ""
    commit: str = ""
    base: str = ""
    mode: Literal["act", "recommend"] = "recommend"
    pace: float = 1.0


class DrillReport(msgspec.Struct, frozen=True):
    """Put the evidence of a drill into the journal. `evidence` is its file, as text."""

    id: str
    evidence: str


class OrderRequest(msgspec.Struct, frozen=True):
    """What a person says about a service: `kind` says which of the others matter.

    lift a quarantine: `item` names the commit. expect: `item` names the metric, which may be
    `at_most` for `for_s` seconds. withdraw: `item` names the expectation. close: the breaker.
    """

    id: str
    kind: OrderKind
    service: str = ""
    item: str = ""
    at_most: float = 0.0
    for_s: float = 0.0
    ticket: str = ""
    reason: str = ""


Request = protocol.Command | StartRequest | DrillReport | OrderRequest
Answer = protocol.Ack | protocol.Refused


class Door(Protocol):
    """What the backend does for people. Rights were checked before either is called.

    The same id again must give the same answer, and must not do the thing twice.
    """

    async def command(self, command: protocol.Command, who: Identity) -> Answer:
        """Do what a person asks."""

    async def start(self, request: StartRequest, who: Identity) -> Answer:
        """Start a run."""

    async def drill(self, report: DrillReport, who: Identity) -> Answer:
        """Record a drill."""

    async def order(self, request: OrderRequest, who: Identity) -> Answer:
        """Journal what a person says about a service."""


Note = Callable[[Request, Identity, protocol.Refused], Coroutine[Any, Any, None]]
"""Journals a refusal at the door. Raises nothing."""

NOTE_EVERY_S = 60.0
"""How often the same person's refusals of the same kind are journaled, in seconds."""


def kind_of(request: Request) -> str:
    """The word for what is asked: a `CommandKind`, an `OrderKind`, "start" or "drill"."""
    if isinstance(request, protocol.Command | OrderRequest):
        return request.kind
    return "start" if isinstance(request, StartRequest) else "drill"


def allowed(request: Request, who: Identity) -> protocol.Refused | None:
    """The refusal when somebody may not ask for this; None when it may be asked."""
    kind = kind_of(request)
    right = "approve" if kind in ("accept", "reject", "challenge") else kind
    if right == "approve" and isinstance(request, protocol.Command):
        right = right_for(request.item) or right  # who is asked for a stop needs to be able to stop
    why = who.why_not(right)
    if not why:
        return None
    if who.read_only:
        todo = "connect without --read-only, or ask oncall"
    else:
        enough = " or ".join(sorted(RIGHTS[right]))
        todo = f"ask somebody who is {enough}; roles are in hatchway.yaml under people"
    return protocol.Refused(request.id, "not_allowed", why, todo)


class Guard:
    """Stands before a `Door`: every request of every socket goes through `answer`."""

    def __init__(
        self,
        door: Door,
        health: Health,
        tasks: asyncio.TaskGroup,
        answer_s: float = ANSWER_S,
        agents_stopped: Callable[[], str] = lambda: "",
        tokens: Tokens | None = None,
        note: Note | None = None,
    ) -> None:
        """`tasks` owns the work, so that a client that leaves does not take its pause along.

        `agents_stopped` says why no agent may come in, in words, or nothing. `tokens` says whether
        a token that somebody came with is still good. `note` journals who was turned away.
        """
        self._note = note
        self._noted: dict[tuple[str, str], float] = {}
        self._tokens = tokens
        self._agents_stopped = agents_stopped
        self._door = door
        self._health = health
        self._tasks = tasks
        self._answer_s = answer_s
        self._work: set[asyncio.Task[Answer]] = set()

    def barred(self, who: Identity | None) -> str:
        """Why the credential of `who` is void now, in words: an agent's, after STOP ALL."""
        if who is None or "agent" not in who.roles:
            return ""
        return self._agents_stopped()

    def gone(self, who: Identity | None) -> str:
        """Why the token of `who` opens nothing any more, in words; they do not even look on then.

        Empty while that cannot be looked up: nobody who could stop is put out for a broken file.
        """
        if who is None or not who.token or self._tokens is None:
            return ""
        try:
            found = self._tokens.renewed(who)
        except TokenFileError:
            return ""
        return found if isinstance(found, str) else ""

    async def answer(self, request: Request, who: Identity) -> Answer:
        """The one answer to a request; whatever goes wrong inside becomes a refusal."""
        answer = await self._answer(request, who)
        outcome = "ack" if isinstance(answer, protocol.Ack) else answer.code
        self._health.answered(kind_of(request), outcome)
        return answer

    async def finish(self, seconds: float) -> None:
        """Wait this long for what is being done, then cancel it."""
        if self._work:
            _, late = await asyncio.wait(self._work, timeout=seconds)
            for work in late:
                work.cancel()

    async def _answer(self, request: Request, who: Identity) -> Answer:
        if len(request.id) > ID_MAX:
            why = f"the id of a command has at most {ID_MAX} characters, this one {len(request.id)}"
            return protocol.Refused(request.id[:ID_MAX], "bad_request", why, "use a shorter id")
        barred = self.barred(who)
        if barred:
            todo = "a person lets agents in again: hatchway resume --agents --reason ..."
            refused = protocol.Refused(request.id, "agents_stopped", barred, todo)
            return self._turned_away(request, who, refused)
        now = self._now(request, who)
        if isinstance(now, protocol.Refused):
            return self._turned_away(request, who, now)
        who = now
        no = allowed(request, who)
        if no is not None:
            return self._turned_away(request, who, no)
        request = _tidy(request)
        work = self._tasks.create_task(self._do(request, who), name=f"command {request.id}")
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        await asyncio.wait({work}, timeout=self._answer_s)
        if work.done() and not work.cancelled():
            return work.result()
        return protocol.Refused(
            request.id,
            "no_answer",
            f"the backend took {kind_of(request)} in but did not finish it; it may still happen",
            "look at the status, then send it again with the same id; to stop now, use --direct",
        )

    def _turned_away(
        self, request: Request, who: Identity, refused: protocol.Refused
    ) -> protocol.Refused:
        """Have it journaled; the same again only after a while, so that nobody fills the journal."""
        key, at = (who.name, kind_of(request)), asyncio.get_running_loop().time()
        if self._note is not None and at - self._noted.get(key, float("-inf")) >= NOTE_EVERY_S:
            self._noted[key] = at
            self._tasks.create_task(self._note(request, who, refused), name="refusal")
        return refused

    def _now(self, request: Request, who: Identity) -> Identity | protocol.Refused:
        """Who somebody with a token is by now: tokens end, are taken out, and lose roles."""
        if not who.token or self._tokens is None:
            return who
        try:
            found = self._tokens.renewed(who)
        except TokenFileError as trouble:
            if kind_of(request) in STOPS:
                return who  # a broken file keeps nobody from stopping who could a moment ago
            log.error("tokens cannot be looked up: %s", trouble)
            found = "the token file cannot be read; the backend's log says more"
        if isinstance(found, Identity):
            return found
        todo = "get another token: hatchway token new NAME --roles ..."
        return protocol.Refused(request.id, "not_allowed", found, todo)

    async def _do(self, request: Request, who: Identity) -> Answer:
        try:
            if isinstance(request, StartRequest):
                return await self._door.start(request, who)
            if isinstance(request, DrillReport):
                return await self._door.drill(request, who)
            if isinstance(request, OrderRequest):
                return await self._door.order(request, who)
            return await self._door.command(request, who)
        except Exception as trouble:
            log.exception("%s %s of %s failed", kind_of(request), request.id, who.name)
            why = f"the backend failed at it: {type(trouble).__name__}: {trouble}"
            todo = "look at the backend's log; to stop now, use --direct"
            return protocol.Refused(request.id, "internal", why, todo)


def _tidy(request: Request) -> Request:
    """A request that can be told from others, and whose reason fits on a line of the audit."""
    if not request.id:
        # Two requests without an id are not the same request.
        request = msgspec.structs.replace(request, id=secrets.token_hex(8))
    if not isinstance(request, protocol.Command | OrderRequest):
        return request
    if len(request.reason) > REASON_MAX:
        request = msgspec.structs.replace(request, reason=request.reason[: REASON_MAX - 1] + "…")
    return request
