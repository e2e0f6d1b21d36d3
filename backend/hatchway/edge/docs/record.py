"""The answer to the query `record`: how the agent's decisions turned out."""

from __future__ import annotations

from msgspec import Struct


class ScoreDoc(Struct, frozen=True):
    """How often one version of a brain decided one thing in one environment, and how that went.

    Shares are 0 to 1, of wrong and harmful ones. `low` and `high` are the raw ratio with the unknown
    ones counted as right and as wrong; `at_most` bounds the true share, the unknown counted as wrong,
    however often one looks. `strip` has a letter for each of the newest, the newest last: R right,
    W wrong, H harmful, ? unknown.
    """

    environment: str
    capability: str
    brain: str
    right: int
    wrong: int
    harmful: int
    unknown: int
    going: int  # of the unknown: in runs that have not ended
    auto: int
    ask: int
    deny: int
    low: float = 0.0
    high: float = 1.0
    at_most: float = 1.0
    clean_needed: int = 0  # decisions, all right, that would show less than the limit
    strip: str = ""
    labelled: bool = True  # False: it moves no traffic, nobody can tell how it turned out


class RecordDoc(Struct, frozen=True):
    """All scores; what was decided most lately is not first: the environment and capability are."""

    at: float
    scores: tuple[ScoreDoc, ...] = ()
    limit: float = 0.05  # the share of wrong ones below which it could be let act alone
    alpha: float = 0.05  # the chance that a bound is ever wrong
    from_nothing: int = 0  # decisions, all right, that would show it from nothing
    runs: int = 0
