"""A file that attacks the reader, or is none, is refused with a reason and without delay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatchway.settings import (
    ConfigError,
    Trouble,
    load_installation,
    load_pipeline,
    load_policy,
    shipped,
)
from hatchway.settings.document import MAX_BYTES, MAX_DEPTH, Page, open_page


def said(tmp_path: Path, data: bytes | str) -> list[tuple[int, str]]:
    """The lines and the words of the troubles with a policy file of these bytes."""
    path = tmp_path / "policy.yaml"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    return [(t.line, f"{t.what} / {t.write}") for t in caught.value.troubles]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(ord(c) + 1)}: &{chr(ord(c) + 1)} [{', '.join(['*' + c] * 9)}]\n" for c in "abcdefgh"
)


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        pytest.param("", 0, "the file is empty", id="empty"),
        pytest.param("\n  \n", 0, "the file is empty", id="blank"),
        pytest.param("# later\n", 0, "only comments", id="comments"),
        pytest.param("---\n...\n", 0, "the file says nothing", id="null"),
        pytest.param(b"version: 1\nx: \xff\n", 2, "byte 0xff is not UTF-8", id="latin-1"),
        pytest.param("version: 1\n".encode("utf-16"), 1, "is not UTF-8", id="utf-16"),
        pytest.param("a: 1\n\tb: 2\n", 2, "a tab in the indentation / spaces", id="tab"),
        pytest.param("a: 1\nb: \x00\n", 2, "cannot be read", id="nul"),
        pytest.param("a: [1, 2\nb: 3\n", 2, "not YAML", id="unclosed"),
        pytest.param("a: 'b\n", 2, "not YAML", id="unclosed-quote"),
        pytest.param("a: b: c\n", 1, "not YAML", id="two-colons"),
        pytest.param("version: 1\nversion: 1\n", 2, "here twice (first on line 1)", id="twice"),
        pytest.param("version: 1\n---\nversion: 1\n", 2, "a second document", id="two"),
        pytest.param("? [a]\n: b\n", 1, "a list or mapping as a key", id="odd-key"),
        pytest.param("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "merge keys", id="merge"),
        pytest.param("a: *nothing\n", 1, "stands for nothing", id="undefined-alias"),
        pytest.param("a: &a [*a]\n", 1, "stands for nothing", id="recursive-alias"),
        pytest.param(BOMB, 4, "aliases stand for more than", id="bomb"),
        pytest.param("a: !!python/object/apply:os.system [id]\n", 1, "the tag", id="python-tag"),
        pytest.param("!!python/name:os.system x\n", 1, "!!python/name:os.system", id="root-tag"),
        pytest.param("a: !!binary aGk=\n", 1, 'the tag "!!binary"', id="binary-tag"),
        pytest.param("[" * 100_000, 1, f"nested deeper than {MAX_DEPTH}", id="deep"),
        pytest.param("a: " + "{b: " * 100_000, 1, "nested deeper than", id="deep-mappings"),
        pytest.param("- " * 50_000, 1, "nested deeper than", id="deep-block"),
        pytest.param("[" + "1," * 60_000 + "]", 1, "more than 50,000 values", id="wide"),
        pytest.param("x" * (MAX_BYTES + 1), 0, "larger than 1,000,000 bytes", id="large"),
        pytest.param("- a\n- b\n", 1, "the policy is a mapping, found a list", id="list"),
        pytest.param("hello\n", 1, 'the policy is a mapping, found "hello"', id="word"),
        pytest.param('{"\x1b[2J": 1}\n', 1, "", id="escape"),
    ],
)
def test_a_hostile_file_is_refused_in_words(
    tmp_path: Path, data: bytes | str, line: int, words: str
) -> None:
    found = said(tmp_path, data)
    assert line in [at for at, text in found if words in text], found
    assert all(text.isprintable() for _, text in found)


def test_a_tag_runs_nothing(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    said(tmp_path, f"a: !!python/object/apply:os.system ['touch {witness}']\n")
    assert not witness.exists()


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    text = (shipped() / "policy.yaml").read_text(encoding="utf-8")
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_policy(path).environments == load_policy(shipped() / "policy.yaml").environments


def test_a_few_aliases_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "version: 1\nenvironments:\n"
        "  prod: &same {mode: recommend, capabilities: {promote: {answer: ask}}}\n"
        "  staging: *same\n"
    )
    policy = load_policy(path)
    assert policy.environments["prod"] == policy.environments["staging"]


def test_words_that_yaml_1_1_would_change_stay_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        "pipeline: no\nservice: 0755\nenvironment: off\nstages:\n"
        "  - {name: 12_30, kind: checks, parallel: {on: true, y: 1e3}}\n"
    )
    plan = load_pipeline(path)
    assert (plan.name, plan.service, plan.environment) == ("no", "0755", "off")
    stage = plan.stages[0]
    assert stage.name == "12_30"
    assert [(job.name, job.run) for job in stage.groups[0]] == [  # type: ignore[union-attr]
        ("on", "true"),
        ("y", "1e3"),
    ]


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, words in (
        (tmp_path / "absent.yaml", "cannot be read: no such file"),
        (tmp_path, "not a regular file"),
        (fifo, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_installation(path)


def test_an_absent_file_names_its_neighbours(home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_policy(home / "polcy.yaml")
    assert "policy.yaml" in caught.value.troubles[0].write


def test_a_bomb_costs_no_memory_and_no_time(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(BOMB)
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_CPU, (10, 10));"
        "resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000));"
        "from hatchway.settings.document import open_page;"
        "print(open_page(sys.argv[1]).troubles[0].what)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "aliases stand for more than" in done.stdout, done.stderr


SHIPPED = [
    (shipped() / "hatchway.yaml").read_bytes(),
    (shipped() / "policy.yaml").read_bytes(),
    (shipped() / "pipelines" / "shop.yaml").read_bytes(),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(SHIPPED),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=6)), max_size=4),
)
def test_a_damaged_file_is_read_or_refused_but_never_crashes_the_reader(
    tmp_path: Path, data: bytes, damage: list[tuple[float, int, bytes]]
) -> None:
    for where, drop, put in damage:
        at = int(where * len(data))
        data = data[:at] + put + data[at + drop :]
    path = tmp_path / "damaged.yaml"
    path.write_bytes(data)
    lines = data.count(b"\n") + data.count(b"\r") + 2
    for load in (load_installation, load_policy, load_pipeline):
        for trouble in refusal(load, path):
            assert trouble.what
            assert 0 <= trouble.line <= lines
            assert trouble.what.isprintable(), trouble.what
            assert trouble.write.isprintable(), trouble.write


def refusal(load: Callable[[Path], object], path: Path) -> tuple[Trouble, ...]:
    """Why the file is refused; nothing when it is read."""
    try:
        load(path)
    except ConfigError as error:
        return error.troubles
    return ()


def test_a_trouble_keeps_the_page_usable(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\na: 2\nb: 3\n")
    page = open_page(path)
    assert isinstance(page, Page)
    assert len(page.troubles) == 1
    assert page.root is not None
