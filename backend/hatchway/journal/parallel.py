"""Verifying a large journal with several processes, each a part of it.

A part is a chain by itself that says what its first record follows; the parts are one chain when
each begins with what the one before ends with, the versions of streams too. Whatever is not plainly
right is said to be `unsure`: then all of it is verified again in one go, which names the record.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from hatchway.journal.chain import START, Broken, Head, Roots, Row, Verified, Verifier, cut_off
from hatchway.journal.lines import from_line
from hatchway.journal.port import JournalError
from hatchway.journal.sqlite_file import last_records, scan_rows

WORTH_BYTES = 32 * 1024 * 1024
"""Smaller files are verified before a second process has started."""

MOST = 8
_BATCH = 100


class Part(Struct, frozen=True):
    """What a process found: its part is a chain from `start` to `end`."""

    records: int
    start: Head
    end: Head
    first: dict[str, int]  # of each stream: its first version here
    last: dict[str, int]
    hashes: bytes = b""  # of all its records, where a tree is made of them


def processes(path: Path) -> int:
    """How many processes are worth it for a file."""
    main = getattr(sys.modules["__main__"], "__file__", "")
    if path.stat().st_size < WORTH_BYTES or not os.path.exists(main or ""):
        return 1  # a program in one file (.pyz) cannot start a process of itself
    return min(MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


def verify_parts(
    path: Path,
    count: int,
    *,
    database: bool,
    expect: Mapping[int, str],
    roots: Mapping[int, bytes],
) -> Verified | Broken | None:
    """Verify a database or an exported file with `count` processes; None when it is unsure.

    Broken is only said of an end that came too early. Raises JournalError.
    """
    spans = _of_database(path, count) if database else _of_lines(path, count)
    spawn = multiprocessing.get_context("spawn")  # nothing of this process comes along
    with ProcessPoolExecutor(count, mp_context=spawn) as pool:
        asked = [
            pool.submit(_part, path, span, database, dict(expect), bool(roots)) for span in spans
        ]
        try:
            parts = [one.result() for one in asked]
        except JournalError:
            raise
        except Exception:
            return None  # also a process that was killed: one process is enough
    return _joined(parts, expect, roots)


def _joined(
    parts: Iterable[Part | None], expect: Mapping[int, str], roots: Mapping[int, bytes]
) -> Verified | Broken | None:
    head, records, versions = START, 0, dict[str, int]()
    check = Roots(roots)
    for part in parts:
        if part is None or (part.records and part.start != head):
            return None
        if any(version != versions.get(name, 0) + 1 for name, version in part.first.items()):
            return None
        versions.update(part.last)
        records += part.records
        head = part.end if part.records else head
        hashes = [part.hashes[i : i + 32].hex() for i in range(0, len(part.hashes), 32)]
        if check.check(hashes) is not None:
            return None
    last = max(expect, default=0)
    if head[0] < last:
        return cut_off(head[0], last)
    return check.finish() or Verified(records, *head)


def _part(
    path: Path, span: tuple[int, int], database: bool, expect: dict[int, str], tree: bool
) -> Part | None:
    """In another process: verify a part; None when anything is wrong with it."""
    verifier: Verifier | None = None
    start = end = START
    records = 0
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    hashes = bytearray()
    try:
        for rows in _rows(path, span) if database else _lines(path, span):
            if verifier is None:
                start = (rows[0][0] - 1, rows[0][10])
                inside = {seq: mark for seq, mark in expect.items() if seq > start[0]}
                verifier = Verifier(start, inside)
            if verifier.check_rows(rows) is not None:
                return None
            for row in rows:
                first.setdefault(row[1], row[2])
                last[row[1]] = row[2]
                if tree:
                    hashes += bytes.fromhex(row[11])
            records += len(rows)
            end = rows[-1][0], rows[-1][11]
    except (JournalError, ValueError, TypeError):
        return None
    return Part(records, start, end, first, last, bytes(hashes))


def _of_database(path: Path, count: int) -> list[tuple[int, int]]:
    """Numbers of records: (after, up to)."""
    newest = last_records(path, 1)
    size = newest[0].seq if newest else 0
    edges = [size * i // count for i in range(count + 1)]
    return list(pairwise(edges))


def _of_lines(path: Path, count: int) -> list[tuple[int, int]]:
    """Bytes of the file, each part from the beginning of a line to the end of one."""
    size = path.stat().st_size
    edges = [0]
    with path.open("rb") as file:
        for i in range(1, count):
            file.seek(max(edges[-1], size * i // count - 1))
            file.readline()
            edges.append(file.tell())
    return list(pairwise([*edges, size]))


def _rows(path: Path, span: tuple[int, int]) -> Iterator[Sequence[Row]]:
    after, until = span
    for rows in scan_rows(path, after):
        inside = rows if rows[-1][0] <= until else [row for row in rows if row[0] <= until]
        if inside:
            yield inside
        if len(inside) < len(rows):
            return


def _lines(path: Path, span: tuple[int, int]) -> Iterator[Sequence[Row]]:
    begin, end = span
    rows: list[Row] = []
    with path.open("rb") as file:
        file.seek(begin)
        at = begin
        while at < end:
            line = file.readline()
            at += len(line)
            rows.append(from_line(line))
            if len(rows) == _BATCH:
                yield rows
                rows = []
    if rows:
        yield rows
