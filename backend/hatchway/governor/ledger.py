"""The durable states of all services, and the outbox of spool lines, over the store.

Order of a change: state file (with the line in its outbox), then the spool. Whichever of the two
is newer after a crash, or after a restored backup, `open_ledger` brings them together again.
"""

from __future__ import annotations

import time

from hatchway.governor.authority import (
    REMEMBERED,
    Authority,
    Key,
    Spool,
    Stop,
    Stopped,
    decide,
)
from hatchway.governor.store import BrokenState, Store
from hatchway.governor.value import as_doc, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Doc = dict[str, Any]

FORMAT = 1
RETRY_S = 0.5


class Ledger:
    """States by service. `trouble` is what the disk said, in words, empty when it writes."""

    def __init__(self, store: Store) -> None:
        self.states: dict[str, Authority] = {}
        self.trouble = ""
        self._store = store
        self._dirty = False
        self._broken = ""
        self._outbox: list[Doc] = []
        doc: Doc = {}
        try:
            doc = store.load() or {}
        except BrokenState as error:
            self._broken = str(error)
        self.states = self._states(doc)
        self._outbox = [e for e in doc.get("outbox", []) if e["seq"] > store.last_seq]
        last = self._outbox[-1]["seq"] if self._outbox else 0
        known = int(doc.get("spool_seq", 0))
        self.next_seq = 1 + max(known, store.last_seq, last)
        for entry in store.entries(known):
            self._catch_up(entry)
        self._dirty = bool(self._outbox or store.last_seq > known)
        self._tried_at = 0.0
        self.retry()

    def adopt(self, name: str, agent_may_write: bool) -> None:
        """A service of the configuration: its saved state, or a new one."""
        state = self.states.get(name)
        if state is None:
            state = self._new(name)
        if state.ceiling == "none" and state.mode != "person":
            # While this process was dead the target may have got more than is desired.
            state = replace(state, ceiling="apply")
        self.states[name] = replace(state, agent_may_write=agent_may_write)
        if self._broken:
            # Who was in control is not known for sure: hold, as if somebody had stopped it.
            stop = Stop("pause", f"state-lost-{self.next_seq}", "governor", reason=self._broken)
            new, _, effects = decide(self.states[name], stop, time.time(), self.next_seq)
            self.commit(new, [e.entry for e in effects if isinstance(e, Spool)])

    def _new(self, name: str) -> Authority:
        """A service that was never seen. STOP ALL is for it too."""
        state = Authority(name, since=time.time())
        barred = next((s.barred for s in self.states.values() if s.barred is not None), None)
        if barred is None:
            return state
        paused = replace(state, mode="paused", holder=barred["by"], reason=barred["reason"])
        return replace(paused, barred=barred)

    def commit(self, new: Authority, lines: list[Doc]) -> str:
        """Keep a new state and its spool lines. Returns "" when durable, else why not."""
        return self.commit_all((new,), lines)

    def commit_all(self, new: tuple[Authority, ...], lines: list[Doc]) -> str:
        """Keep several new states and their spool lines as one change, as `commit` does."""
        self.states.update((state.service, state) for state in new)
        self._outbox.extend(lines)
        self.next_seq += len(lines)
        self._dirty = True
        self._tried_at = 0.0
        self.retry()
        return self.trouble if self._dirty else ""

    def unsaved(self) -> str:
        """Why the newest states are not durable, empty when they are."""
        return self.trouble if self._dirty else ""

    def retry(self) -> None:
        """Write what is not written yet; a disk that refused is asked again every RETRY_S."""
        if not (self._dirty or self._outbox) or time.monotonic() - self._tried_at < RETRY_S:
            return
        self._tried_at = time.monotonic()
        try:
            if self._dirty:
                self._store.save(self._doc())
                self._dirty = False
            while self._outbox:
                self._store.append(self._outbox[0])
                del self._outbox[0]
            self.trouble = ""
        except OSError as error:
            self.trouble = (error.strerror or str(error)).lower()

    def durable_spool(self, service: str) -> int:
        """Lines of a service up to this number can be read. A stop may be ahead of its line, while
        the disk refuses: whoever took the stop's number for a line read would never read it.
        """
        return min(self.states[service].spool, self._store.last_seq)

    def spooled(self, service: str, after: int, at_most_bytes: int) -> Doc:
        """The answer to the op `spool`: durable lines only, of one service or (empty) of all."""
        if after >= self._store.last_seq:
            return {"ok": True, "entries": [], "more": False}
        try:
            entries = self._store.entries(after, service, at_most_bytes)
        except OSError as error:
            why = f"The spool cannot be read: {error.strerror}."
            return {"ok": False, "code": "disk", "why": why, "todo": "Look at the governor's disk."}
        last = self._store.last_seq
        if service and service in self.states:
            last = min(last, self.states[service].spool)
        more = bool(entries) and entries[-1]["seq"] < last
        return {"ok": True, "entries": entries, "more": more}

    def _states(self, doc: Doc) -> dict[str, Authority]:
        try:
            return {name: _authority(name, d) for name, d in doc.get("services", {}).items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._broken = f"the governor's state file makes no sense: {error!r}"
            doc.clear()
            return {}

    def _catch_up(self, entry: Doc) -> None:
        """The spool is ahead of the state (an older copy was put back): the spool rules."""
        name = str(entry.get("service", ""))
        state = self.states.get(name, Authority(name))
        if not name or int(entry.get("epoch", 0)) <= state.epoch:
            return
        rolled_back = entry.get("op") == "rollback"
        barred = {key: entry.get(key, "") for key in ("by", "at", "reason")}
        self.states[name] = replace(
            state,
            stops=(*state.stops, _answered(entry))[-REMEMBERED:],
            epoch=int(entry["epoch"]),
            spool=int(entry["seq"]),
            mode=entry["mode"],
            holder=entry["holder"],
            since=entry["at"],
            reason=entry["reason"],
            desired=entry["desired"].get("canary", state.desired),
            ceiling="latched" if rolled_back else state.ceiling,
            barred=(state.barred or barred) if entry.get("barred") else None,
        )

    def _doc(self) -> Doc:
        return {
            "format": FORMAT,
            "spool_seq": self.next_seq - 1,
            "outbox": self._outbox,
            "services": {name: _saved(state) for name, state in self.states.items()},
        }


def _answered(entry: Doc) -> Stopped:
    """The stop of a spool line: the same id again must not be carried out again."""
    told = ("seq", "id", "op", "at", "epoch", "mode", "holder", "desired")
    said = f"{entry['op']} by {entry['by']} was carried out. Epoch {entry['epoch']}."
    answer = {"ok": True, **{key: entry[key] for key in told}, "said": said, "replayed": False}
    return Stopped(entry["op"], entry["id"], answer)


def _saved(state: Authority) -> Doc:
    doc = as_doc(state)
    del doc["agent_may_write"], doc["service"]
    doc["keys"] = [[k.key, k.canary, k.observed] for k in state.keys]
    doc["stops"] = [[s.op, s.id, s.answer] for s in state.stops]
    return doc


def _authority(name: str, doc: Doc) -> Authority:
    known = set(Authority._fields) - {"service", "agent_may_write"}
    doc = {key: value for key, value in doc.items() if key in known}
    doc["keys"] = tuple(Key(*key) for key in doc.get("keys", ()))
    doc["stops"] = tuple(Stopped(*stop) for stop in doc.get("stops", ()))
    return Authority(name, **doc)
