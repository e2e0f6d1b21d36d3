"""Who is on call and how the freezes stand, in the few words of the second row. Pure."""

from __future__ import annotations

from hatchway.core.oncall import Roster, on_call
from hatchway.core.state import Frozen
from hatchway.core.windows import FOREVER, clock


def duty_words(roster: Roster | None, now: float) -> str:
    """`ana till 06:00Z`; empty when no calendar says who is on call."""
    if roster is None:
        return ""
    duty = on_call(roster, now)
    if not duty.known:
        everybody = f"everybody ({', '.join(duty.people)})" if duty.people else "nobody"
        return f"not known: a page calls {everybody}"
    return f"{' and '.join(duty.people)}{until_words(duty.until, now)}"


def next_on_duty(roster: Roster | None, now: float) -> tuple[str, ...]:
    """Whose shift follows the present one, as far as that is known."""
    if roster is None:
        return ()
    duty = on_call(roster, now)
    if not duty.known or duty.until >= FOREVER:
        return ()
    after = on_call(roster, duty.until)
    return tuple(name for name in after.people if name not in duty.people) if after.known else ()


def freeze_words(frozen: Frozen | None, now: float) -> str:
    """`none till Fri 14:00Z`, or which is in force; empty where no calendar is asked."""
    if frozen is None:
        return ""
    until = until_words(frozen.until, now)
    if 0 < frozen.until <= now:
        return "not known: being read again"
    match frozen.stands:
        case "open":
            return f"none{until}"
        case "closed":
            return f"IN FORCE: {frozen.freeze}{until}"
        case _:
            return f"NOT KNOWN, counts as in force: {frozen.why}"


def until_words(until: float, now: float) -> str:
    """` till 06:00Z` today, ` till Fri 14:00Z` within a week, with the date beyond; or nothing."""
    if not 0 < until < FOREVER:
        return ""
    day, date, time = clock(until).split(" ")
    if int(until // 86400) == int(now // 86400) or until - now < 12 * 3600:
        return f" till {time}"
    return f" till {day} {time}" if until - now < 6 * 86400 else f" till {date}"
