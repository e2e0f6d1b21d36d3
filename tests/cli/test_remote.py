"""The verbs over wss:// to a real edge with a real certificate; and a yes signed at a shell."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hatchway.core.plan import Installation
from hatchway.edge import protocol
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.server import serve
from hatchway.journal.ssh_signature import APPROVAL, who_signed

TEXT = "I say yes to a release, at hatchway.\nitem: i-1\nnonce: 00\n"


class Door:
    """A backend that says what it was asked, and asks for a signature over `TEXT`."""

    def __init__(self) -> None:
        self.asked: list[protocol.Command] = []

    async def command(self, command: protocol.Command, who: Any) -> Any:
        self.asked.append(command)
        said = TEXT if command.kind == "challenge" else f"{command.kind} by {who.name}"
        return protocol.Ack(command.id, 7, said)

    async def start(self, request: Any, who: Any) -> Any:
        raise NotImplementedError

    drill = order = start


@pytest.fixture
def place() -> Any:
    path = Path(tempfile.mkdtemp(prefix="hw-"))
    for name, alt in (("tls", "IP:127.0.0.1"), ("other", "DNS:elsewhere.example")):
        new = (
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        )
        out = (
            "-nodes",
            "-keyout",
            f"{path}/{name}.key",
            "-out",
            f"{path}/{name}.crt",
            "-days",
            "2",
        )
        also = ("-subj", "/CN=hatchway", "-addext", f"subjectAltName={alt}")
        subprocess.run([*new, *out, *also], check=True, capture_output=True)
        (path / f"{name}.key").chmod(0o600)
    tokens = path / "token"
    tokens.write_text(f"ana {hashlib.sha256(b's3cret').hexdigest()} operator,approver\n")
    tokens.chmod(0o600)
    (path / "mine").write_text("s3cret\n")
    yield path
    shutil.rmtree(path)


class Far:
    def __init__(self, place: Path, door: Door, address: str) -> None:
        self.place, self.door, self.address = place, door, address

    async def run(self, *words: str, ca: str = "tls.crt", token: str = "mine") -> Any:
        there = ("--backend", self.address, "--ca", str(self.place / ca))
        mine = ("--token-file", str(self.place / token))
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hatchway", *words, *there, *mine,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith("SSH_")},
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, err = await done.communicate()
        return done.returncode, out.decode(), err.decode()


@pytest.fixture
async def far(place: Path) -> AsyncIterator[Far]:
    async for each in _far(place, "tls"):
        yield each


async def _far(place: Path, name: str) -> AsyncIterator[Far]:
    installation = Installation(
        "prod", "test", (), listen="127.0.0.1:0", token_file="token",
        tls_cert=f"{name}.crt", tls_key=f"{name}.key",
    )  # fmt: skip
    door, hub = Door(), Hub("boot")
    item = {"id": "i-1", "title": "APPROVE shop", "expires_at": 0.0}
    hub.publish("needs-you", {"items": [item]})
    async with serve(place, installation, hub=hub, door=door, health=Health()) as listening:
        assert listening.tcp is not None
        yield Far(place, door, f"wss://127.0.0.1:{listening.tcp[1]}")


async def test_a_stop_and_an_answer_from_another_machine(far: Far) -> None:
    code, out, err = await far.run("pause", "shop", "--reason", "why")
    assert (code, out) == (0, "pause by ana #7\n"), err
    code, out, err = await far.run("accept")
    assert (code, out) == (0, "accept by ana #7\n"), err
    code, out, _ = await far.run("status", "--json")
    assert code == 0
    assert json.loads(out)["docs"]["needs-you"]["items"][0]["id"] == "i-1"
    pause, accept = far.door.asked
    assert (pause.kind, pause.service, pause.reason) == ("pause", "shop", "why")
    assert (accept.kind, accept.item, accept.max_weight) == ("accept", "i-1", 100)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ca": "other.crt"}, "name its --ca FILE"),
        ({"ca": "missing.crt"}, "cannot be used"),
        ({"token": "missing"}, "the token cannot be read"),
        ({"token": "tls.crt"}, "unknown token"),
    ],
)
async def test_what_is_wrong_with_the_way_there_is_said(
    far: Far, change: dict[str, str], said: str
) -> None:
    if change.get("token") == "tls.crt":
        (far.place / "wrong").write_text("wrong")
        change = {"token": "wrong"}
    code, out, err = await far.run("pause", **change)
    assert (code, out) == (1, "")
    assert said in err
    assert "Traceback" not in err
    assert far.door.asked == []


async def test_a_certificate_of_another_name_is_refused_in_words(place: Path) -> None:
    async for far in _far(place, "other"):
        code, _, err = await far.run("pause", ca="other.crt")
        assert code == 1
        assert "its certificate is another one's" in err
        assert far.door.asked == []


@pytest.mark.parametrize("by", ["key", "agent"])
async def test_a_yes_is_signed_with_a_key_or_by_ssh_agent(
    far: Far, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = far.place / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (far.place / "signers").write_text(f"ana {(far.place / 'key.pub').read_text()}")
    (far.place / "signers").chmod(0o644)  # whatever the umask here
    words = ["accept", "i-1", "--max-weight", "25"]
    agent = None
    try:
        if by == "agent":
            socket = str(far.place / "agent")
            agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
            async with asyncio.timeout(30):
                while not Path(socket).exists():
                    await asyncio.sleep(0.02)
            env = {**os.environ, "SSH_AUTH_SOCK": socket}
            subprocess.run(["ssh-add", "-q", str(key)], check=True, env=env)
            key.unlink()
            there = ("--backend", far.address, "--ca", str(far.place / "tls.crt"))
            done = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hatchway", *words, "--agent", *there,
                "--token-file", str(far.place / "mine"),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env,
            )  # fmt: skip
            out, err = await done.communicate()
            code, said, shown = done.returncode, out.decode(), err.decode()
        else:
            code, said, shown = await far.run(*words, "--sign", str(key))
    finally:
        if agent is not None:
            agent.terminate()
            agent.wait()
    assert (code, said) == (0, "accept by ana #7\n"), shown
    assert "you sign | item: i-1" in shown
    challenge, accept = far.door.asked
    assert (challenge.kind, challenge.max_weight) == ("challenge", 25)
    assert accept.signed == TEXT
    signer = who_signed(TEXT.encode(), accept.signature, far.place / "signers", APPROVAL)
    assert signer.principal == "ana"


async def test_a_key_that_does_not_sign_is_said_and_nothing_is_sent(far: Far) -> None:
    code, _, err = await far.run("accept", "i-1", "--sign", str(far.place / "mine"))
    assert code == 1
    assert "does not sign" in err
    assert [c.kind for c in far.door.asked] == ["challenge"]
