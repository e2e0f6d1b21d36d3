"""Checkpoints by themselves: noted every so often and at the end of a run, and put elsewhere.

The tree grows with each record that this process sees, so that a checkpoint costs some twenty
hashes and a signature, however long the journal is. What stands in the way of one is said and
delays nothing: each destination has a thread of its own, and a hanging one is left hanging.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from hatchway.core import events as ev
from hatchway.core.plan import CheckpointSpec
from hatchway.journal import checkpoint as cp
from hatchway.journal.merkle import Tree
from hatchway.journal.note import NoteError, Signer, TreeHead, make_key, signer_of
from hatchway.journal.port import Base, Record
from hatchway.journal.source import origin

KEPT = "checkpoints"
"""The file in the state directory: what was signed before is looked for in the journal at start."""

KEY = "checkpoint.key"
VKEY = "checkpoint.vkey"
SLOW_S = 30.0
"""A destination that takes longer has failed; it is asked again once it comes back."""

AGAIN_S = 60.0
"""How soon a destination that failed is tried again, at the latest."""

Put = Callable[[bytes], None]


class Destination:
    """One place where checkpoints go. `words` say why the last one did not arrive."""

    def __init__(self, name: str, put: Put) -> None:
        self.name = name
        self.words = ""
        self._put = put
        self._thread: threading.Thread | None = None

    async def send(self, text: bytes) -> bool:
        """Whether it arrived, within `SLOW_S`. Nothing is sent while the last one still hangs."""
        if self._thread is not None and self._thread.is_alive():
            self.words = f"{self.name} still hangs"
            return False
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def work() -> None:
            words = self._try(text)
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
                loop.call_soon_threadsafe(_settle, done, words)

        self._thread = threading.Thread(target=work, name=f"to {self.name}", daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout(SLOW_S):
                self.words = await done
        except TimeoutError:
            self.words = f"{self.name} does not answer within {SLOW_S:g} s"
        return not self.words

    def _try(self, text: bytes) -> str:
        try:
            self._put(text)
        except Exception as e:
            why = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
            return f"{self.name}: {ascii(why[:300])[1:-1]}"
        return ""


def _settle(done: asyncio.Future[str], words: str) -> None:
    if not done.done():
        done.set_result(words)


def destinations(spec: CheckpointSpec, directory: Path) -> list[Destination]:
    """Where the setting says that they go. Relative files are in the state directory."""
    files = [Destination(name, _file(directory / name)) for name in spec.files]
    return [*files, *(Destination(words[0], _command(words, directory)) for words in spec.commands)]


def _file(path: Path) -> Put:
    return lambda text: cp.append_text(path, text)


def _command(words: Sequence[str], directory: Path) -> Put:
    def put(text: bytes) -> None:
        done = subprocess.run(
            words, input=text, capture_output=True, timeout=SLOW_S, check=False, cwd=directory
        )
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
            raise OSError(0, f"exit status {done.returncode}{f', {said}' if said else ''}")

    return put


class Checkpoints:
    """Follows the journal. `tell(words)` says what is wrong, empty words that nothing is."""

    def __init__(
        self,
        spec: CheckpointSpec,
        directory: Path,
        clock: Callable[[], float],
        tell: Callable[[str], None],
        base: Base | None = None,
    ) -> None:
        self._spec = spec
        self._directory = directory
        self._clock = clock
        self._tell = tell
        self._tree = Tree(None if base is None else base.frontier)
        self._first = "" if base is None else base.first_hash
        self._signer: Signer | None = None
        self._ended = asyncio.Event()
        self._places = destinations(spec, directory)
        self._refuses = ""
        self._known: dict[int, bytes] = {}
        self._since = clock()  # since when there has been something to note
        self.noted = 0  # the newest record that a checkpoint is of and that arrived somewhere
        self._remember()

    def _remember(self) -> None:
        kept = self._directory / KEPT
        if kept.exists() and kept.stat().st_size:
            try:
                self._known = cp.anchors(cp.read(kept)).roots
            except cp.CheckpointError as e:
                self._refuses = f"{e} Move it away to begin anew: nothing is signed until then."

    def take(self, record: Record, event: object, state: object) -> None:
        """Each record of the journal, from the first on, in order."""
        if self._tree.size == 0:
            self._first = record.hash
        if self._tree.size == self.noted:
            self._since = self._clock()
        self._tree.add(bytes.fromhex(record.hash))
        known = self._known.get(self._tree.size)
        if known is not None and known != self._tree.root():
            self._refuses = (
                f"the journal is not the one of which record {self._tree.size} was signed: it was"
                " rewritten or replaced. Compare it with the checkpoints kept elsewhere"
            )
        if isinstance(event, ev.RunEnded):
            self._ended.set()

    def overdue(self) -> str:
        """Why the last checkpoint is too old, in words; empty when it is not."""
        if self._tree.size == self.noted:
            return ""
        age = self._clock() - self._since
        if age < 2 * self._spec.every_s + AGAIN_S and not self._refuses:
            return ""
        since = f"the last is of record {self.noted}" if self.noted else "none was noted yet"
        why = self._refuses or "; ".join(p.words for p in self._places if p.words)
        said = f"{since}, the journal is at {self._tree.size} since {age / 60:.0f} min"
        return f"{said}: {why}" if why else said

    async def run(self) -> None:
        """Note checkpoints for ever. To be started after everything was replayed."""
        last = max(self._known, default=0)
        if last > self._tree.size:
            self._refuses = (
                f"record {last} was signed, and the journal ends at {self._tree.size}: its newest"
                " records were cut off, or an older copy was put in its place"
            )
        wait = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._ended.wait()
            self._ended.clear()
            arrived = await self._note()
            wait = self._spec.every_s if arrived else min(AGAIN_S, self._spec.every_s)

    async def _note(self) -> bool:
        """Sign the newest head and put it everywhere; whether it arrived everywhere."""
        size = self._tree.size
        if size == 0 or (size == self.noted and not any(p.words for p in self._places)):
            return True
        if self._refuses:
            self._tell(f"no checkpoint is signed: {self._refuses}")
            return False
        head = TreeHead(origin(self._first), size, self._tree.root())
        try:
            text = await asyncio.to_thread(self._sign, head)
        except (NoteError, OSError) as e:
            self._tell(f"no checkpoint can be signed: {e}")
            return False
        arrived = await asyncio.gather(*(place.send(text) for place in self._places))
        if any(arrived):
            self.noted, self._since = size, self._clock()
        words = "; ".join(place.words for place in self._places if place.words)
        self._tell(f"a checkpoint did not arrive: {words}" if words else "")
        return all(arrived)

    def _sign(self, head: TreeHead) -> bytes:
        """The note; it is kept here before it goes anywhere, so that no other is ever signed."""
        if self._signer is None:
            path = self._directory / self._spec.key
            if not path.exists():
                make_key(path)
            self._signer = signer_of(path, head.origin)
            vkey = f"{self._signer.verifier}\n"
            (self._directory / VKEY).write_text(vkey, encoding="utf-8")
        text = str(self._signer.sign(head.text)).encode()
        if self._known.get(head.size) != head.root:
            cp.append_text(self._directory / KEPT, text)
            self._known[head.size] = head.root
        return text
