"""quarantine, expect, breaker: what is asked of the backend, what is printed, how it ends."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hatchway.cli import main as entry

STANDING = {
    "service": "shop",
    "quarantine": [
        {"commit": "c1" * 20, "version": "1.5.0", "run": "4", "by": "ana", "at": 0.0,
         "why": "checkout\x1b[31m is broken"}
    ],
    "expectations": [
        {"id": "expect-7", "metric": "logs", "at_most": 400.0, "declared_at": 0.0,
         "expires_at": 60.0, "ticket": "T-7", "by": "ana", "reason": "a new line"}
    ],
    "breaker": "the agent has rolled back once",
}  # fmt: skip


class Backend:
    """Answers each line with what it was told to, and keeps what it was asked."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {"ok": True, "said": "done as asked", "seq": 9}
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(directory / "command.sock"))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as lines:
                for line in lines:
                    asked = json.loads(line)
                    self.asked.append(asked)
                    docs = {"ok": True, "docs": {"standing/shop": STANDING}}
                    answer = docs if asked["op"] == "status" else self.answer
                    lines.write(json.dumps(answer).encode() + b"\n")
                    lines.flush()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def run(self, *words: str) -> int:
        return entry.main([*words, "--dir", str(self.directory)])


@pytest.fixture
def backend() -> Iterator[Backend]:
    with tempfile.TemporaryDirectory(prefix="hw-") as directory:
        made = Backend(Path(directory))
        yield made
        made.close()


def test_lifting_a_quarantine_asks_for_it_with_its_reason(backend: Backend, capsys: Any) -> None:
    assert backend.run("quarantine", "lift", "c1c1", "--reason", "mended") == 0
    (asked,) = backend.asked
    assert (asked["op"], asked["item"], asked["reason"]) == ("lift", "c1c1", "mended")
    assert asked["id"]
    assert "done as asked #9" in capsys.readouterr().out


def test_the_list_makes_untrusted_text_visible(backend: Backend, capsys: Any) -> None:
    assert backend.run("quarantine", "list") == 0
    out = capsys.readouterr().out
    assert "1.5.0  c1c1c1c1c1c1  rolled back by ana at 1970-01-01 00:00 UTC in run 4" in out
    assert "\x1b" not in out
    assert backend.run("quarantine", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out)["shop"][0]["by"] == "ana"


def test_an_expectation_is_asked_for_in_seconds(backend: Backend) -> None:
    words = ["--metric", "logs", "--at-most", "400", "--for", "20m", "--ticket", "T-7"]
    assert backend.run("expect", "shop", *words, "--reason", "a new line") == 0
    (asked,) = backend.asked
    assert {k: asked[k] for k in ("op", "service", "item", "at_most", "for_s", "ticket")} == {
        "op": "expect", "service": "shop", "item": "logs", "at_most": 400.0, "for_s": 1200.0,
        "ticket": "T-7",
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [[], ["--for", "20"], ["--for", "forever"], ["--at-most", "x"]])
def test_what_is_missing_or_no_duration_is_said_and_nothing_is_asked(
    backend: Backend, wrong: list[str], capsys: Any
) -> None:
    with pytest.raises(SystemExit) as stop:
        backend.run("expect", "shop", *wrong)
    assert stop.value.code == 2
    assert capsys.readouterr().err
    assert backend.asked == []


def test_what_is_expected_is_listed_and_withdrawn(backend: Backend, capsys: Any) -> None:
    assert backend.run("expect", "list") == 0
    assert "expect-7  shop  logs up to 400, expected by ana" in capsys.readouterr().out
    assert backend.run("expect", "withdraw", "expect-7", "--service", "shop") == 0
    assert (backend.asked[-1]["op"], backend.asked[-1]["item"]) == ("withdraw", "expect-7")
    with pytest.raises(SystemExit):
        backend.run("expect", "withdraw")


def test_the_breaker_is_shown_and_closed(backend: Backend, capsys: Any) -> None:
    assert backend.run("breaker", "show") == 0
    assert capsys.readouterr().out == "shop: the agent has rolled back once\n"
    assert backend.run("breaker", "close", "shop", "--reason", "looked at it") == 0
    assert (backend.asked[-1]["op"], backend.asked[-1]["service"]) == ("close", "shop")


def test_a_refusal_says_why_and_what_to_do_and_ends_with_1(backend: Backend, capsys: Any) -> None:
    backend.answer = {"ok": False, "code": "c", "why": "It is protected.", "todo": "Do this."}
    assert backend.run("breaker", "close", "--reason", "r") == 1
    err = capsys.readouterr().err
    assert "It is protected." in err
    assert "Do this." in err


def test_a_service_that_does_not_exist_is_said(backend: Backend) -> None:
    with pytest.raises(SystemExit, match="no service is called"):
        backend.run("breaker", "show", "cart")


def test_a_silent_backend_is_said(tmp_path: Path, capsys: Any) -> None:
    words = ["quarantine", "lift", "c1", "--reason", "r", "--dir", str(tmp_path)]
    assert entry.main(words) == 1
    assert "silent" in capsys.readouterr().err
