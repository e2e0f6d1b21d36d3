"""`hatchway judge`: files from anywhere, past verdicts from a journal whose backend is dead."""

from __future__ import annotations

import asyncio
import io
import json
import random
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from hatchway.cli import judge as verb
from hatchway.cli.main import main
from hatchway.core import events as ev
from hatchway.core.plan import MetricSpec, SeriesRef
from hatchway.journal.port import Draft
from hatchway.journal.sqlite import SqliteJournal
from hatchway.judge import Counts, Gauge, JudgeConfig, Latency, Look, Missing, judge, new
from hatchway.judge import proof as proofs
from hatchway.judge.proof import sealed

BOUNDS = (0.05, 0.1, 0.5)


def errors(times: float, n: int = 60) -> dict[str, Any]:
    draw = random.Random(1)

    def arm(requests: int, p: float) -> list[int]:
        return [requests, sum(draw.random() < p for _ in range(requests))]

    looks = [
        {"t": 5 * (i + 1), "canary": arm(50, 0.01 * times), "stable": arm(950, 0.01)}
        for i in range(n)
    ]
    return {"metric": "errors", "kind": "counts", "worse": "up", "looks": looks}


def written(tmp_path: Path, value: Any) -> str:
    path = tmp_path / "looks.json"
    path.write_text(json.dumps(value))
    return str(path)


# --- files ----------------------------------------------------------------------------------------


def test_one_metric_gives_one_line_of_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", written(tmp_path, errors(5)), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {
        *("metric", "verdict", "e", "hold_at", "rollback_at", "why", "forecast_s"),
    }
    assert said["verdict"] == "REGRESS"
    assert said["e"] >= 100
    assert 0 <= said["hold_at"] <= said["rollback_at"]
    assert said["forecast_s"] is None


def test_several_metrics_give_a_line_each_and_the_joint_verdict_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders = {**errors(1), "metric": "orders"}
    assert main(["judge", written(tmp_path, [errors(5), orders]), "--json"]) == 1
    first, second, both = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["metric"], second["metric"]) == ("errors", "orders")
    assert both["joint"] == ["errors", "orders"]
    assert (first["verdict"], both["verdict"]) == ("REGRESS", "REGRESS")
    assert second["verdict"] != "REGRESS"


@pytest.mark.parametrize(
    ("value", "status", "word"),
    [(errors(1, 300), 0, "PASS"), (errors(5), 1, "REGRESS"), (errors(1, 3), 3, "UNSURE"),
     (errors(1, 0), 4, "NO_DATA")],
)  # fmt: skip
def test_the_exit_status_is_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: Any, status: int, word: str
) -> None:
    assert main(["judge", written(tmp_path, value)]) == status
    assert capsys.readouterr().out.startswith(f"errors: {word}\n")


def test_a_dash_reads_what_comes_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = io.TextIOWrapper(io.BytesIO(json.dumps(errors(1, 3)).encode()))
    monkeypatch.setattr(sys, "stdin", data)
    assert main(["judge", "-"]) == 3
    assert "errors: UNSURE" in capsys.readouterr().out


def test_a_mistake_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = errors(1, 3)
    wrong["looks"][1]["canary"] = [2, 3]
    path = written(tmp_path, wrong)
    assert main(["judge", path]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert f"{path}: looks[1].canary: 3 events in 2 requests. Write [requests, events]" in said.err
    assert main(["judge", path, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], "3 events in 2" in told["why"]) == (False, True)
    assert main(["judge", str(tmp_path / "none.json")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert main(["judge", str(tmp_path)]) == 2
    assert "cannot be read: Is a directory" in capsys.readouterr().err


def test_control_characters_of_a_file_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["judge", written(tmp_path, {**errors(5), "metric": "\x1b[2Jerrors"})])
    assert "\x1b" not in capsys.readouterr().out
    main(["judge", written(tmp_path, {**errors(5), "kind": "\x1b[2J"})])
    assert "\x1b" not in capsys.readouterr().err


def test_ten_megabytes_get_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "large.json"
    start = b'{"metric": "m", "kind": "counts", "looks": ['
    path.write_bytes(start + b'{"t": 1},' * 1_200_000)
    assert main(["judge", str(path)]) == 2
    assert "cut off" in capsys.readouterr().err
    path.write_bytes(start + b'{"t": 1},' * 1_200_000 + b'{"t": 1}]}')
    assert main(["judge", str(path)]) == 2
    assert "looks[0]" in capsys.readouterr().err


def test_a_file_beyond_the_limit_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "MAX_FILE", 1024 * 1024)
    path = tmp_path / "large.json"
    path.write_bytes(b" " * (1024 * 1024 + 1))
    assert main(["judge", str(path)]) == 2
    assert "it has more than 1 MB" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [[], ["f", "--explain", "1"], ["f", "--list"], ["f", "--seq", "1"]]
)
def test_misuse_is_explained(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["judge", *words])
    assert caught.value.code == 2
    assert "usage: hatchway judge" in capsys.readouterr().err


# --- past verdicts --------------------------------------------------------------------------------


def spec(name: str, kind: str, **more: Any) -> MetricSpec:
    return MetricSpec(name=name, label=name, kind=kind, source="app", total=SeriesRef(name), **more)  # type: ignore[arg-type]


CONFIG = JudgeConfig(
    metrics=(
        spec("errors", "counts", weight=4.0, by="route"),
        spec("latency", "latency", weight=3.0, shown_as="ms"),
        spec("orders", "counts", weight=2.0, worse="down"),
        spec("memory", "gauge", limit=80.0, judged=False),
        spec("lag", "series", judged=False),
    )
)


def samples(draw: random.Random, i: int) -> dict[str, Any]:
    bad = sum(draw.random() < 0.3 for _ in range(10))
    arms = (10, bad), (190, sum(draw.random() < 0.01 for _ in range(190)))
    return {
        "errors": Counts(*arms, parts={"/pay": arms}),
        "latency": Latency(BOUNDS, (5, 3, 2, 0), (100, 60, 28, 2)),
        "orders": Counts((10, 1), (190, 20)) if i % 2 else Missing("scrape failed", "canary"),
        "memory": Gauge((60.0,), (50.0, 51.0, 52.0)),
    }


def rollout() -> list[ev.Event]:
    """What the agent journals of a canary with many errors, until it is rolled back."""
    draw, state, said = random.Random(3), new(CONFIG), []
    last = None
    for i in range(60):
        before = state
        look = Look(t=1_790_000_000.0 + i, seconds=1.0, weight=5, samples=samples(draw, i))
        state, verdict = judge(CONFIG, before, look, 10.0)
        proof = sealed(CONFIG, before, look, 10.0, state, verdict)
        if (verdict.word, verdict.action) != last:
            last = verdict.word, verdict.action
            said.append(
                ev.VerdictChanged(
                    run="1", step=0, word=verdict.word, action=verdict.action,
                    headline=verdict.headline, evidence=(), confidence=verdict.confidence, proof=proof,
                )
            )  # fmt: skip
        if verdict.action == "rollback":
            said.append(
                ev.ProposalMade(
                    run="1", proposal="p1", capability="rollback", step=0, epoch=1, brain="rules-1",
                    confidence=1.0, headline=verdict.headline, evidence=(), digest="", answer="auto",
                    rule="r", why="the policy allows rollback", proof=proof,
                )
            )  # fmt: skip
            return said
    raise AssertionError("never rolled back")


def journaled(directory: Path, events: list[ev.Event]) -> None:
    async def write() -> None:
        journal = await SqliteJournal.open(directory / "journal.db")
        await journal.append(
            [
                Draft(
                    stream=ev.stream_of(e), kind=ev.kind_of(e), actor="judge", payload=ev.encode(e)
                )
                for e in events
            ]
        )
        await journal.close()

    asyncio.run(write())


@pytest.fixture
def past(tmp_path: Path) -> Path:
    """A state directory in which only the journal is left."""
    started = ev.StageStarted(run="2", stage="checks")
    old = ev.VerdictChanged(
        run="3", step=0, word="PASS", action="none", headline="said by an old version",
        evidence=(), confidence=1.0,
    )  # fmt: skip
    journaled(tmp_path, [*rollout(), started, old])
    return tmp_path


def explained(past: Path, *words: str) -> int:
    return main(["judge", "--explain", *words, "--dir", str(past)])


def test_the_last_decision_of_a_run_is_explained_to_the_last_figure(
    past: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explained(past, "1") == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert "rollback (auto): " in text
    assert "same bytes, of the verdict and of the judge's state" in text.replace("\n  ", " ")
    assert "the record matches its hash" in text
    assert "Decided: REGRESS, roll back." in text
    assert "Joint evidence E: hold from 20, roll back from 100" in text
    for said in ("H: odds of canary <=", "psi", "ln e", "reserve", "at /pay", "shift:",
                 "tail 95 %", "fewer is worse", "Ville 1939"):  # fmt: skip
        assert said in text
    assert "differs from this account" not in text
    assert max(map(len, lines)) <= 80
    parts = [line for line in lines if line.startswith("  ") and " x " in line and "H:" not in line]
    joint = [
        float(line.split("=")[1].split()[0].replace(",", "")) for line in parts if "0.444" in line
    ]
    assert joint[0] >= 80


def test_any_decision_can_be_picked(past: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(past, "1", "--list", "--json") == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["kind"] for one in said] == ["verdict.changed"] * (len(said) - 1) + [
        "proposal.made"
    ]
    assert all(0 < one["proof_bytes"] < 4000 for one in said)
    for one in said:
        assert explained(past, "1", "--seq", str(one["seq"]), "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["seq"] == one["seq"]
        assert found["same_state"]
        assert found["same_verdict"]
        assert found["record_whole"]
        assert found["arithmetic"]["headline"] == one["headline"]
    assert explained(past, "1", "--seq", "1") == 0
    assert "said later in this run: 2" in capsys.readouterr().out
    assert explained(past, "1", "--list") == 0
    assert "REGRESS" in capsys.readouterr().out


def test_another_judge_says_so(
    past: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stricter(config: JudgeConfig, state: Any, look: Look, excludes: float) -> Any:
        return judge(JudgeConfig(metrics=config.metrics, rollback_at=1e9), state, look, excludes)

    monkeypatch.setattr(proofs, "judge", stricter)
    assert explained(past, "1") == 0
    text = capsys.readouterr().out.replace("\n  ", " ")
    assert "DIFFERENTLY by this version, which says UNSURE" in text
    assert explained(past, "1", "--json") == 0
    assert not json.loads(capsys.readouterr().out)["same_verdict"]


def test_a_record_that_was_changed_is_noticed(
    past: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(past / "journal.db") as conn:
        conn.execute("DROP TRIGGER event_is_never_changed")
        conn.execute("UPDATE event SET actor = 'somebody' WHERE kind = 'proposal.made'")
    conn.close()
    assert explained(past, "1") == 0
    assert "THE RECORD DOES NOT MATCH ITS HASH" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["9"], "the journal has no run '9'. It has 1, 2, 3."),
        (["2"], "run 2 has no verdict"),
        (["3"], "no verdict of run 3 has a proof"),
        (["1", "--seq", "999"], "record 999 is no verdict or proposal of run 1"),
        (["3", "--seq", "{last}"], "cannot be recomputed: no proof was journaled"),
    ],
)
def test_what_cannot_be_explained_is_said(
    past: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    with sqlite3.connect(past / "journal.db") as conn:
        (last,) = conn.execute("SELECT max(seq) FROM event").fetchone()
    conn.close()
    words = [word.format(last=last) for word in words]
    assert explained(past, *words) == 2
    assert why in capsys.readouterr().err
    assert explained(past, *words, "--json") == 2
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_no_journal_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(tmp_path, "1") == 2
    assert "journal.db" in capsys.readouterr().err


def test_explaining_writes_nothing(past: Path) -> None:
    before = (past / "journal.db").read_bytes()
    assert explained(past, "1") == 0
    assert (past / "journal.db").read_bytes() == before
