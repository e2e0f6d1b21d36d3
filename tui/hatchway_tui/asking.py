"""When an open page's query is sent: at once, then every so often, and never faster than answered.

A long answer over a slow link must not queue up behind itself: what is asked again before the
answer has come only holds up everything else.
"""

from __future__ import annotations

from hatchway_tui.mirror import Model

EVERY_S = 2.0
AGAIN_S = 10.0
"""An answer that has not come by then may have been lost."""

Ask = tuple[str, str]


class Asking:
    """What was asked last, when, and what was known of it then."""

    def __init__(self) -> None:
        self._asked: Ask | None = None
        self._at = 0.0
        self._known: tuple[object, object] = None, None

    def due(self, asks: Ask | None, model: Model, at: float) -> bool:
        """Whether `asks` is to be sent at `at` (monotonic seconds); if so it counts as sent."""
        if asks is None:
            return False
        key = f"{asks[0]}/{asks[1]}"
        known = model.told.get(key), model.untold.get(key)
        if asks == self._asked:
            answered = known[0] is not self._known[0] or known[1] is not self._known[1]
            if at - self._at < (EVERY_S if answered else AGAIN_S):
                return False
        self._asked, self._at, self._known = asks, at, known
        return True
