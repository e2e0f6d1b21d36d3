"""Running one command of a stage: start it once, follow its output, cancel its whole group.

A job outlives the backend: after a crash the same `key` is adopted, not run again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Literal, Protocol

from msgspec import Struct


class JobSpec(Struct, frozen=True, kw_only=True):
    """One command. `key` names this very attempt: "run-1.checks.lint.1"."""

    key: str
    command: str  # given to /bin/sh -c
    cwd: str
    timeout_s: float
    env: Mapping[str, str] = {}  # added to a small clean environment
    max_output_bytes: int = 8_000_000  # what is kept; the rest is counted and dropped


class JobResult(Struct, frozen=True, kw_only=True):
    """How a job ended. `lost`: it was started, but its outcome cannot be known any more."""

    status: Literal["passed", "failed", "timed_out", "cancelled", "lost"]
    exit_code: int | None
    seconds: float
    why: str  # in words: "exit status 1", "no such command: ruf", "stopped after 30 s"
    output_bytes: int = 0
    dropped_bytes: int = 0
    tail: tuple[str, ...] = ()  # the newest lines, escapes made visible


class RunnerError(Exception):
    """The runner itself could not do what was asked; the job has not been started by this call."""


class Runner(Protocol):
    """The port."""

    async def start(self, spec: JobSpec) -> None:
        """Start the job unless a job with this key was started before (then adopt it).

        Raises RunnerError (no room on the disk, no more processes): it may be tried again.
        """

    def output(self, key: str) -> AsyncIterator[str]:
        """Lines as they are printed, escapes made visible, each at most 2,000 characters.

        From the first line on, also of an adopted job; ends when the job has ended. Of a flood the
        beginning and the end are given. Raises RunnerError for a key that was never started.
        """

    async def wait(self, key: str) -> JobResult:
        """The result, when the job has ended. Raises RunnerError for a key never started."""

    async def cancel(self, key: str, why: str) -> None:
        """Stop the whole process group: TERM, then KILL after 2 s. Returns when it has ended.

        A job that was never started will not run any more; one that has ended stays as it is.
        """

    async def known(self, key: str) -> Literal["absent", "running", "ended", "lost"]:
        """What is known of a job, also one that an earlier backend started."""

    async def close(self) -> None:
        """Let go of the jobs without stopping them."""
