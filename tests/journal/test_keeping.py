"""Checkpoints by themselves: noted, put elsewhere, and nothing waits for a place that fails."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.cli import audit
from hatchway.cli.sentences import from_backend
from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.core.plan import CheckpointSpec
from hatchway.journal import checkpoint as cp
from hatchway.journal import keeping
from hatchway.journal.merkle import Tree
from hatchway.journal.sqlite import SqliteJournal
from hatchway.settings import load_installation
from hatchway.settings.errors import ConfigError
from hatchway.settings.load import shipped

PATIENCE_S = 30.0


class House:
    """A journal and its checkpoints, as the backend wires them."""

    def __init__(self, directory: Path, spec: CheckpointSpec) -> None:
        self.directory = directory
        self.said: list[str] = []
        self.skew = 0.0
        self.spec = spec

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[House]:
        journal = await SqliteJournal.open(self.directory / "journal.db")
        self.ledger = Ledger(journal, lambda: None)
        self.kept = keeping.Checkpoints(
            self.spec, self.directory, lambda: time.time() + self.skew, self.said.append
        )
        self.ledger.listen(self.kept.take)
        await self.ledger.replay()
        task = asyncio.create_task(self.kept.run())
        try:
            yield self
        finally:
            task.cancel()
            await journal.close()

    async def write(self, count: int = 1) -> None:
        for _ in range(count):
            event = ev.StageStarted(run="1", stage="checks")
            await self.ledger.record(lambda _: [event], actor="ana")  # noqa: B023

    async def end_run(self) -> None:
        ended = ev.RunEnded(run="1", outcome="promoted", why="done")
        await self.ledger.record(lambda _: [ended], actor="ana")

    async def until(self, what: Callable[[], Any]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := what()):
                await asyncio.sleep(0.01)
        return found


def sizes(path: Path) -> list[int]:
    return [c.seq for c in cp.read(path)] if path.exists() and path.stat().st_size else []


def spec(*files: str, every: float = 3600.0, commands: tuple[Any, ...] = ()) -> CheckpointSpec:
    return CheckpointSpec(every, files, commands)


def run(*words: object) -> int:
    return audit.main([str(word) for word in words])


async def test_a_checkpoint_is_noted_at_start_and_at_the_end_of_each_run(tmp_path, capsys):
    house = House(tmp_path, spec("far", commands=(("sh", "-c", "cat >> pushed"),)))
    async with house.open():
        await house.write(3)
        await house.end_run()
        for place in ("far", "pushed", keeping.KEPT):
            await house.until(lambda place=place: 4 in sizes(tmp_path / place))
        await house.write()
        await house.end_run()
        await house.until(lambda: 6 in sizes(tmp_path / "pushed"))
        assert house.said[-1] == ""
    vkey = tmp_path / keeping.VKEY
    for place in ("far", "pushed"):
        checked = ("--dir", tmp_path, "--checkpoint", tmp_path / place, "--vkey", vkey)
        assert run("verify", *checked) == 0
        assert "the last is record 6" in capsys.readouterr().out
    assert (tmp_path / "checkpoint.key").stat().st_mode & 0o777 == 0o600


async def test_a_checkpoint_is_noted_every_so_often_while_there_is_news(tmp_path):
    house = House(tmp_path, spec("far", every=0.05))
    async with house.open():
        await house.write(2)
        await house.until(lambda: 2 in sizes(tmp_path / "far"))
        before = sizes(tmp_path / "far")
        await asyncio.sleep(0.2)
        assert sizes(tmp_path / "far") == before, "without news nothing is noted again"
        await house.write()
        await house.until(lambda: 3 in sizes(tmp_path / "far"))


async def test_a_place_that_fails_is_said_and_keeps_no_other_from_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "SLOW_S", 0.3)
    hangs = ("sh", "-c", "exec sleep 5")
    fails = ("sh", "-c", "echo 'no \x1b]52;route' >&2; exit 7")
    house = House(tmp_path, spec("nowhere/far", "near", commands=(fails, hangs)))
    async with house.open():
        await house.write()
        await house.end_run()
        began = time.monotonic()
        await house.write(20)
        assert time.monotonic() - began < 5, "appends wait for no checkpoint"
        await house.until(lambda: sizes(tmp_path / "near"))
        words = await house.until(lambda: house.said and house.said[-1])
        assert "nowhere/far: No such file" in words
        assert "exit status 7" in words
        assert "no \\x1b]52;route" in words
        assert "\x1b" not in words
        assert "does not answer" in words or "hangs" in words or "timed out" in words


async def test_a_place_that_comes_back_gets_the_newest(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "AGAIN_S", 0.05)
    house = House(tmp_path, spec("later/far"))
    async with house.open():
        await house.write(2)
        await house.end_run()
        await house.until(lambda: house.said and house.said[-1])
        (tmp_path / "later").mkdir()
        await house.until(lambda: sizes(tmp_path / "later/far") == [3])
        await house.until(lambda: house.said[-1] == "")


async def test_a_journal_that_lost_what_was_signed_is_never_signed_again(tmp_path, edit):
    house = House(tmp_path, spec("far"))
    async with house.open():
        await house.write(5)
        await house.end_run()
        await house.until(lambda: 6 in sizes(tmp_path / "far"))
    edit(tmp_path / "journal.db", "DELETE FROM event WHERE seq > 4")
    before = (tmp_path / "far").read_bytes()
    async with house.open():
        words = await house.until(lambda: house.said and house.said[-1])
        assert "no checkpoint is signed" in words
        assert "cut off" in words
        await house.write(4)
        await house.end_run()
        await asyncio.sleep(0.1)
        assert "hours" not in house.kept.overdue()
    async with house.open():  # by now the journal is longer again, and another one
        await house.until(lambda: "rewritten or replaced" in house.said[-1])
        assert "rewritten" in house.kept.overdue()
    assert (tmp_path / "far").read_bytes() == before


async def test_an_overdue_checkpoint_is_said_by_status(tmp_path):
    house = House(tmp_path, spec("nowhere/far", every=600.0))
    async with house.open():
        await house.write()
        await house.end_run()
        await house.until(lambda: house.said and house.said[-1])
        assert house.kept.overdue() == ""
        house.skew = 3600.0
        words = house.kept.overdue()
        assert "none was noted yet" in words
        assert "60 min" in words
        docs = {"system": {"environment": "prod", "checkpoint": words}}
        said = [sentence.text for sentence in from_backend({"docs": docs}, 0.0)]
        assert f"Checkpoint overdue: {words}." in said


def test_a_checkpoint_of_a_long_journal_costs_no_more_than_of_a_short_one():
    tree = Tree()
    tree.extend(["ab" * 32] * 100_001)
    began = time.perf_counter()
    for _ in range(100):
        tree.root()
    assert (time.perf_counter() - began) / 100 < 0.005
    assert len(tree.frontier.roots) == (100_001).bit_count()


def loaded(tmp_path: Path, text: str) -> CheckpointSpec | None:
    file = tmp_path / "hatchway.yaml"
    file.write_text((shipped() / "hatchway.yaml").read_text() + text)
    return load_installation(file).checkpoints


def test_the_setting_is_read(tmp_path):
    assert loaded(tmp_path, "") is None
    assert loaded(tmp_path, "checkpoints: {to: [a, [ssh, host, 'cat >> b']]}\n") == CheckpointSpec(
        600.0, ("a",), (("ssh", "host", "cat >> b"),)
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("checkpoints: {}\n", '"to" is missing'),
        ("checkpoints: {to: []}\n", "is empty"),
        ("checkpoints: {to: a}\n", "takes a list"),
        ("checkpoints: {to: [[]]}\n", "a file or a command"),
        ("checkpoints: {to: [{a: b}]}\n", "a file or a command"),
        ("checkpoints: {to: [[a, [b]]]}\n", "list of words"),
        ("checkpoints: {to: [a], every: 10}\n", "10"),
        ("checkpoints: {to: [a], evry: 10m}\n", "every: 10m"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_to_write(tmp_path, text, says):
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, text)
    assert says in str(refused.value)
