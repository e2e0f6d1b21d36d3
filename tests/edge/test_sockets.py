from __future__ import annotations

import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hatchway.edge.sockets import ListenError, tcp_listener, unix_listener


def left_over(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


def test_only_owner_and_group_may_open_it_and_it_is_removed_at_the_end(directory: Path) -> None:
    path = directory / "s"
    with unix_listener(path, 0o660):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert not path.exists()


def test_a_leftover_of_a_crash_is_replaced(directory: Path) -> None:
    path = directory / "s"
    left_over(path)
    with unix_listener(path, 0o660), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_that_somebody_answers_at_is_left_alone(directory: Path) -> None:
    path = directory / "s"
    with unix_listener(path, 0o660):
        with (
            pytest.raises(ListenError, match="another process answers"),
            unix_listener(path, 0o660),
        ):
            pass
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_of_many_that_start_over_a_leftover_exactly_one_gets_it(directory: Path) -> None:
    path = directory / "s"

    def start(_: int) -> socket.socket | None:
        context = unix_listener(path, 0o660)
        try:
            listener = context.__enter__()
        except ListenError:
            return None
        winners.append(context)
        return listener

    for _ in range(20):
        winners: list[object] = []
        left_over(path)
        with ThreadPoolExecutor(8) as threads:
            got = [listener for listener in threads.map(start, range(8)) if listener]
        assert len(got) == 1
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            got[0].accept()[0].close()
        winners[0].__exit__(None, None, None)  # type: ignore[attr-defined]


def test_a_file_that_is_not_a_socket_is_never_removed(directory: Path) -> None:
    path = directory / "s"
    path.write_text("precious")
    with pytest.raises(ListenError, match="not a socket"), unix_listener(path, 0o660):
        pass
    assert path.read_text() == "precious"


def test_a_socket_of_somebody_who_came_after_is_not_removed(directory: Path) -> None:
    path = directory / "s"
    with unix_listener(path, 0o660):
        path.unlink()
        left_over(path)
    assert path.exists()


def test_a_path_too_long_for_a_socket_says_so(directory: Path) -> None:
    with (
        pytest.raises(ListenError, match="too long for a socket"),
        unix_listener(directory / ("x" * 100), 0o660),
    ):
        pass


def test_a_directory_that_is_not_there_says_so(directory: Path) -> None:
    with pytest.raises(ListenError, match="No such file"), unix_listener(directory / "no/s", 0o660):
        pass


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "127.8.8.8:0", "[::1]:0"])
def test_loopback_is_listened_on(listen: str) -> None:
    with tcp_listener(listen) as listener:
        assert listener.getsockname()[1] > 0


@pytest.mark.parametrize(
    "listen",
    ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "10.0.0.1:1", "[2001:db8::1]:1", "[::ffff:0:0]:1"],
)
def test_an_address_that_others_can_reach_is_refused(listen: str) -> None:
    with pytest.raises(ListenError, match="other machines"):
        tcp_listener(listen)


@pytest.mark.parametrize("listen", ["8080", ":8080", "localhost", "127.0.0.1:x", "127.0.0.1:70000"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(ListenError, match="HOST:PORT"):
        tcp_listener(listen)


def test_a_name_is_not_looked_up() -> None:
    with pytest.raises(ListenError, match="names are not looked up"):
        tcp_listener("example.invalid:80")


def test_a_port_in_use_says_so() -> None:
    with tcp_listener("127.0.0.1:0") as first:
        first.listen()
        with pytest.raises(ListenError, match="choose another port"):
            tcp_listener(f"127.0.0.1:{first.getsockname()[1]}")
