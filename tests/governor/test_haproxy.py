"""The HAProxy adapter: one contract, against the test's own splitter and against HAProxy itself."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.governor.driver import Driver, Order, Report
from hatchway.governor.haproxy import HAProxy, steps
from hatchway.governor.settings_target import HAProxySettings
from hatchway.governor.target import TargetError, Weights, differences

CONFIG = """
global
  nbthread 1
  stats socket {directory}/splitter.sock mode 600 level admin
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend fe
  bind 127.0.0.1:{port}
  default_backend be
backend be
  balance roundrobin
  server stable 127.0.0.1:{stable} weight 100
  server canary 127.0.0.1:{stable} weight 0
backend steady
  balance static-rr
  server stable 127.0.0.1:{stable} weight 100
  server canary 127.0.0.1:{stable} weight 1
backend least
  balance leastconn
  server stable 127.0.0.1:{stable} weight 100
  server canary 127.0.0.1:{stable} weight 1
backend chance
  balance random
  server stable 127.0.0.1:{stable} weight 100
  server canary 127.0.0.1:{stable} weight 1
backend hashed
  balance hdr(user)
  server stable 127.0.0.1:{stable} weight 100
  server canary 127.0.0.1:{stable} weight 1
"""


OPEN = contextlib.nullcontext()  # a guard that lets everything through


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def real_haproxy(directory: Path) -> Iterator[None]:
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    assert program, "install HAProxy: apt-get install haproxy"
    config = directory / "haproxy.cfg"
    config.write_text(CONFIG.format(directory=directory, port=free_port(), stable=free_port()))
    with (directory / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([program, "-db", "-f", config], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(params=["splitter", "haproxy"])
def target(
    request: pytest.FixtureRequest, short_dir: Path, splitter_at: Any, wait_for: Any
) -> Iterator[HAProxy]:
    adapter = HAProxy(HAProxySettings(str(short_dir / "splitter.sock"), "be", "stable", "canary"))
    if request.param == "splitter":
        splitter_at(short_dir / "splitter.sock")
        yield adapter
        return

    def up() -> bool:
        with contextlib.suppress(TargetError):
            return adapter.weights().stable == 100
        return False

    with real_haproxy(short_dir):
        wait_for(up, "HAProxy is up")
        yield adapter


def test_weights_are_read_set_and_read_back(target: HAProxy) -> None:
    assert target.weights() == Weights(canary=0, stable=100)
    target.set("canary", 5, OPEN)
    target.set("stable", 95, OPEN)
    assert target.weights() == Weights(canary=5, stable=95)
    assert target.traffic().inflight == 0
    assert target.traffic().total == 0


def test_an_unknown_server_is_an_error_in_words(target: HAProxy, short_dir: Path) -> None:
    settings = HAProxySettings(str(short_dir / "splitter.sock"), "be", "stable", "other")
    with pytest.raises(TargetError, match="No such server"):
        HAProxy(settings).weights()
    with pytest.raises(TargetError):
        HAProxy(settings).traffic()


def test_the_driver_brings_a_target_to_every_share(target: HAProxy, wait_for: Any) -> None:
    reports: list[Report] = []
    driver = Driver("shop", target, reports.append)
    driver.start()
    for serial, percent in enumerate([5, 25, 100, 50, 0], start=1):
        driver.give(Order(serial, percent, "exactly"))
        wait_for(lambda n=serial: reports and reports[-1].serial == n)
        assert reports[-1].weights == Weights(percent, 100 - percent)
        assert reports[-1].trouble == ""


def test_real_haproxy_refuses_a_static_algorithm_in_words(short_dir: Path, wait_for: Any) -> None:
    names = HAProxySettings(str(short_dir / "splitter.sock"), "steady", "stable", "canary")
    target = HAProxy(names)
    with real_haproxy(short_dir):
        wait_for((short_dir / "splitter.sock").exists)
        with pytest.raises(TargetError, match="static LB algorithm"):
            target.set("canary", 5, OPEN)


@pytest.fixture
def real(short_dir: Path, wait_for: Any) -> Iterator[Callable[[str], HAProxy]]:
    with real_haproxy(short_dir):
        wait_for((short_dir / "splitter.sock").exists)
        yield lambda backend: HAProxy(
            HAProxySettings(str(short_dir / "splitter.sock"), backend, "stable", "canary")
        )


@pytest.mark.parametrize(
    ("backend", "name"),
    [("steady", "static-rr"), ("least", "leastconn"), ("chance", "random"), ("hashed", "hdr")],
)
def test_real_haproxy_tells_how_it_balances_and_what_breaks_a_percentage_is_named(
    real: Any, backend: str, name: str
) -> None:
    assert real("be").inventory().unfit == ()
    (why,) = real(backend).inventory().unfit
    assert f"{backend} balances by " in why
    assert name in why


def test_a_server_that_is_added_to_a_real_haproxy_is_another_that_takes_traffic(real: Any) -> None:
    target = real("be")
    before = target.inventory()
    assert (before.others, len(before.facts)) == ((), 3)
    target._ask("add server be/c2 127.0.0.1:8083 weight 7")
    assert target.inventory().others == (), "it is in maintenance at first"
    target._ask("enable server be/c2")
    now = target.inventory()
    assert now.others == ("be/c2 takes traffic too, with weight 7",)
    assert differences(before.facts, now.facts) == [
        "server c2 is new: 127.0.0.1:8083, ready, weight 7"
    ]
    target._ask("set server be/stable state drain")
    assert "server stable: 127.0.0.1:" in " ".join(now.facts)
    assert any("drain" in fact for fact in target.inventory().facts)


def test_a_second_real_haproxy_on_the_port_is_named_while_both_run(
    real: Any, short_dir: Path, wait_for: Any
) -> None:
    target = real("be")
    first = target.inventory().process
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert program
    with (short_dir / "second.log").open("wb") as log:
        # No -sf: it takes the socket's path and shares the port, and nobody is told.
        second = subprocess.Popen(
            [program, "-db", "-f", short_dir / "haproxy.cfg"], stdout=log, stderr=log
        )
    try:

        def both() -> Any:
            with contextlib.suppress(TargetError):
                found = target.inventory()
                return found if found.process == second.pid else None

        found = wait_for(both, "the second one answers")
        (said,) = found.unfit
        assert f"(pid {first})" in said
        assert f"only pid {second.pid}" in said
        assert found.others == found.unfit
    finally:
        second.kill()
        second.wait()


# --- what a target may do to us (the splitter only) ---------------------------------------------


@pytest.fixture
def splitter(short_dir: Path, splitter_at: Any) -> Any:
    return splitter_at(short_dir / "splitter.sock")


@pytest.fixture
def adapter(splitter: Any) -> HAProxy:
    return HAProxy(HAProxySettings(str(splitter.path), "be", "stable", "canary"))


def test_a_weight_that_did_not_change_is_noticed(splitter: Any, adapter: HAProxy) -> None:
    splitter.deaf_to = {"canary"}
    with pytest.raises(TargetError, match="left be/canary at 0 instead of 5"):
        adapter.set("canary", 5, OPEN)


def test_a_hung_target_is_given_up(splitter: Any, adapter: HAProxy) -> None:
    splitter.hung = True
    with pytest.raises(TargetError, match="does not answer"):
        adapter.weights()


def test_a_dead_target_is_said_to_be_out_of_reach(splitter: Any, adapter: HAProxy) -> None:
    splitter.die()
    with pytest.raises(TargetError, match="cannot be reached"):
        adapter.weights()


@pytest.mark.parametrize(
    "error", ["Permission denied", "\x1b]52;c;aGk=\x07", "-5", "٣", "x" * 9000]
)
def test_nonsense_is_an_error_and_printable(splitter: Any, adapter: HAProxy, error: str) -> None:
    splitter.error = error
    for question in (adapter.weights, adapter.traffic):
        with pytest.raises(TargetError) as caught:
            question()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300


# --- shares and steps ---------------------------------------------------------------------------

WEIGHTS = st.builds(Weights, canary=st.integers(0, 256), stable=st.integers(0, 256))


@settings(deadline=None)
@given(WEIGHTS, st.integers(0, 100))
def test_steps_lead_there_and_somebody_always_serves(weights: Weights, percent: int) -> None:
    now = {"canary": weights.canary, "stable": weights.stable}
    for arm, weight in steps(weights, percent):
        now[arm] = weight
        assert sum(now.values()) > 0
    assert Weights(**now).has(percent)


@settings(deadline=None)
@given(WEIGHTS, st.integers(0, 100))
def test_the_share_never_leaves_the_range_between_old_and_new(
    weights: Weights, percent: int
) -> None:
    low, high = sorted((weights.percent, percent))
    now = {"canary": weights.canary, "stable": weights.stable}
    scaled = weights.canary + weights.stable == 100  # the governor's own scale
    for arm, weight in steps(weights, percent):
        now[arm] = weight
        assert not scaled or low <= Weights(**now).percent <= high


@pytest.mark.parametrize(
    ("canary", "stable", "percent"),
    [(0, 0, 0), (0, 256, 0), (1, 256, 1), (256, 0, 100), (5, 95, 5)],
)
def test_a_share_is_rounded_but_never_down_to_nothing(
    canary: int, stable: int, percent: int
) -> None:
    assert Weights(canary, stable).percent == percent
