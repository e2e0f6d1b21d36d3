"""When the next frame may go to the terminal, and how large it may be. Pure: times are passed in.

Every frame ends with a question to the terminal, and at most one frame is on its way: what a slow
link has not carried yet is replaced, never queued. The question is `CSI 6n` (where is the
cursor?) with the cursor moved to row `ROW` and a column that numbers the frame. Nothing newer
would do: tmux 3.3a, mosh 1.4, GNU screen and the Linux console answer the plain question and not
the private one (`CSI ?6n`). The row tells the answer from a key: F3 with a modifier is
`CSI 1;2R` and the like, always with a 1.

A terminal that is silent for `PATIENCE` seconds gets small frames, ever more rarely; one that has
never answered gets them at a fixed pace, and is asked again only now and then.
"""

from __future__ import annotations

from collections import deque
from statistics import median

ROW = 2
COLUMNS = range(2, 10)
"""The numbers of frames. One digit, and a column that even a very narrow terminal has."""

PATIENCE, MOST_PATIENCE = 1.0, 8.0
LEAST, MOST = 300, 16_384
GOAL = 0.05
"""A frame should keep the link busy for at most that many seconds: a key waits behind it."""

FALLBACK = 8000.0
"""Bytes a second to a terminal that does not answer."""

ASK_MUTE_EVERY = 30.0
MEASURE_EVERY = 10.0
MOST_AHEAD = 4  # questions without an answer, when keys are pressed faster than they come
_HARDLY = 150
_MUTE_AFTER = 1  # frames that waited in vain, of a terminal that has never answered


class Asked:
    """A frame on its way."""

    def __init__(self, column: int, at: float, size: int) -> None:
        self.column, self.at, self.size = column, at, size


class Flow:
    """What is on its way to one terminal, and what is known of the way."""

    def __init__(self, at: float) -> None:
        self._asked: deque[Asked] = deque(maxlen=len(COLUMNS))
        self._trips: deque[float] = deque(maxlen=9)
        self._base: deque[float] = deque(maxlen=16)  # trips that were hardly any bytes
        self._base_at = at
        self._column = COLUMNS[0]
        self._ever = False
        self._known = False  # whether the budget was ever measured
        self._missed = 0  # questions that were not answered in time, since the last answer
        self._free_at = at  # of a terminal that does not answer: when the link should be free
        self._sent_at = self._ask_at = at
        self.budget = MOST

    @property
    def mute(self) -> bool:
        """Whether this terminal seems to be one that never answers."""
        return not self._ever and self._missed >= _MUTE_AFTER

    @property
    def trip(self) -> float | None:
        """Seconds from writing a frame until the terminal has shown it: the median of the last."""
        return median(self._trips) if self._trips else None

    def late(self, at: float) -> bool:
        """Whether an answer has been due for longer than is usual."""
        return bool(self._asked) and not self.mute and at - self._asked[0].at >= PATIENCE

    def next_at(self, hurry: bool = False) -> float:
        """When the next frame may go, if no answer comes before. 0: at once.

        `hurry`: it answers a key. On a line whose rate is known it need not wait for the answer to
        the frame before, which may be far away: only until that frame's bytes are through.
        """
        if self.mute:
            return self._free_at
        if not self._asked:
            return 0.0
        first = not self._ever and self._missed == 0
        if first and len(self._asked) == 1 and not self._asked[0].size:
            return 0.0  # the first frame does not wait for the answer to the first question
        newest = self._asked[-1]
        if hurry and self._known and self._missed == 0 and len(self._asked) < MOST_AHEAD:
            return newest.at + newest.size / self.budget * GOAL
        return self._sent_at + min(PATIENCE * (1, 2, 4, 8)[min(self._missed, 3)], MOST_PATIENCE)

    def allowance(self, at: float) -> int:
        """Bytes that the next frame may have."""
        if self.mute:
            return int(FALLBACK * GOAL * 2)
        if self._ever and self.late(at):
            return LEAST
        return self.budget

    def unsure(self, at: float) -> bool:
        """Whether the next frame should be a question alone.

        Only that measures the way itself. When every frame is large, its growing slower would
        otherwise look like a longer way, on which larger frames are right.
        """
        return not self.mute and at - self._base_at > MEASURE_EVERY

    def asks(self, at: float) -> bool:
        """Whether the next frame should end with a question."""
        return not self.mute or at >= self._ask_at

    def sent(self, at: float, size: int, asked: bool) -> int:
        """A frame of `size` bytes goes out; returns the column its question is asked from, or 0."""
        if self._asked and at >= self.next_at() > 0:
            self._missed += 1
        self._sent_at = at
        self._free_at = max(self._free_at, at) + size / FALLBACK
        if not asked:
            return 0
        if self.mute:
            self._ask_at = at + ASK_MUTE_EVERY
        self._column = self._column + 1 if self._column < COLUMNS[-1] else COLUMNS[0]
        self._asked.append(Asked(self._column, at, size))
        return self._column

    def left(self, at: float) -> None:
        """The newest frame has left this machine: the way begins here."""
        if self._asked:
            self._asked[-1].at = self._sent_at = at

    def answered(self, column: int, at: float) -> bool:
        """The terminal has shown everything up to that question. False: nobody asked that."""
        if all(each.column != column for each in self._asked):
            return False
        while (asked := self._asked.popleft()).column != column:
            pass
        self._ever, self._missed = True, 0
        took = max(at - asked.at, 0.0)
        self._trips.append(took)
        self._learn(asked.size, took, at)
        return True

    def _learn(self, size: int, took: float, at: float) -> None:
        """How fast the link is: what a frame took beyond the shortest trip, it took for its bytes."""
        if size <= _HARDLY:
            self._base.append(took)
            self._base_at = at
        self._known = self._known or size >= 200
        beyond = took - min(self._base, default=0.0)
        if size >= 200 and beyond > GOAL / 3:
            fits = size / beyond * GOAL
            if fits < self.budget < MOST:
                fits = (self.budget + fits) / 2  # half way, as one slow trip may have been chance
            self.budget = int(min(max(fits, LEAST), self.budget * 1.5, MOST))
        elif size >= self.budget * 0.75:
            self.budget = int(min(self.budget * 1.5, MOST))
