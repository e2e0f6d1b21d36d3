"""A real Alertmanager takes what a notice becomes: it fires, is one alert, and is over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.notify.webhook import WebhookNotifier

READY_S = 60.0


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.loads(answer.read() or b"null")


async def until(true: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            found = await asyncio.to_thread(true)
            if found:
                return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {READY_S:g} s: {what}")


@pytest.fixture
async def alertmanager(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a running one that tells nobody."""
    program = shutil.which("prometheus-alertmanager")
    assert program, "prometheus-alertmanager is missing: apt install prometheus-alertmanager"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.path={tmp_path / 'data'}",
                f"--web.listen-address={address}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        await until(lambda: asked(f"http://{address}/api/v2/status")["uptime"], "it is ready")
        yield f"http://{address}"
    finally:
        process.kill()
        process.wait(10)


async def test_an_alertmanager_has_one_alert_while_it_lasts_and_none_afterwards(
    alertmanager: str, notice: Any
) -> None:
    url = f"{alertmanager}/api/v2/alerts"
    notifier = WebhookNotifier("am", url, timeout_s=10, shape="alertmanager")
    began = time.time() - 5
    title = 'PAUSED by ana: "$(id)" [@click=x] é'
    given = {"title": title, "service": "shop", "since": began, "at": began}
    await notifier.deliver(notice(**given))
    await notifier.deliver(notice(**{**given, "at": began + 1}))
    (alert,) = await until(lambda: asked(url), "the alert is there")
    assert alert["status"]["state"] == "active"
    assert alert["annotations"]["summary"] == title
    assert alert["labels"]["service"] == "shop"
    await notifier.deliver(notice(**{**given, "state": "resolved", "at": began + 2}))
    await until(lambda: asked(url) == [], "the alert is over")
