"""The installation that a drill is run on, as it is seen from outside: sockets, files, verbs."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from hatchway.cli.ask import Silent, ask

Doc = dict[str, Any]

ANSWER_S = 5.0
WELL_AGAIN_S = 60.0
"""How long an installation may take to be well again after a fault was lifted."""
VERB_S = 60.0


class CannotGoOn(Exception):
    """The drill stops here; the message says why, and what to do."""


class Site(NamedTuple):
    """One service of an installation. `facts` is a demo's control socket, or None."""

    directory: Path
    service: str
    facts: Path | None = None

    # --- looking ----------------------------------------------------------------------------------

    def status(self) -> Doc:
        """The governor's status of the service. Raises CannotGoOn."""
        answer = self.ask("governor.sock", {"op": "status", "service": self.service})
        status = answer.get("status")
        if not isinstance(status, dict):
            raise CannotGoOn(f"the governor says: {answer.get('why', 'nothing')}")
        return status

    def docs(self) -> Doc:
        """The backend's documents. Raises CannotGoOn."""
        answer = self.ask("command.sock", {"op": "status"})
        if not answer.get("ok"):
            raise CannotGoOn(f"the backend says: {answer.get('why', 'nothing')}")
        return {**answer["docs"], "you": answer.get("you", {})}

    def versions(self) -> Doc:
        """What runs where, as far as it can be known: the capsule, and a demo's own account."""
        known: Doc = {"capsule": self.status().get("capsule")}
        if self.facts is not None:
            arms = self.ask(self.facts.name, {"op": "status"})["arms"]
            known["arms"] = {name: arm.get("commit") for name, arm in arms.items()}
        return known

    def since(self, spool: int) -> list[Doc]:
        """The governor's spool after a line."""
        request = {"op": "spool", "service": self.service, "after": spool}
        return list(self.ask("governor.sock", request).get("entries") or [])

    def unwell(self) -> str:
        """What keeps backend and governor from being of one mind, in words; empty when nothing."""
        try:
            docs, status = self.docs(), self.status()
        except CannotGoOn as error:
            return str(error)
        doc, system = docs.get(f"authority/{self.service}", {}), docs.get("system", {})
        if (doc.get("mode"), doc.get("epoch")) != (status["mode"], status["epoch"]):
            return "the backend does not know yet what the governor did"
        for key in ("journal_trouble", "governor_trouble"):
            if system.get(key):
                return str(system[key])
        return str(status.get("target_trouble") or status.get("disk_trouble") or "")

    def told(self, reason: str) -> int:
        """How many lines of the backend's audit tail have this reason."""
        lines = self.docs().get("audit/tail", {}).get("lines", [])
        return sum(reason in str(line.get("text")) for line in lines)

    def backend_pid(self) -> int:
        """The process that listens at the backend's socket, as the kernel says. CannotGoOn."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(ANSWER_S)
            try:
                link.connect(os.fspath(self.directory / "command.sock"))
                found = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            except OSError as error:
                raise CannotGoOn(f"the backend cannot be reached: {error}") from None
        pid: int = struct.unpack("3i", found)[0]
        return pid

    # --- doing ------------------------------------------------------------------------------------

    def type(self, *words: str) -> subprocess.Popen[str]:
        """`hatchway WORDS ... --json` on this installation, as a person types it."""
        return subprocess.Popen(
            [sys.executable, "-m", "hatchway", *words, "--json", "--dir", str(self.directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def with_the_agent(self) -> None:
        """Raises CannotGoOn when somebody has stopped it: a drill is no reason to go on."""
        status = self.status()
        if status["mode"] != "agent":
            raise CannotGoOn(f"{self.service} is {_in_hand(status)}, and that was not this drill")

    def give_back(self, reason: str, stopped: str) -> None:
        """Give control back to the agent, through the backend. Raises CannotGoOn.

        Only what the drill's own stop, with the reason `stopped`, took: who stops in the middle of
        a drill means it.
        """
        status = self.status()
        if status["mode"] == "agent":
            return
        if status["reason"] != stopped:
            raise CannotGoOn(
                f"{self.service} is {_in_hand(status)}, who stopped it during the drill: it is"
                " theirs to give back"
            )
        process = self.type("resume", self.service, "--reason", reason)
        said, error = process.communicate(timeout=VERB_S)
        if process.returncode != 0:
            raise CannotGoOn(f"control could not be given back: {why_of(said, error)}")
        self.until(lambda: not self.unwell(), "control was given back, and is not known to be")

    def give_share(self, percent: int, key: str, by: str) -> None:
        """Give the canary at least this share, as a person's own change. Raises CannotGoOn."""
        status = self.status()
        if (status["observed"] or {}).get("canary", 0) >= percent:
            return
        request = {
            **{"op": "apply", "service": self.service, "epoch": status["epoch"], "key": key},
            **{"canary": percent, "by": {"kind": "person", "name": by}},
        }
        answer = self.ask("governor.sock", request)
        if not answer.get("ok"):
            raise CannotGoOn(f"the canary cannot be given {percent} %: {answer.get('why')}")

    def until(self, true: Callable[[], Any], what: str, seconds: float = WELL_AGAIN_S) -> None:
        """Wait until it is true. Raises CannotGoOn with `what`, and what is not well."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise CannotGoOn(
                    f"{what} within {seconds:g} s: {self.unwell() or 'no reason known'}"
                )
            time.sleep(0.05)

    def record(self, evidence: str) -> Doc:
        """Put evidence into the journal, through the backend: the same, once. Raises CannotGoOn."""
        id = f"drill-{sha256(evidence.encode('utf-8', 'replace')).hexdigest()[:32]}"
        return self.ask("command.sock", {"op": "drill", "id": id, "evidence": evidence})

    def ask(self, name: str, request: Doc) -> Doc:
        """One question to one of the sockets, and its answer. Raises CannotGoOn."""
        flat = {k: v for k, v in request.items() if not isinstance(v, dict)}
        try:
            if flat == request:
                return ask(os.fspath(self.directory / name), request, ANSWER_S)
            return _ask_deep(self.directory / name, request)
        except (Silent, OSError, ValueError) as error:
            raise CannotGoOn(str(error)) from None


def _in_hand(status: Doc) -> str:
    word = "paused" if status["mode"] == "paused" else "taken over"
    return f"{word} by {status['holder']} ({status['reason'] or 'no reason was given'})"


def _ask_deep(path: Path, request: Doc) -> Doc:
    """As `ask`, for a request that holds objects."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(ANSWER_S)
        link.connect(os.fspath(path))
        link.sendall(json.dumps(request).encode() + b"\n")
        answer: Doc = json.loads(link.makefile("rb").readline())
        return answer


def why_of(said: str, error: str) -> str:
    """Why a verb was not done, from what it printed."""
    try:
        return str(json.loads(said).get("why") or json.loads(said).get("left"))
    except (ValueError, AttributeError):
        return error.strip() or said.strip() or "it said nothing"
