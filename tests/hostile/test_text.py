"""Hostile texts in every free text of every document and event: no terminal gets any of it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pexpect
import pytest

from hatchway.cli import main as cli
from hatchway.core import events as ev
from hatchway.edge.hub import encode
from hatchway.journal.port import Draft
from hatchway.journal.sqlite import SqliteJournal

DEADLINE_S = 60.0
STRINGS = re.compile(r"\x1b[\]P_^X][^\x07\x1b]*")
"""Sequences that carry a string: titles, clipboards, links, device control."""


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory whose path is short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="hw"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


class Tty:
    """The dashboard in a real terminal; all that it writes."""

    def __init__(self, room: Path) -> None:
        command = ["-m", "hatchway_tui", "--backend", str(room / "backend.sock"),
                   "--governor", str(room / "governor.sock"),
                   "--bell", "off", "--title", "off"]  # fmt: skip
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self.child = pexpect.spawn(sys.executable, command, dimensions=(50, 160), env=environment)
        self.child.delaybeforesend = None
        self.raw = b""
        asyncio.get_running_loop().add_reader(self.child.child_fd, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self.child.child_fd, 65536)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self.child.child_fd)
        self.raw += data

    async def quiet(self) -> None:
        """Wait until it has painted something and then nothing for a moment."""
        async with asyncio.timeout(DEADLINE_S):
            size = -1
            while size != len(self.raw) or not self.raw:
                size = len(self.raw)
                await asyncio.sleep(0.12)

    async def press(self, key: str) -> None:
        """A key, and what is painted for it."""
        os.write(self.child.child_fd, key.encode())
        before = len(self.raw)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.4):
                while len(self.raw) == before:
                    await asyncio.sleep(0.01)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            asyncio.get_running_loop().remove_reader(self.child.child_fd)
        self.child.close(force=True)


@contextlib.asynccontextmanager
async def dashboard(room: Path) -> AsyncIterator[Tty]:
    tty = Tty(room)
    try:
        yield tty
    finally:
        tty.close()


PAGES = ("w", "d", "l", "j", "h", "\x1b")


async def tour(tty: Tty, backend: Any, documents: list[dict[str, Any]]) -> str:
    """Every page of every set of documents; all that was written for it."""
    await tty.quiet()
    begin = len(tty.raw)
    for docs in documents:
        await backend.play(docs)
        for key in PAGES:
            await tty.press(key)
        assert tty.child.isalive(), "it crashed"
    await tty.quiet()
    assert tty.child.isalive()
    return tty.raw[begin:].decode("utf-8", "replace")


async def test_no_document_of_the_dashboard_leaks_into_a_terminal(
    room: Path, fixtures: Any, poison: Any, leaks: tuple[str, ...], bar: Any
) -> None:
    tui = fixtures("tui")
    scenes = tui.Scenes()
    kept = ("id", "run", "service", "key", "name")
    plain = [scenes.build(name) for name in scenes.NAMES if name != "hostile"]
    made, texts = [], 0
    for turn in range(3):
        spare = kept if turn < 2 else ()
        for docs in plain[turn::3]:
            drug = poison(turn, spare)
            made.append({key: drug.into(doc) for key, doc in docs.items()})
            texts += drug.count
    backend = tui.Backend(room / "backend.sock", plain[0])
    governor = tui.Governor(room / "governor.sock")
    await backend.start()
    await governor.start()
    try:
        async with dashboard(room) as tty:
            benign = await tour(tty, backend, plain[3:7])
            hostile = await tour(tty, backend, made)
            assert tty.child.isalive()
    finally:
        await backend.stop()
        await governor.stop()
    found = [leak for leak in leaks if leak in hostile and leak not in benign]
    assert found == []
    assert set(STRINGS.findall(hostile)) <= set(STRINGS.findall(benign))
    assert backend.commands == [], "nothing was pressed by a text"
    shown = hostile.casefold()
    assert "]52;c" in shown, "it was shown, as text"
    assert "␛" in shown
    bar("hostile corpus, dashboard", f"{texts:,} texts, {len(found)} leaks, 0 crashes", "0 and 0")


@pytest.fixture
def events(fixtures: Any, poison: Any) -> list[ev.Event]:
    """A run whose every event is hostile in every text; what links them is kept."""
    spare = ("run", "service", "item", "key", "proposal", "job", "stage", "command")
    plain = fixtures("edge/test_words").EVENTS
    made: list[ev.Event] = []
    for turn in range(4):
        drug = poison(turn, spare, 300)
        for event in plain:
            if turn and isinstance(event, ev.RunStarted | ev.RunEnded):
                continue
            kept = drug.into(event) if not isinstance(event, ev.RunStarted) else event
            made.append(kept)
    return [event for event in made if not isinstance(event, ev.JournalSealed)]


@pytest.fixture
def state(tmp_path: Path, events: list[ev.Event], poison: Any) -> Path:
    async def fill() -> None:
        journal = await SqliteJournal.open(tmp_path / "journal.db")
        for number, event in enumerate(events):
            actor = poison(number)._text()
            await journal.append(
                [
                    Draft(
                        stream=ev.stream_of(event),
                        kind=ev.kind_of(event),
                        actor=actor[:200],
                        payload=ev.encode(event),
                    )
                ]
            )
        await journal.close()

    asyncio.run(fill())
    return tmp_path


VERBS = (
    ("audit", "verify"),
    ("audit", "tail", "-n", "500"),
    ("audit", "tail", "-n", "500", "--json"),
    ("audit", "report", "1"),
    ("audit", "report", "1", "--format", "csv"),
    ("audit", "report", "1", "--format", "json"),
    ("audit", "report", "\x1b]52;c;eA==\x07"),
    ("audit", "replay", "1"),
    ("audit", "replay", "1", "--json"),
    ("audit", "export"),
    ("audit", "export", "--format", "cloudevents"),
    ("audit", "export", "--format", "cdevents"),
    ("audit", "export", "--run", "\x1b[2J\u202e"),
    ("judge", "--explain", "1", "--list"),
    ("judge", "--explain", "1"),
)


def said(words: tuple[str, ...], capfd: Any) -> str:
    """All that a verb prints, whatever its status is."""
    with contextlib.suppress(SystemExit):
        assert cli.main(list(words)) in (0, 1, 2)
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    return str(out + err)


@pytest.mark.parametrize("verb", VERBS, ids=lambda v: " ".join(v).encode("unicode_escape").decode())
def test_no_verb_prints_what_a_journal_holds_as_it_is(
    state: Path, capfd: Any, leaks: tuple[str, ...], verb: tuple[str, ...]
) -> None:
    printed = said((*verb, "--dir", str(state)), capfd)
    assert [leak for leak in leaks if leak in printed] == []
    assert "\x1b" not in printed
    assert not re.search(
        r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", printed
    )


def test_no_cell_of_a_report_is_a_formula(state: Path, capfd: Any) -> None:
    import csv

    printed = said(("audit", "report", "1", "--format", "csv", "--dir", str(state)), capfd)
    cells = [cell for row in csv.reader(io.StringIO(printed)) for cell in row]
    assert len(cells) > 100
    assert not [cell for cell in cells if cell.lstrip(" '\"")[:1] in "=+-@|%" and cell[:1] != "'"
                and cell.lstrip(" '\"")]  # fmt: skip


class Answering(threading.Thread):
    """A backend's command socket that answers everything with one hostile answer."""

    def __init__(self, path: Path, answer: bytes) -> None:
        import socket

        super().__init__(daemon=True)
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                with contextlib.suppress(OSError), link:
                    link.recv(65536)
                    link.sendall(self._answer + b"\n")

    def close(self) -> None:
        self._listener.close()


CALLS = (
    ("status",),
    ("status", "--json"),
    ("pause", "--reason", "x"),
    ("takeover",),
    ("rollback",),
    ("resume", "--reason", "x"),
    ("accept", "x"),
    ("reject", "x"),
    ("audit", "review", "1", "--reason", "x"),
    ("run", "shop"),
)


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
@pytest.mark.parametrize("turn", range(3))
def test_no_verb_prints_what_a_backend_answers_as_it_is(
    room: Path,
    fixtures: Any,
    poison: Any,
    capfd: Any,
    leaks: tuple[str, ...],
    turn: int,
    call: tuple[str, ...],
) -> None:
    scenes = fixtures("tui").Scenes()
    docs = scenes.build("unsure")
    drug = poison(turn, (), 500)
    text = drug._text()
    answer = {
        "ok": call[0] == "status" or (turn == 0 and call[0] != "rollback"),
        **{name: drug._text() for name in ("id", "said", "why", "todo", "code")},
        "seq": 7,
        "docs": {key: msgspec.to_builtins(drug.into(doc)) for key, doc in docs.items()},
        "you": {"name": text, "can": [text], "why_not": text},
    }
    served = Answering(room / "command.sock", encode(answer))
    direct = Answering(room / "governor.sock", json.dumps(answer).encode())
    try:
        printed = said((*call, "--dir", str(room)), capfd)
    finally:
        served.close()
        direct.close()
    assert printed
    assert [leak for leak in leaks if leak in printed] == []
    assert "\x1b" not in printed
