"""The pages changes, log and why: what they say is what was told, and what is not known is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hatchway.edge import protocol as wire
from hatchway.edge.docs.changes import ChangesDoc, Dependency, ScanResult, UndoReason
from hatchway.edge.docs.log import JobLog
from hatchway.edge.docs.why import Fact, MetricWhy, WhyDoc
from hatchway_tui import hands as rules
from hatchway_tui import safe_text
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands
from hatchway_tui.mirror import Heard, Model, fold
from hatchway_tui.pages import changes, log, why
from hatchway_tui.pages.page import Row
from hatchway_tui.paint import evidence
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import extent, paint
from hatchway_tui.view import View

EVIL = ["\x1b[31m\x1b]0;x\x07\u202eevil\u200b", "x" * 3000, "[bold red]", "\u2800" * 50, ""]
WIDTHS = (76, 116)


def text(rows: list[Row]) -> str:
    return "\n".join("".join(safe_text.safe(piece.text) for piece in row).rstrip() for row in rows)


def in_a_line(rows: list[Row]) -> str:
    return " ".join(text(rows).split())


def view_of(scenes: Any, name: str, page: str, told: dict[str, Any] | None = None) -> View:
    import msgspec

    docs = {k: msgspec.Raw(msgspec.json.encode(doc)) for k, doc in scenes.build(name).items()}
    model = fold(Model(), Heard(wire.Snapshot(7, docs), 50.0))
    model = replace(model, told=told or {})
    return View(model, Hands(service="shop", page=page), Rights(False, "ana"), scenes.now, 50.0)


def fits(rows: list[Row], width: int) -> bool:
    return all(
        sum(safe_text.width(safe_text.safe(piece.text)) for piece in row) <= width for row in rows
    )


# --- changes --------------------------------------------------------------------------------------

SHIPS = ChangesDoc(
    "r1", True, "no",
    (
        UndoReason("+", "schema", "the old version reads schema 118"),
        UndoReason("?", "config", "with which configuration it ran is not declared"),
        UndoReason("-", "migrations", "migration 0042 drops the column orders.note"),
    ),
    ("migration 0042 stays applied and has no way back",),
    (Dependency("web/package-lock.json  +900 -3", "lock file", "npm"),),
    (ScanResult("security", "secrets", "failed", "exit status 1", ("found: a key",)),),
    True, True, ("Ana <ana@example.invalid>",), ("Luis <l@example.invalid>",), "sha256:77", "c0",
    "v1.5", "rita",
)  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
def test_what_speaks_against_going_back_comes_first_and_names_its_rule(
    scenes: Any, width: int
) -> None:
    view = view_of(scenes, "canary", "changes", {"changes/r1": SHIPS})
    rows = changes._changes(view, width)
    said = text(rows)
    assert "UNDO SAFE  NO" in said
    assert "going back to 1.4.0 is not safe" in said
    order = [said.index(word) for word in ("drops the column", "is not declared", "schema 118")]
    assert order == sorted(order)
    for words in (
        "- migrations", "? configuration", "+ schema", "stays migration 0042", "npm lock file",
        "+900 -3", "security / secrets failed: exit status 1", "found: a key", "changes .hatchway.yaml",
        "written by Ana <ana@example.invalid>", "pushed by Luis", "asked by rita for v1.5", "artifact sha256:77",
        "orders: require a currency", "RISK MEDIUM", "look at POST /orders",
    ):  # fmt: skip
        assert words in " ".join(said.split()), words
    assert fits(rows, width)


def test_files_stand_in_their_folders_with_the_most_changed_first(scenes: Any) -> None:
    view = view_of(scenes, "canary", "changes")
    files = ("a/x.py  +1 -1", "b/c/y.py  +50 -2", "a/z.bin  binary", "top.txt  +0 -3", "odd name")
    run = replace(view.model.runs["r1"], files=files)
    view = replace(view, model=replace(view.model, runs={"r1": run}))
    said = text(changes._changes(view, 76))
    assert "5 files, +51 -6, 1 binary" in said
    places = [said.index(word) for word in ("b/c/  +50 -2", "(top)  +0 -3", "a/  +1 -1")]
    assert places == sorted(places)
    assert "y.py  +50 -2" in said
    assert "z.bin  binary" in said
    assert "odd name" in said


def test_an_old_backend_that_knows_no_changes_says_so_and_the_rest_is_shown(scenes: Any) -> None:
    view = view_of(scenes, "canary", "changes")
    untold = {"changes/r1": "this backend does not know the query 'changes'"}
    view = replace(view, model=replace(view.model, untold=untold))
    said = text(changes._changes(view, 76))
    assert "does not know the query" in said
    assert "orders: require a currency" in said


def test_nobody_claims_that_going_back_is_safe_before_anybody_looked(scenes: Any) -> None:
    view = view_of(scenes, "checks", "changes", {"changes/r1": ChangesDoc("r1", False)})
    said = text(changes._changes(view, 76))
    assert "worked out when the release is requested" in said
    assert "YES" not in said
    old = text(changes._changes(view_of(scenes, "canary", "changes", {"changes/r1": ChangesDoc("r1", True)}), 76))  # fmt: skip
    assert "UNDO SAFE  NOBODY LOOKED" in old
    assert "no stage that scans" in old


# --- log ------------------------------------------------------------------------------------------


def at_log(scenes: Any, across: int = 0, told: JobLog | None = None, name: str = "checks") -> View:
    view = view_of(scenes, name, "log")
    view = replace(view, hands=replace(view.hands, across=across))
    key = f"log/{log._about(view)}"
    return replace(view, model=replace(view.model, told={key: told} if told else {}))


def test_left_and_right_choose_the_job_and_all_of_them_come_round(scenes: Any) -> None:
    view = at_log(scenes)
    names = [f"{stage.name}/{job.name}" for stage, job in log.choices(view)]
    assert len(names) >= 2
    asked = [log._asks(at_log(scenes, n)) for n in range(len(names) + 2)]
    assert asked[0] is None
    assert asked[1:-1] == [("log", f"r1/{name}") for name in names]
    assert asked[-1] is None
    assert log._asks(at_log(scenes, -1)) == ("log", f"r1/{names[-1]}")


def test_the_jobs_that_deploy_a_canary_are_asked_for_by_their_stages_own_name(scenes: Any) -> None:
    view = at_log(scenes)
    job = wire.JobDoc("start", "passed", 1.0, 2.0)
    stages = (wire.StageDoc("slow canary 5%", "canary", "5%", "running", jobs=(job,)),)
    run = replace(view.model.runs["r1"], stages=stages)
    hands = replace(view.hands, across=1)
    view = replace(view, hands=hands, model=replace(view.model, runs={"r1": run}))
    assert log._asks(view) == ("log", "r1/slow canary/start")


def test_the_log_of_a_job_that_has_ended_is_shown_with_what_is_left_out(scenes: Any) -> None:
    told = JobLog("r1", "checks", "compile", 1, ("one", "w" * 200), first=1204, size=409600)
    said = text(log._one(at_log(scenes, 1, told), 76))
    assert "1,204 lines before these are not shown; 400 KiB" in said
    assert "one" in said
    assert said.count("w") == 200 + said.count("shown")  # a long line is broken, not cut


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (
            JobLog("r1", "s", "j", 1, missing="nothing is kept of what it printed"),
            "nothing is kept",
        ),
        (JobLog("r1", "s", "j", 1, running=True), "it has printed nothing yet"),
        (JobLog("r1", "s", "j", 1), "it printed nothing"),
        (None, "asking the backend"),
    ],
)
def test_what_there_is_no_log_of_is_said(scenes: Any, told: JobLog | None, says: str) -> None:
    assert says in text(log._one(at_log(scenes, 1, told), 76))


def press(view: View, *keys: str, size: tuple[int, int] = (80, 24)) -> View:
    for key in keys:
        at = view.at + 2
        hands = replace(view.hands, extent=extent(view, *size))
        char = {"slash": "/"}.get(key, key if len(key) == 1 else None)
        hands, _ = rules.press(hands, view.model, view.rights, key, char, at)
        view = replace(view, hands=hands, at=at)
    return view


def with_lines(view: View, first: int, count: int) -> View:
    lines = tuple(wire.LogLine("cart", f"line {n}") for n in range(first, first + count))
    return replace(view, model=replace(view.model, logs={"r1": wire.LogDoc("r1", lines, first)}))


def test_scrolled_up_it_stays_where_it_is_and_says_how_much_is_new_below(scenes: Any) -> None:
    view = with_lines(at_log(scenes), 0, 200)
    assert "FOLLOWING" in text_of(paint(view, 80, 24))
    view = press(view, "pageup")
    before = [line for line in text_of(paint(view, 80, 24)).split("\n") if "line " in line]
    view = with_lines(view, 50, 200)  # 50 came in, and the oldest 50 are not kept any more
    screen = text_of(paint(view, 80, 24))
    assert [line for line in screen.split("\n") if "line " in line] == before
    assert "50 NEW BELOW" in screen
    view = press(view, "end")
    screen = text_of(paint(view, 80, 24))
    assert "line 249" in screen
    assert "FOLLOWING" in screen


def test_a_search_counts_its_matches_and_goes_from_one_to_the_next(scenes: Any) -> None:
    view = press(with_lines(at_log(scenes), 0, 200), "slash", *"line 11", "enter")
    screen = text_of(paint(view, 80, 24))
    assert "line 11: 11 of 11" in screen
    view = press(view, "up")
    assert "line 11: 10 of 11" in text_of(paint(view, 80, 24))
    assert "▶ cart" in text_of(paint(view, 80, 24))


# --- why ------------------------------------------------------------------------------------------


def a_why(**more: Any) -> WhyDoc:
    errors = MetricWhy(
        "errors", "errors", "counts", "worse", True, True, (260, 14), (4939, 50), 1.5,
        "margins are configured", 0.5, 44.0, 0.4, 2.0,
    )  # fmt: skip
    latency = MetricWhy("p95", "latency p95", "latency", "UNSURE", True, True, (260, 8), (4940, 134), 2.0, "", 0.5, 0.6, 7.0)  # fmt: skip
    gauge = MetricWhy("db", "connections", "gauge", "same", False, False, facts=(Fact("canary in the last block", "31.2"),))  # fmt: skip
    base: dict[str, Any] = {
        "run": "r1", "seq": 51, "at": 1.0, "step": 0, "word": "UNSURE", "action": "hold",
        "headline": "looks worse", "same": True, "e": 22.3, "peak": 22.3, "lead": "errors",
        "since_raise_s": 52.0, "forecast_s": 120.0, "metrics": (gauge, latency, errors),
    }  # fmt: skip
    return WhyDoc(**(base | more))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_words_come_first_then_what_would_change_them_then_the_picture(
    scenes: Any, width: int
) -> None:
    rows = why._why(view_of(scenes, "unsure", "why", {"why/r1": a_why()}), width)
    said = text(rows)
    order = [
        said.index(w) for w in ("next  ", "WHAT WOULD CHANGE IT", "●", "├", "connections: same")
    ]
    assert order == sorted(order)
    for words in (
        "14 of 260", "50 of 4,939", "hold 20", "roll back 100", "evidence of harm: 22.3 to 1, most of it from errors",
        "REGRESS and a roll back at evidence of harm 100", "up to here is not worse: 1.5%",
        "260 of about 860 requests, 2m more at this traffic", "canary in the last block 31.2",
        "#51", "hatchway judge --explain r1", "PASS when it is excluded that it is 2x worse",
    ):  # fmt: skip
        assert words in " ".join(said.split()), words
    assert fits(rows, width)


def test_a_reason_names_its_source_and_its_time(scenes: Any) -> None:
    view = view_of(scenes, "unsure", "why")
    assert view.run is not None
    assert view.run.verdict is not None
    line = wire.WhyLine("-", "errors 14 of 260", "E1", "edge", scenes.now - 75)
    verdict = replace(view.run.verdict, why=(line,))
    run = replace(view.run, verdict=verdict)
    view = replace(view, model=replace(view.model, runs={"r1": run}))
    for width in WIDTHS:
        said = in_a_line(why._why(view, width))
        assert "- errors 14 of 260" in said
        assert "E1 edge" in said
        assert "75s ago" in said


def test_other_figures_than_those_that_were_journaled_are_called_so(scenes: Any) -> None:
    view = view_of(scenes, "unsure", "why", {"why/r1": a_why(same=False)})
    assert "comes to other figures" in in_a_line(why._why(view, 76))


def test_without_figures_the_page_says_why(scenes: Any) -> None:
    assert "no canary takes traffic yet" in text(why._why(view_of(scenes, "checks", "why"), 76))
    view = view_of(scenes, "unsure", "why")
    assert "asking the backend" in text(why._why(view, 76))
    model = replace(view.model, untold={"why/r1": "no figures: no verdict has a proof in this run"})
    assert "no verdict has a proof" in text(why._why(replace(view, model=model), 76))


COUNT = st.integers(0, 10**7)


@given(COUNT, COUNT)
def test_an_interval_holds_its_share_and_stays_between_nothing_and_all(n: int, k: int) -> None:
    low, at, high = evidence.interval((n, k))
    assert 0.0 <= low <= at <= high <= 1.0


@given(st.integers(1, 10**5), st.floats(0.01, 0.99), st.integers(2, 50))
def test_more_requests_make_the_interval_narrower(n: int, share: float, times: int) -> None:
    few, many = evidence.interval((n, int(n * share))), evidence.interval((n * times, int(n * share) * times))  # fmt: skip
    assert many.high - many.low <= few.high - few.low + 1e-12


@given(st.floats(1e-6, 0.99), st.floats(1, 100))
def test_the_margin_is_worse_than_stable_and_never_more_than_all(
    share: float, ratio: float
) -> None:
    assert share - 1e-12 <= evidence.margin(share, ratio, "up") <= 1.0
    assert 0.0 <= evidence.margin(share, ratio, "down") <= share + 1e-12


FIGURE = st.floats(0, 1e13) | st.sampled_from([0.0, 1.0, float("inf")])


@given(
    st.tuples(COUNT, COUNT), st.tuples(COUNT, COUNT), st.floats(0, 1e6), FIGURE, FIGURE,
    st.sampled_from(["up", "down"]), st.sampled_from((*WIDTHS, 20, 40)),
)  # fmt: skip
def test_every_picture_fits_and_shows_both_arms(
    canary: Any, stable: Any, ratio: float, e: float, healthy: float, worse: str, width: int
) -> None:
    metric = MetricWhy("m", "m", "counts", "same", True, True, canary, stable, ratio, "w", 1.0, e, healthy, worse=worse)  # fmt: skip
    doc = a_why(metrics=(metric,), lead="m", e=e, peak=e)
    rows = evidence.intervals(metric, width)
    assert sum("●" in text([row]) for row in rows) == 2
    if width in WIDTHS:
        assert fits(rows, width)
        assert fits(why._figures_of(doc, width), width)
    assert evidence.would_change(doc)


def test_the_scale_names_hold_and_roll_back_at_both_widths() -> None:
    for width in WIDTHS:
        for e in (0.0, 1.0, 19.0, 20.0, 5000.0, float("inf")):
            rows = evidence.scale(e, ((20.0, "hold"), (100.0, "roll back")), width, "acc")
            assert "hold 20 ^" in text(rows)
            assert "roll back 100 ^" in text(rows)
            assert fits(rows, width)


# --- all of them ------------------------------------------------------------------------------


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_words_in_answers_are_only_words(scenes: Any, evil: str) -> None:
    metric = MetricWhy(evil, evil, "counts", evil, True, True, (9, 1), (9, 1), 1.5, evil, 1.0, trouble=evil)  # fmt: skip
    facts = replace(metric, compared=False, facts=(Fact(evil, evil),), trouble="")
    told = {
        "why/r1": a_why(word=evil, headline=evil, lead=evil, live_word=evil, live_at=5.0, metrics=(metric, facts)),
        "changes/r1": ChangesDoc(
            "r1", True, "unknown", (UndoReason("?", evil, evil),), (evil,),
            (Dependency(evil, "manifest", evil),), (ScanResult(evil, evil, "failed", evil, (evil,)),),
            True, True, (evil,), (evil,), evil, evil, evil, evil,
        ),
        "log/r1/checks/compile": JobLog("r1", "checks", "compile", 1, (evil, evil), 3, 9),
    }  # fmt: skip
    for name in ("hostile", "checks", "canary"):
        for page in ("why", "changes", "log"):
            for across in (0, 1):
                view = view_of(scenes, name, page, told)
                view = replace(view, hands=replace(view.hands, across=across, filter=evil))
                for size in ((80, 24), (120, 40), (30, 10)):
                    lines = paint(view, *size)
                    assert all(safe_text.safe(part) == part for line in lines for part, _ in line)
                    assert "PAU" in text_of(lines)
