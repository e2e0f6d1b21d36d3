"""What was rolled back is not released again until a person has said why it may be. Pure.

The quarantine is derived from the journal: it begins when a run ends as rolled back, or when a
person takes back what had been promoted, and ends when somebody lifts it with a reason. A commit
names its content, so it stands for everything that is built from it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct


class Quarantined(Struct, frozen=True):
    """A commit that was rolled back: by whom, when (seconds since 1970), in which run, and why."""

    commit: str
    version: str
    run: str
    by: str
    at: float
    why: str

    @property
    def words(self) -> str:
        """ "1.5.0 (3f2a9c1) was rolled back by ana at 2026-11-27 14:20 UTC in run 4: why"."""
        when = f"{clock(self.at)}, in run {self.run}"
        return (
            f"{self.version} ({self.commit[:9]}) was rolled back by {self.by} at {when}: {self.why}"
        )


Wards = dict[str, dict[str, Quarantined]]
"""What is in quarantine, by service and commit."""


def clock(at: float) -> str:
    """A time for people: "2026-11-27 14:20 UTC"."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def in_quarantine(wards: Wards, service: str, commit: str) -> Quarantined | None:
    """Why `commit` may not be released of `service`; None when nothing is known against it."""
    return wards.get(service, {}).get(commit)


def put(wards: Wards, service: str, found: Quarantined) -> Wards:
    """The same with one commit more; what is known of it already is replaced by the newer."""
    return {**wards, service: {**wards.get(service, {}), found.commit: found}}


def lifted(wards: Wards, service: str, commit: str) -> Wards:
    """The same without `commit`."""
    left = {c: q for c, q in wards.get(service, {}).items() if c != commit}
    return {**wards, service: left}


def named(wards: Wards, service: str, commit: str) -> tuple[Quarantined, ...]:
    """What a person may mean by `commit`: the commit, the beginning of it, or its version."""
    ward = wards.get(service, {}).values()
    exact = tuple(q for q in ward if commit in (q.commit, q.version))
    return exact or tuple(q for q in ward if len(commit) >= 4 and q.commit.startswith(commit))
