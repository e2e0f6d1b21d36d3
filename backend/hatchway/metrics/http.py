"""One GET over a fresh connection: h11 for the protocol, asyncio streams for the bytes.

httpx would do, but importing it costs 0.6 s and 14 MB of a backend that wants to be on screen in
1.5 s; h11, which does its protocol work, costs 0.04 s and 1 MB.
"""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

import h11

_PIECE = 64 * 1024
ACCEPT = b"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4"


class GetFailed(Exception):
    """No usable answer. The text says what happened in a few words.

    `body` is what came with a status that is not 200, when that was wanted.
    """

    def __init__(self, what: str, body: bytes = b"") -> None:
        super().__init__(what)
        self.body = body


async def get(
    url: str, *, timeout_s: float, most: int, accept: bytes = ACCEPT, read_errors: bool = False
) -> tuple[str, bytes]:
    """The content type and body of a 200 answer. `GetFailed` with words for everything else.

    With `read_errors` the body of another status is read too, for `GetFailed.body`.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await _get(url, most, accept, read_errors)
    except TimeoutError:
        raise GetFailed(f"no whole answer within {timeout_s:g} s") from None
    except ConnectionRefusedError:
        raise GetFailed("connection refused") from None
    except ConnectionError:
        raise GetFailed("the answer broke off") from None
    except h11.RemoteProtocolError:
        raise GetFailed("not an HTTP answer") from None
    except ssl.SSLError as error:
        raise GetFailed(f"TLS: {error.reason or 'failed'}") from None
    except OSError as error:
        raise GetFailed(error.strerror or "cannot connect") from None
    except (ValueError, h11.LocalProtocolError):
        raise GetFailed("not an http address") from None


async def _get(url: str, most: int, accept: bytes, read_errors: bool) -> tuple[str, bytes]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    if parts.hostname is None or parts.scheme not in ("http", "https"):
        raise GetFailed("not an http address")
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(
        parts.hostname, port, ssl=ssl.create_default_context() if secure else None
    )
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = h11.Connection(h11.CLIENT)
        request = h11.Request(
            method="GET",
            target=target,
            headers=[
                (b"Host", parts.netloc.rpartition("@")[2].encode("ascii")),
                (b"Accept", accept),
                (b"Connection", b"close"),
            ],
        )
        writer.write(
            (connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b"")
        )
        return await _answer(connection, reader, most, read_errors)
    finally:
        # Nothing is owed to a peer that may be hanging: no waiting for a clean end.
        writer.transport.abort()


async def _answer(
    connection: h11.Connection, reader: asyncio.StreamReader, most: int, read_errors: bool
) -> tuple[str, bytes]:
    content_type, body, failed = "", bytearray(), ""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            if reader.at_eof():
                raise GetFailed("the answer broke off") from None
            raise
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_PIECE))
        elif isinstance(event, h11.Response):
            failed = "" if event.status_code == 200 else f"HTTP {event.status_code}"
            if failed and not read_errors:
                raise GetFailed(failed)
            found = [value for name, value in event.headers if name == b"content-type"]
            content_type = found[0].decode("latin-1").lower() if found else ""
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > most:
                raise GetFailed(f"more than {most // 1_000_000} MB")
        elif isinstance(event, h11.EndOfMessage):
            if failed:
                raise GetFailed(failed, bytes(body))
            return content_type, bytes(body)
        elif not isinstance(event, h11.InformationalResponse):
            raise GetFailed("the answer broke off")
