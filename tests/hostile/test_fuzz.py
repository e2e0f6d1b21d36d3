"""Every reader of bytes from outside, given bytes from nowhere: a value or its own refusal, no crash."""

from __future__ import annotations

import json
import os
import string
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatchway.core import events as ev
from hatchway.edge import protocol
from hatchway.edge.plain import Line
from hatchway.governor import requests as governor
from hatchway.governor.server import Client
from hatchway.journal import checkpoint as cp
from hatchway.journal import note, segment
from hatchway.journal.chain import Broken, Sound, Verified, verify_rows
from hatchway.journal.lines import from_line, read_rows
from hatchway.journal.port import Damaged, JournalError
from hatchway.settings.document import Page
from hatchway.settings.installation import installation_of
from hatchway.settings.manifest import manifest_of
from hatchway.settings.pipeline import pipeline_of
from hatchway.settings.policy import policy_of

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
"""Of each reader, the same in every run. More: FUZZ_EXAMPLES=20000 pytest tests/hostile."""

RAN = [0]
many = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = (
    *("op", "type", "command", "id", "kind", "pause", "release", "service", "shop", "status"),
    *("spool", "after", "arm", "capsule", "rollback", "canary", "apply", "key", "epoch", "by"),
    *("seq", "stream", "version", "actor", "payload", "prev", "hash", "at", "cause", "idem"),
    *("segment-1", "segment-end-1", "checkpoint-1", "first", "last", "root", "tree", "note"),
    *("subscribe", "since", "boot", "protocol", "environments", "prod", "mode", "capabilities"),
    *("answer", "auto", "when", "verdict", "services", "metrics", "stages", "pipeline", "name"),
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(WORDS)
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=8)
    ),
    max_leaves=25,
)


@st.composite
def like_json(draw: Any) -> bytes:
    """JSON, or what was JSON before some bytes of it were changed, doubled or cut off."""
    data = bytearray(json.dumps(draw(trees)).encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("put", "cut", "double", "flip"))):
            case "put":
                data[at:at] = draw(
                    st.binary(max_size=6) | st.sampled_from((b"{", b'"', b"\n[" * 9))
                )
            case "cut":
                del data[at:]
            case "double":
                data[at:at] = data[:at]
            case _ if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
    return bytes(data)


anything = st.binary(max_size=300) | like_json()
yaml_like = st.lists(
    st.sampled_from((*WORDS, ": ", "- ", "\n", "  ", "{", "}", "[", "]", "&a ", "*a", "!!python/x ",
                     "<<: ", "'", '"', "|", ">", "#", "10m", "5%", "1e3", "---\n", "\t", "é"))
    | st.text(string.printable, max_size=5),
    max_size=60,
).map("".join)  # fmt: skip


def counted() -> None:
    RAN[0] += 1


@many
@given(anything)
def test_the_wire_of_dashboards(data: bytes) -> None:
    counted()
    try:
        protocol.decode_client(data)
    except ValueError:  # what the edge refuses in words
        return


@many
@given(anything)
def test_the_lines_of_commands(data: bytes) -> None:
    counted()
    try:
        msgspec.json.decode(data, type=Line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):  # as edge.plain takes them
        return


@many
@given(trees, st.sampled_from((0, 12345)))
def test_the_requests_of_the_governor(doc: Any, uid: int) -> None:
    counted()
    peer = governor.Peer(pid=1, uid=uid)
    answer: Any = {"ok": False, "why": "understood", "todo": "it"}
    try:
        governor.read(doc, peer, ("shop",))
    except governor.BadRequest as refused:
        answer = refused.answer
    assert answer["why"]
    assert answer["todo"]
    assert not answer["ok"]


@many
@given(st.lists(anything, max_size=6))
def test_the_lines_of_the_governor(parts: list[bytes]) -> None:
    counted()
    import socket

    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = Client(ours, governor.Peer(pid=1, uid=os.getuid()))
        for part in parts:
            client.inbox += part
            client.take_lines()
        assert b"\n" not in client.inbox
        assert all(line.strip() for line in client.lines)


@pytest.mark.parametrize("reader", [installation_of, pipeline_of, policy_of, manifest_of])
def test_the_files_that_people_write(reader: Any) -> None:
    @many
    @given(yaml_like | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
    def check(text: str) -> None:
        counted()
        page = Page("x.yaml", text.encode("utf-8", "surrogatepass"))
        reader(page)
        for trouble in page.troubles:
            assert trouble.what
            assert str(trouble).isprintable() or "\n" in str(trouble)

    check()


@many
@given(anything)
def test_a_line_of_an_exported_journal(data: bytes) -> None:
    counted()
    try:
        row = from_line(data)
    except ValueError:
        return
    assert isinstance(verify_rows([[row]]), Broken | Verified)


@many
@given(st.lists(anything, max_size=5).map(b"\n".join))
def test_an_exported_file_a_segment_and_a_file_of_checkpoints(data: bytes) -> None:
    counted()
    path = Path(os.environ["PYTEST_TMP"]) / "file"
    path.write_bytes(data)
    for read in (read_rows, segment.rows):
        try:
            assert isinstance(verify_rows(read(path)), Broken | Verified)
        except (Damaged, JournalError):
            continue
    for other in (lambda: cp.anchors(cp.read(path)), lambda: segment.end_of(path)):
        try:
            other()
        except (cp.CheckpointError, Damaged, JournalError):
            continue


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_TMP", str(tmp_path))


@many
@given(st.text(max_size=300) | anything.map(lambda b: b.decode("utf-8", "replace")))
def test_a_note_and_a_verifiers_key(text: str) -> None:
    counted()
    for read in (lambda: note.tree_head(note.parse(text)), lambda: note.verifier_of(text)):
        try:
            read()
        except note.NoteError:
            continue


@many
@given(st.sampled_from(WORDS), anything)
def test_the_payload_of_an_event(kind: str, payload: bytes) -> None:
    counted()
    event = ev.decode(kind, payload)
    assert isinstance(event, ev.Unknown) or ev.stream_of(event)


@many
@given(st.lists(trees, max_size=4))
def test_records_of_any_values(values: list[Any]) -> None:
    counted()
    row = (*values, *([None] * 12))[:12]
    sound = Sound([[row]])  # type: ignore[list-item]
    list(sound)
    assert isinstance(sound.found, Broken)


def test_the_examples_are_counted(bar: Any) -> None:
    """Last in the file: a worker says what it ran itself."""
    bar("fuzz examples", f"{RAN[0]:,} by a worker of the tests, 0 crashes", f"{EXAMPLES} a reader")
