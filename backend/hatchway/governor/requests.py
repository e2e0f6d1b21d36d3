"""From a line on the socket to a typed request; what cannot be understood is refused with a reason.

Stops are lenient: a missing id, a missing name or an overlong reason never stands in their way.
"""

from __future__ import annotations

import os
import pwd
import threading

from hatchway.governor.authority import Apply, Arm, Lease, Stop, refuse
from hatchway.governor.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Doc = dict[str, Any]

LONGEST_NAME = 100
LONGEST_KEY = 200
LONGEST_REASON = 500
LARGEST_CAPSULE = 8_000
MOST_LEVELS = 4

STOPS = ("pause", "takeover", "rollback", "stop_all")
OF_ALL = ("stop_all", "readmit")
"""Of every service, whichever is named."""


class Peer(Value):
    """Who is at the other end, as the kernel says."""

    pid: int
    uid: int

    @property
    def trusted(self) -> bool:
        """The governor's own account, or root: it may speak for others and may add risk."""
        return self.uid in (0, os.geteuid())

    @property
    def login(self) -> str:
        """The account's name; its number where the account database does not answer in time."""
        return _logins.get(self.uid) or _looked_up(self.uid) or f"uid {self.uid}"


LOOKUP_S = 0.2
"""The account database may be on a network that is down, and nobody's stop waits for it longer."""

_logins: dict[int, str] = {}
_asked: dict[int, threading.Thread] = {}


def _looked_up(uid: int) -> str:
    """The name of an account, empty while it is not known. Who is asked about is waited for once."""

    def look() -> None:
        try:
            _logins[uid] = pwd.getpwuid(uid).pw_name
        except (KeyError, OSError):
            _asked.pop(uid, None)  # it may be made later

    if uid not in _asked:
        _asked[uid] = threading.Thread(target=look, name=f"account {uid}", daemon=True)
        thread = _asked[uid]
        thread.start()
        thread.join(LOOKUP_S)
    return _logins.get(uid, "")


class Status(Value):
    """How things are."""


class Entries(Value):
    """Spool lines after this number."""

    after: int


class BadRequest(Exception):
    """The line is refused; `answer` is what the client gets."""

    def __init__(self, why: str, todo: str, code: str = "bad_request") -> None:
        super().__init__(why)
        self.answer = refuse(code, why, todo)


Asked = Status | Entries | Stop | Apply | Arm | Lease


def read(doc: Any, peer: Peer, services: tuple[str, ...]) -> tuple[str, Asked]:
    """The service (empty: all of them) and the request. Raises BadRequest."""
    if not isinstance(doc, dict):
        raise BadRequest("A request is one JSON object a line.", 'Write {"op": "status"}.')
    op = doc.get("op")
    if op == "spool":
        name = _service(doc, services) if doc.get("service") else ""
        return name, Entries(_integer(doc, "after", 0, 1 << 62))
    if op == "status":
        return _one_or_all(doc, services), Status()
    if op in STOPS:
        return "" if op in OF_ALL else _service(doc, services), _stop(doc, peer)
    if op not in ("lease", "arm", "apply", "release", "readmit"):
        known = "status, lease, arm, apply, pause, takeover, rollback, stop_all, release, readmit, spool"
        raise BadRequest(f"There is no op {_short(op)}.", f"Known: {known}.")
    if not peer.trusted:
        why = f"{peer.login} may stop, but not {op}."
        raise BadRequest(why, "Ask the backend; rights are checked there.", "not_allowed")
    if op == "lease":  # whoever renews it says that the backend lives
        return _one_or_all(doc, services), Lease()
    if op == "readmit":
        return "", _stop(doc, peer)
    name = _service(doc, services)
    if op == "release":
        return name, _stop(doc, peer)
    return name, _arm(doc) if op == "arm" else _apply(doc)


def _one_or_all(doc: Doc, services: tuple[str, ...]) -> str:
    return _service(doc, services) if doc.get("service") or len(services) == 1 else ""


def _service(doc: Doc, services: tuple[str, ...]) -> str:
    name = doc.get("service") or (services[0] if len(services) == 1 else "")
    if name not in services:
        what = f"There is no service {_short(name)}." if name else "Which service is not said."
        raise BadRequest(what, f"Known: {', '.join(services)}.")
    return str(name)


def _stop(doc: Doc, peer: Peer) -> Stop:
    by = _text(doc, "by", LONGEST_NAME)
    claimed = ""
    if not peer.trusted and by != peer.login:
        by, claimed = "", by
    return Stop(
        op=doc["op"],
        id=_text(doc, "id", LONGEST_KEY) or os.urandom(8).hex(),
        by=by or peer.login,
        uid=peer.uid,
        reason=_text(doc, "reason", LONGEST_REASON),
        direct=doc.get("direct") is True,
        tty=_text(doc, "tty", LONGEST_NAME),
        claimed=claimed,
    )


def _arm(doc: Doc) -> Arm:
    capsule = doc.get("capsule")
    if not isinstance(capsule, dict):
        raise BadRequest("A capsule is an object.", 'Write {"capsule": {"run": ..., ...}}.')
    if not _flat(capsule):
        raise BadRequest("The capsule is nested too deeply.", "It needs one level below the top.")
    way_back = capsule.get("rollback")
    if not isinstance(way_back, dict) or way_back.get("canary") != 0:
        raise BadRequest(
            "The capsule does not say the way back.", 'It must hold "rollback": {"canary": 0}.'
        )
    if len(repr(capsule)) > LARGEST_CAPSULE:
        raise BadRequest(f"The capsule is above {LARGEST_CAPSULE} bytes.", "Make it smaller.")
    return Arm(capsule)


def _apply(doc: Doc) -> Apply:
    key = doc.get("key")
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY:
        raise BadRequest(
            f"key must be a text of 1 to {LONGEST_KEY} characters.", "Name the step with it."
        )
    by = doc.get("by")
    if not isinstance(by, dict) or by.get("kind") not in ("agent", "person", "system"):
        raise BadRequest(
            "Who applies is not said.", 'Write "by": {"kind": "agent|person|system", "name": ...}.'
        )
    return Apply(
        epoch=_integer(doc, "epoch", 0, 1 << 62),
        key=key,
        canary=_integer(doc, "canary", 0, 100),
        kind=by["kind"],
        name=_text(by, "name", LONGEST_NAME),
    )


def _flat(capsule: Doc) -> bool:
    """Whether it has no more than MOST_LEVELS: what cannot be written would end the governor."""
    level: list[Any] = [capsule]
    for _ in range(MOST_LEVELS):
        inside = [
            v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)
        ]
        level = [value for each in inside for value in each]
    return not any(isinstance(value, dict | list) for value in level)


def _integer(doc: Doc, key: str, least: int, most: int) -> int:
    value = doc.get(key)
    if type(value) is not int or not least <= value <= most:
        raise BadRequest(f"{key} must be a whole number from {least} to {most}.", "Correct it.")
    return value


def _text(doc: Doc, key: str, longest: int) -> str:
    value = doc.get(key, "")
    text = value if isinstance(value, str) else ""
    # A lone surrogate is legal in JSON and cannot be written to a file.
    return text[:longest].encode("utf-8", "replace").decode()


def _short(value: object) -> str:
    return ascii(value)[:60]
