"""The governor's own socket: JSON lines, for the time when the backend does not answer."""

from __future__ import annotations

import asyncio
import json

import msgspec

from hatchway_tui.mirror import GovernorStatus

LIMIT = 64 * 1024


class GovernorTrouble(Exception):
    """The governor could not be asked; the text says why."""


async def ask(path: str, question: dict[str, object], timeout: float = 2.0) -> dict[str, object]:  # noqa: ASYNC109
    """One question, one answer. Raises `GovernorTrouble` when there is none in time."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_unix_connection(path, limit=LIMIT)
            try:
                writer.write(json.dumps(question).encode() + b"\n")
                await writer.drain()
                line = await reader.readline()
            finally:
                writer.close()
    except TimeoutError:
        raise GovernorTrouble(f"the governor did not answer within {timeout:g} s") from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise GovernorTrouble("the governor cannot be reached: it is not running") from None
    except (OSError, ValueError) as error:
        raise GovernorTrouble(f"the governor cannot be reached: {error}") from None
    try:
        answer = json.loads(line)
    except ValueError:
        raise GovernorTrouble("the governor's answer is not JSON") from None
    if not isinstance(answer, dict):
        raise GovernorTrouble("the governor's answer is not an object")
    return answer


async def statuses(path: str) -> tuple[GovernorStatus, ...]:
    """The state of every service that the governor holds. Raises `GovernorTrouble`."""
    answer = await ask(path, {"op": "status"})
    found = answer.get("statuses") or ([answer["status"]] if answer.get("status") else None)
    if not answer.get("ok") or found is None:
        raise GovernorTrouble(f"the governor says: {answer.get('why', 'nothing')}")
    try:
        return msgspec.convert(found, tuple[GovernorStatus, ...])
    except msgspec.ValidationError as error:
        raise GovernorTrouble(f"the governor's answer is not understood: {error}") from None
