"""The proof of a verdict: what the judge had before and saw, small enough to be journaled.

From it anybody can recompute the verdict later, with the backend dead and the metrics long gone.
Digests of the state and of the verdict that came out then are in it, so whether the recomputation
gives the same bytes is checked and never assumed.

Nothing is sorted on the way: the order in which instances were read is the order in which their
figures are added up, and the last bit of a sum depends on it.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from .fold import judge
from .look import Look
from .state import JudgeConfig, JudgeState
from .verdict import Verdict

FORMAT = b"1"
MAX_SIZE = 8 * 1024 * 1024
"""Bytes of a proof once unpacked; a larger one is not looked at."""


class ProofError(ValueError):
    """There is no proof, or this version cannot read or recompute it; says why and what to do."""


class Replay(Struct, frozen=True, kw_only=True):
    """A verdict computed again. `same_state` and `same_verdict`: to the same bytes as then."""

    config: JudgeConfig
    before: JudgeState
    look: Look
    excludes: float
    after: JudgeState
    verdict: Verdict
    same_state: bool
    same_verdict: bool
    size: int  # of the proof in bytes, packed

    @property
    def same(self) -> bool:
        """Whether this version's judge comes to the very bytes that were journaled."""
        return self.same_state and self.same_verdict


class _Content(Struct, frozen=True, array_like=True):
    config: JudgeConfig
    before: JudgeState
    look: Look
    excludes: float
    after: bytes  # SHA-256
    verdict: bytes  # SHA-256


def sealed(
    config: JudgeConfig,
    before: JudgeState,
    look: Look,
    excludes: float,
    after: JudgeState,
    verdict: Verdict,
) -> bytes:
    """The proof that `judge(config, before, look, excludes)` gave `after` and `verdict`.

    One to three kB for three metrics; takes about 0.3 ms, so it is for what is journaled and not
    for every look. The same arguments give the same bytes.
    """
    content = _Content(config, before, look, excludes, _digest(after), _digest(verdict))
    return FORMAT + zlib.compress(_encoder.encode(_as_read(content, _decoder)), 6)


def replayed(proof: bytes) -> Replay:
    """The verdict again, from nothing but its proof. Raises ProofError."""
    content = _content(proof)
    try:
        after, verdict = judge(content.config, content.before, content.look, content.excludes)
    except Exception as error:
        raise ProofError(
            f"this version's judge stops at what was seen then ({type(error).__name__}: {error}):"
            " recompute it with the version of Hatchway that wrote it"
        ) from error
    return Replay(
        config=content.config,
        before=content.before,
        look=content.look,
        excludes=content.excludes,
        after=after,
        verdict=verdict,
        same_state=_digest(after) == content.after,
        same_verdict=_digest(verdict) == content.verdict,
        size=len(proof),
    )


def _content(proof: bytes) -> _Content:
    if not proof:
        raise ProofError(
            "no proof was journaled with it: it did not come from a look of the judge, or it was"
            " written by a version that kept none"
        )
    if proof[:1] != FORMAT:
        raise ProofError(
            "its proof has a format that this version does not know: use the version of Hatchway"
            " that wrote it"
        )
    try:
        unpack = zlib.decompressobj()
        plain = unpack.decompress(proof[1:], MAX_SIZE)
        if unpack.unconsumed_tail:
            raise OverflowError(f"it unpacks to more than {MAX_SIZE:,} bytes")
        return _decoder.decode(plain)
    except (zlib.error, msgspec.DecodeError, ValueError, RecursionError, OverflowError) as error:
        raise ProofError(
            f"its proof cannot be read by this version ({error}): use the version of Hatchway that"
            " wrote it, and run `hatchway audit verify` to see whether the record is whole"
        ) from error


def _digest(value: JudgeState | Verdict) -> bytes:
    decoder = _states if isinstance(value, JudgeState) else _verdicts
    return sha256(_encoder.encode(_as_read(value, decoder))).digest()


def _as_read(value: Any, decoder: msgspec.msgpack.Decoder[Any]) -> Any:
    """The value as whoever reads it will have it: a whole number where a float belongs is one."""
    return decoder.decode(_encoder.encode(value))


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Content)
_states: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(JudgeState)
_verdicts: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Verdict)
