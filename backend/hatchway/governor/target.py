"""What the governor asks of any target, and the words for what a target is like.

An adapter is used by its driver's thread alone, but for `interrupt`. All its methods raise
TargetError with a sentence; none may take longer than its own time-outs.
"""

from __future__ import annotations

from hatchway.governor.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Any, Protocol

    Guard = AbstractContextManager[Any]

    class Target(Protocol):
        """One service's traffic: a canary and a stable arm."""

        observe_every_s: float
        inventory_every_s: float
        begin_s: float  # how long a stop waits for a change that is being begun; -1: until it has
        goes_back_unseen: bool  # going back to 0 may work where the share cannot be read

        def weights(self) -> Weights:
            """Read the share."""

        def bring(self, has: Weights, wish: Wish, guard: Guard) -> None:
            """Bring the share from `has` to the wish, raising first and lowering second.

            Whatever changes the target is begun within `guard`, which raises Overtaken when a
            newer order was given: then nothing is begun.
            """

        def traffic(self) -> Traffic:
            """Read what the canary is doing."""

        def inventory(self) -> Inventory:
            """Read everything else that a rollback must leave as it was."""

        def remember(self, process: int) -> None:
            """The target's process was this one, before the governor was started."""

        def interrupt(self) -> None:
            """From any thread, at once: end what is under way; its outcome does not matter."""


LONGEST_FACT = 200
MOST_FACTS = 200
MOST_SAID = 12


class TargetError(Exception):
    """The target did not do it, or did not say so; the message is a sentence."""


class Overtaken(Exception):
    """A newer order came before this was begun; nothing was begun."""


class Weights(Value):
    """The two arms' weights as the target has them, 0..256."""

    canary: int
    stable: int

    @property
    def percent(self) -> int:
        """The canary's share, rounded; 1 when it is more than nothing."""
        if self.canary == 0:
            return 0
        return max(1, round(100 * self.canary / (self.canary + self.stable)))

    def has(self, percent: int) -> bool:
        """Whether this is a share of `percent`, with somebody left to serve."""
        return self.canary + self.stable > 0 and self.percent == percent


class Wish(Value):
    """The share that is wanted, in percent, for which epoch and (of an apply) by which key."""

    percent: int
    epoch: int = 0
    key: str = ""


class Traffic(Value):
    """What the canary is doing: requests under way, and requests since the target started.

    `inflight` is -1 when that cannot be told.
    """

    inflight: int
    total: int


class Inventory(Value):
    """The target but for the share.

    `facts` are lines `what: how it is`. `others` names what else takes traffic, `unfit` why a
    percentage cannot be promised, both in words. `process` is the target's, 0 when it has none.
    """

    facts: tuple[str, ...]
    others: tuple[str, ...] = ()
    unfit: tuple[str, ...] = ()
    process: int = 0


def differences(before: tuple[str, ...], now: tuple[str, ...]) -> list[str]:
    """What differs between two inventories' facts, in words."""
    old, new = _by_name(before), _by_name(now)
    said = []
    for name in (*old, *(name for name in new if name not in old)):
        was, is_now = old.get(name), new.get(name)
        if was == is_now:
            continue
        if is_now is None:
            said.append(f"{name} is missing" + (f" (it was {was})" if was else ""))
        elif was is None:
            said.append(f"{name} is new" + (f": {is_now}" if is_now else ""))
        else:
            said.append(f"{name} was {was} and is {is_now}")
    if len(said) > MOST_SAID:
        said[MOST_SAID:] = [f"and {len(said) - MOST_SAID} more differences"]
    return said


def _by_name(facts: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for fact in facts:
        name, _, rest = fact.partition(": ")
        if name in found:
            name, rest = fact, ""  # the same name twice: each line stands for itself
        while name in found:
            name += " (again)"
        found[name] = rest
    return found


def short(text: str) -> str:
    """The first line of what a target said, for a sentence: printable and not long."""
    line = text.strip().splitlines()[0] if text.strip() else "nothing"
    return ascii(line[:120])
