"""`hatchway policy explain`: one rule, each condition and the fact that it stands on; why not?"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import msgspec

from hatchway.cli.rules_dir import (
    calendars_at,
    config_of,
    rules_in,
    time_in,
    time_words,
    wrapped,
)
from hatchway.cli.where import find
from hatchway.core import events as ev
from hatchway.core.policy import CAPABILITIES, Policy, PolicyAnswer, answer
from hatchway.core.policy_words import fact_words, people_words
from hatchway.journal.chain import to_record
from hatchway.journal.port import JournalError
from hatchway.journal.source import rows_of
from hatchway.runners.visible import visible
from hatchway.settings.errors import ConfigError, Trouble, unknown
from hatchway.settings.facts import facts_of
from hatchway.settings.words import NotUnderstood

SIGNS = {"met": "+", "unmet": "-", "unknown": "?"}


def explain(options: argparse.Namespace) -> int:
    """0: explained. Raises ConfigError."""
    directory = config_of(options.dir)
    rules = rules_in(directory)
    environment, capability = _rule(options, rules.policy)
    now = time.time()
    if options.run is not None:
        made, at = _last(Path(find(options.dir)) / "journal.db", options.run, capability)
        return _show(options, _as_answer(made), at, f"run {options.run}, record of that time")
    at = time_in(options.at, now)
    try:
        facts = facts_of(_given(options.facts), at, calendars_at(rules, directory, at))
    except NotUnderstood as error:
        raise ConfigError([Trouble("--facts", 0, 0, error.what, error.write)]) from None
    said = answer(rules.policy, environment, capability, facts, options.mode, at)
    about = "the facts that were given" if options.facts else "no facts given: all are unknown"
    return _show(options, said, at, about)


def _rule(options: argparse.Namespace, policy: Policy) -> tuple[str, str]:
    """The environment and capability that are meant."""
    first, _, rest = options.rule.partition(".")
    environment, capability = (first, rest.partition(".")[0]) if rest else ("", first)
    names = tuple(policy.environments)
    environment = options.env or environment
    if not environment:
        environment = names[0] if len(names) == 1 else "prod"
    for what, word, known in (
        ("there is no environment", environment, names),
        ("there is no capability", capability, CAPABILITIES),
    ):
        if word not in known:
            raise ConfigError([Trouble(options.rule, 0, 0, *unknown(what, word, known))])
    return environment, capability


def _given(text: str) -> dict[str, str]:
    """The facts in "verdict=PASS,data_age=3s"; a word without = goes on with the one before it."""
    found: dict[str, str] = {}
    name = ""
    for part in filter(None, (p.strip() for p in text.split(","))):
        key, sign, value = part.partition("=")
        if sign:
            name = key.strip()
            found[name] = value.strip()
        elif name:
            found[name] += f",{part}"
        else:
            raise NotUnderstood(f"{part} has no value", "verdict=PASS,data_age=3s")
    return found


def _last(journal: Path, run: str, capability: str) -> tuple[ev.ProposalMade, float]:
    """What the agent last said about it in a run, and when. Raises ConfigError."""
    found: tuple[ev.ProposalMade, float] | None = None
    try:
        for record in (to_record(row) for rows in rows_of(journal) for row in rows):
            event = ev.decode(record.kind, record.payload)
            match event:
                case ev.ProposalMade() if (event.run, event.capability) == (run, capability):
                    found = event, record.at
    except JournalError as error:
        raise ConfigError([Trouble(str(journal), 0, 0, str(error))]) from None
    if found is None:
        what = f"the agent has not said anything about {capability} in run {run}"
        raise ConfigError([Trouble(str(journal), 0, 0, what, "another --run, or --facts")])
    return found


def _as_answer(made: ev.ProposalMade) -> PolicyAnswer:
    return PolicyAnswer(
        made.answer,
        made.rule,
        made.why,
        fired=made.fired,
        findings=made.stood,
        people=made.people,
        roles=made.roles,
        freeze=made.freeze,
    )


def _show(options: argparse.Namespace, said: PolicyAnswer, at: float, about: str) -> int:
    if options.json:
        document: dict[str, Any] = {
            "ok": True,
            "at": at,
            "answer": said.answer,
            "rule": said.rule,
            "fired": said.fired,
            "why": said.why,
            "people": said.people if said.answer == "ask" else 0,
            "roles": said.roles,
            "freeze": said.freeze,
            "conditions": [msgspec.to_builtins(f) for f in said.findings],
        }
        print(json.dumps(document))
        return 0
    print(wrapped(f"{said.rule}: {said.answer.upper()}   at {time_words(at)}, {about}"))
    print(wrapped(f"because {said.why}", 2))
    if said.fired:
        print(wrapped(f"decided by {said.fired}", 2))
    if said.answer == "ask":
        print(wrapped(people_words(said), 2))
    for finding in said.findings:
        print(f"  {SIGNS[finding.stands]} {visible(finding.condition)}: {finding.stands}")
        print(wrapped(fact_words(finding), 6))
    if not said.findings:
        print("  no condition is written for it")
    return 0
