"""`.hatchway.yaml` in a service's repository: strict, and never a reason to fall over."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core.manifest import (
    Config,
    DeclaredMigration,
    Dependent,
    Manifest,
    Schema,
    Unreadable,
)
from hatchway.settings.errors import ConfigError
from hatchway.settings.load import check_file
from hatchway.settings.manifest import read_manifest

WHOLE = """\
version: 1
schema:
  at: 119
  reads: [110, 119]
migrations:
  - file: migrations/0119_note.sql
    phase: expand
  - file: migrations/0118_drop.sql
    phase: contract
    reversible: false
config:
  at: c2
  runs_with: [c1, c2]
  shared: ["config/flags.yaml"]
contracts: [v1, v2]
dependents:
  - name: billing
    uses: v2
"""


def test_everything_that_can_be_declared() -> None:
    assert read_manifest(WHOLE.encode()) == Manifest(
        schema=Schema(119, 110, 119),
        migrations=(
            DeclaredMigration("migrations/0119_note.sql", "expand"),
            DeclaredMigration("migrations/0118_drop.sql", "contract", False),
        ),
        config=Config("c2", ("c1", "c2"), ("config/flags.yaml",)),
        contracts=("v1", "v2"),
        dependents=(Dependent("billing", "v2"),),
    )
    assert read_manifest(WHOLE.replace("\n", "\r\n").encode()) == read_manifest(WHOLE.encode())


def test_no_file_says_nothing_and_a_short_one_is_enough() -> None:
    assert read_manifest(None) is None
    assert read_manifest(b"version: 1\n") == Manifest()


MISTAKES = [
    ("at: 119", "at: latest", '.hatchway.yaml:3: "at" in the schema: "latest" is not a whole number; write: at: 119'),
    ("reads: [110, 119]", "reads: 119", 'takes the lowest and the highest schema; write: reads: [110, 119]'),
    ("reads: [110, 119]", "reads: [119, 110]", "119 is above 110; write: reads: [110, 119]"),
    ("reads: [110, 119]", "reads: [110, 118]", "does not read its own schema, 119; write: reads: [110, 119]"),
    ("reads: [110, 119]", "", '"reads" is missing in the schema; write: reads: [110, 119]'),
    ("phase: expand", "phase: expnd", 'did you mean "expand"?; write: phase: expand'),
    ("phase: expand", "phase: expand\n    reversable: no", 'did you mean "reversible"?'),
    ("reversible: false", "reversible: no", "neither true nor false"),
    ("schema:", "shema:", 'unknown key "shema" in the declaration; did you mean "schema"?'),
    ("runs_with: [c1, c2]", "runs_with: [c1]", "not in it; write: runs_with: [c1, c2]"),
    ("    uses: v2", "", '"uses" is missing in a dependent; write: uses: v2'),
    ("contracts: [v1, v2]", "contracts: v1", '"contracts" takes a list'),
    ("version: 1", "version: 2", "2 is not between 1 and 1; write: version: 1"),
    ("version: 1\n", "", '"version" is missing'),
    ("billing", "!!python/object:os.system x", "is not read here"),
    ("billing", '"bil\\u202eling"', "invisible character U+202E"),
]  # fmt: skip


@pytest.mark.parametrize(("was", "now", "words"), MISTAKES)
def test_a_mistake_is_named_with_its_line_and_what_to_write(was: str, now: str, words: str) -> None:
    assert was in WHOLE
    said = read_manifest(WHOLE.replace(was, now, 1).encode())
    assert isinstance(said, Unreadable)
    assert words in said.why, said.why
    assert said.why.startswith(".hatchway.yaml:")


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"- 1", b"x" * 2_000_000, b"a: &a [*a]", b"[" * 5000, b"\0"]
)
def test_a_file_that_is_none_is_unreadable(data: bytes) -> None:
    assert isinstance(read_manifest(data), Unreadable)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fall_over(data: bytes) -> None:
    read_manifest(data)


def test_hatchway_check_knows_it_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / ".hatchway.yaml"
    file.write_text(WHOLE)
    assert check_file(file) == ()
    file.write_text(WHOLE.replace("phase: expand", "phase: expnd"))
    with pytest.raises(ConfigError) as caught:
        check_file(file)
    assert caught.value.troubles[0].line == 7


@pytest.mark.parametrize(
    ("said", "shared"),
    [("true", ("**",)), ("false", ()), ('["infra/**", net]', ("infra/**", "net"))],
)
def test_shared_infrastructure_is_a_list_of_paths_or_the_whole_release(
    said: str, shared: tuple[str, ...]
) -> None:
    read = read_manifest(f"version: 1\nshared: {said}\n".encode())
    assert isinstance(read, Manifest)
    assert read.shared == shared


def test_shared_that_is_neither_is_said() -> None:
    read = read_manifest(b"version: 1\nshared: perhaps\n")
    assert isinstance(read, Unreadable)
