"""`target:` in hatchway.yaml: an HAProxy, or your own commands; each mistake with what to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hatchway.core.plan import TargetSpec
from hatchway.settings import ConfigError, load_all

Edit = Callable[[str, str, str], int]
MAIN = "hatchway.yaml"
GOOD = """\
      kind: command
      set: [my-split, "{percent}", --key, "{key}"]
      get: [my-split, get]
      inflight: [my-split, inflight]
"""


@pytest.fixture
def write(home: Path) -> Callable[[str], None]:
    """Puts these lines in the place of the shipped target."""

    def put(lines: str) -> None:
        text = (home / MAIN).read_text()
        head, found, rest = text.partition("    target:\n")
        assert found
        kept = rest.splitlines(keepends=True)
        while kept[0].startswith("      "):
            del kept[0]
        (home / MAIN).write_text(head + found + lines + "".join(kept))

    return put


def target(home: Path) -> TargetSpec:
    return load_all(home).installation.services[0].target


def test_your_own_commands_are_a_target(home: Path, write: Callable[[str], None]) -> None:
    write(GOOD + "      timeout: 10s\n      timeouts: {set: 30s}\n      every: 1s\n")
    assert target(home) == TargetSpec(
        kind="command",
        socket="",
        set=("my-split", "{percent}", "--key", "{key}"),
        get=("my-split", "get"),
        inflight=("my-split", "inflight"),
        timeout_s=10.0,
        timeouts_s={"set": 30.0},
        every_s=1.0,
    )


def test_without_inflight_it_is_said_when_the_canary_is_empty(
    home: Path, write: Callable[[str], None]
) -> None:
    write(GOOD.replace("inflight: [my-split, inflight]", "drained_after: 30s"))
    assert target(home).drained_after_s == 30.0


@pytest.mark.parametrize(
    ("old", "new", "what", "write_", "down"),
    [
        ("set: [my-split", "sett: [my-split", 'unknown key "sett" in a command target; did you mean "set"?', "set: ...", 1),
        ('set: [my-split, "{percent}", --key, "{key}"]', "set: my-split 5", '"set" takes a list, found', "set: [my-split", 1),
        ('"{percent}"', "five", '"set" does not say which share', 'set: [my-split, "{percent}"]', 1),
        ("{key}", "{kye}", 'there is no placeholder "kye"', "key", 1),
        ("[my-split, get]", '[my-split, "{percent}"]', '"get" only reads', "get", 2),
        ("[my-split, get]", "[my-split, [get]]", '"get" lists the words of a command, found a list', "get", 2),
        ("      get: [my-split, get]\n", "", '"get" is missing in a command target', "get: [my-split, get]", 0),
        ("      inflight: [my-split, inflight]\n", "", "nothing tells when the canary is empty", "drained_after: 30s", 0),
        ("kind: command", "kind: comand", 'did you mean "command"?', "kind: command", 0),
        ("inflight]\n", "inflight]\n      socket: x\n", 'unknown key "socket"', "", 4),
        ("inflight]\n", "inflight]\n      timeouts: {stop: 3s}\n", 'unknown key "stop"', "", 4),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_what_to_write(
    home: Path,
    write: Callable[[str], None],
    old: str,
    new: str,
    what: str,
    write_: str,
    down: int,
) -> None:
    assert old in GOOD
    write(GOOD.replace(old, new))
    first = (home / MAIN).read_text().splitlines().index("    target:") + 2
    with pytest.raises(ConfigError) as caught:
        load_all(home)
    trouble = next(t for t in caught.value.troubles if what in t.what)
    assert write_ in trouble.write
    assert trouble.line == first + down
