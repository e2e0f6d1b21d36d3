"""The dashboard's line to a backend over TLS: what it believes, and how it says what it does not."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.core.plan import Installation
from hatchway.edge import protocol
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.server import serve
from hatchway_tui.link import Address, Link
from hatchway_tui.mirror import Heard, Lost


class Door:
    async def command(self, command: protocol.Command, who: Any) -> protocol.Ack:
        return protocol.Ack(command.id, 3, f"{command.kind} by {who.name}")

    start = drill = order = command


@pytest.fixture
async def far() -> AsyncIterator[tuple[Path, str]]:
    place = Path(tempfile.mkdtemp(prefix="hw-"))
    for name, alt in (("tls", "IP:127.0.0.1"), ("other", "IP:127.0.0.1")):
        new = (
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        )
        out = ("-nodes", "-keyout", f"{place}/{name}.key", "-out", f"{place}/{name}.crt")
        also = ("-days", "2", "-subj", "/CN=x", "-addext", f"subjectAltName={alt}")
        subprocess.run([*new, *out, *also], check=True, capture_output=True)
        (place / f"{name}.key").chmod(0o600)
    (place / "token").write_text(f"ana {hashlib.sha256(b's3cret').hexdigest()} operator\n")
    (place / "token").chmod(0o600)
    installation = Installation(
        "prod", "t", (), listen="127.0.0.1:0", token_file="token",
        tls_cert="tls.crt", tls_key="tls.key",
    )  # fmt: skip
    edge = serve(place, installation, hub=Hub("b"), door=Door(), health=Health())
    async with edge as listening:
        assert listening.tcp is not None
        yield place, f"wss://127.0.0.1:{listening.tcp[1]}"
    shutil.rmtree(place)


async def told(address: Address, wanted: Callable[[Any], Any], do: Any = None) -> Any:
    """Run a link until it tells something that is wanted; then `do(link)`."""
    seen: asyncio.Queue[Any] = asyncio.Queue()
    link = Link(address, seen.put_nowait)
    running = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(30):
            while not wanted(event := await seen.get()):
                pass
            return await do(link) if do is not None else event
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_a_dashboard_elsewhere_sees_and_stops(far: tuple[Path, str]) -> None:
    place, url = far
    address = Address(url, token="s3cret", ca=str(place / "tls.crt"))
    snapshot = lambda e: isinstance(e, Heard) and isinstance(e.message, protocol.Snapshot)  # noqa: E731
    answer = await told(address, snapshot, lambda link: link.order(protocol.Command("1", "pause")))
    assert (answer.ok, answer.said, answer.direct) == (True, "pause by ana", False)


@pytest.mark.parametrize("ca", ["other.crt", ""])
async def test_a_certificate_that_nobody_vouches_for_is_said(
    far: tuple[Path, str], ca: str
) -> None:
    place, url = far
    address = Address(url, token="s3cret", ca=str(place / ca) if ca else "")
    lost = await told(address, lambda e: isinstance(e, Lost))
    assert "name its --ca FILE" in lost.why
    assert "nobody known here vouches" in lost.why
