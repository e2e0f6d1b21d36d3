"""A job is started once, and one that cannot be is told so where people look."""

from __future__ import annotations

from typing import Any

from hatchway.core import events as ev
from hatchway.forge.port import ForgeError


async def test_a_job_that_cannot_be_started_fails_with_the_reason(house: Any) -> None:
    house.runner.refuses = ["no room on the disk"] * 100
    await house.release()
    assert await house.ended() == "failed"
    assert "no room on the disk" in house.run.why
    lines = [text for _, text in house.live.log["1"]]
    assert any("try 1 of 3" in line for line in lines), lines
    assert house.runner.cancelled, "what was called failed must not run afterwards"


async def test_a_job_that_could_not_be_started_for_a_moment_is_started(house: Any) -> None:
    house.runner.refuses = ["no more processes"]
    await house.release()
    await house.until(house.open_item, "the release is requested")
    assert {e.status for e in house.of(ev.JobEnded)} == {"passed"}


async def test_output_is_not_shown_twice_when_following_it_failed(house: Any) -> None:
    real = house.runner.wait
    failures = [OSError("input/output error")]

    async def wait(key: str) -> Any:
        if failures:
            raise failures.pop()
        return await real(key)

    house.runner.wait = wait
    await house.release()
    await house.until(house.open_item, "the release is requested")
    hello = [text for _, text in house.live.log["1"] if "lint" in text and "hello" in text]
    assert len(hello) == 1, house.live.log["1"]


async def test_without_a_checkout_the_job_fails_with_what_git_said(
    house: Any, monkeypatch: Any
) -> None:
    async def checkout(commit: str) -> Any:
        raise ForgeError("not a git repository")

    monkeypatch.setattr(house.forge, "checkout", checkout)
    await house.release()
    assert await house.ended() == "failed"
    assert "not a git repository" in house.run.why


async def test_a_job_is_adopted_after_a_kill_and_not_started_again(house: Any) -> None:
    import asyncio

    house.runner.waits["lint"] = asyncio.Event()
    await house.release()
    await house.until(lambda: "run-1.checks.lint.1" in house.runner.started, "it runs")
    await house.again()
    house.runner.waits["lint"].set()
    await house.until(house.open_item, "the release is requested")
    assert house.runner.started.count("run-1.checks.lint.1") == 1
    assert len([e for e in house.of(ev.JobStarted) if e.job == "lint"]) == 1
