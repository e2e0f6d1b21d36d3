"""`hatchway audit prove SEQ` and `check FILE`: proofs for those who do not have the journal."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from hatchway.cli.audit import _as_json, _as_words
from hatchway.cli.audit_reading import records, verifiers
from hatchway.journal import checkpoint as cp
from hatchway.journal import note, proofs
from hatchway.journal.chain import Broken, Row, digest, to_record
from hatchway.journal.keeping import KEPT, KEY
from hatchway.journal.lines import from_line, to_line
from hatchway.journal.merkle import Subtrees, Tree, consistency_ranges, inclusion_ranges
from hatchway.journal.note import NoteError
from hatchway.journal.port import Damaged, JournalError
from hatchway.journal.source import origin_of
from hatchway.runners.visible import visible


def prove(options: argparse.Namespace, journal: Path) -> int:
    """0 made. Raises JournalError, NoteError or CheckpointError."""
    path = Path(options.file) if options.file else journal
    if (options.seq is None) == (options.old is None):
        raise JournalError("say either a record, or --old SIZE of an older checkpoint")
    wanted = options.seq or options.old
    made = _checkpoint(options, path, journal, wanted)
    size = made.head.size
    if wanted > size:
        raise JournalError(f"the checkpoint is of {size} records: {wanted} is not in it")
    old = options.old is not None
    ranges = consistency_ranges(wanted, size) if old else inclusion_ranges(wanted - 1, size)
    subtrees, tree = Subtrees(ranges), Tree()
    record: Row | None = None
    for rows in records(path, cp.Anchors(), segments=options.segments):
        for row in rows:
            if row[0] > size:
                break
            leaf = bytes.fromhex(row[11])
            subtrees.take(leaf)
            tree.add(leaf)
            record = row if row[0] == wanted else record
    if tree.size != size or tree.root() != made.head.root:
        raise Damaged(f"the first {size} records are not those that the checkpoint is of", size)
    proof_path = tuple(subtrees.found[span] for span in ranges)
    proof: proofs.Inclusion | proofs.Consistency
    if old:
        proof = proofs.Consistency(wanted, proof_path, made.note)
    else:
        assert record is not None
        line = to_line(to_record(record))
        proof = proofs.Inclusion(wanted - 1, proof_path, made.note, line)
    if options.to:
        Path(options.to).write_text(str(proof), encoding="utf-8")
    else:
        sys.stdout.write(str(proof))
    return 0


def _checkpoint(options: argparse.Namespace, path: Path, journal: Path, wanted: int) -> cp.Noted:
    """The newest signed note that there is, or one of the head, signed now."""
    file = Path(options.checkpoint) if options.checkpoint else journal.parent / KEPT
    if not options.note and file.exists():
        notes = [c for c in cp.read(file) if isinstance(c, cp.Noted) and c.seq >= wanted]
        if notes:
            return max(notes, key=lambda c: c.seq)
    key = Path(options.note) if options.note else journal.parent / KEY
    tree = Tree()
    sound = records(path, cp.Anchors(), segments=options.segments, tree=tree)
    for _ in sound:
        pass
    if isinstance(sound.found, Broken):
        raise Damaged(f"record {sound.found.seq}: {sound.found.why}", sound.found.seq)
    head = note.TreeHead(origin_of(path), tree.size, tree.root())
    return cp.Noted(note.signer_of(key, head.origin).sign(head.text), head)


def check(options: argparse.Namespace, journal: Path) -> int:
    """0 it proves what it says, 1 it does not. Raises NoteError when it cannot be told."""
    try:
        proof = proofs.read(Path(options.proof).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as e:
        raise NoteError(f"{options.proof} cannot be read: {e}") from e
    signers = note.signers(proof.note, verifiers(options.vkey))
    if isinstance(proof, proofs.Consistency):
        return _check_old(options, proof, signers)
    try:
        row = from_line(proof.extra)
        record = to_record(row)
        mark = digest(record)
    except (ValueError, TypeError, AttributeError) as e:
        raise NoteError(f"the record beside the proof cannot be read: {e}") from e
    if (record.seq, record.hash) != (proof.index + 1, mark) or not proof.holds(bytes.fromhex(mark)):
        return _no(options, "the record beside it is not the one that it proves, or was changed")
    if options.json:
        said = {"ok": True, "record": _as_json(record), "of": proof.head.size, "signers": signers}
        print(json.dumps(said))
        return 0
    print(
        f"PROVED: this is record {record.seq} of {proof.head.size} of {visible(proof.head.origin)},"
    )
    print(f"signed by {', '.join(map(visible, signers))}:")
    print(_as_words(record))
    return 0


def _check_old(options: argparse.Namespace, proof: proofs.Consistency, signers: list[str]) -> int:
    known = cp.read(Path(options.checkpoint)) if options.checkpoint else []
    older = [c for c in known if isinstance(c, cp.Noted) and c.seq == proof.old]
    if not older:
        raise NoteError(f"the checkpoint of record {proof.old} is needed: --checkpoint FILE")
    if not all(proof.holds(one.head) for one in older):
        return _no(options, f"the journal of the newer checkpoint does not begin with {proof.old}")
    if options.json:
        said = {"ok": True, "old": proof.old, "of": proof.head.size, "signers": signers}
        print(json.dumps(said))
    else:
        print(f"PROVED: the first {proof.old} of {proof.head.size} records are the same still.")
    return 0


def _no(options: argparse.Namespace, why: str) -> int:
    if options.json:
        print(json.dumps({"ok": False, "why": why}))
    else:
        print(f"NOT PROVED: {why}.")
    return 1
