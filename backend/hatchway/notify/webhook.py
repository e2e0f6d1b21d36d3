"""POST to a web address: the notice as JSON, or in the shape that Alertmanager's v2 API takes."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import h11
import msgspec

from hatchway.notify.port import NotDelivered, Notice

Shape = Literal["json", "alertmanager"]

RENEWED_FOR_S = 4 * 3600.0
"""How long Alertmanager takes an alert for firing that nobody renews; its own default is 5 min."""


class WebhookNotifier:
    """Delivered is what was answered with a status from 200 to 299."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        timeout_s: float,
        shape: Shape = "json",
        token_file: Path | None = None,
    ) -> None:
        """The content of `token_file` goes along as a bearer token; it is read at each attempt."""
        self.name = name
        self._url = url
        self._timeout_s = timeout_s
        self._shape = shape
        self._token_file = token_file

    async def deliver(self, notice: Notice) -> None:
        """Raises NotDelivered."""
        shaped: Any = as_alerts(notice) if self._shape == "alertmanager" else notice
        body = msgspec.json.encode(shaped)
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await _post(self._url, body, _token(self._token_file))
        except TimeoutError:
            raise NotDelivered(f"no answer within {self._timeout_s:g} s") from None
        except ConnectionRefusedError:
            raise NotDelivered("connection refused") from None
        except ConnectionError:
            raise NotDelivered("the answer broke off") from None
        except (h11.RemoteProtocolError, h11.LocalProtocolError):
            raise NotDelivered("not an HTTP answer") from None
        except ssl.SSLError as error:
            raise NotDelivered(f"TLS: {error.reason or 'failed'}") from None
        except OSError as error:
            raise NotDelivered(error.strerror or "cannot connect") from None
        if not 200 <= status < 300:
            raise NotDelivered(f"HTTP {status}")


def as_alerts(notice: Notice) -> list[dict[str, Any]]:
    """What POST /api/v2/alerts takes. Labels tell alerts apart: they are the same at the end."""
    labels = {
        "alertname": "Hatchway_" + notice.kind,
        "severity": notice.severity,
        "key": notice.key,
        "service": notice.service,
        "run": notice.run,
        "environment": notice.environment,
        "installation": notice.installation,
    }
    over = notice.state == "resolved"
    return [
        {
            "labels": {name: value for name, value in labels.items() if value},
            "annotations": {"summary": notice.title, "description": notice.text},
            "startsAt": _rfc3339(notice.since or notice.at),
            "endsAt": _rfc3339(notice.at if over else notice.at + RENEWED_FOR_S),
        }
    ]


def _rfc3339(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _token(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & 0o077:
                raise NotDelivered(
                    f"{path.name} can be opened by others (mode {stat.S_IMODE(mode):04o}); "
                    f"run: chmod 600 {path.name}"
                )
            token = file.read(4096).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise NotDelivered(f"{path.name} cannot be read") from None
    if not token.isprintable() or " " in token or not token:
        raise NotDelivered(f"{path.name} holds no token")
    return token


async def _post(url: str, body: bytes, token: str) -> int:
    """The status of the answer; its body is not read."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname,
        parts.port or (443 if secure else 80),
        ssl=ssl.create_default_context() if secure else None,
    )
    try:
        headers = [
            (b"Host", parts.netloc.rpartition("@")[2].encode("ascii")),
            (b"Content-Type", b"application/json"),
            (b"Content-Length", str(len(body)).encode()),
            (b"User-Agent", b"hatchway"),
            (b"Connection", b"close"),
        ]
        if token:
            headers.append((b"Authorization", f"Bearer {token}".encode()))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = h11.Connection(h11.CLIENT)
        for event in (
            h11.Request(method="POST", target=target, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            writer.write(connection.send(event) or b"")
        await writer.drain()
        while True:
            answer = connection.next_event()
            if isinstance(answer, h11.Response):
                return answer.status_code
            if answer is h11.NEED_DATA:
                connection.receive_data(await reader.read(64 * 1024))
            elif not isinstance(answer, h11.InformationalResponse):
                raise NotDelivered("the answer broke off")
    finally:
        writer.transport.abort()  # nothing is owed to a peer that may be hanging
