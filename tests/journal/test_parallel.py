"""Several processes find what one finds, at the seams above all; and it is as quick as promised."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from hatchway.cli.audit_reading import verified
from hatchway.journal import parallel
from hatchway.journal.batch import seal_batch
from hatchway.journal.chain import START, Broken, Verified
from hatchway.journal.checkpoint import Anchors
from hatchway.journal.lines import to_line
from hatchway.journal.merkle import Tree
from hatchway.journal.port import Draft
from hatchway.journal.sqlite_file import INSERT, open_writer, scan, to_row

N = 40


def write(path: Path, count: int, payload: bytes = b'{"a":"b"}') -> None:
    drafts = [
        Draft(stream=f"run/{n % 3}", kind="k", actor="ana", payload=payload) for n in range(count)
    ]
    versions: dict[str, int] = {}
    head = START
    with closing(open_writer(path, create=True)) as conn:
        conn.execute("BEGIN")
        for begin in range(0, count, 1000):
            part = drafts[begin : begin + 1000]
            records = seal_batch(part, None, head, 1e9, lambda s: versions.get(s, 0), lambda i: 0)
            versions.update((r.stream, r.version) for r in records)
            head = records[-1].seq, records[-1].hash
            conn.executemany(INSERT, map(to_row, records))
        conn.execute("COMMIT")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("journal")
    database, exported = directory / "journal.db", directory / "journal.jsonl"
    write(database, N)
    exported.write_bytes(b"".join(to_line(r) + b"\n" for r in scan(database)))
    return database, exported


def found(
    path: Path, count: int = 2, expect: dict[int, str] | None = None, roots: object = None
) -> object:
    """As `verify_parts`, the parts one after the other in this process."""
    database = path.suffix == ".db"
    spans = (parallel._of_database if database else parallel._of_lines)(path, count)
    parts = [parallel._part(path, span, database, expect or {}, bool(roots)) for span in spans]
    return parallel._joined(parts, expect or {}, roots or {})  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2, 3, 7, N, 3 * N])
def test_parts_are_one_chain_wherever_they_are_cut(files, count):
    records = list(scan(files[0]))
    tree = Tree()
    roots = {}
    for record in records:
        tree.add(bytes.fromhex(record.hash))
        roots[tree.size] = tree.root()
    whole = Verified(N, N, records[-1].hash)
    heads = {r.seq: r.hash for r in records}
    for path in files:
        assert found(path, count) == whole
        assert found(path, count, heads, roots) == whole
        assert found(path, count, {7: "0" * 64}) is None
        assert found(path, count, None, {7: bytes(32)}) is None
        assert isinstance(found(path, count, {N + 1: "0" * 64}), Broken)
        assert isinstance(found(path, count, None, {N + 1: bytes(32)}), Broken)


def test_processes_of_their_own_say_the_same(files):
    records = list(scan(files[0]))
    for path, database in zip(files, (True, False), strict=True):
        said = parallel.verify_parts(path, 2, database=database, expect={}, roots={})
        assert said == Verified(N, N, records[-1].hash)


def test_no_change_of_a_line_passes_at_any_seam(files, tmp_path):
    lines = files[1].read_bytes().splitlines(keepends=True)
    other = tmp_path / "journal.jsonl"
    for at in range(N):
        for changed in (
            lines[:at] + lines[at + 1 :],
            [*lines[:at], lines[at].replace(b"ana", b"eve"), *lines[at + 1 :]],
            [*lines[: at + 1], lines[at], *lines[at + 1 :]],
            [*lines[:at], *lines[at + 1 : at + 2], lines[at], *lines[at + 2 :]],
            [*lines[:at], b"{}\n", *lines[at + 1 :]],
        ):
            if changed == lines or changed == lines[:-1]:
                continue
            other.write_bytes(b"".join(changed))
            for count in (2, 5):
                assert found(other, count) is None


def test_what_is_unsure_is_named_by_one_process(files, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "WORTH_BYTES", 1)
    monkeypatch.setattr(parallel, "MOST", 2)
    lines = files[1].read_bytes().splitlines(keepends=True)
    other = tmp_path / "journal.jsonl"
    other.write_bytes(b"".join(lines[:29] + lines[30:]))
    said = verified(other, Anchors())
    assert isinstance(said, Broken)
    assert said.seq == 30
    assert isinstance(verified(files[1], Anchors()), Verified)
    assert parallel.processes(other) >= 1


def test_the_rate_of_verifying(tmp_path, bar):
    """Small; the full million is in tests/bench/bench_audit.py. Processor time, as others run too."""
    count = 20_000
    database, exported = tmp_path / "journal.db", tmp_path / "journal.jsonl"
    write(database, count, b'{"run":"1","stage":"checks","job":"lint","status":"passed"}' * 4)
    with exported.open("wb") as out:
        out.writelines(to_line(r) + b"\n" for r in scan(database))
    for name, path in (("database", database), ("JSON Lines", exported)):
        began = time.process_time()
        assert isinstance(verified(path, Anchors()), Verified)
        took = (time.process_time() - began) * 1e6 / count
        load = os.getloadavg()[0]
        bar(
            f"audit verify rate, {name}",
            f"a million in {took:.1f} s of one processor (load {load:.1f})",
            "10 s, by bench_audit.py",
        )
        assert took < 60, "six times the bar, for the busiest machine"
