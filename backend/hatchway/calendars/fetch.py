"""A calendar fetched from https (or from this machine) into a file, whole or not at all.

The file keeps the last good copy; its time of change is when it was fetched, so its age is known.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hatchway.calendars.expand import MOST_BYTES

TIMEOUT_S = 10.0  # for each read, and for all of it


class NotFetched(Exception):
    """Why there is no new copy, in words."""


class _NoRedirects(HTTPRedirectHandler):
    """An address is what was written, not what its server says."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetch(url: str, path: Path, seconds: float = TIMEOUT_S) -> None:
    """Fetch `url` into `path` within `seconds`. Raises NotFetched; then the old file stays."""
    end = time.monotonic() + seconds
    opener = build_opener(_NoRedirects)
    try:
        request = Request(url, headers={"Accept": "text/calendar", "User-Agent": "hatchway"})  # noqa: S310 - settings allow https and loopback only
        with opener.open(request, timeout=seconds) as answer:
            data = bytearray()
            while part := answer.read1(65_536):
                data += part
                if len(data) > MOST_BYTES:
                    raise NotFetched(f"it is larger than {MOST_BYTES:,} bytes")
                if time.monotonic() > end:
                    raise NotFetched(f"it takes longer than {seconds:g} s")
            length = answer.headers.get("Content-Length")
            if length is not None and length != str(len(data)):
                raise NotFetched(f"{len(data)} of {length} bytes came")
    except HTTPError as error:
        raise NotFetched(f"the server answered {error.code}") from None
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NotFetched(f"{reason}") from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".part")
        new.write_bytes(data)
        os.replace(new, path)
    except OSError as error:
        raise NotFetched(f"it cannot be kept: {error.strerror or error}") from None
