"""Where a brain's words contradict the facts, the facts stand, and that it was so is said. Pure.

No gate reads prose: what is done hangs on the verdict, the policy and people. This is for whoever
reads the proposal, and for the brain's record.
"""

from __future__ import annotations

import re

import msgspec

from hatchway.brains.port import Situation, Wish
from hatchway.core.events import Evidence

VERDICTS = re.compile(r"\b(PASS|REGRESS|UNSURE|NO_DATA)\b")
LONGEST = 160


def contradicted(wish: Wish, situation: Situation) -> str:
    """What in the wish's words is not so; empty when nothing is.

    A headline that names the verdict names the one that there is. Evidence that is not what was
    seen is not heard at all (see `proposals.nonsense`).
    """
    sight = situation.sight
    named = VERDICTS.findall(wish.headline)
    if sight is None or not named or sight.word in named:
        return ""
    return f"the verdict is {sight.word}, and it said {_short(wish.headline)}"


def corrected(wish: Wish, situation: Situation) -> Wish:
    """The wish with the facts in place of what was said of them, and the contradiction first."""
    why = contradicted(wish, situation)
    sight = situation.sight
    if not why or sight is None:
        return wish
    words = f"the agent's words contradict the facts: {why}"
    flag = Evidence("FLAG1", "-", words, "hatchway", situation.now)
    headline = f"{sight.headline} (the agent's own words were not so)"
    return msgspec.structs.replace(wish, headline=headline, evidence=(flag, *sight.evidence))


def _short(text: str) -> str:
    cut = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return f'"{cut}"'
