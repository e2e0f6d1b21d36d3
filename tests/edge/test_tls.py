"""TLS with a real certificate: who may not listen without it, and what a client says of a wrong one."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hatchway.edge import protocol, tls
from hatchway.edge.sockets import ListenError

BEARER = {"Authorization": "Bearer s3cret"}


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def certificate(place: Path, name: str = "tls", alt: str = "IP:127.0.0.1") -> None:
    """A certificate of its own authority, and its key."""
    key, cert = place / f"{name}.key", place / f"{name}.crt"
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    out = ("-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=hatchway")
    openssl(*new, *out, "-addext", f"subjectAltName={alt}")
    key.chmod(0o600)


@pytest.fixture
def place(directory: Path) -> Path:
    path = directory / "token"
    path.write_text(f"ana {hashlib.sha256(b's3cret').hexdigest()} operator\n")
    path.chmod(0o600)
    certificate(directory)
    return directory


@pytest.fixture
def open_tls(open_edge: Any, place: Path) -> Callable[..., Any]:
    def opened(**more: Any) -> Any:
        given = {"listen": "127.0.0.1:0", "token_file": "token", "tls": ("tls.crt", "tls.key")}
        return open_edge(**{**given, **more})

    return opened


def trusting(place: Path, name: str = "tls") -> ssl.SSLContext:
    return ssl.create_default_context(cafile=place / f"{name}.crt")


def to(edge: Any, context: ssl.SSLContext, host: str = "127.0.0.1", **more: Any) -> connect:
    port = edge.listening.tcp[1]
    return connect(f"wss://{host}:{port}/", ssl=context, proxy=None, close_timeout=1, **more)


async def test_a_dashboard_comes_in_over_tls_with_a_token(
    open_tls: Any, place: Path, mirror: Any
) -> None:
    async with (
        open_tls() as edge,
        to(edge, trusting(place), additional_headers=BEARER) as socket,
    ):
        dashboard = mirror(socket)
        hello = await dashboard.subscribe()
        assert hello.you.name == "ana"
        assert isinstance(await dashboard.ask("p", "pause"), protocol.Ack)
        version = socket.transport.get_extra_info("ssl_object").version()
        assert version in ("TLSv1.2", "TLSv1.3")


async def test_every_address_may_be_listened_on_with_tls_and_tokens(
    open_tls: Any, place: Path, mirror: Any
) -> None:
    async with open_tls(listen="0.0.0.0:0") as edge:
        async with to(edge, trusting(place), additional_headers=BEARER) as socket:
            assert (await mirror(socket).subscribe()).you.name == "ana"
        with pytest.raises(InvalidStatus) as refused:
            async with to(edge, trusting(place), additional_headers={"Authorization": "Bearer x"}):
                pass
        assert refused.value.response.status_code == 401


async def test_without_tls_a_routable_address_is_not_listened_on(
    open_edge: Any, place: Path
) -> None:
    with pytest.raises(ListenError, match="set tls"):
        async with open_edge(listen="0.0.0.0:0", token_file="token"):
            pass


async def test_an_unknown_authority_and_a_wrong_name_are_refused(
    open_tls: Any, place: Path
) -> None:
    certificate(place, "other")
    certificate(place, "named", "DNS:elsewhere.example")
    async with open_tls() as edge:
        with pytest.raises(ssl.SSLCertVerificationError):
            async with to(edge, trusting(place, "other")):
                pass
        with pytest.raises(ssl.SSLCertVerificationError):
            async with to(edge, ssl.create_default_context()):
                pass
    async with open_tls(tls=("named.crt", "named.key")) as edge:
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            async with to(edge, trusting(place, "named")):
                pass


async def test_old_versions_and_plain_text_get_nothing(open_tls: Any, place: Path) -> None:
    async with open_tls() as edge:
        old = trusting(place)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            async with to(edge, old):
                pass
        reader, writer = await asyncio.open_connection(*edge.listening.tcp)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        async with asyncio.timeout(10):
            assert b"hatchway_clients" not in await reader.read()
        writer.close()


async def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(
    open_tls: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_EVERY_S", 0.02)
    async with open_tls() as edge:
        (place / "tls.crt").write_text("no certificate")
        await asyncio.sleep(0.2)  # it had the time to take it, and did not
        certificate(place, "next")
        with pytest.raises(ssl.SSLCertVerificationError):
            async with to(edge, trusting(place, "next")):
                pass
        for end in ("key", "crt"):
            os.replace(place / f"next.{end}", place / f"tls.{end}")
        async with asyncio.timeout(30):
            while True:
                try:
                    async with to(edge, trusting(place), additional_headers=BEARER):
                        break
                except ssl.SSLCertVerificationError:
                    await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("break_", "said"),
    [
        (lambda d: (d / "tls.key").chmod(0o640), "chmod 600"),
        (lambda d: (d / "tls.key").unlink(), "cannot read"),
        (lambda d: (d / "tls.crt").unlink(), "cannot read"),
        (lambda d: (d / "tls.crt").write_text("x"), "no certificate"),
        (lambda d: certificate(d, "second") or os.replace(d / "second.key", d / "tls.key"), "key"),
    ],
)
async def test_it_does_not_start_with_files_that_cannot_be_used(
    open_tls: Any, place: Path, break_: Callable[[Path], Any], said: str
) -> None:
    break_(place)
    with pytest.raises(ListenError, match=said):
        async with open_tls():
            pass


async def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(
    open_tls: Any, place: Path
) -> None:
    key = str(place / "tls.key")
    openssl("ec", "-in", key, "-aes256", "-passout", "pass:secret", "-out", key)
    with pytest.raises(ListenError, match="passphrase"):
        async with open_tls():
            pass


async def test_a_token_that_ends_or_is_taken_out_ends_what_its_dashboard_may_do(
    open_tls: Any, place: Path, mirror: Any
) -> None:
    token = place / "token"
    async with (
        open_tls() as edge,
        to(edge, trusting(place), additional_headers=BEARER) as socket,
    ):
        dashboard = mirror(socket)
        await dashboard.subscribe()
        hash_ = hashlib.sha256(b"s3cret").hexdigest()
        token.chmod(0o644)  # a mistake of somebody: the file cannot be trusted now
        assert isinstance(await dashboard.ask("1", "pause"), protocol.Ack), "stops go on"
        refused = await dashboard.ask("2", "release", reason="x")
        assert "cannot be read" in refused.why
        token.chmod(0o600)
        token.write_text(f"ana {hash_} viewer\n")
        assert "viewers cannot pause" in (await dashboard.ask("3", "pause")).why
        token.write_text(f"ana {hash_} operator until=2020-01-01\n")
        assert "ended at 2020-01-02 00:00Z" in (await dashboard.ask("4", "pause")).why
        token.write_text(f"luis {'0' * 64} operator\n")
        assert "taken out" in (await dashboard.ask("5", "pause")).why
    assert [c.id for c, _ in edge.door.asked] == ["1"]


async def test_a_stranger_is_cut_off_after_a_few_kilobytes_and_somebody_known_is_not(
    open_tls: Any, place: Path, mirror: Any
) -> None:
    pings = b"\x89\x80\x00\x00\x00\x00" * 4_000  # 24 kB of the smallest frames

    def dropped(edge: Any) -> float:
        return dict(edge.health.samples()["hatchway_dropped_clients_total"]).get(("flood",), 0)

    async with open_tls() as edge:
        async with to(edge, trusting(place)) as stranger:
            stranger.transport.write(pings)
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(30):
                    await stranger.recv()
        async with asyncio.timeout(30):
            while not dropped(edge):
                await asyncio.sleep(0.02)
        async with to(edge, trusting(place), additional_headers=BEARER) as socket:
            dashboard = mirror(socket)
            await dashboard.subscribe()
            socket.transport.write(pings)
            assert isinstance(await dashboard.ask("p", "pause"), protocol.Ack)
        async with to(edge, trusting(place)) as late:
            dashboard = mirror(late)
            await dashboard.subscribe(token="s3cret")
            late.transport.write(pings)
            assert isinstance(await dashboard.ask("q", "pause"), protocol.Ack)
        assert dropped(edge) == 1
