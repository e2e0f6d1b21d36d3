"""Every single change to a journal is found, and the first bad record is named."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.journal.batch import seal_batch
from hatchway.journal.chain import (
    START,
    Broken,
    Verified,
    Verifier,
    canonical,
    digest,
    seal,
    verify,
)
from hatchway.journal.port import Damaged, Draft, Record

N = 40


def chain_of(count: int = N, salt: str = "") -> list[Record]:
    drafts = [
        Draft(
            stream=f"run/{n % 3}",
            kind="stage.started",
            actor=f"ana{salt}",
            payload=b'{"n":%d}' % n,
            epoch=n,
            cause=n,
            idem=f"i{n}",
        )
        for n in range(count)
    ]
    versions: dict[str, int] = {}
    return seal_batch(drafts, 0, START, 1e9, lambda s: versions.get(s, 0), lambda i: 0)


CHAIN = chain_of()


def flips(record: Record) -> Iterator[Record]:
    """The record with one column changed, in each way that matters."""
    for name in ("seq", "version", "epoch", "cause"):
        for new in (getattr(record, name) + 1, getattr(record, name) ^ (1 << 62), -1):
            yield msgspec.structs.replace(record, **{name: new})
    for new_at in (record.at + 1e-6, -record.at, 0.0):
        yield msgspec.structs.replace(record, at=new_at)
    for name in ("stream", "kind", "actor", "idem", "prev", "hash"):
        text = getattr(record, name)
        for new in ("", text + "x", text[:-1], chr(ord(text[0]) ^ 1) + text[1:], text.swapcase()):
            if new != text:
                yield msgspec.structs.replace(record, **{name: new})
    for i in range(len(record.payload) * 8):
        flipped = bytearray(record.payload)
        flipped[i // 8] ^= 1 << (i % 8)
        yield msgspec.structs.replace(record, payload=bytes(flipped))
    yield msgspec.structs.replace(record, payload=b"")
    # A byte that moves from one field into the next.
    yield msgspec.structs.replace(
        record, stream=record.stream + record.kind[0], kind=record.kind[1:]
    )


def found(records: list[Record]) -> int:
    result = verify(records)
    assert isinstance(result, Broken), "the change was not found"
    assert result.why
    assert result.means
    return result.seq


def test_an_untouched_chain_verifies():
    assert verify(CHAIN) == Verified(N, N, CHAIN[-1].hash)
    assert verify([]) == Verified(0, *START)


@pytest.mark.parametrize("at", range(N))
def test_every_flip_of_every_column_is_found_and_named(at):
    for changed in flips(CHAIN[at]):
        assert found([*CHAIN[:at], changed, *CHAIN[at + 1 :]]) == at + 1


def test_every_value_of_a_wrong_type_is_found_and_named():
    for at in range(N):
        for name, wrong in (("stream", None), ("kind", b"x"), ("payload", "{}"), ("at", "now")):
            changed = msgspec.structs.replace(CHAIN[at], **{name: wrong})
            assert found([*CHAIN[:at], changed, *CHAIN[at + 1 :]]) == at + 1


def test_every_dropped_record_but_the_last_is_found_and_named():
    for at in range(N - 1):
        assert found(CHAIN[:at] + CHAIN[at + 1 :]) == at + 1


def test_every_swap_of_two_records_is_found_and_named():
    for a in range(N):
        for b in range(a + 1, N):
            swapped = list(CHAIN)
            swapped[a], swapped[b] = swapped[b], swapped[a]
            assert found(swapped) == a + 1
            # The same with the numbers put in order again, as a table sorted by seq would show it.
            swapped[a] = msgspec.structs.replace(swapped[a], seq=a + 1)
            swapped[b] = msgspec.structs.replace(swapped[b], seq=b + 1)
            assert found(swapped) == a + 1


def test_every_doubled_record_is_found_and_named():
    for at in range(N):
        assert found([*CHAIN[: at + 1], CHAIN[at], *CHAIN[at + 1 :]]) == at + 2


def test_an_inserted_record_is_found_even_when_it_was_hashed_right():
    extra = Draft(stream="run/9", kind="approved", actor="eve", payload=b"{}")
    for at in range(N):
        seq, prev = (at, CHAIN[at - 1].hash) if at else START
        forged = seal(extra, seq=seq + 1, version=1, at=1e9, prev=prev)
        moved = [msgspec.structs.replace(r, seq=r.seq + 1) for r in CHAIN[at:]]
        # The forged one follows from those before it; what follows does not follow from it.
        assert found([*CHAIN[:at], forged, *moved]) == at + 2
        assert found([*CHAIN[:at], forged, *CHAIN[at:]]) == at + 2


def test_every_fork_is_found_where_the_chains_meet_again():
    other = chain_of(salt="x")
    for at in range(1, N):
        assert found(other[:at] + CHAIN[at:]) == at + 1
        replaced = seal(
            Draft(stream=CHAIN[at - 1].stream, kind="k", actor="eve", payload=b"{}"),
            seq=at,
            version=CHAIN[at - 1].version,
            at=1e9,
            prev=CHAIN[at - 1].prev,
        )
        assert found([*CHAIN[: at - 1], replaced, *CHAIN[at:]]) == at + 1


def test_a_cut_tail_is_not_found_by_the_chain_alone_but_with_an_expected_head():
    for left in range(N):
        assert isinstance(verify(CHAIN[:left]), Verified), "a chain does not know its end"
        result = verify(CHAIN[:left], expect=(N, CHAIN[-1].hash))
        assert isinstance(result, Broken)
        assert result.seq == left + 1


def test_a_chain_rewritten_as_a_whole_is_found_with_an_expected_head():
    forged = chain_of(salt="x")
    assert isinstance(verify(forged), Verified)
    result = verify(forged, expect=(7, CHAIN[6].hash))
    assert isinstance(result, Broken)
    assert result.seq == 7


def test_an_expected_head_in_the_middle_is_fine_when_it_is_there():
    assert verify(CHAIN, expect=(7, CHAIN[6].hash)) == Verified(N, N, CHAIN[-1].hash)


def test_verifying_can_go_on_from_a_known_head():
    result = verify(CHAIN[10:], start=(10, CHAIN[9].hash))
    assert result == Verified(N - 10, N, CHAIN[-1].hash)
    assert isinstance(verify(CHAIN[10:], start=(10, CHAIN[8].hash)), Broken)


def test_a_version_out_of_line_is_found_although_the_hash_is_right():
    draft = Draft(stream="run/1", kind="k", actor="a", payload=b"{}")
    result = verify([seal(draft, seq=1, version=2, at=0.0, prev=START[1])])
    assert isinstance(result, Broken)
    assert "version 2" in result.why


def test_a_record_that_cannot_even_be_read_is_named():
    def torn() -> Iterator[Record]:
        yield from CHAIN[:5]
        raise Damaged("cannot be read here", 6)

    result = verify(torn())
    assert isinstance(result, Broken)
    assert result.seq == 6


def test_verifying_streams():
    pulled = 0

    def endless() -> Iterator[Record]:
        nonlocal pulled
        for record in [*CHAIN[:3], CHAIN[5], *CHAIN]:
            pulled += 1
            yield record

    assert isinstance(verify(endless()), Broken)
    assert pulled == 4
    verifier = Verifier()
    assert verifier.check(CHAIN[0]) is None
    assert verifier.finish() == Verified(1, 1, CHAIN[0].hash)


text = st.text(max_size=8)
records = st.builds(
    Record,
    seq=st.integers(0, 9),
    stream=text,
    version=st.integers(0, 9),
    kind=text,
    actor=text,
    epoch=st.integers(0, 9),
    at=st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
    cause=st.integers(0, 9),
    idem=text,
    payload=st.binary(max_size=8),
    prev=text,
    hash=st.just(""),
)


@given(records, records)
def test_different_records_never_have_the_same_bytes(a, b):
    assert (canonical(a) == canonical(b)) == (a == b)
    assert (digest(a) == digest(b)) == (a == b)
