"""What a job printed, also one that has ended. Query `log`, about RUN/STAGE/JOB."""

from __future__ import annotations

from msgspec import Struct


class JobLog(Struct, frozen=True):
    """The newest lines that are kept of a job; `first` is how many were printed before them.

    `size` is in bytes, of all that is kept on the disk. `missing` says why there is nothing.
    """

    run: str
    stage: str
    job: str
    attempt: int
    lines: tuple[str, ...] = ()
    first: int = 0
    size: int = 0
    running: bool = False
    missing: str = ""
