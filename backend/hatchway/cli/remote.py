"""The verbs on another machine's backend, over `wss://` with a token: --backend, --token-file, --ca.

A stop goes through that backend only: its governor cannot be reached from here. When it is silent,
stop at its host, or through ssh.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import time
from pathlib import Path
from typing import Any

import msgspec
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from hatchway.cli.accept import elsewhere
from hatchway.cli.ask import Silent
from hatchway.cli.emergency import OPS, as_json, refused, visible
from hatchway.edge import protocol

ANSWER_S = 10.0


def main(verb: str, argv: list[str]) -> int:
    """A stop, giving back, or status; 0 done, 1 refused or silent."""
    parser = argparse.ArgumentParser(prog=f"hatchway {verb}")
    if verb not in ("status", "stopall"):
        parser.add_argument("service", nargs="?", default="")
    parser.add_argument("--reason", default="")
    parser.add_argument("--agents", action="store_true", help="with resume: after stopall")
    parser.add_argument("--json", action="store_true")
    elsewhere(parser)
    options = parser.parse_args(argv)
    op = OPS.get(verb, "release" if verb == "resume" else verb)
    if options.agents and op == "release":
        op = "readmit"
    request = {"op": op, "id": os.urandom(8).hex(), "reason": options.reason}
    request["service"] = getattr(options, "service", "")
    try:
        answer = ask(options, request)
    except Silent as error:
        answer = silent(error)
    if options.json:
        as_json(answer)
    elif not answer.get("ok"):
        refused(verb, answer)
    elif verb == "status":
        from hatchway.cli.sentences import from_backend  # noqa: PLC0415

        for sentence in from_backend(answer, time.time()):
            print(visible(sentence.text))
    else:
        print(f"{visible(answer['said'])} #{answer['seq']}")
    return 0 if answer.get("ok") else 1


def silent(error: Exception) -> dict[str, Any]:
    """What is said when a backend elsewhere does not answer."""
    todo = "At its own host, or through ssh: the same without --backend."
    return {"ok": False, "why": f"The backend is silent: {error}.", "todo": todo}


def ask(options: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any]:
    """One request to the backend that --backend names, answered as its command socket would.

    A connection that breaks is made once more: the same id again is the same command. Raises Silent.
    """
    try:
        return _once(options, request)
    except _Broken:
        pass
    try:
        return _once(options, request)
    except _Broken as error:
        raise Silent(f"{options.backend}: {error}") from None


class _Broken(Exception):
    """The connection did not last; it may be worth another one."""


def _once(options: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any]:
    try:
        with connect(
            options.backend,
            ssl=_context(options),
            additional_headers={"Authorization": f"Bearer {_token(options)}"},
            proxy=None,
            open_timeout=ANSWER_S,
            close_timeout=1,
            max_size=16 << 20,
        ) as socket:
            return _exchange(socket, request)
    except InvalidStatus as error:
        said = (error.response.body or b"").decode("utf-8", "replace").strip()
        raise Silent(f"it lets nobody in: {said or error}") from None
    except ssl.SSLCertVerificationError as error:
        raise Silent(certificate_words(error)) from None
    except (OSError, WebSocketException, ValueError, msgspec.DecodeError) as error:
        raise _Broken(str(error) or type(error).__name__) from None


def _exchange(socket: Any, request: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + ANSWER_S
    socket.send(protocol.encode(protocol.Subscribe()).decode())
    you: dict[str, Any] = {}
    while True:
        message = protocol.decode_server(socket.recv(max(0.001, until - time.monotonic())))
        match message:
            case protocol.Hello():
                you = msgspec.to_builtins(message.you)
            case protocol.Snapshot() if request["op"] == "status":
                docs = {key: json.loads(bytes(raw)) for key, raw in message.docs.items()}
                return {"ok": True, "docs": docs, "you": you}
            case protocol.Snapshot():
                fields = {"kind" if k == "op" else k: v for k, v in request.items()}
                command = msgspec.convert(fields, protocol.Command)
                socket.send(protocol.encode(command).decode())
            case protocol.Ack(id=id_, seq=seq, said=said) if id_ == request.get("id"):
                return {"ok": True, "id": id_, "seq": seq, "said": said}
            case protocol.Refused(id=id_, code=code, why=why, todo=todo) if id_ == request.get(
                "id"
            ):
                return {"ok": False, "id": id_, "code": code, "why": why, "todo": todo}


def _context(options: argparse.Namespace) -> ssl.SSLContext | None:
    if not options.backend.startswith("wss://"):
        return None
    try:
        return ssl.create_default_context(cafile=options.ca)
    except OSError as error:
        raise Silent(f"--ca {options.ca} cannot be used: {error}") from None


def _token(options: argparse.Namespace) -> str:
    if not options.token_file:
        raise Silent("--backend needs --token-file: it has to know who you are")
    try:
        return Path(options.token_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Silent(f"the token cannot be read: {error}") from None


def certificate_words(error: ssl.SSLCertVerificationError) -> str:
    """Why a server's certificate is not believed, and what to do about it."""
    why = error.verify_message or str(error)
    if "mismatch" in why or "not valid for" in why:
        return f"its certificate is another one's ({why}): use the name that is in it"
    if "expired" in why:
        return "its certificate has ended: it has to be renewed there"
    return f"its certificate is not vouched for by anybody known here ({why}): name its --ca FILE"
