"""DIR/drills/AT.json: what a drill saw, written down after every cell, before anything else happens."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
from msgspec.structs import replace

from hatchway.core.drills import Evidence

RUNNING = "it is still running, or whoever ran it and its guard were killed"


def path_for(directory: Path, began: float) -> Path:
    """Where the evidence of a drill that began then is kept; the folder is made."""
    folder = directory / "drills"
    folder.mkdir(mode=0o700, exist_ok=True)
    name = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(began))
    path, number = folder / f"{name}.json", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.json"
    return path


def text_of(evidence: Evidence) -> str:
    """The exact text whose digest is journaled."""
    return msgspec.json.format(msgspec.json.encode(evidence), indent=1).decode() + "\n"


def write(path: Path, evidence: Evidence) -> str:
    """Write it, durably and never half; its text."""
    text = text_of(evidence)
    new = path.with_suffix(".new")
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return text


def cut_off(path: Path, left: str) -> str:
    """Write down that the drill was cut off, and what it left; the text, empty when it cannot be."""
    try:
        known = msgspec.json.decode(path.read_bytes(), type=Evidence)
    except (OSError, msgspec.DecodeError):
        return ""
    cut = replace(known, ended=0.0, left=left)
    try:
        return write(path, cut)
    except OSError:
        return text_of(cut)
