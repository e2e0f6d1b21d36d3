"""The hash chain: what exactly is hashed, and how the first bad record is found. Pure.

The bytes of a record are one fixed part and one variable part. The fixed part is a format tag, the
five numbers (each 8 bytes) and the byte lengths of the six variable fields (each 8 bytes); the
variable part is those six fields one after the other. Reading from the left, the fixed part says
where each field ends, so the fields can be told apart again whatever they contain: two different
records never have the same bytes. (Joining with a separator would let text containing the separator
move from one field into the next; JSON would need one canonical spelling of every payload.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from hatchway.journal.merkle import Tree
from hatchway.journal.port import GENESIS, Damaged, Draft, Record

_TAG = b"hatchway journal 1\n"
_FIXED = struct.Struct(">qqqdqQQQQQQ")

Head = tuple[int, str]
"""(seq, hash) of a record; (0, GENESIS) before the first."""

Row = tuple[int, str, int, str, str, int, float, int, str, bytes, str, str]
"""A record as the values of its fields, in their order."""

START: Head = (0, GENESIS)


class Verified(Struct, frozen=True):
    """Every record follows from the one before. `seq` and `hash` are the head."""

    records: int
    seq: int
    hash: str


class Broken(Struct, frozen=True):
    """The first record that does not follow from those before it."""

    seq: int
    why: str  # what is wrong with it
    means: str  # what may have happened


def canonical(record: Record) -> bytes:
    """The bytes that are hashed: everything of the record but its hash.

    Raises struct.error, AttributeError, TypeError or UnicodeEncodeError for values that no journal
    can hold (numbers above 64 bits, lone surrogates, other types than declared).
    """
    stream, kind, actor = record.stream.encode(), record.kind.encode(), record.actor.encode()
    idem, payload, prev = record.idem.encode(), record.payload, record.prev.encode()
    fixed = _FIXED.pack(
        record.seq,
        record.version,
        record.epoch,
        record.at,
        record.cause,
        len(stream),
        len(kind),
        len(actor),
        len(idem),
        len(payload),
        len(prev),
    )
    return b"".join((_TAG, fixed, stream, kind, actor, idem, payload, prev))


def digest(record: Record) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return sha256(canonical(record)).hexdigest()


def seal(draft: Draft, *, seq: int, version: int, at: float, prev: str) -> Record:
    """Give a draft its place in the chain."""
    open_record = Record(
        seq=seq,
        stream=draft.stream,
        version=version,
        kind=draft.kind,
        actor=draft.actor,
        epoch=draft.epoch,
        at=at,
        cause=draft.cause,
        idem=draft.idem,
        payload=draft.payload,
        prev=prev,
        hash="",
    )
    return replace(open_record, hash=digest(open_record))


class Verifier:
    """Checks records one by one as they stream past; keeps one number for each stream.

    `start` is the head that the first record must follow. `expect` are heads known from elsewhere
    (checkpoints): a chain alone cannot tell that its tail was cut off or rewritten, these can.
    `versions` are those of all streams at `start`, where they are known.
    """

    def __init__(
        self,
        start: Head = START,
        expect: Head | Mapping[int, str] | None = None,
        versions: Mapping[str, int] | None = None,
    ) -> None:
        self._from_the_beginning = start == START or versions is not None
        self._seq, self._hash = start
        self._expect = dict([expect] if isinstance(expect, tuple) else expect or {})
        self._count = 0
        self._versions: dict[str, int] = dict(versions or {})

    def check(self, record: Record) -> Broken | None:
        """The next record; None when it follows from those before."""
        due = self._seq + 1
        if record.seq != due:
            return _out_of_line(due, record.seq)
        if record.prev != self._hash:
            return Broken(
                due,
                f"its `prev` is not the hash of record {self._seq}",
                "this record or the one before it was replaced or comes from another journal",
            )
        try:
            right = digest(record)
        except (struct.error, AttributeError, TypeError, UnicodeEncodeError) as e:
            return Broken(due, f"a field cannot be read: {e}", "the file was edited or is damaged")
        if record.hash != right:
            return Broken(
                due,
                "its content does not match its hash",
                "it was changed after it had been written, or the file is damaged",
            )
        version = self._versions.get(record.stream, 0 if self._from_the_beginning else None)
        if version is not None and record.version != version + 1:
            return Broken(
                due,
                f"it is version {record.version} of {record.stream!r}, but {version + 1} is next",
                "it was not written by Hatchway",
            )
        if self._expect.get(due, right) != right:
            return Broken(
                due,
                "its hash is not the expected one",
                "the chain up to here was rewritten as a whole, or the expected head is another "
                "journal's",
            )
        self._versions[record.stream] = record.version
        self._seq, self._hash = due, right
        self._count += 1
        return None

    def check_rows(self, rows: Sequence[Row]) -> Broken | None:
        """The next records, several times quicker than one by one with `check`.

        Whatever is not plainly right is left to `check`, which says what is wrong with it.
        """
        seq, prev, versions, expect = self._seq, self._hash, self._versions, self._expect
        first = 0 if self._from_the_beginning else None
        good = 0
        pack, join, tag, hashed = _FIXED.pack, b"".join, _TAG, sha256
        try:
            for row in rows:
                (
                    number,
                    stream,
                    version,
                    kind,
                    actor,
                    epoch,
                    at,
                    cause,
                    idem,
                    payload,
                    before,
                    said,
                ) = row
                a, b, c = stream.encode(), kind.encode(), actor.encode()
                d, e, size = idem.encode(), before.encode(), len(payload)
                # fmt: off
                fixed = pack(
                    number, version, epoch, at, cause, len(a), len(b), len(c), len(d), size, len(e)
                )
                # fmt: on
                right = hashed(join((tag, fixed, a, b, c, d, payload, e))).hexdigest()
                last = versions.get(stream, first)
                if (
                    said != right
                    or before != prev
                    or number != seq + 1
                    or (version - 1 != last and last is not None)
                    or (number in expect and expect[number] != right)
                ):
                    break
                versions[stream] = version
                seq, prev = number, right
                good += 1
        except (struct.error, AttributeError, TypeError, UnicodeEncodeError):
            pass  # `check` words it
        self._seq, self._hash = seq, prev
        self._count += good
        for row in rows[good:]:
            broken = self.check(to_record(row))
            if broken is not None:
                return broken
        return None

    def finish(self) -> Verified | Broken:
        """After the last record."""
        last = max(self._expect, default=0)
        if self._seq < last:
            return cut_off(self._seq, last)
        return Verified(self._count, self._seq, self._hash)


def verify(
    records: Iterable[Record],
    start: Head = START,
    expect: Head | Mapping[int, str] | None = None,
) -> Verified | Broken:
    """Check a whole chain, streaming; names the first bad record. See `Verifier`.

    Raises Damaged when `records` does for the whole of the file.
    """
    verifier = Verifier(start, expect)
    try:
        for record in records:
            broken = verifier.check(record)
            if broken is not None:
                return broken
    except Damaged as e:
        return _damaged(e)
    return verifier.finish()


class Sound:
    """The records of a source, as far as each follows from the one before; tuples, many at a time.

    `found` says after the last of them how the chain is. See `Verifier`; `roots` are the Merkle
    roots that the first so many records must have. Raises Damaged when the source does for the
    whole of the file.
    """

    def __init__(
        self,
        batches: Iterable[Sequence[Row]],
        start: Head = START,
        expect: Head | Mapping[int, str] | None = None,
        roots: Mapping[int, bytes] | None = None,
        tree: Tree | None = None,
    ) -> None:
        self._batches = batches
        self._due = start[0] + 1
        self._verifier = Verifier(start, expect)
        self._roots = Roots(roots or {}, tree)
        self.found: Verified | Broken = Verified(0, *start)

    def __iter__(self) -> Iterator[Sequence[Row]]:
        try:
            for rows in self._batches:
                broken = self._verifier.check_rows(rows)
                good = rows if broken is None else rows[: broken.seq - self._due]
                broken = self._roots.check([row[11] for row in good]) or broken
                if broken is not None:
                    self.found = broken
                    yield rows[: broken.seq - self._due]
                    return
                self._due += len(rows)
                yield rows
        except Damaged as e:
            self.found = _damaged(e)
            return
        found = self._verifier.finish()
        self.found = found if isinstance(found, Broken) else self._roots.finish() or found


class Roots:
    """Checks the Merkle roots of the first so many records while their hashes stream past."""

    def __init__(self, roots: Mapping[int, bytes], tree: Tree | None = None) -> None:
        self._keep = tree is not None
        self.tree = Tree() if tree is None else tree
        self._roots = roots
        self._due = sorted((n for n in roots if n > self.tree.size), reverse=True)
        self._agreed = 0

    def check(self, hashes: Sequence[str]) -> Broken | None:
        """The hashes of the next records."""
        at, begin = 0, self.tree.size
        while self._due and self._due[-1] <= begin + len(hashes):
            size = self._due.pop()
            self.tree.extend(hashes[at : size - begin])
            at = size - begin
            if self.tree.root() != self._roots[size]:
                return Broken(
                    size,
                    f"the first {size} records have not the root that their checkpoint names",
                    f"the chain was rewritten as a whole after record {self._agreed}, or the"
                    " checkpoint is another journal's",
                )
            self._agreed = size
        if self._due or self._keep:
            self.tree.extend(hashes[at:])
        return None

    def finish(self) -> Broken | None:
        """After the last record."""
        return cut_off(self.tree.size, self._due[0]) if self._due else None


def cut_off(end: int, expected: int) -> Broken:
    """The journal ends too early."""
    return Broken(
        end + 1,
        f"the journal ends at {end}, but {expected} was expected",
        "the newest records were cut off, or an older copy was put in place",
    )


def verify_rows(
    batches: Iterable[Sequence[Row]],
    start: Head = START,
    expect: Head | Mapping[int, str] | None = None,
    roots: Mapping[int, bytes] | None = None,
) -> Verified | Broken:
    """`verify` for records as tuples, many at a time: for journals of millions."""
    sound = Sound(batches, start, expect, roots)
    for _ in sound:
        pass
    return sound.found


def to_record(row: Row) -> Record:
    """A row as a record."""
    return Record(
        seq=row[0],
        stream=row[1],
        version=row[2],
        kind=row[3],
        actor=row[4],
        epoch=row[5],
        at=row[6],
        cause=row[7],
        idem=row[8],
        payload=row[9],
        prev=row[10],
        hash=row[11],
    )


def _damaged(e: Damaged) -> Broken:
    if e.seq == 0:
        raise e  # not one record, the whole file
    return Broken(e.seq, str(e), "the file was edited or is damaged")


def _out_of_line(due: int, found: object) -> Broken:
    if not isinstance(found, int):
        return Broken(due, f"its number is {found!r}", "the file was edited or is damaged")
    if found > due:
        return Broken(
            due,
            f"it is missing: record {found} comes after {due - 1}",
            "records were removed, or renumbered",
        )
    return Broken(
        due, f"record {found} stands in its place", "a record was inserted, doubled or moved"
    )
