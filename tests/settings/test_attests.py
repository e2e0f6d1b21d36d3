"""Where instances attest their version, and which metrics nobody may excuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hatchway.core.expectations import protected
from hatchway.core.plan import Attests
from hatchway.settings import ConfigError, load_all

Edit = Callable[[str, str, str], int]
MAIN = "hatchway.yaml"


def attests(home: Path) -> Attests | None:
    (service,) = load_all(home).installation.services
    return service.attests


def test_a_service_attests_where_it_says_so(home: Path, edit: Edit) -> None:
    assert attests(home) is None
    edit(MAIN, "    metrics:\n", "    attests: {source: app}\n    metrics:\n")
    assert attests(home) == Attests("app", "build_info", "version")


def test_the_series_and_the_label_can_be_others(home: Path, edit: Edit) -> None:
    said = "{source: app, series: shop_build, label: revision}"
    edit(MAIN, "    metrics:\n", f"    attests: {said}\n    metrics:\n")
    assert attests(home) == Attests("app", "shop_build", "revision")


@pytest.mark.parametrize("wrong", ["{source: nowhere}", "{series: x}", "{source: app, lable: x}"])
def test_a_mistake_in_it_is_said(home: Path, edit: Edit, wrong: str) -> None:
    edit(MAIN, "    metrics:\n", f"    attests: {wrong}\n    metrics:\n")
    with pytest.raises(ConfigError):
        load_all(home)


@pytest.mark.parametrize(("said", "is_it"), [("", True), ("true", True), ("false", False)])
def test_protected_is_what_is_written_else_what_users_get(
    home: Path, edit: Edit, said: str, is_it: bool
) -> None:
    if said:
        edit(MAIN, "      errors:\n", f"      errors:\n        protected: {said}\n")
    (service,) = load_all(home).installation.services
    errors = next(metric for metric in service.metrics if metric.name == "errors")
    assert protected(errors) == is_it
