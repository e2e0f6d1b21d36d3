"""Bad input: a broken file starts nothing; a bad command ends cleanly with its reason on screen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.settings.load import shipped

Start = Callable[..., Any]


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("pipelines/shop.yaml", "monitor: 2m", "moniter: 2m", 'did you mean "monitor"'),
        ("policy.yaml", "verdict: [PASS]", "verdict: [GREEN]", "GREEN"),
        ("hatchway.yaml", "kind: latency", "kind: latncy", "latency"),
        ("pipelines/shop.yaml", "budget: 30s", "budget: 30", "30s"),
    ],
)
def test_a_broken_file_gives_line_fault_and_mend_exit_2_and_starts_nothing(
    demo_dir: Path, file: str, old: str, new: str, says: str
) -> None:
    shutil.copytree(shipped(), demo_dir / "config")
    path = demo_dir / "config" / file
    text = path.read_text()
    line = text[: text.index(old)].count("\n") + 1
    path.write_text(text.replace(old, new, 1))
    served = subprocess.run(
        [sys.executable, "-m", "hatchway", "serve", "--dir", str(demo_dir)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert served.returncode == 2
    assert f"{Path(file).name}:{line}" in served.stderr
    assert says in served.stderr
    assert not (demo_dir / "journal.db").exists()
    assert not (demo_dir / "backend.sock").exists()


BAD_COMMANDS = {
    "does not exist": ("no-such-tool --please", "no-such-tool"),
    "hangs": ("sleep 600", "stopped after"),
    "prints terminal escapes and fails": (
        r"printf '\033]52;c;ZXZpbA==\007\033[2J[@click=app.quit]x[/]\n'; exit 3",
        "exit status 3",
    ),
    "floods 100 MB and fails": ("yes flood | head -c 100000000; exit 4", "exit status 4"),
}


@pytest.mark.parametrize("name", list(BAD_COMMANDS))
def test_a_bad_stage_command_ends_cleanly_with_the_reason_on_screen(
    start_demo: Start, demo_dir: Path, name: str
) -> None:
    command, reason = BAD_COMMANDS[name]
    pipeline = demo_dir / "shop.yaml"
    text = (shipped() / "pipelines" / "shop.yaml").read_text()
    compile_ = "      compile: python -m compileall -q shop\n"
    assert compile_ in text
    quoted = command.replace("'", "''")
    text = text.replace(compile_, f"      compile: '{quoted}'\n").replace(
        "budget: 30s", "budget: 8s"
    )
    pipeline.write_text(text)
    demo = start_demo("--mode", "act", "--pipeline", str(pipeline), "--keep")
    run, lines = demo.ended()
    assert run.outcome == "failed"
    assert run.stages[0].status == "failed"
    assert reason in run.stages[0].detail, run.stages[0]
    assert any(reason in line for line in lines), lines
    assert "\x1b" not in str(run) + str(lines)
    kept = sum(f.stat().st_size for f in (demo.d / "jobs").rglob("*") if f.is_file())
    assert kept < 40_000_000, "a flood is cut"
