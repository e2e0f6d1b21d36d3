from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hatchway.edge.health import PARTS, Health, part_of


def figures(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def over(edge: Any) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=str(edge.listening.backend))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_metrics_are_served_beside_the_dashboards(edge: Any) -> None:
    async with edge.dashboard() as dashboard, over(edge) as http:
        edge.hub.publish("system", {"name": "x"})
        await dashboard.ask("p-1", "pause")
        answer = await http.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        found = figures(answer.text)
    assert found["hatchway_clients", (("socket", "unix"),)] == 1
    assert found["hatchway_commands_total", (("answer", "ack"), ("kind", "pause"))] == 1
    assert found["hatchway_documents_revision", ()] == edge.hub.rev == 1
    assert found["process_resident_memory_bytes", ()] > 1e6


def test_every_figure_is_exact_and_parses() -> None:
    health = Health(now=lambda: 100.0)
    health.rev, health.journal_seq, health.governor_at = 7, 42, 97.5
    for seconds in (0.0005, 0.001, 0.03, 99.0):
        health.appended(seconds)
    health.joined("tcp")
    health.left("tcp")
    health.dropped("stalled")
    health.bad_message()
    health.answered("pause", "ack")
    found = figures(health.render().decode())
    assert found["hatchway_journal_seq", ()] == 42
    assert found["hatchway_governor_age_seconds", ()] == 2.5
    assert found["hatchway_clients", (("socket", "tcp"),)] == 0
    assert found["hatchway_dropped_clients_total", (("why", "stalled"),)] == 1
    assert found["hatchway_bad_messages_total", ()] == 1
    bucket = "hatchway_journal_append_seconds_bucket"
    assert found[bucket, (("le", "0.001"),)] == 2  # a bound counts what is equal to it
    assert found[bucket, (("le", "0.05"),)] == 3
    assert found[bucket, (("le", "5.0"),)] == 3
    assert found[bucket, (("le", "+Inf"),)] == 4
    assert found["hatchway_journal_append_seconds_count", ()] == 4
    assert found["hatchway_journal_append_seconds_sum", ()] == 99.0315
    assert figures(health.render().decode()).keys() == found.keys()  # and again


def test_a_governor_that_never_answered_has_no_age() -> None:
    assert ("hatchway_governor_age_seconds", ()) not in figures(Health().render().decode())


async def test_healthz_says_what_is_wrong(edge: Any) -> None:
    async with over(edge) as http:
        well = await http.get("/healthz")
        assert (well.status_code, well.text) == (200, "ok\n")
        edge.health.trouble = {"journal": "the disk is full", "governor": ""}
        ill = await http.get("/healthz")
        assert (ill.status_code, ill.text) == (503, "journal: the disk is full\n")
        assert "hatchway_healthy 0.0" in (await http.get("/metrics")).text
        assert (await http.get("/nowhere")).status_code == 404


async def test_a_figure_that_cannot_be_made_does_not_look_like_a_backend_that_is_down(
    edge: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise KeyError("no such run")

    edge.health.house = broken
    async with over(edge) as http:
        for pages in (1, 2):
            answer = await http.get("/metrics")
            assert answer.status_code == 200
            assert figures(answer.text)["hatchway_incomplete_pages_total", ()] == pages
    assert "no such run" in caplog.text


@pytest.mark.parametrize(
    ("key", "words", "part"),
    [
        ("journal", "the disk is full", "journal"),
        ("governor", "it does not answer", "governor"),
        ("brain", "rules-1: no answer within 5 s", "brain"),
        ("looking at shop", "KeyError", "metrics"),
        ("policy", "the changed policy is refused", "rules"),
        ("calendar company", "it was emptied", "rules"),
        ("run/7", "cannot be shown: KeyError", "documents"),
        ("system", "cannot be shown: KeyError", "documents"),
        ("run 7", "its service is not in hatchway.yaml any more", "runs"),
        ("run-7.step1.1", "run-7.step1.1: no; trying again", "runs"),
    ],
)
def test_troubles_are_counted_by_part_never_by_run(key: str, words: str, part: str) -> None:
    assert part_of(key, words) == part
    health = Health()
    health.trouble = {key: words, "other run": ""}
    found = figures(health.render().decode())
    troubles = {labels: v for (name, labels), v in found.items() if name == "hatchway_troubles"}
    assert len(troubles) == len(PARTS)
    assert {labels: v for labels, v in troubles.items() if v} == {(("part", part),): 1}


async def test_scrapes_that_are_under_way_when_the_edge_closes_are_whole_or_refused(
    open_edge: Any,
) -> None:
    pages: list[str] = []
    refused = 0

    async def scrape(edge: Any) -> None:
        nonlocal refused
        async with over(edge) as http:
            while not refused:
                try:
                    answer = await http.get("/metrics")
                except httpx.TransportError:
                    refused += 1
                else:
                    assert answer.status_code == 200
                    pages.append(answer.text)

    async with asyncio.timeout(60), asyncio.TaskGroup() as scrapers, open_edge() as edge:
        for _ in range(8):
            scrapers.create_task(scrape(edge))
        while len(pages) < 20:
            await asyncio.sleep(0.01)
    assert refused
    assert all("hatchway_healthy 1.0" in text and text.endswith("\n") for text in pages)


async def test_browsers_get_nothing(edge: Any) -> None:
    async with over(edge) as http:
        for path in ("/", "/healthz", "/metrics"):
            answer = await http.get(path, headers={"Origin": "http://localhost"})
            assert answer.status_code == 403


async def test_a_page_is_not_a_dashboard(edge: Any) -> None:
    async with over(edge) as http:
        assert (await http.get("/")).status_code == 426


def test_starting_does_not_pay_for_what_nobody_asked() -> None:
    code = "import sys, hatchway.edge.server; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
