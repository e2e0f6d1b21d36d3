"""`hatchway audit verify` and `hatchway audit checkpoint`: is the journal whole, up to its end?"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from hatchway.cli.audit_reading import checkpoints, records, signed_by, verified
from hatchway.journal import checkpoint as cp
from hatchway.journal import ssh_signature
from hatchway.journal.chain import Broken, Verified
from hatchway.journal.lines import Selection, verify_selection
from hatchway.journal.merkle import Tree
from hatchway.journal.note import TreeHead, signer_of
from hatchway.journal.source import origin_of, rows_of
from hatchway.runners.visible import visible


def verify(options: argparse.Namespace, journal: Path) -> int:
    """0 whole, 1 broken. Raises JournalError or CheckpointError when that cannot be told."""
    journal = Path(options.file) if options.file else journal
    known = checkpoints(options)
    signers = signed_by(known, options.vkey, options.signers)
    anchors = cp.anchors(known)
    if options.expect is not None:
        seq, digest = options.expect
        if anchors.heads.setdefault(seq, digest) != digest:
            raise cp.CheckpointError(f"--expect contradicts the checkpoint of record {seq}.")
    found: Verified | Broken | Selection
    if options.selection:
        found = verify_selection(rows_of(journal), anchors.heads)
    else:
        found = verified(journal, anchors, segments=options.segments, kept=options.without_segments)
    if isinstance(found, Broken):
        _say_broken(found, journal, options.json)
        return 1
    if options.json:
        print(json.dumps(_as_json(found, anchors, signers)))
    else:
        print("\n".join(_words(found, known, anchors, signers)))
    return 0


def checkpoint(options: argparse.Namespace, journal: Path) -> int:
    """Verify, then note the head. 0 noted, 1 the journal is broken and nothing was noted."""
    kept = None if options.to is None else Path(options.to)
    known = cp.read(kept) if kept is not None and kept.exists() and kept.stat().st_size else []
    anchors, tree = cp.anchors(known), Tree()
    sound = records(journal, anchors, segments=options.segments, tree=tree)
    for _ in sound:
        pass
    found = sound.found
    if isinstance(found, Broken):
        _say_broken(found, journal, options.json)
        print("Nothing was noted.", file=sys.stderr)
        return 1
    if found.seq == 0:
        raise cp.CheckpointError("The journal is empty: there is no head to note yet.")
    noted, vkey = _noted(options, journal, found, tree)
    if kept is None:
        print(cp.to_text(noted).decode(), end="")
        return 0
    try:
        cp.append(kept, noted)
    except OSError as e:
        raise cp.CheckpointError(f"{kept} cannot be written: {e.strerror}.") from e
    if options.json:
        said = {"ok": True, "head": [found.seq, found.hash], "file": str(kept)}
        print(json.dumps({**said, "vkey": vkey} if vkey else said))
    else:
        signed = ", signed" if options.sign or options.note else ""
        print(f"Noted in {visible(str(kept))}{signed}: record {found.seq:,}, hash {found.hash}")
        if vkey:
            print(f"Its signature is checked with --vkey {vkey}")
        print("Keep it on another machine: whoever can change the journal must not reach it.")
    return 0


def _noted(
    options: argparse.Namespace, journal: Path, found: Verified, tree: Tree
) -> tuple[cp.Checkpoint | cp.Noted, str]:
    """The checkpoint, and the verifier's key when it is a signed note."""
    if options.note:
        head = TreeHead(origin_of(journal), tree.size, tree.root())
        signer = signer_of(Path(options.note), head.origin)
        return cp.Noted(signer.sign(head.text), head), str(signer.verifier)
    noted = cp.Checkpoint(seq=found.seq, hash=found.hash, at=round(time.time(), 3))
    if options.sign:
        sshsig = ssh_signature.sign(noted, Path(options.sign))
        noted = cp.Checkpoint(seq=noted.seq, hash=noted.hash, at=noted.at, sshsig=sshsig)
    return noted, ""


def _say_broken(found: Broken, journal: Path, as_json: bool) -> None:
    if as_json:
        said = {"ok": False, "seq": found.seq, "why": found.why, "means": found.means}
        print(json.dumps(said))
        return
    print(f"BROKEN at record {found.seq} of {visible(str(journal))}: {visible(found.why)}.")
    print(f"What it means: {found.means}.")
    trust = f"trust only records 1 to {found.seq - 1}" if found.seq > 1 else "trust none of it"
    print(
        f"What to do: {trust}; keep this file as evidence and compare it with a backup or a"
        " checkpoint kept elsewhere."
    )


def _words(
    found: Verified | Selection,
    known: list[cp.Checkpoint | cp.Noted],
    anchors: cp.Anchors,
    signers: list[str],
) -> list[str]:
    count, last = anchors.count, anchors.last
    if isinstance(found, Selection):
        inside = sum(found.first <= seq <= found.last for seq in anchors.heads)
        return [
            f"A selection of {found.records:,} records, {found.first} to {found.last}, with"
            f" {found.gaps:,} gaps: each matches its hash.",
            "(That it leaves out nothing that matters is shown only by the whole journal.)",
            *([f"{inside} of {count} checkpoints lie in its range."] if count else []),
        ]
    before = found.seq - found.records
    whole = f"whole from record {before + 1:,} on" if before else "whole"
    lines = [
        f"The journal is {whole}: {found.records:,} records, each follows from the one before.",
        f"Head {found.seq}:{found.hash}",
    ]
    if not count:
        no_end = "(That none was cut off the end is only shown by --checkpoint or --expect.)"
        return [*lines, no_end]
    times = {c.seq: c.at for c in known if isinstance(c, cp.Checkpoint)}
    since = f", of {_time(times[last])}" if last in times else ""
    said = "checkpoint is" if count == 1 else "checkpoints are"
    lines.append(f"{count} {said} in it; the last is record {last}{since}.")
    if signers:
        names = ", ".join(visible(name) for name in sorted(set(signers)))
        lines.append(f"Each is signed, by: {names}")
    elif anchors.roots:
        lines.append("(Their signatures were not checked: --vkey KEY does it.)")
    if found.seq > last:
        lines.append(f"(Of {found.seq - last:,} records after it only the chain itself speaks.)")
    return lines


def _as_json(
    found: Verified | Selection, anchors: cp.Anchors, signers: list[str]
) -> dict[str, Any]:
    said: dict[str, Any] = {"ok": True, "events": found.records}
    if isinstance(found, Selection):
        said["selection"] = {"first": found.first, "last": found.last, "gaps": found.gaps}
    else:
        said["head"] = [found.seq, found.hash]
    said["checkpoints"] = anchors.count
    said["anchored_to"] = anchors.last
    if signers:
        said["signers"] = sorted(set(signers))
    return said


def _time(at: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
    except (ValueError, OverflowError, OSError):
        return visible(str(at))
