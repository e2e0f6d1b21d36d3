"""What `hatchway demo` was asked for, and the names of the faults."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, NamedTuple

Arm = Literal["stable", "canary", "staging"]
ARMS: tuple[Arm, ...] = ("stable", "canary", "staging")

FAULTS: dict[str, tuple[Arm, ...]] = {
    "errors": ("canary",),
    "slow": ("canary",),
    "orders-drop": ("canary",),
    "metrics-silent": ("canary",),
    "both-arms": ("stable", "canary"),
    "dependency-down": ("stable", "canary"),
    "hang": ("canary",),
    "staging-broken": ("staging",),
    "test-fails": (),
}
"""Each fault and the instances that have it; `test-fails` is in the released commit itself."""

SITE_WIDE = ("both-arms", "dependency-down")
"""Faults that wait for the canary's first traffic, so that the release starts on healthy ground."""


class BadOption(Exception):
    """An option cannot be meant; the message says what to write."""


class Fault(NamedTuple):
    """A fault to switch on. `at`: a stage's name or a canary weight; empty: from its start."""

    name: str
    at: str = ""


class Options(NamedTuple):
    """The command line. `directory` None: a fresh one that is removed at the end."""

    directory: Path | None = None
    pace: float = 10.0
    rate: float = 100.0
    seed: int = 7  # of what fails by chance and of what customers want
    mode: Literal["act", "recommend"] = "recommend"
    faults: tuple[Fault, ...] = ()
    headless: bool = False
    approve: Literal["auto", "manual"] = "manual"
    json: bool = False
    read_only: bool = False
    keep: bool = False
    pipeline: Path | None = None
    plane_only: bool = False  # no backend, no governor, no dashboard: for tests and benchmarks


def read_fault(text: str, pipeline: str) -> Fault:
    """Read NAME[@STAGE]; `pipeline` is the text of the pipeline file. Raises BadOption."""
    name, _, at = text.partition("@")
    known_fault(name)
    places = places_of(pipeline)
    if at and at not in places:
        raise BadOption(
            f"--fault {text}: there is no stage or canary weight {at!r}.{_nearest(at, places)}"
            f" Write one of: {', '.join(places)}."
        )
    if at and name == "test-fails":
        raise BadOption("--fault test-fails is in the commit itself: leave the stage out.")
    return Fault(name, at)


def known_fault(name: str) -> None:
    """Raises BadOption when there is no such fault."""
    if name not in FAULTS:
        raise BadOption(
            f"there is no fault {name!r}.{_nearest(name, list(FAULTS))}"
            f" Write one of: {', '.join(FAULTS)}."
        )


def places_of(pipeline: str) -> list[str]:
    """The stages and canary weights at which a fault can be switched on."""
    return [
        *re.findall(r"^\s*- name: *(\S.*?) *$", pipeline, re.M),
        *re.findall(r"^\s*- weight: *(\d+)", pipeline, re.M),
    ]


def _nearest(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, 1)
    return f" Did you mean {close[0]!r}?" if close else ""
