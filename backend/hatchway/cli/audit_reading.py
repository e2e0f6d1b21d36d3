"""What the audit verbs read, checked while it streams past: the journal, and its checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path

from hatchway.journal import checkpoint as cp
from hatchway.journal import note, ssh_signature
from hatchway.journal.chain import Broken, Sound, Verified
from hatchway.journal.merkle import Tree
from hatchway.journal.parallel import processes, verify_parts
from hatchway.journal.source import begins, kept_rows, plain, roots_in, rows_of


def opened(options: argparse.Namespace, journal: Path) -> tuple[Sound, cp.Anchors]:
    """The records to iterate over, and what they must contain. Raises CheckpointError."""
    anchors = cp.anchors(checkpoints(options))
    path = Path(options.file) if options.file else journal
    return records(path, anchors, segments=options.segments), anchors


def records(
    path: Path,
    anchors: cp.Anchors,
    *,
    segments: str | None = None,
    kept: bool = False,
    tree: Tree | None = None,
) -> Sound:
    """The records in `path` and in the segments before it; with `kept` only those in a database.

    What segments say of themselves must hold as what checkpoints say. Raises JournalError, or
    CheckpointError when both contradict each other.
    """
    roots = roots_in(path)
    for seq, root in anchors.roots.items():
        if roots.setdefault(seq, root) != root:
            raise cp.CheckpointError(
                f"The checkpoint of record {seq} and the segment that ends there contradict each"
                " other: one of them was changed or is another journal's."
            )
    start, before = begins(path, kept=kept)
    batches = kept_rows(path) if kept else rows_of(path, Path(segments) if segments else None)
    return Sound(batches, start, anchors.heads, roots, tree if before is None else before)


def verified(
    path: Path, anchors: cp.Anchors, *, segments: str | None = None, kept: bool = False
) -> Verified | Broken:
    """How all of `records` is. A large file is verified by several processes."""
    whole = plain(path)
    count = 1 if whole is None or kept else processes(whole[0])
    if count > 1 and whole is not None:
        file, database = whole
        found = verify_parts(
            file, count, database=database, expect=anchors.heads, roots=anchors.roots
        )
        if found is not None:
            return found
    sound = records(path, anchors, segments=segments, kept=kept)
    for _ in sound:
        pass
    return sound.found


def checkpoints(options: argparse.Namespace) -> list[cp.Checkpoint | cp.Noted]:
    """Those of `--checkpoint`; their signatures are checked with `--vkey`. Raises CheckpointError."""
    if options.checkpoint is None:
        return []
    known = cp.read(Path(options.checkpoint))
    signed_by(known, options.vkey, None)
    return known


def signed_by(
    known: list[cp.Checkpoint | cp.Noted], vkey: str | None, allowed: str | None
) -> list[str]:
    """Who signed the checkpoints, as far as it can be checked with what was given.

    `vkey` is for signed notes: a verifier's key, or a file with some. `allowed` is for the other
    kind: a file of allowed signers of ssh-keygen. Raises CheckpointError when one does not hold.
    """
    names: list[str] = []
    keys = None if vkey is None else verifiers(vkey)
    for one in known:
        if isinstance(one, cp.Checkpoint):
            if allowed is not None:
                names.append(ssh_signature.signer(one, Path(allowed)))
            elif keys is not None:
                raise cp.CheckpointError(
                    f"The checkpoint of record {one.seq} is no signed note, so --vkey cannot"
                    " check it. Keep notes in a file of their own."
                )
        elif keys is not None:
            try:
                names += note.signers(one.note, keys)
            except note.NoteError as e:
                raise cp.CheckpointError(f"The checkpoint of record {one.seq}: {e}") from e
        elif allowed is not None:
            raise cp.CheckpointError(
                f"The checkpoint of record {one.seq} is a signed note: check it with --vkey."
            )
    return names


def verifiers(text: str) -> tuple[note.Verifier, ...]:
    """The verifier's keys in a text, or in the file that it names. Raises CheckpointError."""
    lines = [text]
    try:
        if "+" not in text or Path(text).exists():
            lines = Path(text).read_text("utf-8").splitlines()
        found = tuple(note.verifier_of(line) for line in lines if line.strip())
    except (OSError, UnicodeDecodeError) as e:
        raise cp.CheckpointError(f"The verifier's keys in {text} cannot be read: {e}.") from e
    except note.NoteError as e:
        raise cp.CheckpointError(str(e)) from e
    if not found:
        raise cp.CheckpointError(f"{text} holds no verifier's key.")
    return found
