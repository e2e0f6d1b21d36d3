"""Time that passes only when nothing else is left to do: minutes in milliseconds, always the same.

The loop orders what is ready as it became ready, threads are run in line, and a wait moves the
clock instead of the hands of a watch. So a rehearsal gives the same records in every run.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Nothing(RuntimeError):
    """Everything waits for something that cannot happen any more."""


class _Selector(selectors.SelectSelector):
    """Waits by moving the clock of its loop. Nothing real is ever waited for."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Nothing("the rehearsal waits for something that cannot happen any more")
        self.loop.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock begins at 0 and jumps to whatever is due next."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """In line: a thread would end at a moment that no clock here knows."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time. Raises what it raises, or Nothing."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
