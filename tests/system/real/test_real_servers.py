"""Hatchway moves a real HAProxy by what a real Prometheus says of it, scraped once a second."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from hatchway.core import events as ev

PATIENCE_S = 100.0
ERRORS = 'haproxy_server_http_responses_total{server="canary",code="5xx"}'

pytestmark = pytest.mark.timeout(240)


class Watcher:
    """Looks at HAProxy every 10 ms and at Prometheus every 30 ms, beside Hatchway."""

    def __init__(self, servers: Any) -> None:
        self.servers = servers
        self.canary: list[Any] = []
        self.scraped: list[tuple[float, float, float]] = []  # seen at, scraped at, errors
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._each, args=(0.01, self._haproxy)),
            threading.Thread(target=self._each, args=(0.03, self._prometheus)),
        ]

    def __enter__(self) -> Watcher:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _each(self, seconds: float, look: Any) -> None:
        while not self._over.wait(seconds):
            with suppress(OSError, LookupError):
                look()

    def _haproxy(self) -> None:
        self.canary.append(self.servers.arm("canary"))

    def _prometheus(self) -> None:
        at, errors = self.servers.newest(ERRORS)
        self.scraped.append((time.time(), at, errors))


def first_at(hatchway: Any, since: float, true: Any) -> float:
    """When something was journaled first since then."""
    return float(next(h.at for h in hatchway.journal() if h.at >= since and true(h.event)))


def weights(hatchway: Any) -> list[int]:
    return [event.observed for event in hatchway.events(ev.EffectVerified)]


def word(hatchway: Any) -> str:
    """The judge's newest word."""
    verdicts = hatchway.events(ev.VerdictChanged)
    return str(verdicts[-1].word) if verdicts else ""


def words_since(hatchway: Any, since: float) -> set[str]:
    events = [h.event for h in hatchway.journal() if h.at > since]
    return {event.word for event in events if isinstance(event, ev.VerdictChanged)}


def held_because(hatchway: Any) -> str:
    held = hatchway.events(ev.RunHeld)
    return str(held[-1].cause) if held else ""


def to_five_percent(hatchway: Any) -> None:
    hatchway.until(lambda: hatchway.events(ev.StepEntered), PATIENCE_S, "a canary with 5 %")
    assert hatchway.servers.weight() == 5


def test_errors_in_the_canary_bring_it_to_weight_0_and_it_stays_empty(
    servers: Any, hatchway: Any
) -> None:
    to_five_percent(hatchway)
    with Watcher(servers) as watcher:
        began = servers.arm("canary").total
        hatchway.until(lambda: servers.arm("canary").total > began + 20, 60, "traffic in canary")
        before = servers.arm("canary")
        on = servers.fault("canary", "errors", on=True)
        hatchway.until(lambda: hatchway.events(ev.RunEnded), PATIENCE_S, "the end of the run")
        servers.more_customers(300)  # none of them to the canary

    assert [event.outcome for event in hatchway.events(ev.RunEnded)] == ["rolled_back"]
    assert weights(hatchway) == [5, 0]
    assert servers.weight("canary") == 0
    assert servers.weight("stable") > 0

    seen = [arm for arm in watcher.canary if arm.at >= on]
    last = seen[-1]
    assert (last.weight, last.inflight) == (0, 0)
    empty = next(a for a in seen if a.weight == 0 and a.inflight == 0 and a.total == last.total)

    chain = [
        ("fault on", on),
        ("first 5xx of the canary", next(a.at for a in seen if a.bad > before.bad)),
        ("in Prometheus", next(at for at, _, n in watcher.scraped if n > before.bad)),
        ("first hold", first_at(hatchway, on, lambda e: getattr(e, "action", "") == "hold")),
        ("REGRESS", first_at(hatchway, on, lambda e: getattr(e, "word", "") == "REGRESS")),
        (
            "intent journaled",
            first_at(hatchway, on, lambda e: isinstance(e, ev.EffectIntended)),
        ),
        ("weight 0 in HAProxy", next(a.at for a in seen if a.weight == 0)),
        ("canary empty", empty.at),
        ("drained, journaled", first_at(hatchway, on, lambda e: isinstance(e, ev.EffectVerified))),
        ("run ended", first_at(hatchway, on, lambda e: isinstance(e, ev.RunEnded))),
    ]
    print(f"\n{'':26}{'after the fault':>16}{'after the line above':>22}")
    for (what, at), (_, previous) in zip(chain, [chain[0], *chain], strict=False):
        print(f"{what:26}{at - on:14.2f} s{at - previous:20.2f} s")
    bad = servers.customers(on)["bad_since"]
    print(
        f"bad requests served since the fault: {bad}, {last.bad - before.bad} of them by the canary,"
        f" of {last.total - before.total} that it got"
    )
    order = dict(chain)
    assert order["fault on"] <= order["first 5xx of the canary"] <= order["REGRESS"]
    assert order["REGRESS"] <= order["intent journaled"] <= order["weight 0 in HAProxy"]
    assert order["canary empty"] <= order["run ended"]


def test_a_good_release_goes_through_the_whole_ladder(servers: Any, hatchway: Any) -> None:
    hatchway.until(lambda: hatchway.events(ev.RunEnded), 2 * PATIENCE_S, "the end of the run")
    assert [event.outcome for event in hatchway.events(ev.RunEnded)] == ["promoted"]
    assert weights(hatchway) == [5, 25, 95, 100]
    assert (servers.weight("canary"), servers.weight("stable")) == (100, 0)
    codes = servers.customers()["codes"]
    assert set(codes) <= {"200", "500"}, f"HAProxy itself failed somebody: {codes}"

    began = first_at(hatchway, 0.0, lambda e: isinstance(e, ev.RunStarted))
    verified = [h for h in hatchway.journal() if isinstance(h.event, ev.EffectVerified)]
    ladder = ", ".join(f"{h.event.observed} % after {h.at - began:.1f} s" for h in verified)
    print(f"\nno fault: {ladder}; customers: {codes}")


def test_a_prometheus_that_hangs_is_no_data_and_when_it_is_back_it_goes_on(
    servers: Any, hatchway: Any
) -> None:
    to_five_percent(hatchway)
    servers.signal("prometheus", signal.SIGSTOP)
    stopped = time.time()
    hatchway.until(lambda: word(hatchway) == "NO_DATA", 60, "NO_DATA")
    blind = first_at(hatchway, stopped, lambda e: getattr(e, "word", "") == "NO_DATA") - stopped
    hatchway.until(lambda: held_because(hatchway) == "no_data", 60, "held")
    servers.more_customers(600)
    assert not {"PASS", "REGRESS"} & words_since(hatchway, stopped)
    assert weights(hatchway) == [5]
    assert servers.weight() == 5

    servers.signal("prometheus", signal.SIGCONT)
    back = time.time()
    hatchway.until(lambda: word(hatchway) != "NO_DATA", 60, "another word")
    again = first_at(hatchway, back, lambda e: getattr(e, "word", "NO_DATA") != "NO_DATA") - back
    hatchway.until(lambda: hatchway.events(ev.RunResumed), PATIENCE_S, "the hold is over")
    resumed = first_at(hatchway, back, lambda e: isinstance(e, ev.RunResumed)) - back
    assert 0 not in weights(hatchway)
    print(
        f"\nPrometheus hangs: NO_DATA and held after {blind:.1f} s; "
        f"back: another word after {again:.1f} s, no hold after {resumed:.1f} s"
    )


def test_a_canary_that_hangs_is_held_at_once_and_rolled_back_for_the_answers_it_owes(
    servers: Any, hatchway: Any
) -> None:
    to_five_percent(hatchway)
    began = servers.arm("canary").total
    hatchway.until(lambda: servers.arm("canary").total > began + 60, 60, "traffic in the canary")
    before, known = servers.arm("canary"), servers.customers()["codes"]
    servers.signal("canary", signal.SIGSTOP)
    stopped = time.time()
    hatchway.until(lambda: held_because(hatchway) == "no_data", 60, "held without data")
    held = first_at(hatchway, stopped, lambda e: isinstance(e, ev.RunHeld)) - stopped
    hatchway.until(lambda: servers.arm("canary").status == "DOWN", 60, "HAProxy takes it out")
    down = time.time() - stopped
    # What it had is answered by HAProxy itself after `timeout server`: these are its errors.
    hatchway.until(lambda: hatchway.events(ev.RunEnded), PATIENCE_S, "the end of the run")
    ended = first_at(hatchway, stopped, lambda e: isinstance(e, ev.RunEnded)) - stopped
    after, codes = servers.arm("canary"), servers.customers()["codes"]
    assert codes.get("504", 0) > known.get("504", 0)
    assert "PASS" not in words_since(hatchway, stopped)
    assert weights(hatchway) == [5, 0]
    assert [event.outcome for event in hatchway.events(ev.RunEnded)] == ["rolled_back"]
    assert hatchway.events(ev.EffectIntended)[-1].by.kind == "agent"
    assert servers.weight() == 0
    said = ", ".join(event.headline for event in hatchway.events(ev.VerdictChanged)[1:])
    print(
        f"\ncanary hangs: held after {held:.1f} s, DOWN in HAProxy after {down:.1f} s, rolled back "
        f"after {ended:.1f} s; {codes['504'] - known.get('504', 0)} customers got 504, of which "
        f"HAProxy counts {after.bad - before.bad} as the canary's 5xx\n{said}"
    )
