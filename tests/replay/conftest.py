"""A recording of a run that was paused, given back and rolled back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if (_here := str(Path(__file__).parent)) not in sys.path:
    sys.path.append(_here)  # for `replay_story`, which the benchmark uses too

import replay_story

from hatchway.edge.replay import Recording, recorded
from hatchway.journal.chain import Sound
from hatchway.journal.sqlite_file import to_row


@pytest.fixture(scope="session")
def recording() -> Recording:
    rows = [to_row(record) for record in replay_story.records(replay_story.story())]
    return recorded(Sound([rows]), "2")
