"""One question to a JSON-lines socket, from a shell that has just been opened.

The module `socket` takes 10 ms of processor time to import (it makes enums of its constants), more
than everything else that a stop does. Its C half does the same work; where an interpreter has no
such half, the module itself is used.
"""

from __future__ import annotations

import os
import time

from hatchway.cli.quick_json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import AF_UNIX, socket
    from typing import Any

    Doc = dict[str, Any]
else:
    try:
        from _socket import AF_UNIX, socket
    except ImportError:
        from socket import AF_UNIX, socket

LONGEST_ANSWER = 32 << 20


class Silent(Exception):
    """Nobody answered at a socket; the message says what happened."""


def ask(path: str, request: Doc, seconds: float) -> Doc:
    """One question, one answer, within `seconds` in all. Raises Silent.

    `request` holds texts, whole numbers and truth values only.
    """
    what = os.path.basename(path)
    link = socket(AF_UNIX)
    try:
        answer = loads(_exchange(link, path, dumps(request), time.monotonic() + seconds))
    except TimeoutError:
        raise Silent(f"{what} does not answer within {seconds:g} s") from None
    except FileNotFoundError:
        raise Silent(f"{path} is not there") from None
    except OSError as error:
        raise Silent(f"{what}: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        raise Silent(f"{what} answers what nobody understands") from None
    finally:
        link.close()
    if not isinstance(answer, dict):
        raise Silent(f"{what} answers what nobody understands")
    return answer


def _exchange(link: socket, path: str, line: str, until: float) -> str:
    link.settimeout(max(0.001, until - time.monotonic()))
    link.connect(path)
    link.sendall(line.encode() + b"\n")
    data = bytearray()
    while not data.endswith(b"\n"):
        link.settimeout(max(0.001, until - time.monotonic()))
        part = link.recv(65536)
        if not part:
            raise Silent(f"{os.path.basename(path)} hung up in the middle of its answer")
        data += part
        if len(data) > LONGEST_ANSWER or time.monotonic() > until:
            raise Silent(f"{os.path.basename(path)} does not come to an end")
    return data.decode()
