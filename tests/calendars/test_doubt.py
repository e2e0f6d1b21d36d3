"""A feed in doubt counts as closed, with the reason in words (S34)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatchway.calendars import feed
from hatchway.calendars.expand import said_of
from hatchway.calendars.feed import FeedSource
from hatchway.calendars.keep import Keeper, memory_of
from hatchway.core.schedules import Feed, OnCall, Rotation, Schedule, Schedules, Weekly
from hatchway.core.windows import read

MADRID = "Europe/Madrid"
WEEKEND = (
    "SUMMARY:weekend\nDTSTART;TZID=Europe/Madrid:20261002T140000\n"
    "DTEND;TZID=Europe/Madrid:20261005T060000\nRRULE:FREQ=WEEKLY"
)


def at(text: str, zone: str = MADRID) -> float:
    """Seconds since 1970 of a time on the wall clock of `zone`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def ics(*events: str) -> bytes:
    """A calendar of these events' lines."""
    body = "".join(f"BEGIN:VEVENT\nUID:{n}\n{e}\nEND:VEVENT\n" for n, e in enumerate(events))
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//t\n{body}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


NOW = at("2026-10-20 12:00")


@pytest.fixture(autouse=True)
def _in_this_process(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child for each file would take a second each; those that are about it have one."""
    if "child" not in request.node.name:
        monkeypatch.setattr(feed, "in_child", said_of)


@pytest.fixture
def feed_file(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes an .ics file and gives its path."""

    def write(data: bytes) -> Path:
        path = tmp_path / "freezes.ics"
        path.write_bytes(data)
        return path

    return write


ONCE = "SUMMARY:once\nDTSTART:20261023T120000Z\nDTEND:20261026T050000Z"
LONE = "SUMMARY:x\nDTSTART:20261023T120000Z\nDTEND:20261023T130000Z"


def resolved(path: Path, **more: Any) -> Any:
    says = Feed(path.name, MADRID, more.pop("max_age_s", None))
    source = FeedSource(says, "freeze", path, more.pop("memory", None), keep=True)
    return source.resolve(NOW - 2 * 86400, NOW + 62 * 86400, more.get("now", NOW))


def aged(path: Path, seconds: float) -> Path:
    os.utime(path, (NOW - seconds, NOW - seconds))
    return path


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no calendar"),
    "html": (b"<html>please log in</html>", "does not begin with BEGIN:VCALENDAR"),
    "cut-off": (ics(WEEKEND)[:-20], "cut off"),
    "latin-1": (ics(WEEKEND).replace(b"weekend", b"fin d\xe9"), "not UTF-8"),
    "large": (b"BEGIN:VCALENDAR" + b"x" * 1_000_000, "larger than 1,000,000 bytes"),
    "unknown-zone": (ics(WEEKEND.replace(MADRID, "Mars/Base")), "the zone Mars/Base is not known"),
    "no-end": (ics("SUMMARY:x\nDTSTART:20261023T120000Z"), "ends before it begins|has no end"),
    "backwards": (
        ics("SUMMARY:x\nDTSTART:20261023T120000Z\nDTEND:20261023T110000Z"),
        "ends before it begins|cannot be read",
    ),
    "bad-date": (ics(ONCE.replace("20261026T", "2026XX26T")), "DTEND is not understood"),
    "no-begin": (ics("SUMMARY:x\nDTEND:20261023T110000Z"), "has no begin|cannot be read"),
    "secondly": (ics(LONE + "\nRRULE:FREQ=SECONDLY"), "repeats SECONDLY"),
    "hourly": (ics(LONE + "\nRRULE:FREQ=HOURLY"), "repeats HOURLY"),
    "no-frequency": (ics(LONE + "\nRRULE:COUNT=3"), "repeats|not understood|cannot be read"),
    "bomb": (
        ics(LONE + "\nRRULE:FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24)))),
        "repeats 24 times a day",
    ),
    "year-1": (ics(LONE.replace("2026", "0001") + "\nRRULE:FREQ=DAILY"), "the year 1|cannot be"),
    "year-9999": (ics(LONE.replace("20261023T13", "99991023T13")), "the year 9999 is not believed"),
    "many": (ics(*[LONE] * 2_001), "more than 2,000 events"),
    "two": (ics(ONCE) + ics(ONCE), "holds 2 calendars"),
    "nested": (
        b"BEGIN:VCALENDAR\r\n" * 5_000 + b"END:VCALENDAR\r\n",
        "holds 0 calendars|cannot be read",
    ),
    "nul": (ics(ONCE).replace(b"once", b"\x00\x00"), ""),
}


@pytest.mark.parametrize(("data", "words"), BAD.values(), ids=BAD)
def test_s34_a_broken_feed_is_trouble_in_words(
    feed_file: Callable[[bytes], Path], data: bytes, words: str
) -> None:
    import re

    found = resolved(feed_file(data))
    if not words:  # harmless: it only must not be misread
        assert found.trouble or len(found.spans) == 1
        return
    assert re.search(words, found.trouble), found.trouble
    assert found.spans == ()
    assert found.trouble.isprintable()


def test_too_many_events_that_repeat_are_refused(
    feed_file: Callable[[bytes], Path],
) -> None:
    each = "SUMMARY:x\nDTSTART:20200101T{:02d}{:02d}00Z\nDURATION:PT1M\nRRULE:FREQ=DAILY"
    data = ics(*[each.format(n // 60, n % 60) for n in range(201)])
    assert "more than 200 events that repeat" in resolved(feed_file(data)).trouble


def test_a_child_says_the_same_as_this_process(feed_file: Callable[[bytes], Path]) -> None:
    between = NOW - 2 * 86400, NOW + 62 * 86400
    for data in (ics(WEEKEND, ONCE), b"nonsense"):
        assert feed.in_child(data, MADRID, "freeze", *between) == json.loads(
            json.dumps(said_of(data, MADRID, "freeze", *between))
        )


def test_a_child_that_dies_is_trouble(
    feed_file: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed.sys, "executable", "/bin/false")
    assert "more time or memory" in resolved(feed_file(ics(ONCE))).trouble


def test_a_child_that_hangs_is_trouble(
    feed_file: Callable[[bytes], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "hang"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(feed.sys, "executable", str(script))
    monkeypatch.setattr(feed, "CHILD_S", 0.2)
    assert "longer than 0.2 s" in resolved(feed_file(ics(ONCE))).trouble


def test_what_is_cancelled_moved_or_excepted_is_not_a_freeze(
    feed_file: Callable[[bytes], Path],
) -> None:
    found = resolved(feed_file(ics(ONCE + "\nSTATUS:CANCELLED")))
    assert (found.trouble, found.spans) == ("", ())
    skipped = WEEKEND + "\nEXDATE;TZID=Europe/Madrid:20261023T140000"
    starts = [s.start for s in resolved(feed_file(ics(skipped))).spans]
    assert at("2026-10-23 14:00") not in starts
    assert at("2026-10-30 14:00") in starts


def test_a_whole_day_is_one_of_the_calendars_zone(feed_file: Callable[[bytes], Path]) -> None:
    day = "SUMMARY:holiday\nDTSTART;VALUE=DATE:20261102\nDTEND;VALUE=DATE:20261103"
    (span,) = resolved(feed_file(ics(day))).spans
    assert (span.start, span.end) == (at("2026-11-02 00:00"), at("2026-11-03 00:00"))


# --- age ------------------------------------------------------------------------------------------


def test_a_stale_feed_is_closed_from_the_moment_it_is_too_old(
    feed_file: Callable[[bytes], Path], tmp_path: Path
) -> None:
    aged(feed_file(ics(ONCE)), 3_000)
    says = Schedules(
        {"company": Schedule("company", "freeze", "c:1", Feed("freezes.ics", MADRID, 3_600.0))}
    )
    keeper = Keeper(says, tmp_path)
    assert read(keeper.calendars(NOW)["company"], NOW).stands == "open"
    late = read(keeper.calendars(NOW + 600)["company"], NOW + 600)
    assert late.stands == "unknown"
    assert "too long ago" in late.words
    before = read(keeper.calendars(NOW)["company"], NOW)
    assert before.until == NOW + 600, "it says until when it can be believed"


def test_a_file_from_the_future_is_not_believed(feed_file: Callable[[bytes], Path]) -> None:
    path = aged(feed_file(ics(ONCE)), -3_600)
    assert "in the future" in resolved(path, max_age_s=3_600.0).trouble


def test_without_a_bound_a_file_may_be_of_any_age(feed_file: Callable[[bytes], Path]) -> None:
    assert resolved(aged(feed_file(ics(ONCE)), 10 * 365 * 86400)).trouble == ""


# --- memory ---------------------------------------------------------------------------------------


def test_an_emptied_feed_is_closed_until_a_person_trusts_it(
    feed_file: Callable[[bytes], Path], tmp_path: Path
) -> None:
    memory = tmp_path / "seen.json"
    assert resolved(feed_file(ics(WEEKEND)), memory=memory).trouble == ""
    assert "it was emptied" in resolved(feed_file(ics()), memory=memory).trouble
    assert "it was emptied" in resolved(feed_file(ics()), memory=memory).trouble, "also later"
    memory.unlink()
    assert resolved(feed_file(ics()), memory=memory).trouble == ""


def test_a_feed_that_lost_most_of_what_it_announced_is_closed(
    feed_file: Callable[[bytes], Path], tmp_path: Path
) -> None:
    memory = tmp_path / "seen.json"
    weeks = [
        f"SUMMARY:w\nDTSTART:202611{day:02d}T120000Z\nDTEND:202611{day:02d}T180000Z"
        for day in (2, 9, 16, 23)
    ]
    assert resolved(feed_file(ics(*weeks)), memory=memory).trouble == ""
    assert "3 of 4 times" in resolved(feed_file(ics(weeks[0])), memory=memory).trouble
    assert resolved(feed_file(ics(*weeks[1:])), memory=memory).trouble == "", "one may be lifted"


def test_the_one_freeze_that_was_announced_is_not_lifted_in_silence(
    feed_file: Callable[[bytes], Path], tmp_path: Path
) -> None:
    memory = tmp_path / "seen.json"
    assert resolved(feed_file(ics(ONCE, LONE)), memory=memory).trouble == ""
    later = "SUMMARY:later\nDTSTART:20261201T120000Z\nDTEND:20261202T050000Z"
    assert (
        "times that it announced are gone" in resolved(feed_file(ics(later)), memory=memory).trouble
    )


def test_what_is_over_may_leave_the_feed(
    feed_file: Callable[[bytes], Path], tmp_path: Path
) -> None:
    memory = tmp_path / "seen.json"
    assert resolved(feed_file(ics(ONCE)), memory=memory).trouble == ""
    other = "SUMMARY:later\nDTSTART:20261201T120000Z\nDTEND:20261202T050000Z"
    assert resolved(feed_file(ics(other)), memory=memory, now=at("2026-10-27 00:00")).trouble == ""


def test_a_memory_that_cannot_be_read_is_doubt(
    feed_file: Callable[[bytes], Path], tmp_path: Path
) -> None:
    memory = tmp_path / "seen.json"
    memory.write_text("{")
    assert "cannot be read" in resolved(feed_file(ics(ONCE)), memory=memory).trouble


def test_who_only_looks_remembers_nothing(
    feed_file: Callable[[bytes], Path], tmp_path: Path
) -> None:
    feed_file(ics(ONCE))
    says = Schedules({"c": Schedule("c", "freeze", "c:1", Feed("freezes.ics", MADRID))})
    Keeper(says, tmp_path, tmp_path / "memory").calendars(NOW)
    assert not (tmp_path / "memory").exists()
    Keeper(says, tmp_path, tmp_path / "memory", fetches=True).calendars(NOW)
    assert memory_of(tmp_path / "memory", "c").exists()


def test_one_broken_calendar_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    says = Schedules(
        {
            "company": Schedule("company", "freeze", "c:1", Feed("absent.ics", MADRID)),
            "weekend": Schedule("weekend", "freeze", "c:2", Weekly(4, 50400, 0, 21600, MADRID)),
        },
        OnCall("c:3", ("ana", "ben"), Rotation(("ana", "ben"), "2026-10-19T09:00", 7, MADRID)),
    )
    keeper = Keeper(says, tmp_path)
    calendars = keeper.calendars(NOW)
    assert read(calendars["company"], NOW).stands == "unknown"
    assert "no such file" in read(calendars["company"], NOW).words
    assert read(calendars["weekend"], NOW).stands == "open"
    roster = keeper.roster(NOW)
    assert roster is not None
    assert roster.trouble == ""


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([ics(WEEKEND), ics(ONCE, LONE), ics(WEEKEND + "\nEXDATE:20261023T120000Z")]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), st.binary(max_size=5)), max_size=4),
)
def test_a_damaged_feed_is_read_or_refused_in_words_and_never_more_open_by_being_cut(
    data: bytes, damage: list[tuple[float, int, bytes]]
) -> None:
    for where, drop, put in damage:
        at_ = int(where * len(data))
        data = data[:at_] + put + data[at_ + drop :]
    said = said_of(data, MADRID, "freeze", NOW - 86_400, NOW + 20 * 86_400)
    assert ("trouble" in said) != ("spans" in said)
    assert str(said.get("trouble", "")).isprintable()
    cut = said_of(data[:-25], MADRID, "freeze", NOW - 86_400, NOW + 20 * 86_400)
    assert "trouble" in cut
