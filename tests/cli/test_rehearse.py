"""`hatchway rehearse`: what it prints, what it exits with, and that a weaker policy fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hatchway.cli.rehearse import main
from hatchway.rehearse.guards import GUARDS
from hatchway.rehearse.reading import load, names
from hatchway.settings.load import shipped

RISKY = """\
rehearsal: risky
title: a release that migrates the database goes on by itself
story: Somebody wants a person's yes for each share of a risky release.
given:
  lasts: 5m
  every: 2s
  versions:
    1.4.0:
      .hatchway.yaml: "{version: 1, schema: {at: 1, reads: [1, 2]}}"
    1.5.0:
      .hatchway.yaml: "{version: 1, schema: {at: 2, reads: [1, 2]}}"
      migrations/0002_add.sql: "ALTER TABLE orders ADD COLUMN note text;"
when:
  - {at: 10s, metrics: {arm: both, errors: 0.5}}
then:
  never: [{what: raise, after: 1s}]
  stopped_by: [policy:prod.promote]
  without: the agent would have gone on alone.
  advice:
    - {capability: promote, condition: risk_at_most, write: "when: {risk_at_most: MEDIUM}"}
"""

POLICY = """\
version: 1
environments:
  prod:
    mode: act
    capabilities:
      promote:
        answer: auto
        when:
          verdict: [PASS]{more}
      rollback: {{answer: auto, when: {{verdict: [REGRESS]}}}}
      open_release: {{answer: auto}}
      block_deploy: {{answer: auto}}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    def written(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return written


def test_it_says_in_80_columns_what_stopped_it_and_exits_with_0(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["stripe-2019"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("REHEARSAL stripe-2019: ")
    assert "\nSTOPPED by undo:config\n" in said
    assert "no policy can take it away" in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 80


def test_a_weaker_policy_fails_and_its_lines_are_named(
    write: Callable[[str, str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = write("risky.yaml", RISKY)
    strong = write("strong.yaml", POLICY.format(more="\n          risk_at_most: MEDIUM"))
    weak = write("weak.yaml", POLICY.format(more=""))
    assert main([scenario, "--policy", strong]) == 0
    assert "STOPPED by policy:prod.promote" in capsys.readouterr().out
    assert main([scenario, "--policy", weak]) == 1
    said = capsys.readouterr().out
    assert "NOT STOPPED" in said
    assert "   6 |       promote:" in said
    assert "   9 |           verdict: [PASS]" in said
    assert "risk_at_most: MEDIUM" in said


@pytest.mark.parametrize("name", ["stripe-2019", "zero-2020", "reddit-2016", "feedback-2010"])
def test_what_no_policy_can_take_away_still_stops_it(
    write: Callable[[str, str], str], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main([name, "--policy", write("weak.yaml", POLICY.format(more="")), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["verdict"] == "STOPPED"
    assert said["guard"] in GUARDS
    assert not said["guard"].startswith(("policy", "calendar"))


def test_a_danger_that_never_came_up_is_not_a_success(
    write: Callable[[str, str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = RISKY.replace("lasts: 5m", "lasts: 20s").replace(
        "[{what: raise, after: 1s}]", "[rollback_by_agent]"
    )
    weak = write("weak.yaml", POLICY.format(more=""))
    assert main([write("quiet.yaml", quiet), "--policy", weak]) == 1
    assert "NOT SHOWN: risky" in capsys.readouterr().out


def test_mistakes_in_a_rehearsal_have_a_line_and_a_remedy(
    write: Callable[[str, str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = RISKY.replace("metrics: {arm: both", "metrics: {arm: bth").replace("raise", "rise")
    assert main([write("wrong.yaml", wrong)]) == 2
    said = capsys.readouterr().err
    assert 'unknown word "bth"; did you mean "both"?' in said
    assert "wrong.yaml:14" in said
    assert 'did you mean "raise"?' in said


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["knigt-2012"], "there is no rehearsal"),
        (["nowhere/x.yaml"], "cannot be read"),
        (["zero-2020", "--dir", "nowhere"], "holds no hatchway.yaml"),
        (["zero-2020", "--policy", "nowhere.yaml"], "cannot be read"),
    ],
)
def test_called_wrongly_it_exits_with_2_and_says_what_to_do(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [[], ["zero-2020", "--list"], ["zero-2020", "--dir", "x", "--policy", "y"]]
)
def test_what_cannot_be_meant_together_is_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(argv)
    assert left.value.code == 2


def test_the_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(names())
    assert max(map(len, lines)) <= 80


def test_the_same_rehearsal_gives_the_same_records_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = []
    for _ in range(2):
        main(["stripe-2019", "--dir", str(shipped()), "--json"])
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_every_rehearsal_and_every_guard_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "rehearsals.md").read_text(encoding="utf-8")
    for name in names():
        assert f"| {name} |" in text
        assert any(guard in text for guard in load(name).stopped_by)
