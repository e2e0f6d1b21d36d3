"""policy check, explain, test and trust; would; oncall: what they say, and their exit status."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hatchway.cli.main import main
from hatchway.core import events as ev
from hatchway.core.conditions import VOCABULARY, Predicate
from hatchway.core.facts import Finding
from hatchway.journal.port import Draft
from hatchway.journal.sealing import seal
from hatchway.journal.sqlite import SqliteJournal
from hatchway.settings import shipped

DOCS = Path(__file__).parents[2] / "docs"
CALENDARS = """\
windows:
  office-hours: {cron: "0 9 * * 1-5", for: 8h, zone: Europe/Madrid}
freezes:
  weekend: {weekly: fri 14:00 to mon 06:00, zone: Europe/Madrid}
  company: {ics: company.ics, zone: Europe/Madrid}
oncall: {people: [ana, ben], zone: Europe/Madrid, start: 2026-01-05 09:00, every: 7d}
"""
FRIDAY = "2026-11-27 14:00 Europe/Madrid"
Say = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The shipped configuration with office hours and a weekend in which nothing moves."""
    home = tmp_path / "state"
    shutil.copytree(shipped(), home / "config")
    path = home / "config" / "policy.yaml"
    text = path.read_text()
    text = text.replace("mode: recommend ", "mode: act ", 1)
    text = text.replace("    capabilities:\n", "    freezes: [weekend]\n    capabilities:\n", 1)
    text = text.replace("[PASS]\n", "[PASS]\n          window: office-hours\n", 1)
    path.write_text(text)
    (home / "config" / "calendars.yaml").write_text(CALENDARS)
    return home


def as_json(capsys: Say) -> Any:
    return json.loads(capsys.readouterr().out)


# --- check ----------------------------------------------------------------------------------------


def test_a_policy_that_is_right_is_summed_up(config: Path, capsys: Say) -> None:
    assert main(["policy", "check", "--dir", str(config)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "prod (act)" in said
    assert "windows office-hours" in said
    assert "freezes weekend, company" in said


def test_all_mistakes_are_told_with_line_and_remedy(config: Path, capsys: Say) -> None:
    path = config / "config" / "policy.yaml"
    wrong = path.read_text().replace("control: agent", "contorl: agent")
    path.write_text(wrong.replace("undo_safe: true", "undo_safe: yes"))
    assert main(["policy", "check", str(path)]) == 2
    said = capsys.readouterr().err
    assert f"{path}:" in said
    assert 'did you mean "control"' in said
    assert "write: undo_safe: true or false" in said
    assert main(["policy", "check", str(path), "--json"]) == 2
    troubles = as_json(capsys)["troubles"]
    assert len(troubles) == 3
    assert all(t["line"] and t["write"] for t in troubles)


# --- explain --------------------------------------------------------------------------------------


def test_each_condition_is_shown_with_fact_value_age_source_and_how_it_stands(
    config: Path, capsys: Say
) -> None:
    facts = "verdict=PASS,data_age=3s,stable_healthy=true,control=agent@60s"
    words = ["policy", "explain", "promote", "--facts", facts, "--dir", str(config)]
    assert main([*words, "--at", "2026-11-26 12:00 Europe/Madrid"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("prod.promote: ASK")
    assert "decided by prod.promote.when.control" in said
    assert "+ verdict: [PASS]: met" in said
    assert "verdict is PASS, 0 s old, says given" in said
    assert "? control: agent: unknown" in said
    assert "60 s old, more than 10 s" in " ".join(said.split())
    assert "+ window: [office-hours]: met" in said
    assert max(map(len, said.splitlines())) <= 80


def test_why_not_in_a_freeze(config: Path, capsys: Say) -> None:
    words = ["policy", "explain", "prod.promote", "--at", FRIDAY, "--dir", str(config), "--json"]
    assert main(words) == 0
    said = as_json(capsys)
    assert (said["answer"], said["fired"]) == ("deny", "prod.freezes.weekend")
    assert "to Mon 30 Nov 06:00 Europe/Madrid" in said["why"]
    assert {c["stands"] for c in said["conditions"]} == {"unknown", "met"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["promoet"], 'did you mean "promote"'),
        (["promote", "--env", "prdo"], 'did you mean "prod"'),
        (["promote", "--facts", "verdit=PASS"], 'did you mean "verdict"'),
        (["promote", "--facts", "verdict=pass"], 'did you mean "PASS"'),
        (["promote", "--facts", "PASS"], "has no value"),
        (["promote", "--facts", "data_age=3"], "has no unit"),
        (["promote", "--at", "someday"], "is not a time"),
        (["promote", "--run", "9"], "has not said anything about promote in run 9|not there|no "),
    ],
)
def test_what_cannot_be_explained_is_told(
    config: Path, capsys: Say, words: list[str], why: str
) -> None:
    import re

    assert main(["policy", "explain", *words, "--dir", str(config)]) == 2
    assert re.search(why, capsys.readouterr().err)


def test_a_run_is_explained_by_what_was_seen_at_the_decision(config: Path, capsys: Say) -> None:
    stood = (Finding("unknown", "who: gone", "control: agent", "control", "", -1.0, "governor"),)
    made = ev.ProposalMade(
        run="1",
        proposal="p",
        capability="promote",
        step=0,
        epoch=1,
        brain="rules-1",
        confidence=0.9,
        headline="h",
        evidence=(),
        digest="",
        answer="ask",
        rule="prod.promote",
        why="not known: who: gone",
        fired="prod.promote.when.control",
        stood=stood,
        people=2,
    )

    async def write() -> None:
        journal = await SqliteJournal.open(config / "journal.db")
        draft = Draft(stream="run/1", kind=ev.kind_of(made), actor="agent", payload=ev.encode(made))
        await journal.append([draft], expect_head=0)
        await journal.close()

    asyncio.run(write())
    assert main(["policy", "explain", "promote", "--run", "1", "--dir", str(config)]) == 0
    said = capsys.readouterr().out
    assert "decided by prod.promote.when.control" in said
    assert "2 people have to say yes" in said
    assert "? control: agent: unknown" in said

    old = config / "old"
    seal(config / "journal.db", old, 1, clock=lambda: 2e9, by="ana")
    assert main(["policy", "explain", "promote", "--run", "1", "--dir", str(config)]) == 0
    assert capsys.readouterr().out == said, "also once its records are sealed"


# --- test -----------------------------------------------------------------------------------------


def test_the_shipped_policy_passes_the_tests_that_come_with_it(capsys: Say) -> None:
    assert main(["policy", "test", "--dir", str(shipped())]) == 0
    assert "10 of 10 tests of the policy pass" in capsys.readouterr().out


def test_a_test_that_fails_is_told_with_its_line_and_what_differs(
    config: Path, capsys: Say
) -> None:
    path = config / "mine.yaml"
    path.write_text(
        "tests:\n"
        "  - name: frozen on a Friday\n"
        "    environment: prod\n"
        "    capability: promote\n"
        f"    at: {FRIDAY}\n"
        "    expect: deny\n"
        "    freeze: weekend\n"
        "  - name: and not before\n"
        "    environment: prod\n"
        "    capability: promote\n"
        "    at: 2026-11-27 13:59:59 Europe/Madrid\n"
        "    facts: {verdict: PASS, data_age: 3s, stable_healthy: true, control: agent}\n"
        "    expect: auto\n"
        "  - name: a calendar in doubt\n"
        "    environment: prod\n"
        "    capability: promote\n"
        "    calendars: {weekend: unknown}\n"
        "    facts: {verdict: PASS, data_age: 3s, stable_healthy: true, control: agent}\n"
        "    expect: auto\n"
        "    people: 2\n"
    )
    assert main(["policy", "test", str(path), "--dir", str(config)]) == 1
    said = capsys.readouterr().out
    assert "2 of 3 tests of the policy pass" in said
    assert f"{path}:14: a calendar in doubt".replace("/", "") in said.replace("/", "").replace(
        "\n", ""
    )
    assert "expected auto, it is deny" in said
    assert "expected 2 people, it is 1" in said
    assert main(["policy", "test", str(path), "--dir", str(config), "--json"]) == 1
    found = as_json(capsys)
    assert (found["passed"], found["failed"]) == (2, 1)
    assert found["tests"][2]["differs"] == [
        "expected auto, it is deny",
        "expected 2 people, it is 1",
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("expect: auto", "expect: yes", "unknown word"),
        ("verdict: PASS", "verdict: GOOD", "unknown word"),
        ("verdict: PASS", "verdit: PASS", 'did you mean "verdict"'),
        ("capability: promote", "capability: promot", 'did you mean "promote"'),
        ("tests:", "test:", 'did you mean "tests"'),
    ],
)
def test_a_mistake_in_a_test_is_told_with_its_line(
    config: Path, capsys: Say, old: str, new: str, words: str
) -> None:
    text = (
        "tests:\n  - environment: prod\n    capability: promote\n"
        "    facts: {verdict: PASS}\n    expect: auto\n"
    )
    path = config / "mine.yaml"
    path.write_text(text.replace(old, new))
    assert main(["policy", "test", str(path), "--dir", str(config)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert f"{path}:" in said


# --- would ----------------------------------------------------------------------------------------


def steps(config: Path, capsys: Say, at: str) -> dict[tuple[str, str], Any]:
    assert main(["would", "--at", at, "--dir", str(config), "--json"]) == 0
    (pipeline,) = as_json(capsys)["pipelines"]
    return {(s["step"], s["capability"]): s for s in pipeline["steps"]}


def test_what_the_agent_would_do_and_when_next_it_may(config: Path, capsys: Say) -> None:
    thursday = steps(config, capsys, "2026-11-26 10:00 Europe/Madrid")
    promote = thursday["canary to 25%", "promote"]
    assert promote["answer"] == "auto"
    assert (promote["changes_at"], promote["changes_to"]) == (1795708800.0, "ask")  # 17:00 CET
    assert thursday["canary to 5%", "promote"]["answer"] == "ask", "by the release's approval"
    friday = steps(config, capsys, FRIDAY)
    promote = friday["canary to 25%", "promote"]
    assert (promote["answer"], promote["freeze"]) == ("deny", "weekend")
    assert promote["better"] == "ask", "from Monday 06:00 people may be asked"
    assert friday["canary to 5%", "promote"]["answer"] == "deny"
    for never in ("rollback", "hold", "page", "block_deploy"):
        assert friday["at any time", never]["answer"] == "auto"


def test_s34_would_is_exact_to_the_second_over_the_change_of_clocks(
    config: Path, capsys: Say
) -> None:
    for friday in ("2026-10-23", "2027-03-26"):
        before = steps(config, capsys, f"{friday} 13:59:59 Europe/Madrid")
        after = steps(config, capsys, f"{friday} 14:00:00 Europe/Madrid")
        assert before["canary to 25%", "promote"]["answer"] == "auto"
        assert after["canary to 25%", "promote"]["answer"] == "deny"


def test_would_in_words_fits_80_columns(config: Path, capsys: Say) -> None:
    assert main(["would", "shop", "--at", FRIDAY, "--dir", str(config)]) == 0
    said = capsys.readouterr().out
    assert "shop in prod at Fri 2026-11-27" in said
    assert "freeze weekend is in force to Mon 30 Nov 06:00" in said
    assert "[prod.freezes.weekend]" in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("words", [["--at", "friday o'clock"], ["shopp"]])
def test_would_says_what_it_does_not_understand(
    config: Path, capsys: Say, words: list[str]
) -> None:
    assert main(["would", *words, "--dir", str(config)]) == 2
    assert "write:" in capsys.readouterr().err


# --- on call, trust -------------------------------------------------------------------------------


def test_who_is_on_call_now_or_later(config: Path, capsys: Say) -> None:
    words = ["oncall", "--dir", str(config), "--at"]
    assert main([*words, "2026-01-05 09:00 Europe/Madrid"]) == 0
    assert capsys.readouterr().out.startswith("ana ")
    assert main([*words, "2026-01-12 09:00 Europe/Madrid", "--json"]) == 0
    assert as_json(capsys)["people"] == ["ben"]
    assert main([*words, "2025-01-01 00:00", "--json"]) == 3
    said = as_json(capsys)
    assert (said["people"], said["known"]) == (["ana", "ben"], False)


def test_trusting_a_feed_forgets_what_it_announced(config: Path, capsys: Say) -> None:
    memory = config / "calendars" / "company.seen.json"
    memory.parent.mkdir()
    memory.write_text("{}")
    assert main(["policy", "trust", "weekend", "--dir", str(config)]) == 2
    assert "has no feed" in capsys.readouterr().err
    assert main(["policy", "trust", "company", "--dir", str(config)]) == 0
    assert not memory.exists()


# --- what the documents say -----------------------------------------------------------------------


def table() -> str:
    rows = [f"| `{p.key}: {p.example}` | {p.means} | {_fact(p)} |" for p in VOCABULARY.values()]
    return "\n".join(["| condition | is met when | fact, stale after |", "|---|---|---|", *rows])


def _fact(predicate: Predicate) -> str:
    import math

    from hatchway.core.facts import MAX_AGE_S

    if not predicate.fact:
        return "calendars.yaml"
    age = MAX_AGE_S[predicate.fact]
    return f"`{predicate.fact}`, {'never' if math.isinf(age) else f'{age:g} s'}"


def test_the_documents_list_the_whole_vocabulary() -> None:
    assert table() in (DOCS / "policy.md").read_text(), f"put this into docs/policy.md:\n{table()}"


def blocks(name: str) -> list[str]:
    parts = (DOCS / name).read_text().split("```yaml\n")[1:]
    return [part.partition("```")[0] for part in parts]


def test_the_examples_in_the_documents_are_right(tmp_path: Path, capsys: Say) -> None:
    (tmp_path / "policy.yaml").write_text(blocks("policy.md")[0])
    (tmp_path / "calendars.yaml").write_text(blocks("calendars.md")[0])
    (tmp_path / "policy-tests.yaml").write_text(blocks("policy.md")[1])
    assert main(["policy", "check", "--dir", str(tmp_path)]) == 0
    assert main(["policy", "test", "--dir", str(tmp_path)]) == 0, capsys.readouterr().out
