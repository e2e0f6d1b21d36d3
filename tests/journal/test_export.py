"""`hatchway audit export` and `replay`: for other programs, and for those who look back."""

from __future__ import annotations

import json
import re
from datetime import datetime
from urllib.parse import unquote

import pytest

from hatchway.cli import audit
from hatchway.core import events as ev
from hatchway.core.plan import CanaryStage, CanaryStep, PipelinePlan, ReleaseStage
from hatchway.journal.port import Draft
from hatchway.journal.sqlite import SqliteJournal

HOSTILE = "\x1b]52;c;aGk=\x07\u202e\x9b31m\x7f[@click=app.quit]x\r\n=cmd|' /C calc'!A0 ü"
SEEN = ev.Evidence("E1", "-", HOSTILE, "edge", 1.0)


def started(run: str, service: str = "shop") -> ev.RunStarted:
    steps = (CanaryStep(5, 60.0), CanaryStep(100, 60.0))
    stages = (ReleaseStage("release"), CanaryStage("canary", (), steps))
    return ev.RunStarted(
        run=run,
        service=service,
        environment="prod",
        mode="act",
        pace=1.0,
        commit="c" * 40,
        base="b" * 40,
        from_version="1.4.0",
        to_version="1.5.0",
        plan=PipelinePlan("shop", service, "prod", stages, "p" * 64),
        policy_digest="q" * 64,
    )


def authority(op: str, epoch: int, service: str = "shop") -> ev.AuthorityChanged:
    return ev.AuthorityChanged(
        service=service,
        spool=epoch,
        op=op,
        command=f"c{epoch}",
        by="ana",
        reason=HOSTILE,
        epoch=epoch,
        mode="paused" if op == "pause" else "agent",
        holder="ana",
        desired=5,
        direct=False,
        at=2_000.0,
    )


def a_run(run: str, outcome: str, weights: tuple[int, ...]) -> list[ev.Event]:
    approval = f"run-{run}.approval.1"
    job = {"run": run, "stage": "tests", "job": "unit", "attempt": 1}
    events: list[ev.Event] = [
        started(run),
        ev.StageStarted(run=run, stage="release"),
        ev.JobStarted(**job),
        ev.JobEnded(**job, status="timed_out", seconds=2.0, why=HOSTILE),
        ev.ItemOpened(
            run=run,
            item=approval,
            type="approval",
            capability="open_release",
            step=-1,
            expires_at=9e9,
            lines=(HOSTILE,),
            binding={"stage": "release"},
        ),
        ev.ItemClosed(run=run, item=approval, status="accepted", by=HOSTILE),
        ev.StageEnded(run=run, stage="release", status="passed"),
        ev.StageStarted(run=run, stage="canary"),
        ev.VerdictChanged(
            run=run,
            step=0,
            word="PASS",
            action="none",
            headline=HOSTILE,
            evidence=(SEEN,),
            confidence=0.9,
            proof=b"\x00proof" * 50,
        ),
    ]
    for n, weight in enumerate(weights):
        by, key = ev.By("agent", "agent"), f"run-{run}.step{n}"
        intent = {"run": run, "key": key, "step": n, "weight": weight, "epoch": 1}
        events.append(ev.EffectIntended(**intent, by=by, reason=HOSTILE))
        events.append(ev.EffectVerified(run=run, key=key, observed=weight))
        if weight:
            events.append(ev.StepEntered(run=run, step=n, weight=weight))
    return [*events, ev.RunEnded(run=run, outcome=outcome, why=HOSTILE)]


GOOD = [
    authority("release", 1),
    *a_run("1", "promoted", (5, 100)),
    authority("pause", 2),
    ev.CommandRefused(command="x", by=HOSTILE, what="accept", code="role", why=HOSTILE),
    *a_run("2", "rolled_back", (5, 0)),
]


@pytest.fixture
async def directory(written):
    return await written(*GOOD, actor=HOSTILE)


@pytest.fixture
def run(capsysbinary):
    def go(*words: object, status: int = 0) -> tuple[list[bytes], str]:
        capsysbinary.readouterr()
        assert audit.main([str(word) for word in words]) == status
        said = capsysbinary.readouterr()
        return said.out.splitlines(), said.err.decode()

    return go


@pytest.mark.parametrize("form", ["jsonl", "cloudevents", "cdevents"])
def test_every_line_is_printable_json(directory, run, form):
    lines, said = run("export", "--dir", directory, "--format", form)
    assert lines
    for line in lines:
        assert line.decode("ascii").isprintable()
        json.loads(line)
    assert said.replace("\n", "").isprintable()


def test_exported_lines_verify_and_a_changed_one_does_not(directory, run, tmp_path):
    lines, said = run("export", "--dir", directory)
    assert said == ""
    assert len(lines) == len(GOOD)
    file = tmp_path / "out.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    run("verify", file)
    assert run("export", "--file", file)[0] == lines
    file.write_bytes(b"\n".join(lines).replace(b"accepted", b"rejected"))
    found, _ = run("verify", file, status=1)
    assert b"BROKEN at record 7" in found[0]


def test_a_run_alone_and_what_came_since_are_selections(directory, run, tmp_path):
    lines, said = run("export", "--dir", directory, "--run", "1")
    assert "--selection" in said
    streams = [json.loads(line)["stream"] for line in lines]
    assert set(streams) == {"run/1", "service/shop", "commands"}
    (tmp_path / "out").write_bytes(b"\n".join(lines))
    run("verify", tmp_path / "out", "--selection")
    run("verify", tmp_path / "out", status=1)
    since, _ = run("export", "--dir", directory, "--since", "20")
    assert [json.loads(line)["seq"] for line in since] == list(range(21, len(GOOD) + 1))
    assert run("export", "--dir", directory, "--since", "999")[0] == []
    assert "no run '9'" in run("export", "--dir", directory, "--run", "9", status=2)[1]


def test_a_broken_journal_is_exported_up_to_the_break(directory, run, edit):
    edit(directory / "journal.db", "UPDATE event SET actor = 'eve' WHERE seq = 9")
    for form in ("jsonl", "cloudevents", "cdevents"):
        lines, said = run("export", "--dir", directory, "--format", form, status=1)
        assert len(lines) <= 8
        assert "BROKEN at record 9" in said


NO_CONTROLS = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def test_cloudevents_have_what_the_specification_requires(directory, run):
    lines, said = run("export", "--dir", directory, "--format", "cloudevents")
    events = [json.loads(line) for line in lines]
    assert said == ""
    assert len(events) == len(GOOD)
    assert len({(e["source"], e["id"]) for e in events}) == len(GOOD)
    for event in events:
        for name in ("id", "source", "specversion", "type"):
            assert event[name]
        assert event["specversion"] == "1.0"
        assert re.fullmatch(r"urn:[a-z0-9]+:[A-Za-z0-9:._-]+", event["source"])
        assert datetime.fromisoformat(event["time"]).utcoffset() is not None
        assert ("data" in event) != ("data_base64" in event)
        for name, value in event.items():
            if name in ("data", "data_base64"):
                continue
            assert re.fullmatch(r"[a-z0-9]{1,20}", name)
            assert isinstance(value, str)
            assert NO_CONTROLS.fullmatch(value), name
    verdict = next(e for e in events if e["type"] == "hatchway.verdict.changed")
    assert verdict["data"]["headline"] == HOSTILE
    assert verdict["data"]["proof_bytes"] == 300
    assert "proof" not in verdict["data"]


async def test_a_payload_that_is_no_json_goes_as_base64(tmp_path, run):
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    payloads = (b"\xff", b"", b"[" * 100_000, b"NaN")
    await journal.append(
        [Draft(stream="run/1", kind="k", actor="", payload=payload) for payload in payloads]
    )
    await journal.close()
    lines, _ = run("export", "--dir", tmp_path, "--format", "cloudevents")
    for line in lines:
        event = json.loads(line)
        assert event["datacontenttype"] == "application/octet-stream"
        assert "hatchwayactor" not in event, "an attribute is never empty"
    assert run("export", "--dir", tmp_path, "--format", "cdevents")[0] == []


# Of version 0.5.1: what the content of a subject may have, and what it must have.
CONTENT = {
    "pipelinerun.started": ({"pipelineName", "uri"}, {"pipelineName", "uri"}),
    "pipelinerun.finished": ({"pipelineName", "uri", "outcome", "errors"}, set()),
    "taskrun.started": ({"taskName", "uri", "pipelineRun"}, set()),
    "taskrun.finished": ({"taskName", "uri", "pipelineRun", "outcome", "errors"}, set()),
    "change.reviewed": ({"repository"}, set()),
    "service.deployed": ({"environment", "artifactId"}, {"environment", "artifactId"}),
    "service.upgraded": ({"environment", "artifactId"}, {"environment", "artifactId"}),
    "service.rolledback": ({"environment", "artifactId"}, {"environment", "artifactId"}),
}


def test_cdevents_have_what_the_specification_requires(directory, run):
    lines, _ = run("export", "--dir", directory, "--format", "cdevents")
    seen = set()
    ids = set()
    for line in lines:
        event = json.loads(line)
        assert set(event) == {"context", "subject", "customData", "customDataContentType"}
        context, subject = event["context"], event["subject"]
        assert set(context) == {"specversion", "id", "source", "type", "timestamp"}
        assert all(isinstance(value, str) and value for value in context.values())
        assert context["specversion"] == "0.5.1"
        assert datetime.fromisoformat(context["timestamp"]).utcoffset() is not None
        found = re.fullmatch(r"dev\.cdevents\.([a-z]+\.[a-z]+)\.0\.3\.0", context["type"])
        assert found is not None
        allowed, required = CONTENT[found[1]]
        assert set(subject) == {"id", "source", "content"}
        assert subject["id"]
        content = subject["content"]
        assert required <= set(content) <= allowed
        assert content.get("outcome", "success") in ("success", "failure", "cancel", "error")
        for reference in ("environment", "repository", "pipelineRun"):
            assert content.get(reference, {"id": "x"})["id"]
        if "artifactId" in content:
            assert re.fullmatch(r"pkg:generic/[^/@]+@[^/@]+", content["artifactId"])
        seen.add(found[1])
        ids.add(context["id"])
    assert seen == set(CONTENT)
    assert len(ids) == len(lines)


def test_cdevents_tell_the_course_of_the_runs_and_count_what_has_no_type(directory, run):
    lines, said = run("export", "--dir", directory, "--format", "cdevents")
    course: dict[str, list[str]] = {}
    which = ""
    for event in map(json.loads, lines):
        subject, kind = event["subject"]["id"], event["context"]["type"].split(".", 2)[2]
        which = subject if kind.startswith("pipelinerun.started") else which
        course.setdefault(which, []).append(kind.removesuffix(".0.3.0"))
        if "artifactId" in event["subject"]["content"]:
            commit = unquote(event["subject"]["content"]["artifactId"]).split("@")[1]
            assert commit == ("b" if "rolledback" in kind else "c") * 40
    begin = ["pipelinerun.started", "taskrun.started", "taskrun.finished", "change.reviewed"]
    assert course == {
        "run/1": [*begin, "service.deployed", "pipelinerun.finished", "service.upgraded"],
        "run/2": [*begin, "service.deployed", "service.rolledback", "pipelinerun.finished"],
    }
    assert "no CDEvents type fits the other" in said
    assert "2 verdict.changed" in said


def test_what_came_before_is_known_to_what_is_exported_since(directory, run):
    last = len(GOOD) - 1
    lines, _ = run("export", "--dir", directory, "--format", "cdevents", "--since", last)
    assert [json.loads(line)["subject"]["content"]["outcome"] for line in lines] == ["failure"]


def seq_of(match) -> int:
    return next(n for n, event in enumerate(GOOD, 1) if match(event))


def test_a_replay_shows_the_state_as_it_was_at_a_record(directory, run):
    opened = seq_of(lambda e: isinstance(e, ev.ItemOpened))
    lines, _ = run("replay", "1", "--at", opened, "--dir", directory)
    said = b"\n".join(lines).decode()
    assert "Needs you: approval APPROVE shop 1.5.0 for prod" in said
    assert "shop: the agent is in control" in said
    later, _ = run("replay", "1", "--at", opened + 1, "--dir", directory)
    assert "Nothing waits for you." in b"\n".join(later).decode()
    paused = seq_of(lambda e: getattr(e, "op", "") == "pause")
    said = b"\n".join(run("replay", "1", "--at", paused, "--dir", directory)[0]).decode()
    assert "shop: PAUSED by ana" in said


def test_a_replay_gives_the_documents_of_then_as_json(directory, run):
    for n, event in enumerate(GOOD, 1):
        if isinstance(event, ev.EffectVerified) and event.run == "1":
            answer = json.loads(run("replay", "1", "--at", n, "--json", "--dir", directory)[0][0])
            assert answer["seq"] == n
            assert answer["docs"]["run/1"]["weight"] == event.observed
            assert answer["docs"]["audit/tail"]["lines"][-1]["seq"] == n


def test_every_record_of_a_run_can_be_replayed_and_steers_no_terminal(directory, run):
    first = seq_of(lambda e: isinstance(e, ev.RunStarted))
    for n in range(first, len(GOOD) + 1):
        lines, _ = run("replay", "1", "--at", n, "--dir", directory)
        assert all(line.decode().isprintable() for line in lines)


def test_a_replay_without_a_record_is_of_the_runs_end(directory, run):
    lines, _ = run("replay", "2", "--json", "--dir", directory)
    assert json.loads(lines[0])["docs"]["run/2"]["outcome"] == "rolled_back"
    lines, _ = run("replay", "1", "--json", "--dir", directory)
    answer = json.loads(lines[0])
    assert answer["docs"]["run/1"]["outcome"] == "promoted"
    assert answer["seq"] == seq_of(lambda e: isinstance(e, ev.RunEnded))


@pytest.mark.parametrize("words", [("1", "--at", 1), ("9",), ("1", "--at", 9999)])
def test_what_is_not_there_cannot_be_replayed(directory, run, words):
    assert run("replay", *words, "--dir", directory, status=2)[1]


def test_nothing_at_or_after_a_break_is_replayed(directory, run, edit):
    edit(directory / "journal.db", "UPDATE event SET actor = 'eve' WHERE seq = 9")
    run("replay", "1", "--at", 8, "--dir", directory)
    said = run("replay", "1", "--at", 9, "--dir", directory, status=1)[1]
    assert "BROKEN at record 9" in said
    run("replay", "1", "--dir", directory, status=1)
