"""`hatchway audit signatures`: verifies every signed yes again, without any backend."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from hatchway.cli.audit_reading import opened
from hatchway.core import events as ev
from hatchway.core.approvals import digest_of
from hatchway.journal.chain import Broken, to_record
from hatchway.journal.port import Record
from hatchway.journal.ssh_signature import APPROVAL, SignatureError, who_signed
from hatchway.runners.visible import visible


class Checked(msgspec.Struct, frozen=True):
    """One signed yes. `why` is empty when the signature holds."""

    seq: int
    item: str
    by: str
    principal: str
    fingerprint: str
    why: str


def signatures(options: argparse.Namespace, journal: Path) -> int:
    """0 when every one holds, 1 when one does not or the journal is broken."""
    sound, _ = opened(options, journal)
    records = (to_record(row) for batch in sound for row in batch)
    found = list(checked(records, Path(options.signers)))
    bad = [one for one in found if one.why]
    broken = isinstance(sound.found, Broken)
    if options.json:
        ok = not bad and not broken
        print(json.dumps({"ok": ok, "signatures": msgspec.to_builtins(found)}))
    else:
        for one in found:
            who = f"{visible(one.by)}, key {visible(one.fingerprint)} of {visible(one.principal)}"
            said = f"NOT GOOD: {visible(one.why)}" if one.why else "good"
            print(f"#{one.seq}  {visible(one.item)}  yes by {who}: {said}")
        print(f"{len(found)} signed, {len(bad)} not good" + (", the journal is BROKEN" * broken))
    return 1 if bad or broken else 0


def checked(records: Iterable[Record], signers: Path) -> Iterator[Checked]:
    """Every signed yes of a journal, with what is wrong with it."""
    opened_: dict[str, dict[str, str]] = {}
    for record in records:
        event = ev.decode(record.kind, record.payload)
        if isinstance(event, ev.ItemOpened):
            opened_[event.item] = event.binding
        elif isinstance(event, ev.ItemClosed) and event.signature is not None:
            why = _wrong(event, event.signature, opened_.get(event.item), signers, record.at)
            proof = event.signature
            yield Checked(record.seq, event.item, event.by, proof.principal, proof.fingerprint, why)


def _wrong(
    event: ev.ItemClosed,
    proof: ev.Signature,
    binding: dict[str, str] | None,
    signers: Path,
    at: float,
) -> str:
    if binding is None:
        return "the question is not in these records"
    lines = proof.text.splitlines()
    if f"binding: {digest_of(event.item, binding)}" not in lines:
        return "what was signed is not what was asked"
    if f"item: {event.item}" not in lines or f"at most: {event.max_weight} %" not in lines:
        return "what was signed is not what was answered"
    try:
        signer = who_signed(proof.text.encode(), proof.armored, signers, APPROVAL, at)
    except SignatureError as error:
        return str(error)
    if (signer.principal, signer.fingerprint) != (proof.principal, proof.fingerprint):
        return f"it is {signer.principal}'s, by the key {signer.fingerprint}"
    return ""
