"""What happens to one batch of drafts, the same for every adapter: refused, or sealed. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from hatchway.journal.chain import Head, seal
from hatchway.journal.port import Conflict, Draft, Duplicate, JournalError, Record

MAX_PAYLOAD = 16 * 1024 * 1024
"""Bytes. An event is a fact, not a log file."""

_MAX_INT = 2**63


def check_drafts(drafts: Sequence[Draft]) -> None:
    """Refuse what no adapter could store, before it can spoil a neighbour's commit.

    Raises JournalError.
    """
    for draft in drafts:
        for name in ("stream", "kind", "actor", "idem"):
            text = getattr(draft, name)
            try:
                text.encode()
            except UnicodeEncodeError:
                raise JournalError(
                    f"{name} of a {draft.kind!r} event is not valid Unicode: {text!r}"
                ) from None
        if not draft.stream or not draft.kind:
            raise JournalError("an event needs a stream and a kind")
        if not (0 <= draft.epoch < _MAX_INT and 0 <= draft.cause < _MAX_INT):
            raise JournalError(f"epoch and cause of a {draft.kind!r} event must be 0 or more")
        if len(draft.payload) > MAX_PAYLOAD:
            raise JournalError(
                f"the payload of a {draft.kind!r} event has {len(draft.payload):,} bytes, "
                f"the most is {MAX_PAYLOAD:,}: store the bulk elsewhere and its digest here"
            )


def seal_batch(
    drafts: Sequence[Draft],
    expect_head: int | None,
    head: Head,
    at: float,
    version_of: Callable[[str], int],
    seq_of_idem: Callable[[str], int],
) -> list[Record]:
    """The records that `drafts` become after `head`.

    `version_of` gives a stream's newest version (0: no such stream), `seq_of_idem` where an idem
    stands (0: nowhere). Raises Conflict before Duplicate.
    """
    seq, prev = head
    if expect_head is not None and expect_head != seq:
        raise Conflict(
            f"the journal is at {seq}, not at {expect_head}: somebody else wrote. "
            "Read again and decide again."
        )
    at = float(at) + 0.0  # -0.0 would come back from a database as 0.0 and break the chain
    if not math.isfinite(at):
        raise JournalError(f"the clock says {at}: nothing can be dated with that")
    versions: dict[str, int] = {}
    seen: set[str] = set()
    records: list[Record] = []
    for draft in drafts:
        if draft.idem:
            where = 0 if draft.idem in seen else seq_of_idem(draft.idem)
            if where or draft.idem in seen:
                raise Duplicate(f"idem {draft.idem!r} is already in the journal", where)
            seen.add(draft.idem)
        version = versions.get(draft.stream)
        versions[draft.stream] = (version_of(draft.stream) if version is None else version) + 1
        seq += 1
        record = seal(draft, seq=seq, version=versions[draft.stream], at=at, prev=prev)
        prev = record.hash
        records.append(record)
    return records
