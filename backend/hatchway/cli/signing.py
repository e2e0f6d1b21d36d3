"""A yes signed with an SSH key: asks the backend for the text, has OpenSSH sign it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hatchway.cli.emergency import visible


class NotSigned(Exception):
    """Why nothing was signed; `todo` says what to do."""

    def __init__(self, why: str, todo: str = "") -> None:
        super().__init__(why)
        self.todo = todo


def signed(
    send: Callable[[dict[str, Any]], dict[str, Any]],
    request: dict[str, Any],
    key: str | None,
    *,
    agent: bool,
) -> dict[str, Any]:
    """What a yes is sent with: the backend's text, and its signature. Raises NotSigned, Silent.

    `key` is a private key, or a public one whose private half ssh-agent has; with `agent` and no
    key, the first that the agent names.
    """
    asked = {k: request[k] for k in ("item", "max_weight", "not_before")}
    answer = send({"op": "challenge", "id": os.urandom(8).hex(), **asked})
    if not answer.get("ok"):
        raise NotSigned(str(answer.get("why", "refused")), str(answer.get("todo", "")))
    text = str(answer["said"])
    for line in text.splitlines():
        print(f"you sign | {visible(line)}", file=sys.stderr)
    # Imported here: most answers are not signed.
    from hatchway.journal.ssh_signature import (  # noqa: PLC0415
        APPROVAL,
        SignatureError,
        sign_text,
    )

    with tempfile.TemporaryDirectory() as place:
        path = Path(key).expanduser() if key else _of_agent(Path(place))
        try:
            armored = sign_text(text.encode(), path, APPROVAL)
        except SignatureError as error:
            raise NotSigned(
                str(error), "--sign KEY, or --agent with the key in ssh-agent"
            ) from None
    return {"signed": text, "signature": armored}


def _of_agent(place: Path) -> Path:
    """A file with the first public key that ssh-agent has."""
    try:
        listed = subprocess.run(["ssh-add", "-L"], capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotSigned(f"ssh-agent cannot be asked: {error}", "--sign KEY") from None
    keys = listed.stdout.decode("utf-8", "replace").splitlines()
    if listed.returncode != 0 or not keys:
        said = listed.stderr.decode("utf-8", "replace").strip() or "it has no key"
        raise NotSigned(f"ssh-agent gives no key: {said}", "ssh-add KEY, or --sign KEY")
    path = place / "key.pub"
    path.write_text(f"{keys[0]}\n")
    return path


def moment(text: str) -> float:
    """A time as people write it, in seconds since 1970: 22:00Z (the next one), or ISO 8601."""
    now = datetime.now(UTC)
    try:
        if len(text) <= len("22:00Z"):
            hour, _, minute = text.removesuffix("Z").partition(":")
            then = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
            return (then if then > now else then + timedelta(days=1)).timestamp()
        then = datetime.fromisoformat(text)
        if then.tzinfo is None:
            raise ValueError(text)
    except ValueError:
        what = "write 22:00Z (UTC), or 2031-12-31T22:00+01:00"
        raise argparse.ArgumentTypeError(what) from None
    if then.timestamp() <= time.time():
        raise argparse.ArgumentTypeError(f"{text} is over")
    return then.timestamp()
