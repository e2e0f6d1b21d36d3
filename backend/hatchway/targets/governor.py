"""The governor's side of the port: one JSON object a line over its Unix socket."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from hatchway.core.events import AuthorityChanged, By
from hatchway.targets.port import Declined, NotApplied, Observed, Standing, TargetError

ANSWER_S = 2.0
APPLY_S = 12.0  # the governor reads back, and waits for a slow target
LINE = 1 << 20


class GovernorTarget:
    """Calls the governor at `socket`. A broken connection is made anew at the next call."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = asyncio.Lock()

    async def standing(self, service: str) -> Standing:
        return _standing((await self._ask({"op": "status", "service": service})).get("status"))

    async def renew_lease(self) -> None:
        await self._ask({"op": "lease"})

    async def arm(self, service: str, capsule: dict[str, Any]) -> None:
        await self._ask({"op": "arm", "service": service, "capsule": capsule})

    async def apply(
        self, service: str, *, epoch: int, key: str, canary: int, by: By
    ) -> Observed | NotApplied:
        request = {
            "op": "apply",
            "service": service,
            "epoch": epoch,
            "key": key,
            "canary": canary,
            "by": {"kind": by.kind, "name": by.name},
        }
        # Its own connection: a target that hangs must not stand in the way of a stop.
        answer = await _call_once(self._socket, request, APPLY_S)
        if answer.get("ok"):
            try:
                return observed_of(answer["observed"])
            except (KeyError, TypeError, ValueError) as error:
                raise TargetError(f"the governor's answer is not understood: {error!r}") from error
        return NotApplied(str(answer.get("code", "")), str(answer.get("why", "")))

    async def stop(self, service: str, op: str, *, id: str, by: str, reason: str) -> str:
        request = {"op": op, "service": service, "id": id, "by": by, "reason": reason}
        answer = await _call_once(self._socket, request, ANSWER_S)
        if not answer.get("ok"):
            why = str(answer.get("why", "the governor refused"))
            raise Declined(str(answer.get("code", "governor")), why, str(answer.get("todo", "")))
        return str(answer.get("said", ""))

    async def spool(self, service: str, after: int) -> tuple[AuthorityChanged, ...]:
        answer = await self._ask({"op": "spool", "service": service, "after": after})
        entries = answer.get("entries")
        if not isinstance(entries, list):
            raise TargetError("the governor's spool is not understood: it has no entries")
        return tuple(spool_line(service, entry) for entry in entries)

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        async with self._turn:
            try:
                async with asyncio.timeout(ANSWER_S):
                    if self._connection is None:
                        self._connection = await asyncio.open_unix_connection(
                            str(self._socket), limit=LINE
                        )
                    answer = await _exchange(*self._connection, request)
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                self._drop()
                raise TargetError(f"the governor does not answer: {error or 'time-out'}") from error
            except asyncio.CancelledError:
                self._drop()
                raise
        if not answer.get("ok"):
            raise TargetError(str(answer.get("why", "the governor refused")))
        return answer

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    def close(self) -> None:
        """Let go of the connection."""
        self._drop()


async def _call_once(socket: Path, request: dict[str, Any], seconds: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(str(socket), limit=LINE)
            try:
                return await _exchange(reader, writer, request)
            finally:
                writer.close()
    except (OSError, EOFError, ValueError, TimeoutError) as error:
        raise TargetError(f"the governor does not answer: {error or 'time-out'}") from error


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: dict[str, Any]
) -> dict[str, Any]:
    writer.write(msgspec.json.encode(request) + b"\n")
    await writer.drain()
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise EOFError("connection closed")
    answer = msgspec.json.decode(line)
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    return answer


def observed_of(seen: dict[str, Any]) -> Observed:
    """The target as the governor read it back."""
    return Observed(
        canary=int(seen["canary"]),
        stable=int(seen["stable"]),
        inflight=int(seen.get("canary_inflight", 0)),
        total=int(seen.get("canary_total", 0)),
        at=float(seen.get("at", 0.0)),
    )


def _standing(status: Any) -> Standing:
    try:
        seen = status.get("observed")
        return Standing(
            service=str(status["service"]),
            epoch=int(status["epoch"]),
            mode=str(status["mode"]),
            holder=str(status.get("holder") or ""),
            spool=int(status["spool_seq"]),
            desired=int(status["desired"]["canary"]),
            observed=observed_of(seen) if seen else None,
            trouble=str(status.get("target_trouble") or ""),
            drift=str(status.get("drift") or ""),
            agent_writes=int(status.get("agent_writes", 0)),
            person_writes=int(status.get("person_writes", 0)),
            drift_since=float(status.get("drift_since") or 0.0),
            drift_own=status.get("drift_own") is True,
            residue=_texts(status.get("residue")),
            residue_at=float(status.get("residue_at") or 0.0),
            unfit=_texts(status.get("unfit")),
            stop_all=stop_all_said(status.get("stop_all")),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TargetError(f"the governor's status is not understood: {error!r}") from error


def stop_all_said(found: Any) -> str:
    """What a status says of STOP ALL, in words; empty when it does not stand."""
    if not found:
        return ""
    why = f": {found['reason']}" if found.get("reason") else ""
    return f"STOP ALL by {found['by']}{why}"


def _texts(found: Any) -> tuple[str, ...]:
    if found is not None and not isinstance(found, list):
        raise ValueError(f"a list was expected, not {type(found).__name__}")
    return tuple(str(text) for text in found or ())


def spool_line(service: str, entry: Any) -> AuthorityChanged:
    """A line of the governor's spool as it is journaled. TargetError."""
    try:
        mode = str(entry["mode"])
        desired = entry.get("desired") or {}
        return AuthorityChanged(
            service=service,
            spool=int(entry["seq"]),
            op=str(entry["op"]),
            command=str(entry["id"]),
            by=str(entry.get("by", "")),
            reason=str(entry.get("reason", "")),
            epoch=int(entry["epoch"]),
            mode="agent" if mode == "agent" else "person" if mode == "person" else "paused",
            holder=str(entry.get("holder") or ""),
            desired=int(desired.get("canary", 0)) if isinstance(desired, dict) else int(desired),
            direct=bool(entry.get("direct", False)),
            at=float(entry.get("at", 0.0)),
            uid=int(entry.get("uid", -1)),
            agents_stopped=bool(entry.get("barred", False)),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TargetError(f"a line of the governor's spool is not understood: {error!r}") from error
