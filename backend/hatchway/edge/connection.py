"""A websocket that cannot hold the event loop, whatever its other end sends.

The websockets library answers control frames as fast as they are read, in bulk. Measured: pings of
6 bytes sent without end held the loop for 1 s at a time, and so everybody's pause. A dashboard has
little to say, so what each connection says is read in small pieces and counted in bytes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from hatchway.edge.identity import Identity
from hatchway.edge.limits import Bucket

READ_MAX = 4096
"""Bytes read at a time: about 20 ms of the loop if they are the smallest of frames."""

SAID_BURST = 256 * 1024
SAID_RATE = 16 * 1024.0
"""Bytes a client may send at once, and in a second in the long run."""

STRANGER_BURST = 16 * 1024
"""Bytes that somebody who is not known yet may send at once: a request and a token.

Over TLS what was sent is read in bulk, however small READ_MAX is, and anybody may connect.
"""

LINGER_S = 1.0
"""How long a client that was cut off has to read why, in seconds."""

POLICY_VIOLATION = 1008


class Connection(ServerConnection):
    """A websocket, and who is at its other end if that is known already."""

    who: Identity | None = None
    flooded = False
    """Whether it was cut off for sending more than any dashboard has to say."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._said = Bucket(SAID_BURST, SAID_RATE)
        self._said_by_stranger = Bucket(STRANGER_BURST, SAID_RATE)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio when the connection is there."""
        # A plain attribute of asyncio's selector transports (256 KiB there).
        transport.max_size = READ_MAX  # type: ignore[attr-defined]
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio for each piece that was read."""
        said = self._said if self.who is not None else self._said_by_stranger
        if said.take(self.loop.time(), len(data)):
            super().data_received(data)
        elif not self.flooded:
            self.flooded = True
            self.transport.pause_reading()
            if self.protocol.state is State.OPEN:
                self.protocol.fail(POLICY_VIOLATION, "you send more than a dashboard has to say")
                self.send_data()
            self.loop.call_later(LINGER_S, self.transport.abort)

    def send_data(self) -> None:
        """Write what is to be sent, unless nobody is there any more.

        Otherwise asyncio would log a warning for each of the frames that answer a flood.
        """
        if not self.transport.is_closing():
            super().send_data()
