from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hatchway.edge import protocol
from hatchway.edge.sockets import ListenError
from hatchway.edge.tokens import TokenFileError

BEARER = {"Authorization": "Bearer s3cret"}


@pytest.fixture
def tokens(directory: Path) -> Path:
    path = directory / "tokens"
    path.write_text(f"ana {hashlib.sha256(b's3cret').hexdigest()} operator\n")
    path.chmod(0o600)
    return path


@pytest.fixture
async def tcp_edge(open_edge: Any, tokens: Path) -> AsyncIterator[Any]:
    async with open_edge(listen="127.0.0.1:0", token_file="tokens") as edge:
        yield edge


async def test_a_token_in_the_header_says_who_comes(tcp_edge: Any, mirror: Any) -> None:
    tcp_edge.hub.publish("system", {"name": "x"})
    async with tcp_edge.tcp_connection(additional_headers=BEARER) as socket:
        dashboard = mirror(socket)
        hello = await dashboard.subscribe()
        assert (hello.you.name, hello.you.roles) == ("ana", ("operator",))
        assert dashboard.docs == {"system": {"name": "x"}}
        assert isinstance(await dashboard.ask("p-1", "pause"), protocol.Ack)
        assert (await dashboard.ask("a-1", "accept")).code == "not_allowed"


async def test_a_token_may_come_with_the_subscription(tcp_edge: Any, mirror: Any) -> None:
    async with tcp_edge.tcp_connection() as socket:
        hello = await mirror(socket).subscribe(token="s3cret")
        assert hello.you.name == "ana"


async def test_dashboards_of_both_sockets_see_the_same(tcp_edge: Any, mirror: Any) -> None:
    async with (
        tcp_edge.dashboard() as here,
        tcp_edge.tcp_connection(additional_headers=BEARER) as socket,
    ):
        there = mirror(socket)
        await there.subscribe()
        tcp_edge.hub.publish("authority/shop", {"mode": "paused"})
        for dashboard in (here, there):
            await dashboard.until(lambda d=dashboard: d.docs)
        assert here.docs == there.docs


@pytest.mark.parametrize("token", ["", "wrong", "S3CRET", "s3cret ", "\u00e9"])
async def test_no_token_or_a_wrong_one_gets_nothing(tcp_edge: Any, token: str) -> None:
    tcp_edge.hub.publish("system", {"name": "x"})
    async with tcp_edge.tcp_connection() as socket:
        await socket.send(protocol.encode(protocol.Subscribe(token=token)), text=True)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    assert "token" in closed.value.rcvd.reason


async def test_whose_token_is_taken_out_does_not_look_on(
    tcp_edge: Any, mirror: Any, tokens: Path
) -> None:
    async with tcp_edge.tcp_connection(additional_headers=BEARER) as socket:
        dashboard = mirror(socket)
        await dashboard.subscribe()
        whole = tokens.read_text()
        tokens.write_text("not a token file\n")
        await dashboard.until(lambda: sum(isinstance(m, protocol.Beat) for m in dashboard.seen) > 2)
        tokens.write_text(whole.replace("ana", "#ana"))
        with pytest.raises(ConnectionClosed) as closed:
            await dashboard.until(lambda: False)
    assert closed.value.rcvd is not None
    assert "taken out" in closed.value.rcvd.reason


@pytest.mark.parametrize(
    "given", ["Bearer wrong", "Bearer", "Basic s3cret", "s3cret", "Bearer \xe9"]
)
async def test_a_wrong_header_does_not_get_in(tcp_edge: Any, given: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with tcp_edge.tcp_connection(additional_headers={"Authorization": given}):
            pass
    assert refused.value.response.status_code == 401


async def test_a_command_before_the_token_reaches_nobody(tcp_edge: Any) -> None:
    async with tcp_edge.tcp_connection() as socket:
        await socket.send(protocol.encode(protocol.Command("p-1", "pause")), text=True)
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert tcp_edge.door.asked == []


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "null", "https://example.invalid"])
async def test_browsers_are_refused_even_with_a_token(tcp_edge: Any, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with tcp_edge.tcp_connection(origin=origin, additional_headers=BEARER):
            pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("host", ["example.invalid", "127.0.0.1", "localhost:1", ""])
async def test_another_host_name_is_refused_even_with_a_token(tcp_edge: Any, host: str) -> None:
    address, port = tcp_edge.listening.tcp
    async with httpx.AsyncClient() as http:
        for path in ("/", "/metrics", "/healthz"):
            answer = await http.get(
                f"http://{address}:{port}{path}", headers={**BEARER, "Host": host}
            )
            assert answer.status_code == 421


async def test_metrics_need_a_token_and_healthz_does_not(tcp_edge: Any) -> None:
    address, port = tcp_edge.listening.tcp
    async with httpx.AsyncClient(base_url=f"http://{address}:{port}") as http:
        assert (await http.get("/healthz")).text == "ok\n"
        refused = await http.get("/metrics")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "hatchway_clients" not in refused.text
        assert "hatchway_clients" in (await http.get("/metrics", headers=BEARER)).text


async def test_a_token_taken_out_of_the_file_opens_nothing(tcp_edge: Any, tokens: Path) -> None:
    tokens.write_text(f"luis {hashlib.sha256(b'other').hexdigest()} viewer\n")
    with pytest.raises(InvalidStatus):
        async with tcp_edge.tcp_connection(additional_headers=BEARER):
            pass
    tokens.unlink()
    with pytest.raises(InvalidStatus):
        async with tcp_edge.tcp_connection(additional_headers=BEARER):
            pass


async def test_it_does_not_start_where_others_could_reach_it(
    open_edge: Any, tokens: Path, directory: Path
) -> None:
    with pytest.raises(ListenError, match="other machines"):
        async with open_edge(listen="0.0.0.0:0", token_file="tokens"):
            pass
    assert [path.name for path in directory.iterdir()] == ["tokens"]


async def test_it_does_not_start_without_a_good_token_file(open_edge: Any, tokens: Path) -> None:
    with pytest.raises(TokenFileError, match="token_file is not"):
        async with open_edge(listen="127.0.0.1:0"):
            pass
    tokens.chmod(0o644)
    with pytest.raises(TokenFileError, match="chmod 600"):
        async with open_edge(listen="127.0.0.1:0", token_file="tokens"):
            pass


async def test_closing_frees_the_port(open_edge: Any, tokens: Path) -> None:
    async with open_edge(listen="127.0.0.1:0", token_file="tokens") as edge:
        address, port = edge.listening.tcp
    with pytest.raises(OSError):  # noqa: PT011 (whatever refuses the connection)
        await asyncio.open_connection(address, port)
    async with open_edge(listen=f"127.0.0.1:{port}", token_file="tokens") as edge:
        assert edge.listening.tcp == (address, port)


@pytest.fixture
def agents_token(tokens: Path) -> dict[str, str]:
    with tokens.open("a") as file:
        file.write(f"bot {hashlib.sha256(b'r0bot').hexdigest()} agent,operator\n")
    return {"Authorization": "Bearer r0bot"}


async def drain(socket: Any) -> None:
    while True:
        await socket.recv()


async def test_stop_all_makes_the_agents_credentials_void_and_nobody_elses(
    open_edge: Any, agents_token: dict[str, str], mirror: Any
) -> None:
    stopped = ""
    options = {"listen": "127.0.0.1:0", "token_file": "tokens"}
    async with open_edge(**options, agents_stopped=lambda: stopped) as edge:
        async with edge.tcp_connection(additional_headers=agents_token) as socket:
            await mirror(socket).subscribe()
            stopped = "STOP ALL by ana: agents went mad"
            with pytest.raises(ConnectionClosed) as closed:  # within a beat
                await drain(socket)
            assert closed.value.rcvd is not None
            assert stopped in closed.value.rcvd.reason
        with pytest.raises(InvalidStatus) as refused:
            await edge.tcp_connection(additional_headers=agents_token)
        assert refused.value.response.status_code == 401
        async with edge.tcp_connection() as socket:
            with pytest.raises(ConnectionClosed):
                await mirror(socket).subscribe(token="r0bot")
        async with edge.tcp_connection(additional_headers=BEARER) as socket:
            dashboard = mirror(socket)
            await dashboard.subscribe()
            assert isinstance(await dashboard.ask("p-1", "pause"), protocol.Ack)
        stopped = ""
        async with edge.tcp_connection(additional_headers=agents_token) as socket:
            hello = await mirror(socket).subscribe()
            assert hello.you.name == "bot"


async def test_stop_all_is_a_right_like_pause_and_letting_in_one_like_giving_back(
    open_edge: Any,
) -> None:
    for roles, may in ((("viewer",), ()), (("approver",), ("stop_all",)), (("agent",), ()),
                       (("operator",), ("stop_all", "readmit")), (("auditor",), ())):  # fmt: skip
        async with open_edge(everyone=roles) as edge, edge.dashboard() as dashboard:
            for number, kind in enumerate(("stop_all", "readmit")):
                answer = await dashboard.ask(f"x-{number}", kind, reason="r")
                assert isinstance(answer, protocol.Ack) == (kind in may), (roles, kind)
