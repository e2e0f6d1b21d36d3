"""The shipped pipeline's own commands, as they stand there, pass in the released commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatchway.core.plan import CommandStage
from hatchway.demo import repo, state_directory
from hatchway.settings.load import load_all


def commands() -> list[tuple[str, str]]:
    """Every command that needs no running demo."""
    settings = load_all(state_directory.shipped())
    (plan,) = settings.pipelines.values()
    return [
        (f"{stage.name}: {job.name}", job.run)
        for stage in plan.stages
        if isinstance(stage, CommandStage) and stage.kind != "deploy"
        for group in stage.groups
        for job in group
    ]


@pytest.fixture(scope="module")
def checkouts() -> Iterator[dict[str, Path]]:
    place = Path(tempfile.mkdtemp(prefix="hwp-"))
    good = repo.create(place / "good")
    bad = repo.create(place / "bad", broken=True)
    yield {
        "stable": repo.checkout(good.path, good.stable, place / "work"),
        "release": repo.checkout(good.path, good.release, place / "work"),
        "broken": repo.checkout(bad.path, bad.release, place / "work"),
    }
    shutil.rmtree(place)


def run(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
    clean = {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_each_command_passes_in_the_release(name: str, checkouts: dict[str, Path]):
    done = run(dict(commands())[name], checkouts["release"])
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_version_in_production_passes_its_own_tests(checkouts: dict[str, Path]):
    done = run("python -m pytest -q -p no:cacheprovider tests", checkouts["stable"])
    assert done.returncode == 0, done.stdout + done.stderr


def test_in_a_broken_release_exactly_one_unit_test_fails(checkouts: dict[str, Path]):
    done = run("python -m pytest -q -p no:cacheprovider tests/unit", checkouts["broken"])
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert "test_shipping_is_free_from_the_limit_on" in done.stdout
