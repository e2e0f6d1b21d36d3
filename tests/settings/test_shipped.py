"""The shipped configuration is read in full, and a checkout finds it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from hatchway.core.monitoring import patience_s
from hatchway.core.plan import CanaryStage, CommandStage, ReleaseStage, SeriesRef
from hatchway.core.policy import EnvironmentPolicy, UndoSafe, VerdictIn
from hatchway.settings import load_all, load_installation, load_pipeline, load_policy, shipped


def test_the_shipped_files_are_what_the_article_says() -> None:
    settings = load_all(shipped())
    plan = settings.pipelines["shop"]
    assert [stage.name for stage in plan.stages] == [
        "checks",
        "unit tests",
        "integration",
        "security",
        "staging",
        "release",
        "canary",
    ]
    checks, staging, release, canary = (plan.stages[i] for i in (0, 4, 5, 6))
    assert isinstance(checks, CommandStage)
    assert checks.budget_s == 30
    assert [[job.name for job in group] for group in checks.groups] == [
        ["compile", "lint", "types"]
    ]
    assert isinstance(staging, CommandStage)
    assert [[job.name for job in group] for group in staging.groups] == [
        ["deploy"],
        ["smoke"],
        ["monitor"],
    ]
    assert isinstance(release, ReleaseStage)
    assert (release.approvals, release.expires_s) == (1, 4 * 3600)
    assert isinstance(canary, CanaryStage)
    assert [(s.weight, s.monitor_s, s.hold_back) for s in canary.steps] == [
        (5, 120, 0),
        (25, 120, 0),
        (100, 300, 5),
    ]
    assert [patience_s(s, 1.0) for s in canary.steps] == [420, 420, 900]
    assert {s.advance for s in canary.steps} == {"timed"}
    assert settings.notes == ()


def test_the_example_of_these_tests_is_right(home: Path) -> None:
    assert load_all(home).installation.services[0].name == "shop"


def test_series_keep_their_labels() -> None:
    service = load_all(shipped()).installation.services[0]
    errors = next(metric for metric in service.metrics if metric.name == "errors")
    assert errors.events == SeriesRef("haproxy_server_http_responses_total", {"code": "5xx"})
    assert errors.total == SeriesRef("haproxy_server_http_responses_total")


def test_the_shipped_policy_recommends_in_production() -> None:
    prod = load_policy(shipped() / "policy.yaml").environments["prod"]
    assert isinstance(prod, EnvironmentPolicy)
    assert prod.mode == "recommend"
    assert VerdictIn(("PASS",)) in prod.capabilities["promote"].when
    assert VerdictIn(("REGRESS",)) in prod.capabilities["rollback"].when
    assert UndoSafe(True) in prod.capabilities["rollback"].when


def test_a_digest_is_of_the_bytes_of_the_file(home: Path) -> None:
    for load, file in ((load_pipeline, "pipelines/shop.yaml"), (load_policy, "policy.yaml")):
        assert load(home / file).digest == hashlib.sha256((home / file).read_bytes()).hexdigest()


def test_loading_twice_gives_equal_settings_that_survive_json() -> None:
    first, second = load_all(shipped()), load_all(shipped())
    assert first == second
    assert msgspec.json.decode(msgspec.json.encode(first), type=type(first)) == first


def test_one_file_at_a_time_gives_the_same_as_all_together() -> None:
    settings = load_all(shipped())
    assert load_installation(shipped() / "hatchway.yaml") == settings.installation
    assert load_pipeline(shipped() / "pipelines" / "shop.yaml") == settings.pipelines["shop"]
