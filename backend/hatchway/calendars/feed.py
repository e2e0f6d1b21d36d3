""".ics files, from disk or fetched, as a source; with a memory of what they said before.

A feed that was emptied by accident looks like one without freezes. So what was announced and is
gone makes a feed doubtful until a person says that it is right (`hatchway policy trust NAME`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from hatchway.calendars.expand import MOST_BYTES
from hatchway.calendars.port import Resolved
from hatchway.core.schedules import Feed
from hatchway.core.windows import FOREVER, Span, clock, joined

CHILD_S = 15.0
CLOCK_SLACK_S = 120.0
FORGIVEN = 1  # announced times that may be gone at once, if others are left


class Seen(Struct, frozen=True):
    """What a feed said when it was last believed."""

    at: float
    events: int
    spans: tuple[tuple[float, float], ...]


class FeedSource:
    """One .ics file. `memory` is the file that remembers it; `keep` is whether it is written."""

    def __init__(
        self, feed: Feed, kind: str, path: Path, memory: Path | None, *, keep: bool = False
    ) -> None:
        self._feed = feed
        self._kind = kind
        self._path = path
        self._memory = memory
        self._keep = keep and memory is not None
        self._known: tuple[tuple[str, float, float], dict[str, Any]] | None = None

    def resolve(self, since: float, until: float, now: float) -> Resolved:
        """See `Source`."""
        try:
            return self._resolve(since, until, now)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            return Resolved(trouble=f"{self._path.name} cannot be read: {why}")
        except Exception as error:
            return Resolved(trouble=f"it cannot be read: {type(error).__name__}: {error}")

    def _resolve(self, since: float, until: float, now: float) -> Resolved:
        if self._feed.remote and not self._path.exists():
            return Resolved(trouble="it was not fetched yet")
        with self._path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
            as_of = os.fstat(file.fileno()).st_mtime
        if self._feed.max_age_s is not None and as_of > now + CLOCK_SLACK_S:
            return Resolved(trouble=f"its time, {clock(as_of)}, is in the future")
        said = self._expanded(data, since, until)
        if said.get("trouble"):
            return Resolved(trouble=str(said["trouble"]))
        spans = tuple(Span(float(a), float(b), str(c)) for a, b, c in said["spans"])
        trouble = self._compare(spans, int(said["events"]), since, until, now)
        if trouble:
            return Resolved(trouble=trouble)
        stale_at = FOREVER if self._feed.max_age_s is None else as_of + self._feed.max_age_s
        return Resolved(spans=spans, since=since, until=until, as_of=as_of, stale_at=stale_at)

    def _expanded(self, data: bytes, since: float, until: float) -> dict[str, Any]:
        key = (hashlib.sha256(data).hexdigest(), since, until)
        if self._known is None or self._known[0] != key:
            self._known = key, in_child(data, self._feed.zone, self._kind, since, until)
        return self._known[1]

    def _compare(
        self, spans: Sequence[Span], events: int, since: float, until: float, now: float
    ) -> str:
        """What was announced and is gone, in words; nothing, and remembered, when all is there."""
        if self._memory is None:
            return ""
        try:
            before = msgspec.json.decode(self._memory.read_bytes(), type=Seen)
        except FileNotFoundError:
            before = None
        except msgspec.DecodeError:
            return f"what it said before cannot be read from {self._memory.name}{_TRUST}"
        if before is not None:
            gone = _gone(before, spans, events, until, now)
            if gone:
                return f"{gone}{_TRUST}"
        if self._keep:
            self._remember(Seen(now, events, tuple((s.start, s.end) for s in spans)), before)
        return ""

    def _remember(self, seen: Seen, before: Seen | None) -> None:
        assert self._memory is not None
        if before is not None and (before.events, before.spans) == (seen.events, seen.spans):
            return
        with contextlib.suppress(OSError):  # a full disk must not make a good calendar a bad one
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            new = self._memory.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(seen))
            os.replace(new, self._memory)


_TRUST = "; if that is right: hatchway policy trust NAME"


def _gone(before: Seen, spans: Sequence[Span], events: int, until: float, now: float) -> str:
    if before.events and not events:
        return f"it was emptied: it had {before.events} events on {clock(before.at)} and has none"
    ahead = [s for s in before.spans if s[1] > now and s[0] < until]
    whole = joined(Span(s.start, s.end) for s in spans)
    lost = [a for a, b in ahead if not any(s.start <= a and b <= s.end for s in whole)]
    if ahead and len(lost) == len(ahead):
        return f"all {len(ahead)} times that it announced are gone, the next {clock(min(lost))}"
    if len(lost) > FORGIVEN and 2 * len(lost) > len(ahead):
        return f"{len(lost)} of {len(ahead)} times that it announced are gone"
    return ""


def in_child(data: bytes, zone: str, kind: str, since: float, until: float) -> dict[str, Any]:
    """The file read in a process of its own (see `expand`); `trouble` when that comes to nothing."""
    command = [
        sys.executable,
        "-m",
        "hatchway.calendars.expand",
        zone,
        kind,
        str(since),
        str(until),
    ]
    path = os.pathsep.join(p for p in sys.path if p)
    try:
        done = subprocess.run(
            command,
            input=data,
            capture_output=True,
            timeout=CHILD_S,
            check=False,
            env={"PYTHONPATH": path, "PATH": os.environ.get("PATH", "")},
        )
        said = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"trouble": f"it takes longer than {CHILD_S:g} s to work out"}
    except ValueError:
        return {"trouble": "it takes more time or memory to work out than any calendar needs"}
    return said if isinstance(said, dict) else {"trouble": "it cannot be read"}
