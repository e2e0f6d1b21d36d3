"""A replay shows what was known then, by the code that shows it live; and says what it cannot know."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
import replay_story as story
from msgspec.structs import replace

from hatchway.cli import main as hatchway
from hatchway.cli.replay import time_in
from hatchway.conductor.ledger import Ledger
from hatchway.conductor.live import Live
from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.plan import Installation, ServiceSpec, TargetSpec
from hatchway.core.state import State
from hatchway.edge.docs.replay import Mark
from hatchway.edge.health import Health
from hatchway.edge.hub import Hub
from hatchway.edge.publisher import Publisher
from hatchway.edge.replay import EVERY, NoRun, Recording, recorded
from hatchway.edge.replay_fold import OF_ONE_RUN, Fold
from hatchway.edge.replay_marks import thinned
from hatchway.journal.chain import Sound
from hatchway.journal.lines import to_line
from hatchway.journal.memory import MemoryJournal, MemoryStore
from hatchway.journal.port import Record
from hatchway.journal.sqlite_file import to_row

BEGAN = story.BEGAN


def recording_of(events: list[ev.Event], run: str) -> Recording:
    return recorded(Sound([[to_row(r) for r in story.records(events)]]), run)


def docs(recording: Recording, seq: int) -> dict[str, Any]:
    return {key: msgspec.json.decode(raw) for key, raw in recording.documents(seq).items()}


def scrambled(seed: int) -> list[ev.Event]:
    """Many runs of three services at once, with what may come long after a run has ended."""
    dice, out = random.Random(seed), list[ev.Event]()
    spools = dict.fromkeys(("shop", "ledger", "pay"), 1)
    queues = dict[str, list[ev.Event]]()
    for n in range(40):
        service = dice.choice(list(spools))
        if dice.random() < 0.5:
            made = list(story.promoted(str(n), service))
        else:
            made = list(story.rolled_back(str(n), service, spools[service]))
            spools[service] += 2
        queues.setdefault(service, []).extend(made)
    while queues:
        service = dice.choice(list(queues))
        out.append(queues[service].pop(0))
        if not queues[service]:
            del queues[service]
        if dice.random() < 0.05:
            old = str(dice.randrange(40))
            out.append(ev.RunReviewed(run=old, by="ana", reason="looked at later"))
            out.append(ev.ResidueFound(run=old, left=("a pod",)))
        if dice.random() < 0.05:
            spools[service] += 1
            op = dice.choice(["rollback", "pause", "takeover", "release"])
            out.append(story.authority(service, spools[service], op, spools[service]))
    return out


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_quick_fold_is_the_fold_of_every_record(seed: int) -> None:
    state, fold = State(), Fold()
    kinds = set()
    for record, event in zip(story.records(made := scrambled(seed)), made, strict=True):
        state = evolve(state, event, seq=record.seq, at=record.at, idem="")
        fold.take(event, record.seq, record.at)
        kinds.add(type(event))
        if record.seq % 7 == 0:
            whole = fold.copy().whole()
            assert whole == replace(state, answers={})
            assert list(whole.runs) == list(state.runs)
    assert len(state.runs) == 40
    assert len(kinds & OF_ONE_RUN) > 10
    assert fold._aside, "nothing was set aside: the test is about that"


class House:
    """The publisher of a backend, over a journal in memory; its clock is the record's."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.hub, self.store = Hub("boot"), MemoryStore()
        self.ledger = Ledger(MemoryJournal(self.store, clock=lambda: self.now), lambda: None)
        target = TargetSpec("haproxy", "s")
        services = tuple(ServiceSpec(name, "r", "p", target, (), ()) for name in ("ledger", "shop"))
        plan = Installation("prod", "", services)
        self.publisher = Publisher(self.hub, self.ledger, Live(), plan, lambda: self.now, Health())

    async def take(self, event: ev.Event) -> dict[str, Any]:
        """The documents that dashboards have after the event."""
        self.now += 1.0
        await self.ledger.record(lambda state: (event,), actor="agent")
        self.publisher.refresh()
        return {key: msgspec.json.decode(raw) for key, raw in self.hub.documents().items()}

    async def records(self) -> list[Record]:
        return [record async for record in MemoryJournal(self.store).read(after=0)]


async def test_a_replay_shows_what_dashboards_were_shown_then() -> None:
    house, shown = House(), dict[int, dict[str, Any]]()
    for n, event in enumerate(story.story(), 1):
        shown[n] = await house.take(event)
    rows = [to_row(record) for record in await house.records()]
    recording = recorded(Sound([rows]), "2")
    assert (recording.first, recording.last) == (29, 85)
    for seq in range(recording.first, recording.last + 1):
        then, now = shown[seq], docs(recording, seq)
        for key in ("run/2", "run/3", "needs-you", "standing/shop", "audit/tail"):
            assert now.get(key) == then.get(key), f"{key} at {seq}"
        assert now["replay"]["at"] == rows[seq - 1][6]
        assert now["system"]["journal_seq"] == seq


def test_what_happened_later_is_not_known_then(recording: Recording) -> None:
    last, before = docs(recording, recording.last), docs(recording, recording.first + 20)
    assert last["run/2"]["outcome"] == "rolled_back"
    assert before["run/2"]["outcome"] == ""
    assert max(line["seq"] for line in before["audit/tail"]["lines"]) <= recording.first + 20


def test_the_figures_are_those_that_the_judge_saw_and_no_plot_is_made_up(
    recording: Recording,
) -> None:
    first = docs(recording, recording.first)
    assert "metrics/2" not in first
    assert first["replay"]["figures"] == ""
    told = docs(recording, recording.last)
    (metric,) = told["metrics/2"]["metrics"]
    assert (metric["stable"], metric["canary"], metric["says"]) == (1.0, 20.0, "worse")
    assert (metric["points"], metric["plot"]) == ([], False)
    assert "no plots were journaled" in told["replay"]["figures"]
    assert not any(key.startswith("history/") for key in told)


def test_a_decision_without_a_proof_says_that_its_figures_are_not_known() -> None:
    made = [*story.to_canary("9", "shop"), story.verdict("9", 0, "UNSURE", "who knows")]
    told = docs(recording_of(made, "9"), len(made))
    assert "metrics/9" not in told
    assert "cannot be shown: no proof was journaled" in told["replay"]["figures"]


def test_marks_are_what_matters_of_this_run_and_its_service(recording: Recording) -> None:
    kinds = [docs(recording, seq)["replay"]["mark"] for seq in recording.marks]
    assert "".join(kinds) == "RRAAWVSHSHVDWRRR"
    texts = [docs(recording, seq)["replay"]["event"] for seq in recording.marks]
    assert texts[6] == "PAUSED by ana: a look"
    assert docs(recording, recording.marks[6])["authority/shop"]["mode"] == "paused"
    assert docs(recording, recording.marks[6] - 1)["authority/shop"]["mode"] == "agent"


def test_a_bar_has_no_more_marks_than_a_screen_has_columns_and_keeps_every_stop() -> None:
    record = next(story.records([story.started("1", "shop")]))
    marks = [Mark(n, record.at + n, "S" if n == 4321 else "V") for n in range(9000)]
    bar = thinned(marks)
    assert len(bar) <= 300
    assert [mark.seq for mark in bar if mark.kind == "S"] == [4321]


def test_states_are_kept_so_that_no_step_folds_the_whole_run() -> None:
    many = [story.verdict("9", 0, "UNSURE", f"look {n}") for n in range(3 * EVERY)]
    made = [*story.to_canary("9", "shop"), *many]
    recording = recorded(Sound([[to_row(r) for r in story.records(made)]]), "9")
    folded = 0
    take = Fold.take

    def counted(self: Fold, *given: Any) -> None:
        nonlocal folded
        folded += 1
        take(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Fold, "take", counted)
        state = recording.fold(recording.last).whole()
    assert state.runs["9"].verdict is not None
    assert state.runs["9"].verdict.headline == f"look {3 * EVERY - 1}"
    assert 0 < folded < EVERY


def exported(path: Path, events: list[ev.Event]) -> list[str]:
    lines = [to_line(record).decode() for record in story.records(events)]
    path.write_text("".join(line if line.endswith("\n") else line + "\n" for line in lines))
    return path.read_text().splitlines()


def test_a_broken_journal_is_shown_up_to_there_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "journal.jsonl"
    lines = exported(file, story.story())
    row = json.loads(lines[69])
    row["actor"] = "mallory"
    lines[69] = json.dumps(row)
    file.write_text("\n".join(lines) + "\n")
    assert hatchway.main(["replay", "2", "--journal", str(file), "--plain"]) == 0
    said = capsys.readouterr().out
    assert "record 69 of 29 to 69" in said
    assert "BROKEN at record 70: its content does not match its hash" in said
    assert "mallory" not in said
    row = json.loads(lines[9])
    row["actor"] = "mallory"
    lines[9] = json.dumps(row)
    file.write_text("\n".join(lines) + "\n")
    assert hatchway.main(["replay", "2", "--journal", str(file), "--plain"]) == 2
    assert "BROKEN at record 10" in capsys.readouterr().err


def test_the_journal_is_only_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "journal.db"
    story.write(file, story.story())
    before = file.read_bytes(), file.stat().st_mtime_ns
    file.chmod(0o400)
    for mode in ("--plain", "--json"):
        assert hatchway.main(["replay", "2", "--journal", str(file), mode]) == 0
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    beside = {each.name for each in tmp_path.iterdir()} - {"journal.db"}
    assert beside <= {"journal.db-wal", "journal.db-shm"}  # SQLite's own, of whoever reads
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["ok"] is True
    assert told["docs"]["run/2"]["outcome"] == "rolled_back"


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("63", "record 63 of 29 to 85"),
        ("14:14:23Z", "record 63 of"),
        ("2026-09-21T14:14:23", "record 63 of"),
        ("2026-09-21T16:14:23+02:00", "record 63 of"),
        ("14:14", "record 85 of"),  # all of that minute
        ("2001-01-01T00:00", "record 29 of"),
    ],
)
def test_a_moment_is_named_by_record_or_by_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], at: str, says: str
) -> None:
    file = tmp_path / "journal.db"
    story.write(file, story.story())
    assert hatchway.main(["replay", "2", "--journal", str(file), "--plain", "--at", at]) == 0
    assert says in capsys.readouterr().out


def test_a_time_before_the_start_is_of_the_next_day() -> None:
    assert time_in("00:10", BEGAN) > BEGAN  # began at 14:13
    assert time_in("14:13:20", BEGAN) - BEGAN < 1.0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["2", "--at", "5"], "run 2 is records 29 to 85"),
        (["2", "--at", "noon"], "neither a record nor a time"),
        (["nope"], "The journal has no run 'nope'. It has 1, 2, 3."),
    ],
)
def test_what_cannot_be_shown_is_said_with_what_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    file = tmp_path / "journal.db"
    story.write(file, story.story())
    assert hatchway.main(["replay", *words, "--journal", str(file), "--plain"]) == 2
    assert why in capsys.readouterr().err


def test_a_run_ends_where_the_next_of_its_service_begins_and_names_what_came_after() -> None:
    made = [
        *story.promoted("1", "shop"),
        *story.to_canary("2", "shop"),
        ev.RunReviewed(run="1", by="ana", reason="looked at later"),
    ]
    recording = recording_of(made, "1")
    assert recording.last == len(list(story.promoted("1", "shop")))
    assert recording.trouble.endswith(f"not played: #{len(made)}")


def test_a_run_that_is_not_there_is_no_recording() -> None:
    with pytest.raises(NoRun, match="It has no run at all"):
        recorded(Sound([[]]), "1")


@pytest.mark.parametrize("kind", ["run", "why", "changes", "log"])
def test_pages_are_answered_as_of_then_by_the_makers_of_now(
    recording: Recording, kind: str
) -> None:
    about = "2/checks/lint" if kind == "log" else "2"
    told = asyncio.run(recording.ask(recording.last, kind, about))
    assert told.id == f"q:{kind}/{about}"
    doc = msgspec.json.decode(told.doc)  # type: ignore[union-attr]
    match kind:
        case "why":
            assert doc["seq"] <= recording.last
        case "log":
            assert doc["lines"] == ["lint: all is well"]
        case "changes":
            assert (doc["run"], doc["requested"], doc["base"]) == ("2", True, "b" * 40)
        case "run":
            early = asyncio.run(recording.ask(recording.first + 5, kind, about))
            few = msgspec.json.decode(early.doc)  # type: ignore[union-attr]
            assert len(few["moments"]) < len(doc["moments"])


def test_what_no_journal_tells_is_refused_in_words(recording: Recording) -> None:
    refused = asyncio.run(recording.ask(recording.last, "handover", ""))
    assert refused.code == "not_known"  # type: ignore[union-attr]
