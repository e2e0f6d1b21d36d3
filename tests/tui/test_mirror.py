"""The read model: contiguous, total, and nothing old is shown as new."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hatchway.edge import protocol as wire
from hatchway_tui.control import control_of
from hatchway_tui.mirror import (
    KEPT_POINTS,
    GovernorSaid,
    GovernorStatus,
    Heard,
    Lost,
    Model,
    Series,
    fold,
    merged,
    run_of,
    services,
)


def raw(**docs: msgspec.Struct) -> dict[str, msgspec.Raw]:
    return {
        key.replace("__", "/").replace("needs_you", "needs-you"): msgspec.Raw(
            msgspec.json.encode(doc)
        )
        for key, doc in docs.items()
    }


def snapshot(scenes: Any, name: str = "canary") -> Model:
    docs = {key: msgspec.Raw(msgspec.json.encode(doc)) for key, doc in scenes.build(name).items()}
    return fold(Model(), Heard(wire.Snapshot(7, docs), 1.0))


def test_a_snapshot_makes_it_live(scenes: Any) -> None:
    model = snapshot(scenes)
    assert (model.phase, model.rev) == ("live", 7)
    assert services(model) == ["shop"]
    run = run_of(model, "shop")
    assert run is not None
    assert run.to_version == "1.5.0"


def test_a_beat_before_the_snapshot_is_not_life() -> None:
    model = fold(Model(phase="down"), Heard(wire.Beat(3, 100.0), 1.0))
    assert model.phase == "down"


def test_a_delta_sets_and_removes(scenes: Any) -> None:
    model = snapshot(scenes, "unsure")
    delta = wire.Delta(7, 8, raw(system=wire.SystemDoc("staging")), ("run/r1", "needs-you"))
    model = fold(model, Heard(delta, 2.0))
    assert model.rev == 8
    assert model.system is not None
    assert model.system.environment == "staging"
    assert model.runs == {}
    assert model.needs.items == ()


def test_a_snapshot_forgets_documents_but_keeps_the_plots(scenes: Any) -> None:
    model = snapshot(scenes)
    before = model.series["r1"]["errors"]
    model = fold(model, Heard(wire.Snapshot(9, {}), 2.0))
    assert model.runs == {}
    assert model.series["r1"]["errors"] is before


def test_a_document_that_is_not_understood_spoils_nothing_else(scenes: Any) -> None:
    docs = {"run/r1": msgspec.Raw(b'{"id": 7}'), **raw(system=wire.SystemDoc("x"))}
    model = fold(snapshot(scenes), Heard(wire.Delta(7, 8, docs), 2.0))
    assert "run/r1" in model.unread
    assert model.system is not None
    assert model.system.environment == "x"
    assert model.runs["r1"].to_version == "1.5.0"


def test_an_unknown_document_is_left_alone(scenes: Any) -> None:
    model = snapshot(scenes)
    after = fold(model, Heard(wire.Delta(7, 8, {"weather/x": msgspec.Raw(b"[1]")}), 2.0))
    assert after.unread == ""
    assert after.runs == model.runs


def test_history_and_new_points_become_one_series(scenes: Any) -> None:
    model = snapshot(scenes)
    points = model.series["r1"]["errors"].points
    assert len(points) == 100
    assert [point[0] for point in points] == sorted(point[0] for point in points)


def test_a_series_that_learns_nothing_stays_the_same_object() -> None:
    series = Series(((1.0, 1.0, None), (2.0, 1.0, 2.0)))
    assert merged(series, ((2.0, 1.0, 2.0),)) is series
    assert merged(series, ((3.0, 1.0, 2.0),)) is not series


@given(st.lists(st.tuples(st.floats(0, 1e6), st.none() | st.floats(0, 9), st.none())), st.randoms())
def test_points_may_come_in_any_order(points: list[Any], random: Any) -> None:
    shuffled = list({point[0]: point for point in points}.values())
    once = merged(Series(), tuple(shuffled))
    random.shuffle(shuffled)
    half = len(shuffled) // 2
    twice = merged(merged(Series(), tuple(shuffled[:half])), tuple(shuffled[half:]))
    assert once.points == twice.points
    assert len(once.points) <= KEPT_POINTS


def test_the_mode_comes_from_the_governor_when_the_backend_is_gone(scenes: Any) -> None:
    model = snapshot(scenes)
    assert control_of(model, "shop").mode == "agent"
    model = fold(model, Lost("down", 3.0, "gone", 4.0))
    assert control_of(model, "shop").source == "memory"
    said = GovernorStatus("shop", 9, "person", "luis")
    model = fold(model, GovernorSaid(3.5, (said,)))
    control = control_of(model, "shop")
    assert (control.mode, control.holder, control.source) == ("person", "luis", "governor")


def test_a_governor_in_trouble_is_not_believed(scenes: Any) -> None:
    model = fold(snapshot(scenes), Lost("down", 3.0, "gone", 4.0))
    model = fold(model, GovernorSaid(3.5, (GovernorStatus("shop", 9, "person", "luis"),)))
    model = fold(model, GovernorSaid(4.5, (), "it does not answer"))
    assert control_of(model, "shop").source == "memory"


def test_the_run_that_goes_on_is_shown_before_a_later_one_that_ended(scenes: Any) -> None:
    model = snapshot(scenes)
    ended = msgspec.structs.replace(model.runs["r1"], id="r2", status="ended", started_at=9e9)
    model = msgspec.structs.replace(model, runs=model.runs | {"r2": ended})
    run = run_of(model, "shop")
    assert run is not None
    assert run.id == "r1"
