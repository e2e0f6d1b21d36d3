"""Every change of a single record is found, in the database's rows and in an exported file."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from hatchway.journal.batch import seal_batch
from hatchway.journal.chain import START, Broken, Row, Verified, seal, verify, verify_rows
from hatchway.journal.lines import Selection, from_line, read_rows, to_line, verify_selection
from hatchway.journal.merkle import EMPTY, Tree
from hatchway.journal.port import Draft, Record

N = 200
FIELDS = Record.__struct_fields__
NUMBERS = ("seq", "version", "epoch", "cause")
TEXTS = ("stream", "kind", "actor", "idem", "prev", "hash")


def chain() -> list[Record]:
    """200 records of several streams, as unlike each other as real ones."""
    drafts = [
        Draft(
            stream=("run/1", "run/2", "service/shop", "commands")[n % 4],
            kind=("stage.started", "effect.intended", "authority.changed")[n % 3],
            actor=("agent", "ana", "governor", "")[n % 4],
            payload=b'{"n":%d,"why":"%s"}' % (n, "größer\x1b".encode() if n % 7 else b"\xff\xfe"),
            epoch=n // 9,
            cause=max(0, n - 1),
            idem=f"i{n}" if n % 2 else "",
        )
        for n in range(N)
    ]
    records: list[Record] = []
    versions: dict[str, int] = {}
    head = START
    for n, draft in enumerate(drafts):
        records += seal_batch(
            [draft], None, head, 1e9 + n, lambda s: versions.get(s, 0), lambda i: 0
        )
        versions[draft.stream] = records[-1].version
        head = records[-1].seq, records[-1].hash
    return records


CHAIN = chain()
ROOTS = [EMPTY]
_tree = Tree()
for _record in CHAIN:
    _tree.add(bytes.fromhex(_record.hash))
    ROOTS.append(_tree.root())
ROWS: list[Row] = [tuple(getattr(r, name) for name in FIELDS) for r in CHAIN]  # type: ignore[misc]


def changed_values(name: str, value: object) -> Iterator[object]:
    """Other values for a field, of its type and of others."""
    if isinstance(value, bytes):
        for i in range(len(value)):
            flipped = bytearray(value)
            flipped[i] ^= 1 << (i % 8)
            yield bytes(flipped)
        yield value[:-1]
        yield value + b" "
    elif isinstance(value, str):
        for i in range(0, len(value), 7):
            yield value[:i] + chr(ord(value[i]) ^ 1) + value[i + 1 :]
        yield value + "x"
        yield value.swapcase() + ("" if value.swapcase() != value else " ")
        yield None
    elif isinstance(value, float):
        yield from (value + 1e-6, -value, 0.0, "now")
    else:
        assert isinstance(value, int)
        yield from (value + 1, value ^ (1 << 40), -1, value + 0.5, None)


def single_changes() -> Iterator[tuple[int, str, Row]]:
    """(index, field, changed row), for each record and each field."""
    for at, row in enumerate(ROWS):
        for place, name in enumerate(FIELDS):
            for value in changed_values(name, row[place]):
                yield at, name, (*row[:place], value, *row[place + 1 :])  # type: ignore[misc]


def after(changes: list[Row], start: int) -> Verified | Broken:
    """Verify what stands from `start` on, from the head that stands before it."""
    head = (start, CHAIN[start - 1].hash) if start else START
    return verify_rows([changes], head)


def test_every_change_of_every_field_of_every_record_is_found_and_named(bar):
    tried = 0
    for at, name, row in single_changes():
        # From a few records before, so that each change is found by a look at its surroundings.
        start = max(0, at - 3)
        found = after([*ROWS[start:at], row, *ROWS[at + 1 : at + 4]], start)
        assert isinstance(found, Broken), f"{name} of record {at + 1}"
        assert found.seq == at + 1, f"{name} of record {at + 1}"
        tried += 1
    assert tried > 15_000
    bar("audit mutations found, of records", f"{tried:,} of {tried:,}", "all")


def test_rows_and_records_are_judged_alike():
    assert verify_rows([ROWS[:70], [], ROWS[70:]]) == verify(CHAIN)
    for at in range(0, N, 11):
        for a, _, row in single_changes():
            if a == at:
                rows = [*ROWS[:at], row, *ROWS[at + 1 :]]
                records = [Record(**dict(zip(FIELDS, r, strict=True))) for r in rows]
                assert verify_rows([rows]) == verify(records)
                break


@pytest.mark.parametrize("checkpoint", [False, True])
def test_every_record_that_is_removed_or_cut_off_is_found(checkpoint):
    expect = (N, CHAIN[-1].hash) if checkpoint else None
    for at in range(N):
        found = verify_rows([ROWS[:at] + ROWS[at + 1 :]], expect=expect)
        if at == N - 1 and not checkpoint:
            assert isinstance(found, Verified), "a chain alone does not know its end"
            continue
        assert isinstance(found, Broken)
        assert found.seq == at + 1
    for left in range(N):
        found = verify_rows([ROWS[:left]], expect=expect)
        assert isinstance(found, Broken if checkpoint else Verified)


def test_every_swap_with_any_other_record_is_found():
    for a in range(N):
        for b in range(a + 1, N, 13):
            rows = list(ROWS)
            rows[a], rows[b] = rows[b], rows[a]
            found = verify_rows([rows])
            assert isinstance(found, Broken)
            assert found.seq == a + 1
            rows[a], rows[b] = (a + 1, *rows[a][1:]), (b + 1, *rows[b][1:])
            found = verify_rows([rows])
            assert isinstance(found, Broken)
            assert found.seq == a + 1


def test_every_insertion_is_found_even_when_it_was_hashed_right():
    draft = Draft(stream="run/9", kind="item.closed", actor="eve", payload=b"{}")
    for at in range(N):
        seq, prev = (at, CHAIN[at - 1].hash) if at else START
        forged = seal(draft, seq=seq + 1, version=1, at=1e9, prev=prev)
        row: Row = tuple(getattr(forged, name) for name in FIELDS)  # type: ignore[assignment]
        moved = [(r[0] + 1, *r[1:]) for r in ROWS[at:]]
        for tail in (moved, ROWS[at:]):
            found = verify_rows([[*ROWS[:at], row, *tail]])
            assert isinstance(found, Broken)
            assert found.seq == at + 2
        found = verify_rows([[*ROWS[: at + 1], ROWS[at], *ROWS[at + 1 :]]])
        assert isinstance(found, Broken)


def test_every_rewriting_from_a_record_on_is_found_with_a_checkpoint_after_it():
    """Somebody who can write the database can also hash it anew; not what was noted elsewhere."""
    for at in range(0, N, 3):
        head = (at, CHAIN[at - 1].hash) if at else START
        rows = list(ROWS[:at])
        for r in CHAIN[at:]:
            draft = Draft(
                stream=r.stream,
                kind=r.kind,
                actor="eve" if r.seq == at + 1 else r.actor,
                payload=r.payload,
                epoch=r.epoch,
                cause=r.cause,
                idem=r.idem,
            )
            new = seal(draft, seq=r.seq, version=r.version, at=r.at, prev=head[1])
            head = new.seq, new.hash
            rows.append(tuple(getattr(new, name) for name in FIELDS))  # type: ignore[arg-type]
        assert isinstance(verify_rows([rows]), Verified)
        found = verify_rows([rows], expect={N: CHAIN[-1].hash})
        assert isinstance(found, Broken)
        # A Merkle root knows it too, and each one after the place, none before it.
        for size in (50, 120, N):
            found = verify_rows([rows], roots={size: ROOTS[size]})
            assert isinstance(found, Broken if size > at else Verified), (at, size)
            assert not isinstance(found, Broken) or found.seq == size


def test_every_cut_fork_swap_drop_and_insertion_is_found_with_merkle_checkpoints(bar):
    """Also where each record was hashed anew, so that the chain alone would say that it is whole."""
    roots = {size: ROOTS[size] for size in range(10, N + 1, 10)}
    assert verify_rows([ROWS], roots=roots) == verify_rows([ROWS])
    tried = 0
    for at in range(0, N, 4):
        swapped = list(CHAIN)
        if at + 1 < N:
            swapped[at], swapped[at + 1] = swapped[at + 1], swapped[at]
        for mutant in (
            CHAIN[:at],
            CHAIN[:at] + CHAIN[at + 1 :],
            swapped,
            [*CHAIN[:at], CHAIN[at - 1], *CHAIN[at:]],
            [*CHAIN[:at], replace(CHAIN[at], payload=b"{}"), *CHAIN[at + 1 :]],
        ):
            if mutant == CHAIN:
                continue
            found = verify_rows([rehashed(mutant)], roots=roots)
            assert isinstance(found, Broken), at
            assert found.seq - 10 <= at + 1 <= found.seq, "named by the checkpoint after it"
            tried += 1
    bar("audit mutations found, hashed anew", f"{tried} of {tried}", "all, by Merkle roots")


def rehashed(records: list[Record]) -> list[Row]:
    """The records as a chain that is whole."""
    versions: dict[str, int] = {}
    head, rows = START, list[Row]()
    for r in records:
        versions[r.stream] = versions.get(r.stream, 0) + 1
        draft = Draft(
            stream=r.stream, kind=r.kind, actor=r.actor, payload=r.payload, epoch=r.epoch,
            cause=r.cause, idem=r.idem,
        )  # fmt: skip
        new = seal(draft, seq=head[0] + 1, version=versions[r.stream], at=r.at, prev=head[1])
        head = new.seq, new.hash
        rows.append(tuple(getattr(new, name) for name in FIELDS))  # type: ignore[arg-type]
    return rows


def test_an_exported_line_brings_back_the_exact_record():
    for record, row in zip(CHAIN, ROWS, strict=True):
        line = to_line(record)
        assert line.decode("ascii").isprintable()
        assert from_line(line + b"\n") == row


def twice(line: bytes) -> Iterator[bytes]:
    """The line with one more value for each of its names, before and after the right one."""
    for name in json.loads(line):
        for other in ('"eve"', '"\\\\"', '"\\""', "7", '""'):
            for key in (f'"{name}"', f'"{name}" ', f'"\\u{ord(name[0]):04x}{name[1:]}"'):
                yield b"{%s:%s,%s" % (key.encode(), other.encode(), line[1:])
                yield b"%s,%s:%s}" % (line[:-1], key.encode(), other.encode())


@pytest.mark.parametrize("payload", [b"{}", b"", b"\\", b'"', b"\xff", b'{"a":"\\\\"}'])
def test_a_value_that_stands_beside_another_of_the_same_name_is_refused(payload):
    """Who reads the file would see the one, and the hash would be of the other."""
    draft = Draft(stream="run/1", kind="k\\", actor="ana", payload=payload, idem="")
    line = to_line(seal(draft, seq=1, version=1, at=1.0, prev=START[1]))
    assert from_line(line)[9] == payload
    for doubled in twice(line):
        with pytest.raises(ValueError, match=r"twice|Expected|both|base64"):
            from_line(doubled)


def test_every_changed_byte_of_every_exported_line_is_found(tmp_path):
    """As a file, at every byte of the line; what does not change the content is no change."""
    lines = [to_line(r) for r in CHAIN]
    tried = 0
    for at in range(0, N, 4):
        for i in range(len(lines[at])):
            flipped = bytearray(lines[at])
            flipped[i] ^= 1 << (i % 7)
            try:
                row = from_line(bytes(flipped))
            except ValueError:
                tried += 1
                continue
            if row == ROWS[at]:  # an escape or a number spelled in another way
                continue
            found = after([row, *ROWS[at + 1 : at + 3]], at)
            assert isinstance(found, Broken)
            assert found.seq == at + 1
            tried += 1
    assert tried > 15_000


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{}", "seq"),
        (b"[1]", "array"),
        (b'{"seq":1', "truncated"),
        (to_line(CHAIN[0])[:-1] + b',"note":"x"}', "note"),
        (to_line(CHAIN[0])[:-1] + b',"actor":"eve"}', "twice"),
        (to_line(CHAIN[0]).replace(b'"payload_base64"', b'"payload":"x","payload_base64"'), "both"),
        (b"\xff", ""),
        (b"", ""),
        (b"NaN", ""),
        (b"[" * 100_000, ""),
    ],
)
def test_a_line_that_is_no_record_is_named_by_its_number(tmp_path, line, says):
    file = tmp_path / "journal.jsonl"
    file.write_bytes(b"\n".join([to_line(CHAIN[0]), line, to_line(CHAIN[1])]) + b"\n")
    found = verify_rows(read_rows(file))
    assert isinstance(found, Broken)
    assert found.seq == 2
    assert "line 2" in found.why
    assert says in found.why


def test_a_selection_is_as_strict_with_what_is_there():
    run = [row for row in ROWS if row[1] in ("run/1", "commands")]
    assert verify_selection([run]) == Selection(len(run), 1, N, N // 4)
    for at, row in enumerate(run):
        for place, name in enumerate(FIELDS):
            for value in list(changed_values(name, row[place]))[:4]:
                changed = (*row[:place], value, *row[place + 1 :])
                assert isinstance(verify_selection([[*run[:at], changed, *run[at + 1 :]]]), Broken)  # type: ignore[list-item]
        if at < len(run) - 1:
            swapped = [*run[:at], run[at + 1], row, *run[at + 2 :]]
            assert isinstance(verify_selection([swapped]), Broken)
        if row[1] == "run/1" and 0 < at < len(run) - 2:
            assert isinstance(verify_selection([run[:at] + run[at + 1 :]]), Broken)
    assert isinstance(verify_selection([run], {N: "0" * 64}), Broken)
