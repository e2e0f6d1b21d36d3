"""One contract for every source of a calendar, and S34 over each that can say a weekly freeze."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hatchway.calendars import feed
from hatchway.calendars.expand import said_of
from hatchway.calendars.feed import FeedSource
from hatchway.calendars.fetch import fetch
from hatchway.calendars.fixed import Fixed
from hatchway.calendars.port import Source
from hatchway.calendars.written import Written
from hatchway.core.schedules import Cron, Dates, Feed, Rotation, Weekly
from hatchway.core.windows import Calendar, Span, joined, read

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
SINCE, UNTIL = NOW - 2 * 86400, NOW + 62 * 86400


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a child says the same is another test's (test_doubt.py)."""
    monkeypatch.setattr(feed, "in_child", said_of)


@pytest.fixture
def server() -> Iterator[Any]:
    """A web server on loopback that serves `server.data`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(self.server.status)  # type: ignore[attr-defined]
            for name, value in self.server.headers.items():  # type: ignore[attr-defined]
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(self.server.data)  # type: ignore[attr-defined]

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as found:
        found.status, found.headers, found.data = 200, {}, ics(WEEKEND)  # type: ignore[attr-defined]
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()


def address(server: Any) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/x.ics"


SOURCES = ["weekly", "cron", "file", "url", "fixed"]


@pytest.fixture(params=SOURCES)
def weekend(request: Any, tmp_path: Path, server: Any) -> Source:
    """Fri 14:00 to Mon 06:00 in Madrid, as each kind of source says it."""
    match request.param:
        case "weekly":
            return Written(Weekly(4, 14 * 3600, 0, 6 * 3600, MADRID), "freeze")
        case "cron":
            return Written(Cron("0 14 * * 5", 64 * 3600.0, MADRID), "freeze")
        case "file":
            path = tmp_path / "x.ics"
            path.write_bytes(ics(WEEKEND))
            return FeedSource(Feed("x.ics", MADRID), "freeze", path, None)
        case "url":
            path = tmp_path / "copy.ics"
            fetch(address(server), path)
            return FeedSource(Feed(address(server), MADRID), "freeze", path, None)
        case _:
            first = at("2026-10-16 14:00")
            weeks = [Span(first + n * 604800, first + n * 604800 + 230400) for n in range(9)]
            return Fixed(*weeks)


def test_a_source_gives_sorted_intervals_within_what_it_was_asked(weekend: Source) -> None:
    found = weekend.resolve(SINCE, UNTIL, NOW)
    assert found.trouble == ""
    assert list(found.spans) == sorted(found.spans)
    assert len(found.spans) >= 9
    assert all(s.end > SINCE and s.start < UNTIL and s.start < s.end for s in found.spans)
    assert (found.since, found.until) == (SINCE, UNTIL)


def test_a_source_says_the_same_when_it_is_asked_again(weekend: Source) -> None:
    assert weekend.resolve(SINCE, UNTIL, NOW).spans == weekend.resolve(SINCE, UNTIL, NOW).spans


def test_the_next_week_is_frozen_whoever_says_so(weekend: Source) -> None:
    spans = joined(weekend.resolve(SINCE, UNTIL, NOW).spans)
    friday = at("2026-10-23 14:00")
    assert any(s.start <= friday and friday + 3600 < s.end for s in spans)
    assert not any(s.start < friday < s.end and s.start < friday - 3600 for s in spans)


@pytest.mark.parametrize(
    "source",
    [
        Written(Weekly(4, 0, 0, 0, "Mars/Base"), "freeze"),
        Written(Cron("0 9 * * *", 3600.0, "Nowhere/At_All"), "window"),
        Written(Dates("2026-10-20T00:00", "2026-10-21T00:00", ".."), "freeze"),
        Written(Rotation(("ana",), "2026-10-20T00:00", 7, "Mars/Base"), "window"),
        Written(Cron("every day", 3600.0, MADRID), "window"),
        Written(Dates("soon", "later", MADRID), "freeze"),
        FeedSource(Feed("absent.ics", MADRID), "freeze", Path("absent.ics"), None),
        FeedSource(Feed("https://a.example/x", MADRID), "freeze", Path("absent.ics"), None),
        Fixed(trouble="it is broken"),
    ],
    ids=lambda s: type(s).__name__,
)
def test_what_cannot_be_worked_out_is_trouble_and_never_an_exception(source: Source) -> None:
    found = source.resolve(SINCE, UNTIL, NOW)
    assert found.trouble
    assert found.spans == ()


# --- S34: the change of clocks --------------------------------------------------------------------

WRITTEN = Written(Weekly(4, 14 * 3600, 0, 6 * 3600, MADRID), "freeze")


def stands(source: Source, now: float, kind: Any = "freeze") -> str:
    found = source.resolve(now - 3 * 86400, now + 10 * 86400, now)
    calendar = Calendar(
        name="c",
        kind=kind,
        source="t",
        spans=joined(found.spans),
        since=found.since,
        until=found.until,
        as_of=found.as_of,
        stale_at=found.stale_at,
        trouble=found.trouble,
    )
    return read(calendar, now).stands


@pytest.fixture(params=["weekly", "file"])
def frozen(request: Any, tmp_path: Path) -> Source:
    if request.param == "weekly":
        return WRITTEN
    path = tmp_path / "x.ics"
    path.write_bytes(ics(WEEKEND))
    return FeedSource(Feed("x.ics", MADRID), "freeze", path, None)


@pytest.mark.parametrize(
    ("friday", "hours"),
    [("2026-10-16", 64), ("2026-10-23", 65), ("2027-03-26", 63)],
    ids=["plain", "clocks go back on 2026-10-25", "clocks go forward on 2027-03-28"],
)
def test_s34_frozen_from_14_00_00_exactly_over_a_change_of_clocks(
    frozen: Source, friday: str, hours: int
) -> None:
    begin = at(f"{friday} 14:00")
    assert stands(frozen, begin - 1) == "open"
    assert stands(frozen, begin) == "closed"
    assert stands(frozen, begin + hours * 3600 - 1) == "closed"
    assert stands(frozen, begin + hours * 3600) == "open"


def test_a_freeze_at_a_time_that_exists_twice_takes_in_both() -> None:
    # 02:30 comes twice on 2026-10-25: at 00:30Z and at 01:30Z
    freeze = Written(Dates("2026-10-25T02:30", "2026-10-25T02:45", MADRID), "freeze")
    window = Written(Dates("2026-10-25T02:30", "2026-10-25T02:45", MADRID), "window")
    first, second = at("2026-10-25 00:30", "UTC"), at("2026-10-25 01:30", "UTC")
    for moment in (first, second, second + 800):
        assert stands(freeze, moment) == "closed"
        assert stands(window, moment, "window") == "closed", "in doubt a window opens for nobody"


def test_a_freeze_at_a_time_that_does_not_exist_begins_with_the_earlier_reading() -> None:
    # 02:30 is jumped over on 2027-03-28: 01:00Z is 03:00
    freeze = Written(Dates("2027-03-28T02:30", "2027-03-28T04:00", MADRID), "freeze")
    window = Written(Dates("2027-03-28T02:30", "2027-03-28T04:00", MADRID), "window")
    assert stands(freeze, at("2027-03-28 00:29:59", "UTC")) == "open"
    assert stands(freeze, at("2027-03-28 00:30", "UTC")) == "closed"
    assert stands(window, at("2027-03-28 01:29:59", "UTC"), "window") == "closed"
    assert stands(window, at("2027-03-28 01:30", "UTC"), "window") == "open"


def test_a_cron_window_keeps_office_hours_when_the_clocks_change() -> None:
    office = Written(Cron("0 9 * * 1-5", 8 * 3600.0, MADRID), "window")
    for day in ("2026-10-23", "2026-10-26", "2027-03-26", "2027-03-29"):
        assert stands(office, at(f"{day} 08:59:59"), "window") == "closed"
        assert stands(office, at(f"{day} 09:00"), "window") == "open"
        assert stands(office, at(f"{day} 16:59:59"), "window") == "open"
        assert stands(office, at(f"{day} 17:00"), "window") == "closed"
    assert stands(office, at("2026-10-24 12:00"), "window") == "closed", "a Saturday"


def test_more_times_than_any_calendar_needs_are_known_as_far_as_they_go() -> None:
    each_minute = Written(Cron("* * * * *", 30.0, MADRID), "window")
    found = each_minute.resolve(SINCE, UNTIL, NOW)
    assert found.until < UNTIL
    assert len(found.spans) == 5_000
    assert stands(each_minute, NOW, "window") in ("open", "closed")


def test_a_rotation_hands_over_at_the_same_time_of_day_over_a_change_of_clocks() -> None:
    rota = Written(Rotation(("ana", "ben"), "2026-10-05T09:00", 7, MADRID), "window")
    found = rota.resolve(at("2026-10-06 00:00"), at("2026-11-10 00:00"), NOW)
    turns = [(s.start, s.says) for s in found.spans]
    days = ("2026-10-05", "2026-10-12", "2026-10-19", "2026-10-26", "2026-11-02", "2026-11-09")
    people = ("ana", "ben") * 3
    assert turns == [(at(f"{d} 09:00"), who) for d, who in zip(days, people, strict=True)]
    assert all(a.end == b.start for a, b in zip(found.spans, found.spans[1:], strict=False))


def test_nobody_is_on_call_before_a_rotation_begins() -> None:
    rota = Written(Rotation(("ana", "ben"), "2026-10-05T09:00", 7, MADRID), "window")
    found = rota.resolve(at("2026-09-01 00:00"), at("2026-10-06 00:00"), NOW)
    assert [s.start for s in found.spans] == [at("2026-10-05 09:00")]


# --- fetching -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": 503}, "answered 503"),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, "answered 302"),
        ({"data": b"x" * 1_000_001}, "larger than 1,000,000 bytes"),
        (
            {"headers": {"Content-Length": "100000"}, "data": b"BEGIN"},
            "of 100000 bytes came|ncompl",
        ),
    ],
    ids=["error", "redirect", "large", "cut off"],
)
def test_what_is_not_fetched_whole_leaves_the_last_copy(
    server: Any, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    from hatchway.calendars.fetch import NotFetched

    path = tmp_path / "copy.ics"
    path.write_bytes(b"the last good copy")
    for name, value in change.items():
        setattr(server, name, value)
    with pytest.raises(NotFetched, match=words):
        fetch(address(server), path, 5.0)
    assert path.read_bytes() == b"the last good copy"


def test_a_server_that_trickles_is_given_up(tmp_path: Path) -> None:
    import socket
    import time

    from hatchway.calendars.fetch import NotFetched

    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def trickle() -> None:
            link, _ = listening.accept()
            with link:
                link.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                while not stop.wait(0.05):
                    try:
                        link.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        began = time.monotonic()
        with pytest.raises(NotFetched, match=r"longer than 0\.5 s"):
            fetch(f"http://127.0.0.1:{listening.getsockname()[1]}/", tmp_path / "x.ics", 0.5)
        assert time.monotonic() - began < 5
        stop.set()
        thread.join(5)
