"""The stops from a cold shell: through the backend, past a dead one, and never twice."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hatchway
from hatchway.cli import ask, emergency, main, quick_json, where

PACKAGE_PARENT = str(Path(hatchway.__file__).parent.parent)
ME = pwd.getpwuid(os.getuid()).pw_name
DEADLINE_S = 30.0


def serve_lines(
    path: Path, answer: Callable[[str], str | None], *, once: bool
) -> Callable[[], None]:
    """A small line server on a thread; `answer` may return None and stay silent."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    open_links: list[socket.socket] = []

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = listener.accept()
                open_links.append(link)
                with contextlib.suppress(OSError), link.makefile("r") as lines:
                    said = answer(lines.readline().strip())
                    if said is None:
                        continue
                    link.sendall(said.encode() + b"\n")
                if once:
                    link.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def close() -> None:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for link in open_links:
            link.close()

    return close


class Installation:
    """A state directory: a real governor over a small target, and a backend made of answers."""

    def __init__(self, directory: Path, cleanup: contextlib.ExitStack) -> None:
        self.directory = directory
        self.weights = {"stable": 75, "canary": 25}
        self.stuck = False
        self.asked: list[dict[str, Any]] = []
        self._cleanup = cleanup
        cleanup.callback(serve_lines(directory / "splitter.sock", self._target, once=True))
        target = {"kind": "haproxy", "socket": "splitter.sock"}
        config = {"services": {"shop": {"target": target}}}
        (directory / "governor.json").write_text(json.dumps(config))

    def _target(self, line: str) -> str:
        match line.replace("be/", "").split():
            case ["get", "weight", arm]:
                return f"{self.weights[arm]} (initial 0)\n"
            case ["set", "server", arm, "weight", weight]:
                self.weights[arm] = self.weights[arm] if self.stuck else int(weight)
                return ""
        return "# pxname,svname,scur,stot,\nbe,stable,0,9,\nbe,canary,0,4,\n"

    def governor(self) -> None:
        command = [sys.executable, "-S", "-m", "hatchway.governor", "--dir", str(self.directory)]
        process = subprocess.Popen(command, env={"PYTHONPATH": PACKAGE_PARENT})
        self._cleanup.callback(process.wait, DEADLINE_S)
        self._cleanup.callback(process.terminate)
        until = time.monotonic() + DEADLINE_S
        while True:
            with contextlib.suppress(ask.Silent):
                if self.status()["observed"]:
                    return
            assert time.monotonic() < until
            time.sleep(0.01)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.ask({"op": "status"})["status"]
        return status

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        return ask.ask(str(self.directory / "governor.sock"), request, 10.0)

    def spool(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.ask({"op": "spool", "after": 0})["entries"]
        return entries

    def backend(self, answer: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
        """A command socket; None is silence, as of a stopped process."""

        def reply(line: str) -> str | None:
            self.asked.append(json.loads(line))
            said = answer(self.asked[-1])
            return None if said is None else json.dumps(said)

        self._cleanup.callback(serve_lines(self.directory / "command.sock", reply, once=False))

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hatchway.cli.main", *words, "--dir", str(self.directory)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, **options
        )


@pytest.fixture
def place() -> Iterator[Installation]:
    directory = Path(tempfile.mkdtemp(prefix="hw-"))
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, directory)
        yield Installation(directory, cleanup)


# --- stops --------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ["pause", "takeover", "rollback"])
def test_with_the_backend_dead_a_stop_goes_to_the_governor(place: Installation, op: str) -> None:
    place.governor()
    done = place.run(op, "--reason", "smoke", stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "direct (the backend is silent: " in done.stdout
    status = place.status()
    assert status["mode"] == ("person" if op == "takeover" else "paused")
    (line,) = place.spool()
    assert (line["by"], line["reason"], line["direct"], line["uid"]) == (
        ME,
        "smoke",
        True,
        os.getuid(),
    )
    assert place.weights["canary"] == (0 if op == "rollback" else 25)


def test_a_rollback_says_done_only_when_it_was_seen(place: Installation) -> None:
    place.governor()
    done = place.run("rollback", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["done"] is True
    assert place.status()["drained"]


def test_a_rollback_that_does_not_happen_says_what_is_left(place: Installation) -> None:
    place.governor()
    place.stuck = True
    done = place.run("rollback")
    assert done.returncode == 1
    assert "NOT DONE yet: the target left be/stable at 75 instead of 100" in done.stdout
    assert place.status()["mode"] == "paused"


def test_a_frozen_backend_is_passed_by_and_the_stop_acts_once(place: Installation) -> None:
    place.governor()
    place.backend(lambda request: None)
    done = place.run("pause", "shop")
    assert done.returncode == 0
    assert (
        "direct (the backend is silent: command.sock does not answer within 0.3 s)" in done.stdout
    )
    (asked,) = place.asked
    (line,) = place.spool()
    assert asked["id"] == line["id"]
    # The backend wakes and does what lay in its buffer: the same id, so nothing more happens.
    late = place.ask({"op": "pause", "id": asked["id"], "by": "ana"})
    assert late["replayed"]
    assert len(place.spool()) == 1


def test_a_living_backend_does_it(place: Installation) -> None:
    place.governor()
    place.backend(lambda request: {"ok": True, "id": request["id"], "seq": 4471, "said": "PAUSED"})
    done = place.run("pause", "shop", "--reason=too slow")
    assert (done.returncode, done.stdout) == (0, "PAUSED #4471\n")
    assert place.asked[0] | {"id": ""} == {
        "op": "pause",
        "id": "",
        "service": "shop",
        "reason": "too slow",
    }
    assert place.spool() == []


def test_a_stop_refused_for_rights_is_not_tried_again(place: Installation) -> None:
    place.governor()
    no = {"ok": False, "code": "not_allowed", "why": "you only look", "todo": "ask oncall"}
    place.backend(lambda request: no)
    done = place.run("pause")
    assert done.returncode == 1
    assert "NOT DONE. you only look\nask oncall" in done.stderr
    assert place.status()["mode"] == "agent"


@pytest.mark.parametrize("code", ["governor", "internal", "no_answer", "too_many", "too_fast"])
def test_a_backend_in_trouble_is_passed_by(place: Installation, code: str) -> None:
    place.governor()
    place.backend(lambda request: {"ok": False, "code": code, "why": "it hurts", "todo": ""})
    done = place.run("pause")
    assert done.returncode == 0
    assert "direct (the backend says: it hurts)" in done.stdout
    assert place.status()["mode"] == "paused"


def test_direct_does_not_ask_the_backend(place: Installation) -> None:
    place.governor()
    place.backend(lambda request: None)
    assert place.run("takeover", "--direct", "--json").returncode == 0
    assert place.asked == []


def test_when_nobody_answers_it_says_what_to_do_by_hand(place: Installation) -> None:
    done = place.run("pause")
    assert done.returncode == 1
    assert "Nobody answered" in done.stderr
    assert "set server be/canary weight 0" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("garbage", ["", "null", "{", "[" * 60_000, '"ok"'])
def test_garbage_from_the_backend_is_silence(place: Installation, garbage: str) -> None:
    place.governor()
    close = serve_lines(place.directory / "command.sock", lambda line: garbage, once=True)
    try:
        done = place.run("pause")
    finally:
        close()
    assert done.returncode == 0, done.stderr
    assert place.status()["mode"] == "paused"


# --- giving back --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["resume", "release"])
def test_giving_back_goes_through_the_backend_only(place: Installation, verb: str) -> None:
    place.governor()
    place.run("pause")
    done = place.run(verb, "--reason", "all is well")
    assert done.returncode == 1
    assert "Nothing was given back: the backend is silent" in done.stderr
    assert place.run(verb, "--reason", "x", "--direct").returncode == 2
    assert place.status()["mode"] == "paused"
    place.backend(lambda request: {"ok": True, "id": request["id"], "seq": 9, "said": "GIVEN BACK"})
    done = place.run(verb, "--reason", "all is well")
    assert (done.returncode, done.stdout) == (0, "GIVEN BACK #9\n")
    assert (place.asked[0]["op"], place.asked[0]["reason"]) == ("release", "all is well")


def test_giving_back_needs_a_reason(place: Installation) -> None:
    for words in (["resume"], ["resume", "--reason", "  "], ["resume", "--reason"]):
        done = (
            place.run(*words[:1], *words[1:]) if words[-1] != "--reason" else place.run(*words[:1])
        )
        assert done.returncode == 2
        assert "--reason" in done.stderr


# --- looking ------------------------------------------------------------------------------------

HOSTILE = "\x1b]52;c;aGk=\x07 [@click=x] \u202ereversed\u200b"
DOCS = {
    "system": {"environment": "prod", "name": "demo", "pace": 10.0},
    "authority/shop": {"service": "shop", "mode": "agent", "epoch": 3, "level": "recommends only"},
    "run/run-1": {
        "id": "run-1",
        "service": "shop",
        "from_version": "1.4.0",
        "to_version": "1.5.0",
        "status": "running",
        "started_at": 1.0,
        "weight": 5,
        "risk": "MEDIUM",
        "stages": [{"name": "canary", "status": "running", "detail": HOSTILE}],
        "verdict": {
            "verdict": "UNSURE",
            "headline": "too little traffic",
            "why": [{"sign": "?", "text": "errors 2/122"}],
        },
        "next": "the agent waits",
    },
    "metrics/run-1": {
        "at": 1.0,
        "metrics": [
            {
                "name": "errors",
                "label": "errors",
                "unit": "%",
                "stable": 0.5,
                "canary": 1.64,
                "n": 122,
            }
            | {"says": "unsure"},
            {"name": "orders", "label": "orders", "unit": "/min", "stable": None, "canary": None}
            | {"says": "no data"},
        ],
    },
    "needs-you": {
        "items": [
            {"id": "i-1", "kind": "recommendation", "title": "ROLL BACK shop", "confidence": 0.58}
        ]
    },
}


def test_status_is_one_sentence_a_line_with_units_and_nothing_hostile(place: Installation) -> None:
    you = {"name": "ana", "can": ["pause", "approve"]}
    place.backend(lambda request: {"ok": True, "docs": DOCS, "you": you})
    done = place.run("status", "--plain")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "shop: the agent is in control, it recommends only (epoch 3)." in lines
    assert "Verdict UNSURE: too little traffic." in lines
    assert any("errors: canary 1.64 % from 122 requests, stable 0.5 %: unsure" in x for x in lines)
    assert any("orders: canary no data" in x for x in lines)
    assert any("recommendation ROLL BACK shop, 58% sure" in x for x in lines)
    assert any("hatchway accept i-1" in x for x in lines)
    assert all(line.isprintable() for line in lines)
    assert "\\x1b]52" in done.stdout


def test_status_as_json_is_the_documents(place: Installation) -> None:
    place.backend(lambda request: {"ok": True, "docs": DOCS, "you": {}})
    assert json.loads(place.run("status", "--json").stdout)["docs"] == DOCS


def test_status_with_the_backend_dead_says_so_and_tells_what_the_governor_knows(
    place: Installation,
) -> None:
    place.governor()
    place.run("pause", "--reason", "odd")
    done = place.run("status")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("The backend is silent (")
    assert any(f"shop: PAUSED by {ME}" in line and "because: odd" in line for line in lines)
    assert any("the canary has 25 % of the traffic, no requests are under way" in x for x in lines)
    assert place.run("status", "--json").returncode == 0


def test_status_with_nobody_there_is_an_error(place: Installation) -> None:
    done = place.run("status")
    assert done.returncode == 1
    assert "Nobody answers" in done.stderr
    assert json.loads(place.run("status", "--json").stdout)["ok"] is False


def test_odd_documents_do_not_break_the_status(place: Installation) -> None:
    odd = {"run/1": 3, "run/2": {}, "authority/x": {}, "needs-you": {"items": [None, {}]}}
    odd |= {"metrics/": {"metrics": [None, {}]}, "system": {}}
    place.backend(lambda request: {"ok": True, "docs": odd, "you": 3})
    done = place.run("status")
    assert done.returncode == 0, done.stderr


def test_watch_prints_changes_only_and_ends_with_its_reader(place: Installation) -> None:
    place.governor()
    command = [sys.executable, "-m", "hatchway.cli.main", "watch", "--plain"]
    command += ["--dir", str(place.directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = [process.stdout.readline() for _ in range(4)]
    assert "the agent is in control" in "".join(first)
    place.ask({"op": "pause", "by": "ana", "id": "w"})
    assert "shop: PAUSED by ana" in process.stdout.readline()
    process.stdout.close()
    place.ask({"op": "takeover", "by": "ana", "id": "w2"})
    assert process.wait(DEADLINE_S) == 0


def test_every_odd_character_is_made_visible() -> None:
    shown = emergency.visible("a\x00\x1b\x7f\x9b\u200b\u202e\u2066\ufeff\u00ad\n\u2028\u3164é漢")
    assert shown.isprintable()
    assert shown.startswith("a\\x00\\x1b\\x7f\\x9b\\u200b\\u202e")
    assert shown.endswith("é漢")


# --- the quick JSON -----------------------------------------------------------------------------

FINITE = st.floats(allow_nan=False, allow_infinity=False)
FLAT = st.dictionaries(st.text(), st.text() | st.booleans() | st.integers() | FINITE)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(FLAT)
def test_what_is_sent_is_json(doc: dict[str, Any]) -> None:
    sent = quick_json.dumps(doc)
    assert json.loads(sent) == doc
    assert sent.isascii()
    assert "\n" not in sent


@settings(deadline=None)
@given(ANY, st.booleans(), st.sampled_from([None, 2]))
def test_what_is_received_is_read_as_json_reads_it(doc: Any, ascii: bool, indent: Any) -> None:
    assert quick_json.loads(json.dumps(doc, ensure_ascii=ascii, indent=indent)) == doc


@settings(deadline=None)
@given(st.text(alphabet='{}[]",:0123456789.eE+-truefalsn\\u \t\x1f'))
def test_what_is_not_json_is_an_error_or_a_value_and_nothing_else(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with contextlib.suppress(ValueError):
            quick_json.loads(text)
    else:
        assert quick_json.loads(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a"',
        '{"a":',
        '{"a":1',
        '{"a" 1}',
        "[1 2]",
        '"a',
        '"\\u12"',
        '"\\x"',
        "tru",
        "{} {}",
    ],
)
def test_half_an_answer_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        quick_json.loads(text)


# --- the dispatcher -----------------------------------------------------------------------------


def test_a_stop_is_light(place: Installation) -> None:
    """At most 45 modules beyond a bare interpreter, none of them ours but the few it needs."""
    place.governor()
    program = (
        "import sys; bare = set(sys.modules)\n"
        "from hatchway.cli.main import main\n"
        f"status = main(['pause', '--dir', {str(place.directory)!r}])\n"
        "print(status, *sorted(set(sys.modules) - bare))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    status, *modules = done.stdout.splitlines()[-1].split()
    assert status == "0"
    assert len(modules) <= 45, modules
    foreign = {m.partition(".")[0] for m in modules} - set(sys.stdlib_module_names)
    assert foreign == {"hatchway"}
    assert not {"argparse", "json", "socket", "re"} & set(modules), "each of them costs 10 ms"


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ([], 2, "usage: hatchway"),
        (["--help"], 0, "usage: hatchway"),
        (["--version"], 0, f"hatchway {hatchway.__version__}"),
        (["puase"], 2, "Did you mean pause?"),
        (["xyzzy"], 2, "hatchway --help lists them"),
        (["\x1b[2J"], 2, "'\\x1b[2J'"),
        (["pause", "--help"], 0, "usage: hatchway pause"),
        (["pause", "--reson", "x"], 2, "Did you mean --reason?"),
        (["pause", "shop", "cart"], 2, "one service at a time"),
        (["pause", "--dir"], 2, "--dir needs a value"),
        (["governor", "--help"], 0, "usage: hatchway governor"),
    ],
)
def test_it_is_told_how_to_call_it(
    words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(words) == status
    out = capsys.readouterr()
    assert says in out.out + out.err


def test_a_missing_dependency_is_told_politely(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['msgspec'] = None\n")
    command = [sys.executable, "-m", "hatchway.cli.main", "audit", "verify"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "audit needs msgspec, which is not installed" in done.stderr


def test_hatchway_governor_becomes_the_governor(place: Installation) -> None:
    command = [sys.executable, "-m", "hatchway.cli.main", "governor", "--dir", str(place.directory)]
    process = subprocess.Popen(command)
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        with contextlib.suppress(ask.Silent):
            assert place.status()["pid"] == process.pid
            break
        time.sleep(0.01)
    process.terminate()
    assert process.wait(DEADLINE_S) == 0


# --- where --------------------------------------------------------------------------------------


def test_the_directory_is_found_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = tmp_path / "demo"
    demo.mkdir()
    pointers = tmp_path / "hatchway-demos"
    pointers.mkdir()
    (pointers / "1").write_text(f"{demo}\n")
    monkeypatch.delenv("HATCHWAY_DIR", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(where, "demo_pointers", lambda: [str(pointers)])
    home = str(tmp_path / "home/.local/state/hatchway")
    assert where.find() == home, "a demo that is gone is no demo"
    (demo / "governor.sock").touch()
    assert where.find() == str(demo)
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "governor.sock").touch()
    (pointers / "2").write_text(f"{newer}\n")
    os.utime(pointers / "1", (1, 1))
    assert where.find() == str(newer)
    (pointers / "2").unlink()
    assert where.find() == str(demo), "the end of one demo does not hide another"
    monkeypatch.setenv("HATCHWAY_DIR", "/srv/hatchway")
    assert where.find() == "/srv/hatchway"
    assert where.find("/elsewhere") == "/elsewhere"


def test_the_runtime_directory_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert where.demo_pointers() == [
        "/run/user/7/hatchway-demos",
        f"/tmp/hatchway-{os.getuid()}/demos",
    ]
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert where.demo_pointers() == [f"/tmp/hatchway-{os.getuid()}/demos"]


# --- STOP ALL -----------------------------------------------------------------------------------


def test_stopall_works_with_the_backend_dead_and_the_database_deleted(place: Installation) -> None:
    place.governor()
    done = place.run("stopall", "--reason", "agents went mad")
    assert done.returncode == 0, done.stderr
    assert "shop is paused, the canary stays at 25 %. Agents may do nothing." in done.stdout
    assert "direct" in done.stdout
    (line,) = place.spool()
    assert (line["op"], line["by"], line["direct"]) == ("stop_all", ME, True)
    assert place.weights == {"stable": 75, "canary": 25}
    status = place.run("status")
    assert "shop: no agent may do anything, STOP ALL by" in status.stdout


def test_stopall_goes_through_a_living_backend(place: Installation) -> None:
    place.backend(lambda _: {"ok": True, "seq": 7, "said": "STOPPED"})
    done = place.run("stopall", "--json")
    assert (done.returncode, json.loads(done.stdout)["via"]) == (0, "backend")
    assert place.asked[0]["op"] == "stop_all"


def test_agents_are_let_in_through_the_backend_only_and_with_a_reason(place: Installation) -> None:
    assert place.run("resume", "--agents").returncode == 2
    silent = place.run("resume", "--agents", "--reason", "new brain")
    assert silent.returncode == 1
    assert "Nothing was given back" in silent.stderr
    place.backend(lambda _: {"ok": True, "seq": 8, "said": "AGENTS let in again"})
    assert place.run("resume", "--agents", "--reason", "new brain").returncode == 0
    assert (place.asked[0]["op"], place.asked[0]["service"]) == ("readmit", "")


@pytest.mark.parametrize(
    "words", [("stopall", "shop"), ("resume", "shop", "--agents", "--reason", "x"),
              ("pause", "--agents")]
)  # fmt: skip
def test_what_stopall_does_not_take_is_said(place: Installation, words: tuple[str, ...]) -> None:
    done = place.run(*words)
    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_e13_a_rollback_with_something_left_says_residue_and_what(place: Installation) -> None:
    statuses = [
        {"drained": True, "residue": ["server c2 is new"]},
        {"drained": False, "observed": {"canary": 5}},
        {"drained": True, "residue": []},
        {"drained": True},
    ]
    says = [emergency._left({"status": status}) for status in statuses]
    assert says[0] == "not all is as it was before: server c2 is new"
    assert emergency._outcome(says[0]).startswith("RESIDUE: the canary has 0 %, and not all is")
    assert emergency._outcome(says[1]).startswith("NOT DONE yet")
    assert says[2] == says[3] == ""
    status = {"ok": True, "status": statuses[0]}
    place._cleanup.callback(
        serve_lines(place.directory / "governor.sock", lambda _: json.dumps(status), once=False)
    )
    place.backend(lambda _: {"ok": True, "seq": 7, "said": "ROLLED BACK"})
    done = place.run("rollback")
    assert (done.returncode, "RESIDUE" in done.stdout) == (1, True)
