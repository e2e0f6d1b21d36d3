"""Commands that print metrics: what they print is read, and none outlives its look."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.core.plan import EndpointSpec, MetricSpec, SeriesRef, ServiceSpec, TargetSpec
from hatchway.judge.look import Counts
from hatchway.metrics.command import CommandMetrics
from hatchway.metrics.open import opened
from hatchway.metrics.port import Page
from hatchway.metrics.window import Window, look

Make = Callable[..., CommandMetrics]


def service(*command: str, **more: Any) -> ServiceSpec:
    return ServiceSpec(
        name="s",
        repo="r",
        pipeline="p",
        target=TargetSpec(kind="haproxy", socket="s", stable="blue", canary="green"),
        endpoints=(EndpointSpec("app", command=command, **more),),
        metrics=(
            MetricSpec(
                name="n", label="n", kind="counts", source="app", total=SeriesRef("n_total")
            ),
        ),
    )


async def page(*command: str, **more: Any) -> Page:
    stable, _ = (await CommandMetrics(service(*command), **more).look(1.0)).pages
    return stable


async def test_the_arm_is_a_word_of_the_command_and_no_shell_reads_it() -> None:
    command = ("printf", 'n_total{arm="%s"} 4\n', "{arm};$(exit 1)")
    stable, canary = (await CommandMetrics(service(*command)).look(7.0)).pages
    assert (stable.arm, stable.url, stable.trouble) == ("stable", "command:app/stable", "")
    assert stable.values == {("n_total", (("arm", "blue;$(exit 1)"),)): 4.0}
    assert canary.values == {("n_total", (("arm", "green;$(exit 1)"),)): 4.0}
    named = service("printf", "n_total %s\n", "{arm}", arms={"stable": "1", "canary": "2"})
    values = [page.values for page in (await CommandMetrics(named).look(7.0)).pages]
    assert values == [{("n_total", ()): 1.0}, {("n_total", ()): 2.0}]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("false",), "false ended with 1"),
        (
            ("sh", "-c", "echo n_total 1; echo one >&2; echo two >&2; exit 3"),
            "sh ended with 3: two",
        ),
        (("sh", "-c", "kill -9 $$"), "sh was ended by signal 9"),
        (("true",), "true printed nothing"),
        (("no-such-program",), "no-such-program cannot be started: No such file or directory"),
        (("/etc",), "/etc cannot be started: Permission denied"),
        (("echo", "<html>"), "a web page instead of metrics"),
        (("printf", "n_total 4"), "the page breaks off in the middle of a line"),
        (("printf", "n_total 4\\n# EOF\\nn_total 5\\n"), "the page breaks off before its end"),
        (("echo", "n_total four"), "a line is not a metric"),
    ],
)
async def test_every_failure_has_its_words(command: tuple[str, ...], said: str) -> None:
    assert said in (await page(*command, timeout_s=20)).trouble


async def test_openmetrics_is_read() -> None:
    assert (await page("printf", "n_total 4.0\\n# EOF\\n", timeout_s=20)).values == {
        ("n_total", ()): 4.0
    }


async def test_a_flood_is_cut_off() -> None:
    found = await page("yes", "n_total 1", most=1_000_000, timeout_s=30)
    assert found.trouble == "yes printed more than 1 MB: killed"


async def test_a_command_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    script = f"echo $$ >> {noted}; sleep 300 & echo $! >> {noted}; wait"
    found = await page("sh", "-c", script, timeout_s=1.0)
    assert found.trouble == "sh did not end within 1 s: killed"
    assert_gone(noted)


async def test_what_a_command_leaves_behind_does_not_hold_up_or_outlive_the_look(
    tmp_path: Path,
) -> None:
    noted = tmp_path / "pids"
    found = await page("sh", "-c", f"sleep 300 & echo $! >> {noted}; echo n_total 1", timeout_s=1.0)
    assert found.trouble == "sh did not end within 1 s: killed"  # it holds the page open
    quiet = f"sleep 300 >/dev/null 2>&1 & echo $! >> {noted}; echo n_total 1"
    assert (await page("sh", "-c", quiet, timeout_s=20)).values == {("n_total", ()): 1.0}
    assert_gone(noted)


async def test_a_cancelled_look_leaves_no_process(tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    metrics = CommandMetrics(service("sh", "-c", f"echo $$ >> {noted}; sleep 300"), timeout_s=300)
    task = asyncio.create_task(metrics.look(1.0))
    async with asyncio.timeout(30):
        while not noted.exists() or len(noted.read_text().split()) < 2:
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_gone(noted)


async def test_relative_commands_run_where_the_installation_is(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("n_total 8\n")
    metrics = opened(service("cat", "page"), tmp_path)
    assert (await metrics.look(1.0)).pages[0].values == {("n_total", ()): 8.0}


async def test_a_service_may_be_read_in_several_ways(serve: Any) -> None:
    place = await serve("x_total 1\n")
    of = service(sys.executable, "-Sc", "import time; print('n_total', time.time_ns())#{arm}")
    pages = EndpointSpec("pages", stable=(place.url,), canary=(place.url,))
    many = ServiceSpec(
        name="s", repo="r", pipeline="p", target=of.target,
        endpoints=(*of.endpoints, pages), metrics=of.metrics,
    )  # fmt: skip
    metrics = opened(many)
    assert await metrics.about() == ()
    window = Window()
    async with asyncio.timeout(60):
        while True:
            scrape = await metrics.look(time.time())
            window, seen = look(many, window, scrape, 5)
            if isinstance(seen.samples["n"], Counts):
                break
    assert {page.endpoint for page in scrape.pages} == {"app", "pages"}
    await metrics.close()


def assert_gone(noted: Path) -> None:
    """Within a moment: a killed process is gone when its parent, or init, has noticed."""
    end = time.monotonic() + 30
    for pid in noted.read_text().split():
        while is_running(int(pid)):
            assert time.monotonic() < end, f"{pid} still runs"
            time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
