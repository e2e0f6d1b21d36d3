"""What every notifier promises: it tells, or says in words and in time why it did not."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from hatchway.notify.port import NotDelivered
from hatchway.notify.webhook import WebhookNotifier, as_alerts

HOSTILE = (
    '$(rm -rf /); `id`; \'"; [@click=app.quit] {"a": 1}\n-- DROP TABLE; ../../etc/passwd é\u202e'
)


async def test_a_notice_arrives_as_it_was_given(end: Any, notice: Any) -> None:
    await end.notifier.deliver(notice(title=HOSTILE, service="shop", run="4"))
    (got,) = end.received()
    assert (got["title"], got["service"], got["run"]) == (HOSTILE, "shop", "4")


BAD = {
    "fails": r"HTTP 500|ended with 3: pager is out of paper",
    "hangs": r"no answer within 1 s|did not end within 1 s: killed",
    "garbage": r"not an HTTP answer|was ended by signal 9",
}


@pytest.mark.parametrize("how", BAD)
async def test_what_does_not_arrive_is_said_in_words_and_in_time(
    end: Any, notice: Any, how: str
) -> None:
    end.behave(how)
    began = time.monotonic()
    with pytest.raises(NotDelivered, match=BAD[how]) as caught:
        await end.notifier.deliver(notice())
    assert time.monotonic() - began < 15  # its own time-out is 1 s; the machine may be busy
    assert str(caught.value).isprintable()
    assert end.received() == []
    end.behave("well")
    await end.notifier.deliver(notice())
    assert len(end.received()) == 1, "the next one does"


async def test_one_that_talks_much_is_not_listened_to(end: Any, notice: Any) -> None:
    end.behave("chatters")
    await end.notifier.deliver(notice())
    assert len(end.received()) == 1


async def test_many_at_once_do_not_mix(end: Any, notice: Any) -> None:
    titles = [f"number {n}" for n in range(8)]
    async with asyncio.TaskGroup() as group:
        for title in titles:
            group.create_task(end.notifier.deliver(notice(title=title)))
    assert sorted(got["title"] for got in end.received()) == titles


async def test_being_cancelled_leaves_nothing_behind(end: Any, notice: Any, until: Any) -> None:
    end.behave("hangs")
    before = len(os.listdir("/proc/self/fd"))
    task = asyncio.create_task(end.notifier.deliver(notice()))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await end.close()
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before)


# --- commands -----------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("end", ["command"], indirect=True)
@pytest.mark.parametrize("how", ["hangs", "leaves"])
async def test_nothing_of_a_command_goes_on_afterwards(
    end: Any, notice: Any, how: str, until: Any
) -> None:
    end.behave(how)
    try:
        await end.notifier.deliver(notice())
    except NotDelivered:
        assert how == "hangs"
    child = int((end.d / "child").read_text())
    await until(lambda: not alive(child))  # it is killed, and takes a moment to be gone


@pytest.mark.parametrize("end", ["command"], indirect=True)
async def test_a_command_that_does_not_read_is_not_waited_for(end: Any, notice: Any) -> None:
    end.behave("deaf")
    await end.notifier.deliver(notice(text="x" * 2_000_000))


@pytest.mark.parametrize("end", ["command"], indirect=True)
async def test_a_command_that_is_not_there_is_said(end: Any, notice: Any) -> None:
    end.notifier._argv = ("./none",)
    with pytest.raises(NotDelivered, match=r"\./none cannot be started: No such file"):
        await end.notifier.deliver(notice())


# --- webhooks -----------------------------------------------------------------------------------


async def test_nobody_there_is_said(web: Any, notice: Any) -> None:
    await web.close()
    with pytest.raises(NotDelivered, match="connection refused"):
        await web.notifier.deliver(notice())


async def test_a_redirection_is_not_followed(web: Any, notice: Any) -> None:
    web.behave("redirects")
    with pytest.raises(NotDelivered, match="HTTP 302"):
        await web.notifier.deliver(notice())


async def test_a_token_goes_along_and_only_from_a_private_file(
    web: Any, notice: Any, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    notifier = WebhookNotifier("hook", web.url, timeout_s=5, token_file=token)
    token.chmod(0o644)
    with pytest.raises(NotDelivered, match="chmod 600"):
        await notifier.deliver(notice())
    token.chmod(0o600)
    await notifier.deliver(notice())
    assert "authorization: bearer s3cret" in web.heads[0].lower()
    token.write_text("two words\r\nX: y")
    with pytest.raises(NotDelivered, match="holds no token"):
        await notifier.deliver(notice())


def test_the_alert_is_the_same_one_at_its_end(notice: Any) -> None:
    begun = as_alerts(notice(id="1", key="held/4", at=1000.0, since=1000.0, run="4"))[0]
    ended = as_alerts(
        notice(id="2", key="held/4", at=1060.0, since=1000.0, run="4", state="resolved")
    )[0]
    assert begun["labels"] == ended["labels"]
    assert begun["startsAt"] == ended["startsAt"] == "1970-01-01T00:16:40.000Z"
    assert ended["endsAt"] == "1970-01-01T00:17:40.000Z"
    assert begun["endsAt"] > ended["endsAt"]
    assert begun["labels"]["alertname"] == "Hatchway_held"
