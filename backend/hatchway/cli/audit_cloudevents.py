"""A record as a CloudEvent 1.0 in JSON: every kind, without the judge's proofs."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import msgspec

from hatchway.journal.lines import printable
from hatchway.journal.port import Record
from hatchway.runners.visible import visible


def line(record: Record, source: str) -> bytes:
    """One CloudEvent on one line. `source` and the record's number make it unique."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(record.seq),
        "source": source,
        "type": f"hatchway.{text(record.kind)}",
        "subject": text(record.stream),
    }
    at = timestamp(record.at)
    if at:
        event["time"] = at
    # Extensions: lower case letters and digits, never an empty text.
    event["sequence"] = str(record.seq)
    event["hatchwayhash"] = record.hash
    event["hatchwayepoch"] = str(record.epoch)
    if record.actor:
        event["hatchwayactor"] = text(record.actor)
    if record.cause:
        event["hatchwaycause"] = str(record.cause)
    event.update(_data(record.payload))
    return printable(msgspec.json.encode(event))


def text(value: str) -> str:
    """A text for an attribute, in which CloudEvents allow no control characters."""
    return visible(value)


def timestamp(at: float) -> str:
    """RFC 3339 in UTC; empty when it is no time of the calendar."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""


def _data(payload: bytes) -> dict[str, Any]:
    try:
        data = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        coded = b64encode(payload).decode()
        return {"datacontenttype": "application/octet-stream", "data_base64": coded}
    if isinstance(data, dict) and isinstance(data.get("proof"), str):
        data["proof_bytes"] = len(data.pop("proof")) * 3 // 4  # as base64; evidence stays
    return {"datacontenttype": "application/json", "data": data}
