"""Whatever reads says it in JSON too: every verb is either named here as acting, or has --json."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatchway.cli import emergency
from hatchway.cli.main import EMERGENCY, FILES, VERBS

# What starts, serves or is a screen. What acts may have --json; what reads must.
NOT_READING = {
    ("demo",), ("serve",), ("governor",), ("tui",), ("run",), ("fault",), ("token", "new"),
    ("token", "revoke"),
}  # fmt: skip
BELOW = re.compile(r"usage: hatchway \S+ \[-h\] (verb|\{.+\}|\S+\|\S+) \.\.\.")
VERB = re.compile(r"^    ([a-z][a-z-]*)(?: {2,}|$)", re.MULTILINE)


def help_of(*words: str) -> str:
    """What `hatchway WORDS --help` prints, in this process."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        if words[0] in EMERGENCY:
            name = "resume" if words[0] == "release" else words[0]
            return emergency.USAGE.get(name) or emergency.USAGE["stop"]
        importlib.import_module(f"hatchway.cli.{FILES.get(words[0], words[0])}").main(
            [*words[1:], "--help"]
        )
    return out.getvalue()


def verbs() -> Iterator[tuple[str, ...]]:
    """Every verb, and every verb of a verb as its help names them."""
    for verb in VERBS:
        head = help_of(verb).partition("options:")[0]
        below = VERB.findall(head) if BELOW.match(head) else []
        if verb in EMERGENCY or not below:
            yield (verb,)
        for each in below:
            yield (verb, each)


EVERY = tuple(verbs())


def test_the_verbs_are_found() -> None:
    assert {("status",), ("audit", "verify"), ("token", "list"), ("metrics", "suggest")} <= set(
        EVERY
    )
    assert len(EVERY) > 35
    assert set(EVERY) >= NOT_READING, "named above and not there"


@pytest.mark.parametrize("verb", [v for v in EVERY if v not in NOT_READING], ids=" ".join)
def test_what_reads_has_json(verb: tuple[str, ...]) -> None:
    assert "--json" in help_of(*verb), f"hatchway {' '.join(verb)} has no --json"


def test_watch_says_every_change_as_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchway.cli.main", "watch", "--json", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    process.terminate()
    process.wait(20)
    process.stdout.close()
    assert said["key"] == "silence"
    assert "Nobody answers" in said["text"]
