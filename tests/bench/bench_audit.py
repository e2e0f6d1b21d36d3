"""How fast a journal is verified offline, from the database and from an exported file.

Run: python tests/bench/bench_audit.py [--events 1000000]
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from hatchway.cli.audit_reading import verified
from hatchway.journal.batch import seal_batch
from hatchway.journal.chain import START, Sound, Verified, verify_rows
from hatchway.journal.checkpoint import Anchors
from hatchway.journal.lines import to_line
from hatchway.journal.merkle import Tree
from hatchway.journal.port import Draft
from hatchway.journal.source import rows_of
from hatchway.journal.sqlite_file import INSERT, open_writer, scan, to_row

BAR_S = 10.0
JOB = b'{"run":"run-1","stage":"checks","job":"lint","attempt":1,"status":"passed"}' * 3
LOOK = b'{"id":"E1","sign":"+","text":"errors 6 of 423 on canary","source":"edge"}' * 40


def draft(n: int) -> Draft:
    """Mostly small events; every 20th is a decision with its evidence, as in a real journal."""
    return Draft(
        stream=f"run/{n // 60}",
        kind="proposal.made" if n % 20 == 0 else "job.ended",
        actor="agent" if n % 20 == 0 else "runner",
        payload=LOOK if n % 20 == 0 else JOB,
        epoch=n // 1000,
        cause=n,
        idem=f"i{n}" if n % 20 == 0 else "",
    )


def write(path: Path, events: int) -> None:
    head, versions = START, dict[str, int]()
    with closing(open_writer(path, create=True)) as conn:
        conn.execute("BEGIN")
        for begin in range(0, events, 1000):
            drafts = [draft(n) for n in range(begin, min(begin + 1000, events))]
            at = 1.7e9 + begin
            records = seal_batch(drafts, None, head, at, lambda s: versions.get(s, 0), lambda i: 0)
            versions.update((r.stream, r.version) for r in records)
            conn.executemany(INSERT, map(to_row, records))
            head = records[-1].seq, records[-1].hash
        conn.execute("COMMIT")


def spent() -> float:
    """Processor time of this process and of those that it started and waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measured(what: str, events: int, work: Callable[[], object]) -> None:
    wall, cpu = time.perf_counter(), spent()
    found = work()
    wall, cpu = time.perf_counter() - wall, spent() - cpu
    assert isinstance(found, Verified), found
    assert found.records == events
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    million = wall * 1e6 / events
    print(
        f"{what}: {events:,} events in {wall:.1f} s ({cpu:.1f} s of CPU), {events / wall:,.0f}/s;"
        f" a million in {million:.1f} s, bar {BAR_S:.0f} s: {million / BAR_S:.2f} of it;"
        f" load {load} on {os.cpu_count()} cores"
    )


def with_tree(database: Path, tree: Tree) -> object:
    sound = Sound(rows_of(database), tree=tree)
    for _ in sound:
        pass
    return sound.found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory() as directory:
        database, exported = Path(directory) / "journal.db", Path(directory) / "journal.jsonl"
        write(database, events)
        print(f"database of {database.stat().st_size / 1e6:.0f} MB")
        none = Anchors()
        measured("database", events, lambda: verify_rows(rows_of(database)))
        measured("database, as audit verify", events, lambda: verified(database, none))
        with exported.open("wb") as file:
            for record in scan(database):
                file.write(to_line(record) + b"\n")
        measured("JSON Lines", events, lambda: verify_rows(rows_of(exported)))
        measured("JSON Lines, as audit verify", events, lambda: verified(exported, none))
        tree = Tree()
        measured("with a Merkle tree", events, lambda: with_tree(database, tree))
        began = time.perf_counter()
        for _ in range(1000):
            tree.root()
        took = time.perf_counter() - began
        print(f"the root for a checkpoint of {tree.size:,} records: {took * 1e3:.0f} us")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"largest memory of the process, writing included: {peak:.0f} MB")


if __name__ == "__main__":
    main()
