"""An asyncio event loop without a selector: virtual time, a shuffled ready queue, death at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulated.world import World


class Dead(BaseException):
    """The process that runs this code has just been killed: nothing of it may go on."""


class Loop(asyncio.AbstractEventLoop):
    """The loop of one backend process. What is ready is run in an order that the seed chooses."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.ready: list[asyncio.Handle] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.dead = False
        self.errors: list[dict[str, Any]] = []

    def time(self) -> float:
        return self._world.clock.mono

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._world.at(when, self._ring, timer)
        return timer

    def _ring(self, timer: asyncio.TimerHandle) -> None:
        if not timer.cancelled():
            self.ready.append(timer)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        pass

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        if len(self.tasks) > 40:
            self.tasks = [t for t in self.tasks if not t.done()]
        self.tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, function: Any, *args: Any) -> asyncio.Future[Any]:
        """A thread that is done at once."""
        future = self.create_future()
        future.set_result(function(*args))
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.dead:
            self.errors.append(context)

    def run_one(self, choose: Callable[[int], int]) -> None:
        """Run one of the handles that are ready."""
        ready = self.ready
        n = choose(len(ready)) if len(ready) > 1 else 0
        ready[n], ready[-1] = ready[-1], ready[n]
        handle = ready.pop()
        if handle.cancelled():
            return
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            handle._run()
        finally:
            asyncio._set_running_loop(before)

    def bury(self) -> None:
        """Unwind what a killed process leaves in memory. Its fakes are dead: nothing comes of it."""
        for _ in range(3):
            for task in self.tasks:
                task.cancel()
            for _ in range(2_000):
                if not self.ready:
                    break
                self.run_one(lambda n: 0)
            self.tasks = [t for t in self.tasks if not t.done()]
            if not self.tasks:
                break
        else:
            raise AssertionError(f"tasks of a killed backend do not end: {self.tasks}")
