"""`hatchway handover` and `hatchway ask` against a real command socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hatchway.cli.main import main
from hatchway.core.plan import Installation
from hatchway.edge import protocol
from hatchway.edge.docs.handover import FieldDoc, HandoverDoc, WrittenDoc
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.server import serve

HOSTILE = "\x1b]52;c;aGk=\x07[bold]x\u202e"
FIELDS = (
    FieldDoc("situation", "SITUATION NOW", ("shop: STABLE. nothing is released",)),
    FieldDoc("watch", "WATCH, AND WHAT I WOULD DO", (HOSTILE,)),
)
WRITTEN = WrittenDoc("handover-7", 7, 1e9, "ana", ("luis",), "ab" * 32, FIELDS, ("shop",), "1 stop")


class Desk:
    """Notes what comes through the door."""

    def __init__(self) -> None:
        self.asked: list[protocol.Command] = []

    async def command(self, command: protocol.Command, who: Any) -> Any:
        self.asked.append(command)
        return protocol.Ack(command.id, 9, f"{command.kind} taken")


@pytest.fixture
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    directory = Path(str(tmp_path_factory.mktemp("h")))
    installation = Installation("prod", "test", (), everyone=("operator",))
    desk, doc = Desk(), HandoverDoc(FIELDS, next=("luis",), waiting=WRITTEN)
    async with serve(
        directory, installation, hub=Hub("b"), door=desk, health=Health(),  # type: ignore[arg-type]
        queries={"handover": lambda about: doc},
    ):  # fmt: skip

        async def run(*words: str) -> int:
            return await asyncio.to_thread(main, [*words, "--dir", str(directory)])

        yield run, desk


async def test_what_waits_is_shown_with_whose_duty_it_is_and_nothing_raw(
    site: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = site
    for style in ((), ("--plain",)):
        assert await run("handover", "show", *style) == 0
        said = capsys.readouterr().out
        assert "NOT ACKNOWLEDGED, so it is still ana's duty." in said
        assert "ana still has the wheel of shop: handing over does not pass it." in said
        assert "Since it was written: 1 stop." in said
        assert not {"\x1b", "\x07", "\u202e"} & set(said)
    assert "Situation now: shop: STABLE" in said


async def test_json_is_the_document_as_it_is(site: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = site
    assert await run("handover", "--json") == 0
    assert json.loads(capsys.readouterr().out)["waiting"]["digest"] == WRITTEN.digest


async def test_the_acknowledgement_names_the_text_that_was_read(site: Any) -> None:
    run, desk = site
    assert await run("handover", "ack", "--digest", WRITTEN.digest[:16], "--note", "I watch") == 0
    assert await run("handover", "ack", "--digest", "ffffffffffff") == 0  # the backend refuses it
    first, other = desk.asked
    assert (first.kind, first.item, first.signed) == ("acknowledge", "handover-7", WRITTEN.digest)
    assert first.reason == "I watch"
    assert other.signed == "ffffffffffff"


async def test_a_hand_over_needs_a_note_and_an_acknowledgement_a_digest(site: Any) -> None:
    run, desk = site
    for words in (("write",), ("ack",), ("ack", "--digest", "ab")):
        with pytest.raises(SystemExit) as stopped:
            await run("handover", *words)
        assert stopped.value.code == 2
    assert await run("handover", "write", "--note", "the queue", "--to", "luis") == 0
    (command,) = desk.asked
    assert (command.kind, command.item, command.reason) == ("handover", "luis", "the queue")


async def test_oncall_is_asked_from_the_command_line(
    site: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run, desk = site
    assert await run("ask", "rollback", "shop", "--reason", "it burns") == 0
    (command,) = desk.asked
    assert (command.kind, command.item, command.service) == ("ask", "rollback", "shop")
    assert command.reason == "it burns"
    assert capsys.readouterr().out == "ask taken #9\n"
    with pytest.raises(SystemExit):
        await run("ask", "release", "shop")


async def test_a_silent_backend_is_said_and_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["handover", "--dir", str(tmp_path)]) == 1
    assert main(["ask", "pause", "--dir", str(tmp_path), "--json"]) == 1
    assert "backend is silent" in "".join(capsys.readouterr())
