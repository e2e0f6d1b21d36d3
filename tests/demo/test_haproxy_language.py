"""The administration answers as a real HAProxy 2.6 did, to the byte."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.demo.arms import Pool, Server
from hatchway.demo.exporter import exposition
from hatchway.demo.haproxy_language import UNKNOWN, Language

RECORDED = json.loads((Path(__file__).parent / "haproxy_2_6_answers.json").read_text())["answers"]


def pool() -> Pool:
    stable = Server("stable", 1, "127.0.0.1", 18101, initial_weight=100)
    return Pool("be", [stable, Server("canary", 2, "127.0.0.1", 18102, initial_weight=0)])


def without_clock(answer: str) -> str:
    """The tenth column of a server's state is how long ago it changed, in seconds."""
    return re.sub(r"(?m)^(3 be(?: \S+){7}) \d+ ", r"\1 T ", answer)


def test_each_recorded_command_is_answered_as_haproxy_answered_it():
    language = Language(pool())
    for command, answer in RECORDED:
        assert without_clock(language.answer(command)) == without_clock(answer), command
    assert len(RECORDED) > 50


def test_a_weight_is_set_and_read_back():
    language = Language(pool())
    assert language.answer("set server be/canary weight 5") == "\n"
    assert language.answer("get weight be/canary") == "5 (initial 0)\n\n"


def test_percent_is_of_the_configured_weight_so_50_percent_of_0_is_0():
    language = Language(pool())
    language.answer("set server be/canary weight 9; set server be/canary weight 50%")
    assert language.answer("get weight be/canary") == "0 (initial 0)\n\n"


def test_statistics_have_haproxys_columns_with_status_18th_and_weight_19th():
    of = pool()
    of.servers[1].began()
    of.servers[1].answered(503)
    head, stable, canary, backend = Language(of).answer("show stat").splitlines()[:4]
    columns = head.removeprefix("# ").split(",")
    assert (columns[17], columns[18]) == ("status", "weight")
    rows = [dict(zip(columns, row.split(","), strict=True)) for row in (stable, canary, backend)]
    assert [row["svname"] for row in rows] == ["stable", "canary", "BACKEND"]
    assert rows[1]["scur"] == rows[1]["stot"] == rows[1]["hrsp_5xx"] == "1"
    assert rows[2]["stot"] == "1"
    assert Language(of).answer("show stat be 4 2").splitlines()[1:] == [canary, ""]
    assert len(Language(of).answer("show stat be 2 -1").splitlines()) == 3


def test_the_process_can_be_told_from_another_one():
    facts = dict(
        line.split(": ", 1) for line in Language(pool()).answer("show info").strip().splitlines()
    )
    assert int(facts["Pid"]) > 0
    assert int(facts["Uptime_sec"]) >= 0


@pytest.mark.parametrize("command", ["", "frobnicate", "show", "set", "drop table", "SHOW INFO"])
def test_what_is_not_known_changes_nothing_and_lists_what_is(command: str):
    of = pool()
    assert Language(of).answer(command) == UNKNOWN
    assert UNKNOWN.startswith("Unknown command.")
    assert (of.servers[0].weight, of.servers[1].weight) == (100, 0)


@given(
    st.text(max_size=80),
    st.sampled_from(["", "set server be/canary ", "set server be/canary weight ", "show stat "]),
)
def test_no_line_can_break_it_or_leave_a_weight_that_is_none(text: str, before: str):
    of = pool()
    assert Language(of).answer(before + text).endswith("\n")
    assert all(0 <= server.weight <= 256 for server in of.servers)


def test_metrics_have_the_exporters_names_and_every_label_from_the_start():
    of = pool()
    of.servers[0].answered(200)
    text = exposition(of)
    name = "haproxy_server_http_responses_total"
    assert f'{name}{{proxy="be",server="stable",code="2xx"}} 1\n' in text
    assert f'{name}{{proxy="be",server="canary",code="5xx"}} 0\n' in text
    assert 'haproxy_server_weight{proxy="be",server="stable"} 100\n' in text
    assert 'haproxy_server_current_sessions{proxy="be",server="canary"} 0\n' in text
