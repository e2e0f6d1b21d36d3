"""`hatchway audit report`: who let this ship, on what evidence, and nothing hostile gets through."""

from __future__ import annotations

import csv
import io
import json

import pytest
from msgspec.structs import replace

from hatchway.cli import audit
from hatchway.cli.audit_csv import cell
from hatchway.core import events as ev
from hatchway.core.evolve import evolve
from hatchway.core.plan import CanaryStage, CanaryStep, PipelinePlan, ReleaseStage
from hatchway.core.record import LABELS, label
from hatchway.core.state import State
from hatchway.journal.port import Draft
from hatchway.journal.sqlite import SqliteJournal

SEEN = ev.Evidence("E1", "+", "errors 6 of 423 on canary", "edge", 1_000.0)
HOSTILE = "\x1b]52;c;aGk=\x07\u202e\x9b31m[@click=app.quit]x[/foo]\r\n=cmd|' /C calc'!A0"
PROOF = b"\x00proof" * 50


def plan() -> PipelinePlan:
    steps = (CanaryStep(5, 60.0), CanaryStep(100, 60.0))
    stages = (ReleaseStage("release"), CanaryStage("canary", (), steps))
    return PipelinePlan("shop", "shop", "prod", stages, "p" * 64)


def started(run: str = "1", text: str = "1.5.0") -> ev.RunStarted:
    return ev.RunStarted(
        run=run,
        service="shop",
        environment="prod",
        mode="act",
        pace=1.0,
        commit="c" * 40,
        base="b" * 40,
        from_version="1.4.0",
        to_version=text,
        plan=plan(),
        policy_digest="q" * 64,
    )


def authority(op: str, epoch: int, **other) -> ev.AuthorityChanged:
    mode = {"pause": "paused", "rollback": "paused", "takeover": "person"}.get(op, "agent")
    fields = {
        "service": "shop",
        "spool": epoch,
        "op": op,
        "command": f"c{epoch}",
        "by": "ana",
        "reason": "errors look odd",
        "epoch": epoch,
        "mode": mode,
        "holder": "ana",
        "desired": 0,
        "direct": False,
        "at": 2_000.0,
        "uid": 1001,
    }
    return ev.AuthorityChanged(**{**fields, **other})


def release(text: str = "faster cart") -> ev.ReleaseRequested:
    change = ev.Change("d" * 40, "carl", text)
    return ev.ReleaseRequested(
        run="1", risk="HIGH", reasons=(text,), attention=(), changes=(change,), files=("a",)
    )


def asked(item: str = "run-1.approval.1", **binding: str) -> ev.ItemOpened:
    bound = {"commit": "c" * 40, "plan": "p" * 64, "policy": "q" * 64, **binding}
    return ev.ItemOpened(
        run="1",
        item=item,
        type="approval",
        capability="open_release",
        step=-1,
        expires_at=9e9,
        binding=bound,
    )


def answered(by: str = "ana", status: str = "accepted", text: str = "") -> ev.ItemClosed:
    return ev.ItemClosed(run="1", item="run-1.approval.1", status=status, by=by, reason=text)


def proposal(answer: str = "auto", text: str = "no harm seen") -> ev.ProposalMade:
    return ev.ProposalMade(
        run="1",
        proposal="run-1.proposal.1",
        capability="promote",
        step=0,
        epoch=1,
        brain="rules-1",
        confidence=0.97,
        headline=text,
        evidence=(SEEN,),
        digest="e" * 64,
        answer=answer,
        rule="prod.promote",
        why="verdict is PASS",
        proof=PROOF,
    )


def verdict(text: str = "no harm seen") -> ev.VerdictChanged:
    return ev.VerdictChanged(
        run="1",
        step=0,
        word="PASS",
        action="none",
        headline=text,
        evidence=(SEEN,),
        confidence=0.9,
        proof=PROOF,
    )


def intended(key: str = "run-1.step0.1", weight: int = 5, text: str = "ok") -> ev.EffectIntended:
    by = ev.By("agent", "agent")
    return ev.EffectIntended(run="1", key=key, step=0, weight=weight, epoch=1, by=by, reason=text)


def verified(key: str = "run-1.step0.1", weight: int = 5) -> ev.EffectVerified:
    return ev.EffectVerified(run="1", key=key, observed=weight)


GOOD = (
    authority("release", 1),
    started(),
    ev.JobEnded(
        run="1", stage="tests", job="unit", attempt=1, status="passed", seconds=2.0, why="exit 0"
    ),
    release(),
    proposal(),
    asked(),
    answered(),
    verdict(),
    intended(),
    verified(),
    ev.RunEnded(run="1", outcome="promoted", why="all steps passed"),
)


@pytest.fixture
def told(capsys):
    def run(directory, *words: str, run: str = "1", status: int = 0) -> str:
        capsys.readouterr()
        assert audit.main(["report", run, "--dir", str(directory), *words]) == status
        return capsys.readouterr().out

    return run


async def test_it_says_who_let_it_ship_and_on_what_evidence(written, told):
    said = told(await written(*GOOD))
    for words in (
        "Requested by  bob",
        "Approved by   ana",
        "Written by    carl",
        "Shifted by    agent (agent)",
        "PROMOTED",
        f"commit {'c' * 40}",
        f"plan {'p' * 64}",
        "ACCEPTED by ana",
        "proposal promote: ALLOWED",
        "rule prod.promote: verdict is PASS",
        "[+] E1 errors 6 of 423 on canary",
        "canary to 5 %: VERIFIED",
        "Whole: 11 records",
    ):
        assert words in said, words


async def test_a_run_without_exceptions_says_none(written, told):
    report = json.loads(told(await written(*GOOD), "--format", "json"))
    assert report["exceptions"] == []
    assert report["unattributed"] == []
    assert "EXCEPTIONS\n----------\nnone\n" in told(await written(), "--format", "text")


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ((started(), intended(), verified()), "without, anybody's approval"),
        ((started(), intended(), verified(), asked(), answered()), "without, anybody's approval"),
        ((started(), release(), asked(), answered("Carl")), "is an author of what ships"),
        ((started(), asked(), answered("bob")), "had requested the run"),
        ((started(), asked(commit="f" * 40), answered()), "another commit than the one that ran"),
        ((started(), asked(policy="f" * 64), answered()), "another policy"),
        ((started(), asked(), answered(status="rejected")), "was rejected by ana"),
        ((started(), proposal("deny")), "Policy denied promote"),
        ((started(), intended()), "never observed"),
        ((started(), verified("elsewhere", 40)), "nothing in this journal intended it"),
        ((started(),), "has not ended"),
        ((started(), authority("pause", 2)), "pause by ana (record 2): errors look odd"),
        ((started(), authority("pause", 2, direct=True)), "directly at the governor"),
        (
            (started(), ev.EffectFenced(run="1", key="run-1.step0.1", code="fenced", why="old")),
            "nothing in this journal intended it",
        ),
        (
            (
                started(),
                intended(),
                ev.EffectDiverged(run="1", key="x", observed=40, why="by hand"),
            ),
            "the target has 40 %",
        ),
        (
            (
                started(),
                ev.CommandRefused(command="1", by="eve", what="accept", code="role", why="viewer"),
            ),
            "Commands refused: 1",
        ),
    ],
)
async def test_every_exception_is_a_sentence_at_the_top(written, told, events, says):
    report = json.loads(told(await written(*events), "--format", "json"))
    assert any(says in said for said in report["exceptions"]), report["exceptions"]


async def test_a_drift_of_the_target_is_a_line_of_its_own(written, told):
    diverged = ev.EffectDiverged(
        run="1", key="run-1.step0.1", observed=40, why="wanted 5 %, the target has 40 %"
    )
    directory = await written(started(), intended(), diverged)
    said = told(directory)
    part = said[said.index("UNATTRIBUTED OR INCOMPLETE") : said.index("STOPS AND")]
    assert "#3" in part
    assert "40 %" in part
    rows = list(csv.DictReader(io.StringIO(told(directory, "--format", "csv"))))
    assert [row["record"] for row in rows if row["section"] == "unattributed"] == ["3"]


async def test_a_rollback_by_a_person_is_an_effect_with_its_time(written, told):
    directory = await written(*GOOD[:-1], authority("rollback", 2), verified("governor/shop/2", 0))
    report = json.loads(told(directory, "--format", "json"))
    assert report["unattributed"] == []
    effect = report["effects"][-1]
    assert (effect["by"]["name"], effect["status"], effect["observed"]) == ("ana", "verified", 0)
    assert report["stops"][-1]["effect_s"] == pytest.approx(10.0)
    assert report["weight"] == 0


async def test_another_run_of_the_service_is_not_in_it_and_a_later_rollback_is(written, told):
    directory = await written(
        *GOOD, authority("rollback", 2), started("2", "1.6.0"), authority("takeover", 3)
    )
    assert [s["op"] for s in json.loads(told(directory, "--format", "json"))["stops"]] == [
        "rollback"
    ]
    second = json.loads(told(directory, "--format", "json", run="2"))
    assert [s["op"] for s in second["stops"]] == ["takeover"]
    assert second["control"] == "paused (ana), epoch 2"


async def test_a_broken_journal_is_told_first_and_nothing_after_the_break(written, told, edit):
    directory = await written(*GOOD)
    edit(directory / "journal.db", "UPDATE event SET actor = 'eve' WHERE seq = 9")
    report = json.loads(told(directory, "--format", "json", status=1))
    assert "BROKEN at record 9" in report["exceptions"][0]
    assert report["effects"] == []
    assert not report["chain"]["whole"]
    said = told(directory, status=1)
    assert "BROKEN at record 9" in said
    assert "records 1 to 8 only" in said


async def test_an_event_in_the_wrong_stream_or_under_a_wrong_kind_counts_for_nothing(
    tmp_path, told
):
    journal = await SqliteJournal.open(tmp_path / "journal.db")
    wrong = [
        Draft(stream="run/1", kind="item.closed", actor="eve", payload=ev.encode(verified())),
        Draft(stream="run/1", kind="effect.verified", actor="eve", payload=b"\xff{"),
        Draft(stream="run/1", kind="of.tomorrow", actor="eve", payload=b"{}"),
    ]
    first = Draft(stream="run/1", kind="run.started", actor="a", payload=ev.encode(started()))
    await journal.append([first, *wrong])
    await journal.close()
    report = json.loads(told(tmp_path, "--format", "json"))
    assert [line["seq"] for line in report["unreadable"]] == [2, 3, 4]
    assert report["weight"] is None
    assert sum("cannot be read" in said for said in report["exceptions"]) == 3


def hostile() -> tuple[ev.Event, ...]:
    evidence = ev.Evidence(HOSTILE, "-", HOSTILE, HOSTILE, float("1e300"))
    bad = {"evidence": (evidence,), "headline": HOSTILE}
    return (
        started(text=HOSTILE),
        release(HOSTILE),
        asked(**{HOSTILE: HOSTILE}),
        answered(HOSTILE, text=HOSTILE),
        proposal("deny", HOSTILE),
        ev.VerdictChanged(run="1", step=0, word="PASS", action="none", confidence=0.5, **bad),
        intended(text=HOSTILE),
        ev.EffectDiverged(run="1", key=HOSTILE, observed=1, why=HOSTILE),
        authority("pause", 2, by=HOSTILE, reason=HOSTILE, at=1e300),
        ev.RunHeld(run="1", cause="evidence", why=HOSTILE),
        ev.CommandRefused(command="1", by=HOSTILE, what=HOSTILE, code=HOSTILE, why=HOSTILE),
        ev.RunEnded(run="1", outcome="failed", why=HOSTILE),
    )


@pytest.mark.parametrize("form", ["text", "json", "csv"])
async def test_hostile_text_is_harmless_in_every_format(written, told, form):
    directory = await written(*hostile(), actor=HOSTILE)
    said = told(directory, "--format", form)
    lines = said.replace("\r\n", "\n").split("\n") if form == "csv" else said.split("\n")
    assert all(line.isprintable() for line in lines)
    if form == "json":
        assert said.isascii()
        assert json.loads(said)["why"] == HOSTILE
    if form == "csv":
        for row in csv.reader(io.StringIO(said)):
            assert len(row) == 8
            assert not any(value.lstrip().startswith(("=", "+", "-", "@")) for value in row)


async def test_no_line_of_the_text_is_longer_than_80_columns_and_none_can_be_forged(written, told):
    long = "x" * 500 + " \n" + "EXCEPTIONS " * 30
    directory = await written(*GOOD[:2], release(long), *GOOD[4:-1], proposal("ask", long))
    said = told(directory).split("\n")
    assert max(map(len, said)) <= 80
    assert sum(line.startswith("EXCEPTIONS") for line in said) == 1


async def test_proof_bytes_stay_out_of_every_format(written, told):
    directory = await written(*GOOD)
    for form in ("text", "json", "csv"):
        said = told(directory, "--format", form)
        assert "AHByb29m" not in said
        assert "\\u0000proof" not in said
    assert "a proof of 300 bytes" in told(directory)


async def test_an_unknown_run_is_refused_with_those_there_are(written, capsys):
    directory = await written(*GOOD, started("7"))
    assert audit.main(["report", "9", "--dir", str(directory)]) == 2
    assert "It has 1, 7." in capsys.readouterr().err
    assert audit.main(["report", "9", "--format", "json", "--dir", str(directory)]) == 2
    assert json.loads(capsys.readouterr().out)["ok"] is False


async def test_with_a_checkpoint_the_report_shows_that_nothing_was_cut_off(
    written, told, edit, tmp_path
):
    directory = await written(*GOOD)
    kept = str(tmp_path / "noted")
    assert audit.main(["checkpoint", "--dir", str(directory), "--to", kept]) == 0
    assert "the last of record 11" in told(directory, "--checkpoint", kept)
    edit(directory / "journal.db", "DELETE FROM event WHERE seq = 11")
    said = json.loads(told(directory, "--checkpoint", kept, "--format", "json", status=1))
    assert "BROKEN at record 11" in said["exceptions"][0]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@sum", " =1", "\t=1", "'=1", "＝1", '"=1', "\r=1", "\u200b=1"]
)
def test_no_cell_starts_a_formula(text):
    assert not cell(text).lstrip(' \t\r"').startswith(("=", "+", "-", "@", "＝"))


def undo():
    from hatchway.core.undo import Reason, Undo

    return Undo(
        "no", (Reason("-", "schema", "migration 0042 drops orders.note"),), ("table orders",)
    )


AROUND = (
    authority("release", 1),
    started(),
    ev.ReleaseRequested(
        run="1",
        risk="HIGH",
        reasons=(),
        attention=(),
        changes=(ev.Change("d" * 40, "carl", "SHOP-12: faster cart (#77), not v2-1"),),
        files=("a",),
        undo=undo(),
        authors=("Carl <carl@shop.example>",),
        pushers=("ana",),
        artifact="sha256:77ab",
    ),
    proposal(),
    asked(),
    answered(),
    ev.CapsuleArmed(run="1", checksum="abcdef0123456789ff"),
    intended(),
    verified(),
    ev.TargetChanged(
        service="shop", what="weight", wanted="5 %", found="40 %", since=2_001.0, why="somebody", run="1"
    ),
    ev.TargetRestored(service="shop", what="weight", seconds=12.0),
    ev.BreakerOpened(service="shop", run="1", why="it got worse"),
    authority("rollback", 2, at=2_008.5),
    ev.ResidueFound(run="1", left=("cache shop:5",)),
    ev.ResidueAccepted(run="1", left=("cache shop:5",), by="ana", reason="expires by itself"),
    ev.RollbackConfirmed(run="1", seen=("weight 0",)),
    ev.RunEnded(run="1", outcome="rolled_back", why="ana rolled back"),
)  # fmt: skip


async def report_of(written, capsys, *events, more=()):
    directory = await written(*events)
    assert audit.main(["report", "1", "--dir", str(directory), *more]) == 0
    return capsys.readouterr().out


async def test_what_stands_around_a_run_is_in_its_report(written, capsys):
    said = await report_of(written, capsys, *AROUND)
    flat = " ".join(said.split())
    for text in (
        "Tickets SHOP-12, #77",
        "Written by Carl <carl@shop.example>",
        "Pushed by ana",
        "artifact sha256:77ab",
        "not safe: migration 0042 drops orders.note",
        "stays: table orders",
        "a capsule with the way back was put at the governor",
        "RESIDUE after going back cache shop:5",
        "going back is DONE weight 0",
        "what was left is accepted expires by itself",
        "the breaker opened: the agent only recommends",
        "weight of shop was 40 %, 5 % was wanted",
        "weight of shop is as wanted again after 12 s",
        "in force at the governor at once, journaled after 1.5 s",
        "EMERGENCIES ----------- rollback by ana",
        "0 right, 1 wrong, 0 not known",
        "right in 0% to 79% of such cases (95 % bounds)",
        "REVIEWS AFTERWARDS ------------------ none",
    ):
        assert text in flat, text
    head = flat[: flat.index("WHAT SHIPS")]
    assert "An emergency that nobody has reviewed: rollback by ana" in head
    assert "Unattributed or incomplete change" in head
    assert "Going back left something behind" in head


async def test_a_review_ends_the_exception_and_is_told(written, capsys):
    reviewed = ev.RunReviewed(run="1", by="luis", reason="right so; the index is missing")
    said = await report_of(written, capsys, *AROUND, reviewed)
    assert "nobody has reviewed" not in said
    assert "right so; the index is missing (by luis)" in said
    verdict = replace(reviewed, verdict="harmful")
    said = await report_of(written, capsys, verdict)
    assert "reviewed, the agent was harmful" in said
    assert "nobody has" not in said


async def test_none_is_said_where_there_is_none(written, capsys):
    said = await report_of(written, capsys, *GOOD)
    for section in ("EMERGENCIES", "REVIEWS AFTERWARDS", "RULES, QUARANTINES, EXPECTATIONS"):
        at = said.index(section)
        assert said[at:].splitlines()[2] == "none"
    assert "Used: not at all" in said
    assert "Tickets       none named" in said
    assert "1 right, 0 wrong" in said


async def test_the_same_stands_in_the_table_and_in_json(written, capsys):
    table = await report_of(written, capsys, *AROUND, more=("--format", "csv"))
    rows = list(csv.reader(io.StringIO(table)))
    sections = {row[0] for row in rows}
    assert {"back-out", "built", "emergency", "score", "rule", "unattributed"} <= sections
    made = json.loads(await report_of(written, capsys, more=("--json",)))
    assert made["tickets"] == ["SHOP-12", "#77"]
    assert made["score"] == {"right": 0, "wrong": 1, "harmful": 0, "unknown": 0, "low": 0.0,
                             "high": pytest.approx(0.793, abs=0.001)}  # fmt: skip
    assert made["emergencies"]


async def test_signed_approvals_are_verified_again_offline(written, capsys, tmp_path):
    import subprocess

    from hatchway.core.approvals import digest_of

    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text("ana@shop " + key.with_suffix(".pub").read_text())
    item = asked()
    bound = digest_of(item.item, item.binding)
    text = f"item: {item.item}\nbinding: {bound}\nat most: 100 %\nnonce: 1\n"
    told = subprocess.run(["ssh-keygen", "-lf", key], capture_output=True, text=True, check=True)
    fingerprint = told.stdout.split()[1]
    armored = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-f", key, "-n", "hatchway-approval"],
        input=text.encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()

    def yes(signed: str, principal: str = "ana@shop") -> ev.ItemClosed:
        signature = ev.Signature(signed, armored, principal, fingerprint)
        return ev.ItemClosed(
            run="1", item=item.item, status="accepted", by="ana", how="signature", signature=signature
        )  # fmt: skip

    for closed, word in (
        (yes(text), "valid, by ana@shop"),
        (yes(text.replace("nonce: 1", "nonce: 2")), "INVALID"),
        (yes("item: other\n"), "INVALID: what was signed is not what was asked"),
        (yes(text, "luis@shop"), "INVALID: it is ana@shop's"),
    ):
        (tmp_path / "journal.db").unlink(missing_ok=True)
        said = await report_of(
            written, capsys, started(), item, closed, more=("--signers", str(allowed))
        )
        flat = " ".join(said.split())
        assert f"SSH signature: {word}" in flat
        assert ("does not hold" in flat) == word.startswith("INVALID")
        said = await report_of(written, capsys, more=())
        assert "SSH signature: not checked" in " ".join(said.split())


async def test_the_dashboards_record_and_the_report_say_the_same(written, capsys):
    """Several runs of two services, taken back in and after their runs, in one journal."""
    later = replace(proposal(), run="2", proposal="run-2.proposal.1", brain="rules-2")
    third = replace(proposal("ask"), run="3", proposal="run-3.proposal.1")
    events = (
        *GOOD,
        authority("rollback", 7),
        replace(started("3"), service="cart"),
        third,
        started("2"),
        later,
        authority("rollback", 8, service="cart"),
        ev.RunEnded(run="2", outcome="promoted", why=""),
        ev.RunEnded(run="3", outcome="held", why=""),
    )
    directory = await written(*events)
    state = State()
    for seq, event in enumerate(events, 1):
        state = evolve(state, event, seq=seq, at=2_000.0 + seq, idem="")
    for run in ("1", "2", "3"):
        assert audit.main(["report", run, "--dir", str(directory), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)["score"]
        trial = state.record.trials[run]
        words = [label(trial, decision) for decision in trial.decisions]
        assert words
        assert {word: words.count(word) for word in LABELS} == {w: told[w] for w in LABELS}
    found = [label(t, d) for t in state.record.trials.values() for d in t.decisions]
    assert sorted(found) == ["harmful", "right", "wrong"]
