"""The documents that dashboards mirror, and what a client has missed.

Pure: no clock, no sockets, no asyncio. Every change of a document takes the next revision. A client
is nothing but a number here, the last revision it has, so what it is owed is always "the latest
text of every document that changed since": a slow client is conflated by construction and a
returning one is served exactly like a slow one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from hatchway.edge import protocol

NEW = -1
"""The cursor of a client that has nothing yet."""

GONE_KEPT = 1024
"""How many removals are remembered; a client that missed an older one gets a snapshot."""

Listener = Callable[[bool], None]
"""Called after a change; the argument says whether it is urgent."""


def is_urgent(key: str) -> bool:
    """Whether a change of this document wakes clients at once: control, and what needs people."""
    return key == "needs-you" or key.startswith("authority/")


class Hub:
    """Keyed documents with a revision each.

    Not for use from several threads: publish on the event loop that serves the clients.
    """

    def __init__(self, boot: str, gone_kept: int = GONE_KEPT) -> None:
        """`boot` names this run of the backend; a client of another boot starts afresh."""
        self.boot = boot
        self.rev = 0
        self.urgent_rev = 0  # the newest revision that should not wait
        self._gone_kept = gone_kept
        # Both are ordered by revision, oldest first: a change moves its key to the end, so that
        # what is newer than a cursor is a walk from the end.
        self._docs: dict[str, tuple[int, bytes]] = {}
        self._gone: dict[str, int] = {}
        self._floor = 0  # removals up to this revision may be forgotten
        self._listeners: set[Listener] = set()
        self._ready: dict[int, tuple[bytes, ...]] = {}  # answers at `rev`, by cursor

    # --- what the backend does ------------------------------------------------------------------

    def publish(self, key: str, doc: Any) -> bool:
        """Set a document to the JSON of `doc`; False when its text is what it was already."""
        text = encode(doc)
        known = self._docs.get(key)
        if known is not None:
            if known[1] == text:
                return False
            del self._docs[key]  # so that it goes to the end
        self._gone.pop(key, None)
        self._docs[key] = (self.rev + 1, text)
        self._changed(key)
        return True

    def remove(self, key: str) -> bool:
        """Remove a document; False when there is none."""
        if self._docs.pop(key, None) is None:
            return False
        self._gone[key] = self.rev + 1
        if len(self._gone) > self._gone_kept:
            oldest = next(iter(self._gone))
            self._floor = self._gone.pop(oldest)
        self._changed(key)
        return True

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called after every change; returns the function that ends it."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    # --- what clients get -----------------------------------------------------------------------

    def documents(self) -> dict[str, msgspec.Raw]:
        """The latest text of every document."""
        return {key: msgspec.Raw(text) for key, (_, text) in self._docs.items()}

    def place(self, boot: str, since: int) -> tuple[int, protocol.Reset | None]:
        """Where a client that asks to resume stands: its cursor, and why it must start afresh."""
        if not boot or since < 0:
            return NEW, None
        if boot != self.boot:
            return NEW, protocol.Reset("the backend was restarted since you last heard from it")
        if since > self.rev:
            return NEW, protocol.Reset(f"you are ahead of this backend ({since} > {self.rev})")
        if since < self._floor:
            return NEW, protocol.Reset("too much has happened since you last heard from it")
        return since, None

    def since(self, cursor: int) -> tuple[bytes, ...]:
        """The messages that bring a client from `cursor` to `rev`; none when it is there.

        The answer is encoded once however many clients stand at the same cursor.
        """
        if cursor == self.rev:
            return ()
        if cursor not in self._ready:
            self._ready[cursor] = tuple(map(encode, self._owed(cursor)))
        return self._ready[cursor]

    # --- inside ---------------------------------------------------------------------------------

    def _owed(self, cursor: int) -> Iterator[protocol.ServerMessage]:
        if cursor < self._floor or cursor < 0:
            if cursor >= 0:
                yield protocol.Reset("you fell too far behind to be sent only what changed")
            yield protocol.Snapshot(self.rev, self.documents())
            return
        changed: dict[str, msgspec.Raw] = {}
        for key in reversed(self._docs):
            rev, text = self._docs[key]
            if rev <= cursor:
                break
            changed[key] = msgspec.Raw(text)
        gone: list[str] = []
        for key in reversed(self._gone):
            if self._gone[key] <= cursor:
                break
            gone.append(key)
        yield protocol.Delta(cursor, self.rev, changed, tuple(gone))

    def _changed(self, key: str) -> None:
        self.rev += 1
        urgent = is_urgent(key)
        if urgent:
            self.urgent_rev = self.rev
        self._ready.clear()
        for listener in tuple(self._listeners):
            listener(urgent)


def encode(doc: Any) -> bytes:
    """The JSON of anything that goes on the wire. Never fails because of the text inside."""
    try:
        return protocol.encode(doc)
    except UnicodeEncodeError:
        # Text from outside (a file name, a commit message) may hold half a surrogate pair, which
        # has no UTF-8. It must not keep the rest of the document from people.
        return protocol.encode(_writable(msgspec.to_builtins(doc)))


def _writable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_writable(key): _writable(item) for key, item in value.items()}
        case list() | tuple():
            return [_writable(item) for item in value]
        case _:
            return value
