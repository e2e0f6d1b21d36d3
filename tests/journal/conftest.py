"""What the journal's tests share: drafts, and one way to open each adapter."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from hatchway.core import events as ev
from hatchway.journal.memory import MemoryJournal, MemoryStore
from hatchway.journal.port import Draft, Journal
from hatchway.journal.sqlite import SqliteJournal

DraftOf = Callable[..., Draft]
Opener = Callable[[], Awaitable[Journal]]


def _draft(n: int = 0, stream: str = "run/1", idem: str = "", payload: bytes = b"") -> Draft:
    return Draft(
        stream=stream,
        kind="stage.started",
        actor="ana",
        payload=payload or b'{"n":%d}' % n,
        epoch=n % 5,
        cause=max(0, n - 1),
        idem=idem,
    )


@pytest.fixture
def draft() -> DraftOf:
    return _draft


@pytest.fixture(params=["memory", "sqlite"])
async def opener(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens the same journal each time, as another process would."""
    opened: list[Journal] = []
    store = MemoryStore()

    async def open_it() -> Journal:
        journal: Journal
        if request.param == "memory":
            journal = MemoryJournal(store)
        else:
            journal = await SqliteJournal.open(tmp_path / "journal.db")
        opened.append(journal)
        return journal

    yield open_it
    for journal in opened:
        await journal.close()


@pytest.fixture
async def journal(opener: Opener) -> Journal:
    return await opener()


@pytest.fixture
async def on_disk(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    yield journal
    await journal.close()


@pytest.fixture
def edit() -> Callable[..., None]:
    """Change a journal's file as somebody with write access to it could."""

    def run(path: Path, *statements: str) -> None:
        with closing(sqlite3.connect(path)) as conn:
            conn.execute("DROP TRIGGER IF EXISTS event_is_never_changed")
            conn.execute("DROP TRIGGER IF EXISTS event_is_never_removed")
            for statement in statements:
                conn.execute(statement)
            conn.commit()

    return run


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Awaitable[Path]]:
    """Writes events into a journal and returns its directory."""

    async def write(*events: ev.Event, actor: str = "bob") -> Path:
        journal = await SqliteJournal.open(tmp_path / "journal.db", clock=lambda: 2_010.0)
        drafts = [
            Draft(
                stream=ev.stream_of(event),
                kind=ev.kind_of(event),
                actor=actor,
                payload=ev.encode(event),
            )
            for event in events
        ]
        await journal.append(drafts)
        await journal.close()
        return tmp_path

    return write
