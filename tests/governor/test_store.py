"""The state file and the spool: torn, lost, restored and full."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hatchway.governor.authority import Authority, Spool, Stop, decide
from hatchway.governor.ledger import Ledger
from hatchway.governor.store import BrokenState, Store


def paused(ledger: Ledger, number: int, service: str = "shop") -> str:
    stop = Stop(op="pause", id=f"p{number}", by="ana")
    new, _, effects = decide(ledger.states[service], stop, 1.0, ledger.next_seq)
    return ledger.commit(new, [e.entry for e in effects if isinstance(e, Spool)])


def opened(folder: Path) -> Ledger:
    ledger = Ledger(Store(str(folder)))
    ledger.adopt("shop", agent_may_write=True)
    return ledger


def seqs(folder: Path) -> list[int]:
    return [e["seq"] for e in Store(str(folder)).entries(0)]


class FullAfter(Store):
    """A store whose disk is full at the n-th write from now on."""

    writes_left = 1_000_000

    def save(self, state: dict[str, Any]) -> None:
        self._count()
        super().save(state)

    def append(self, entry: dict[str, Any]) -> None:
        self._count()
        super().append(entry)

    def _count(self) -> None:
        self.writes_left -= 1
        if self.writes_left < 0:
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize("cut", [1, 7, 50])
def test_a_torn_last_line_is_cut_off_and_written_again(tmp_path: Path, cut: int) -> None:
    ledger = opened(tmp_path)
    for number in range(3):
        assert paused(ledger, number) == ""
    spool = tmp_path / "spool.jsonl"
    spool.write_bytes(spool.read_bytes()[:-cut])
    assert seqs(tmp_path) == [1, 2]
    assert paused(opened(tmp_path), 9) == ""  # the state's outbox holds the third line
    assert seqs(tmp_path) == [1, 2, 3, 4]


def test_a_damaged_line_does_not_hide_the_others(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    for number in range(3):
        paused(ledger, number)
    spool = tmp_path / "spool.jsonl"
    lines = spool.read_bytes().splitlines(keepends=True)
    spool.write_bytes(lines[0] + b'{"seq": \x00\xff\n' + lines[2])
    assert seqs(tmp_path) == [1, 3]


def test_a_line_is_not_written_twice(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for _ in range(3):
        store.append({"seq": 1})
    assert seqs(tmp_path) == [1]


@pytest.mark.parametrize("crash_after", range(6))
def test_a_crash_between_any_two_writes_loses_no_line_and_doubles_none(
    tmp_path: Path, crash_after: int
) -> None:
    opened(tmp_path)
    store = FullAfter(str(tmp_path))
    ledger = Ledger(store)
    ledger.adopt("shop", agent_may_write=True)
    store.writes_left = crash_after
    done = [paused(ledger, number) == "" for number in range(3)]
    again = opened(tmp_path)  # the process died here: only the disk counts
    assert seqs(tmp_path) == list(range(1, 1 + len(seqs(tmp_path))))
    durable = done.index(False) if False in done else 3
    assert len(seqs(tmp_path)) >= durable
    assert again.states["shop"].epoch == 1 + len(seqs(tmp_path))
    assert paused(again, 9) == ""
    assert seqs(tmp_path)[-1] == again.next_seq - 1


def test_a_full_disk_is_said_and_made_good_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FullAfter(str(tmp_path))
    ledger = Ledger(store)
    ledger.adopt("shop", agent_may_write=True)
    store.writes_left = 0
    assert paused(ledger, 1) == "no space left on device"
    assert ledger.states["shop"].mode == "paused"
    assert ledger.spooled("", 0, 1000)["entries"] == []
    # Told the stop's own number, a reader would count its line as read before it can be.
    assert (ledger.states["shop"].spool, ledger.durable_spool("shop")) == (1, 0)
    store.writes_left = 1000
    assert paused(ledger, 2) == ""
    assert ledger.durable_spool("shop") == 2
    assert seqs(tmp_path) == [1, 2]


def test_a_state_that_cannot_be_read_holds_and_keeps_the_epoch(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    for number in range(4):
        paused(ledger, number)
    (tmp_path / "state.json").write_text('{"services": {"sh')
    again = opened(tmp_path)
    state = again.states["shop"]
    assert (state.mode, state.holder) == ("paused", "governor")
    assert state.epoch > ledger.states["shop"].epoch
    assert "cannot be read" in state.reason
    assert (tmp_path / "state.json.broken").exists()
    assert seqs(tmp_path) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b'{"services": 3}',
        b'{"services": {"shop": {"keys": 7}}}',
        b"[" * 100_000,
    ],
)
def test_any_nonsense_in_the_state_file_holds(tmp_path: Path, state: bytes) -> None:
    (tmp_path / "state.json").write_bytes(state)
    assert opened(tmp_path).states["shop"].mode == "paused"


def test_a_restored_backup_does_not_bring_the_old_epoch_back(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    paused(ledger, 1)
    backup = (tmp_path / "state.json").read_bytes()
    paused(ledger, 2)
    paused(ledger, 3)
    (tmp_path / "state.json").write_bytes(backup)
    again = opened(tmp_path)
    assert again.states["shop"].epoch == 4
    assert again.states["shop"].mode == "paused"
    assert again.next_seq == 4


def test_a_restored_backup_does_not_carry_an_old_request_out_again(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    assert paused(ledger, 0) == ""
    backup = (tmp_path / "state.json").read_bytes()
    assert paused(ledger, 1) == ""
    (tmp_path / "state.json").write_bytes(backup)
    again = opened(tmp_path)
    stop = Stop(op="pause", id="p1", by="ana")
    new, answer, effects = decide(again.states["shop"], stop, 2.0, again.next_seq)
    assert answer["replayed"]
    assert (new.epoch, effects) == (3, ())


def test_a_deleted_state_file_is_told_by_the_spool(tmp_path: Path) -> None:
    paused(opened(tmp_path), 1)
    (tmp_path / "state.json").unlink()
    state = opened(tmp_path).states["shop"]
    assert (state.mode, state.holder, state.epoch) == ("paused", "ana", 2)


def test_a_service_that_left_the_configuration_keeps_its_epoch(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.adopt("cart", agent_may_write=True)
    paused(ledger, 1, "cart")
    other = opened(tmp_path)
    paused(other, 2)
    assert Ledger(Store(str(tmp_path))).states["cart"].epoch == 2


def test_the_spool_is_given_in_pieces_that_fit_a_line(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    for number in range(40):
        paused(ledger, number)
    got: list[int] = []
    while True:
        answer = ledger.spooled("shop", got[-1] if got else 0, 2000)
        assert len(json.dumps(answer)) < 4000
        got += [e["seq"] for e in answer["entries"]]
        if not answer["more"]:
            break
    assert got == list(range(1, 41))


def test_services_do_not_get_each_others_lines(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.adopt("cart", agent_may_write=True)
    for number, name in enumerate(["shop", "cart", "shop"]):
        paused(ledger, number, name)
    assert [e["seq"] for e in ledger.spooled("shop", 0, 10_000)["entries"]] == [1, 3]
    assert [e["seq"] for e in ledger.spooled("cart", 0, 10_000)["entries"]] == [2]
    assert ledger.states["cart"].spool == 2


def test_a_broken_state_says_where_it_was_put(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("no")
    with pytest.raises(BrokenState, match=r"state\.json"):
        Store(str(tmp_path)).load()


def test_a_new_service_is_with_the_agent(tmp_path: Path) -> None:
    state = opened(tmp_path).states["shop"]
    assert isinstance(state, Authority)
    assert (state.mode, state.epoch, state.desired) == ("agent", 1, None)
