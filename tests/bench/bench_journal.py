"""How fast the journal appends and verifies, beside plain SQLite with one transaction an event.

Run: python tests/bench/bench_journal.py [--events 2000] [--verify 100000]
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from hatchway.journal.chain import Verified, verify
from hatchway.journal.port import Draft
from hatchway.journal.sqlite import SqliteJournal
from hatchway.journal.sqlite_file import scan

PAYLOAD = b'{"run":"run-1","stage":"checks","job":"lint","attempt":1,"status":"passed"}' * 3
APPENDERS = 50
ROUNDS = 3


def draft(n: int) -> Draft:
    return Draft(
        stream=f"run/{n % 7}", kind="job.ended", actor="runner", payload=PAYLOAD, idem=f"i{n}"
    )


def plain(path: Path, events: int) -> list[float]:
    """Seconds of each event as its own transaction, nothing hashed, the same durability."""
    took = []
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY, payload BLOB)")
        for _ in range(events):
            began = time.perf_counter()
            conn.execute("INSERT INTO event (payload) VALUES (?)", (PAYLOAD,))
            took.append(time.perf_counter() - began)
    return took


async def appended(path: Path, events: int, appenders: int) -> tuple[float, list[float]]:
    """Seconds in all, and of each append, one event each."""
    journal = await SqliteJournal.open(path)
    took: list[float] = []
    numbers = iter(range(events))

    async def appender() -> None:
        for n in numbers:
            began = time.perf_counter()
            await journal.append([draft(n)])
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(appenders):
            group.create_task(appender())
    seconds = time.perf_counter() - began
    await journal.close()
    return seconds, took


async def filled(path: Path, events: int) -> None:
    journal = await SqliteJournal.open(path)
    for start in range(0, events, 5_000):
        await journal.append([draft(n) for n in range(start, min(start + 5_000, events))])
    await journal.close()


def say(what: str, rates: list[float], took: list[float]) -> float:
    cuts = statistics.quantiles(took, n=100)
    rate = statistics.median(rates)
    print(
        f"{what:<44} {rate:>9,.0f} events/s   p50 {cuts[49] * 1e3:6.2f} ms   "
        f"p99 {cuts[98] * 1e3:6.2f} ms"
    )
    return rate


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2_000)
    parser.add_argument("--verify", type=int, default=100_000)
    options = parser.parse_args()
    figures: dict[str, tuple[list[float], list[float]]] = {
        "plain": ([], []),
        "1": ([], []),
        "50": ([], []),
    }
    with tempfile.TemporaryDirectory() as directory:
        for n in range(ROUNDS):  # in turns, so that a busy moment does not hit one alone
            took = plain(Path(directory) / f"plain-{n}.db", options.events)
            figures["plain"][0].append(options.events / sum(took))
            figures["plain"][1].extend(took)
            for appenders in (1, APPENDERS):
                path = Path(directory) / f"{appenders}-{n}.db"
                seconds, took = await appended(path, options.events, appenders)
                figures[str(appenders)][0].append(options.events / seconds)
                figures[str(appenders)][1].extend(took)
        base = say("plain SQLite, one transaction an event", *figures["plain"])
        single = say("journal, one appender", *figures["1"])
        many = say(f"journal, {APPENDERS} appenders (group commit)", *figures["50"])
        print(
            f"ratio to plain: one appender {single / base:.2f}, {APPENDERS} appenders {many / base:.2f}"
        )

        path = Path(directory) / "verify.db"
        await filled(path, options.verify)
        began, cpu = time.perf_counter(), time.process_time()
        result = verify(scan(path))
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        assert isinstance(result, Verified)
        assert result.records == options.verify
        print(
            f"verify: {options.verify / seconds:,.0f} events/s; "
            f"1,000,000 would take {1e6 * seconds / options.verify:.1f} s (bar 10 s), "
            f"{1e6 * cpu / options.verify:.1f} s of them computing"
        )


if __name__ == "__main__":
    asyncio.run(main())
