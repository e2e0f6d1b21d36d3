"""`hatchway drill`: the stops tried on a running installation, fault by fault, and written down.

Each cell is one stop, typed as a person types it, under one fault. When it took hold is what the
governor wrote down, on the same clock; whether it did what it promises is read at the target.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from hatchway.core.drills import STOPS, Cell, Evidence, Stop
from hatchway.rehearse import drill_evidence
from hatchway.rehearse.drill_faults import NOT_FROM_OUTSIDE, Faults, Guard, NotHere
from hatchway.rehearse.drill_site import VERB_S, CannotGoOn, Doc, Site, why_of

FAULTS = ("healthy", "journal locked", "metrics silent", "backend hung", "backend dead")
"""In this order: what leaves the backend as it is comes first."""

LOOK_S = 0.01
JOURNALED_S = 30.0


class Limits(NamedTuple):
    """In seconds, from the start of a command: until the fence is up, until the canary has nothing."""

    fence_s: float = 1.0
    effect_s: float = 1.5


class Seen(NamedTuple):
    """What came of one command."""

    answer: Doc
    words: str
    reason: str
    entry: Doc | None  # its line in the governor's spool
    fence_s: float | None
    ack_s: float
    effect_s: float | None


class Drill:
    """One drill of one service. `tell` gets a line for each cell as it ends."""

    def __init__(
        self,
        site: Site,
        about: Evidence,
        path: Path,
        guard: Guard,
        faults: Faults,
        *,
        share: int | None = None,
        limits: Limits | None = None,
        only: Sequence[str] = FAULTS,
        tell: Callable[[Cell], None] = lambda cell: None,
    ) -> None:
        """`share`: the percentage that the canary is given before each stop, None: as it is.

        `only` these faults: the others are not run, so that such a drill does not pass.
        """
        self._site = site
        self.evidence = about
        self._path = path
        self._guard = guard
        self._faults = faults
        self._share = share
        self._limits = limits or Limits()
        self._only = only
        self._tell = tell

    def run(self) -> tuple[Evidence, str]:
        """Try every cell; the evidence and its exact text.

        Raises CannotGoOn when it had to stop in the middle: then the guard takes over.
        """
        drill_evidence.write(self._path, self.evidence)
        left_out = {f: "it was not asked for" for f in FAULTS if f not in self._only}
        for fault in FAULTS:
            for stop in STOPS if fault not in left_out else ():
                self._add(self._cell(fault, stop))
        for fault, why in {**left_out, **NOT_FROM_OUTSIDE}.items():
            for stop in STOPS:
                self._add(Cell(fault=fault, stop=stop, status="not_run", why=why))
        self.evidence = replace(self.evidence, ended=time.time(), left="")
        return self.evidence, drill_evidence.write(self._path, self.evidence)

    def _add(self, cell: Cell) -> None:
        self.evidence = replace(self.evidence, cells=(*self.evidence.cells, cell))
        drill_evidence.write(self._path, self.evidence)
        self._tell(cell)

    def _cell(self, fault: str, stop: Stop) -> Cell:
        site, name = self._site, f"{self.evidence.drill}, {stop} with {fault}"
        site.with_the_agent()
        if self._share is not None:
            site.give_share(self._share, name, self.evidence.by)
        before, versions = site.status(), site.versions()
        had = (before["observed"] or {}).get("canary")
        if stop == "rollback" and not had:
            why = "the canary has no traffic to take away: --weight 5, or drill during a release"
            return Cell(fault=fault, stop=stop, status="not_run", why=why)
        try:
            with self._faults.inject(fault):
                seen = self._try(stop, f"drill {name}", before)
                wrong = self._wrong(stop, seen, before, versions)
        except NotHere as error:
            return Cell(fault=fault, stop=stop, status="not_run", why=str(error))
        site.until(lambda: not site.unwell(), f"after {stop} with {fault} not all was well again")
        wrong += self._in_the_journal(seen.reason)
        site.give_back(f"drill {name}: it was tried", seen.reason)
        return Cell(
            fault=fault,
            stop=stop,
            status="failed" if wrong else "passed",
            why="; ".join(wrong),
            fence_s=_round(seen.fence_s),
            ack_s=_round(seen.ack_s),
            effect_s=_round(seen.effect_s),
        )

    def _try(self, stop: Stop, reason: str, before: Doc) -> Seen:
        """Type it, and watch the governor until it has ended."""
        began = time.time()
        process = self._site.type(stop, self._site.service, "--reason", reason)
        effect = None
        while process.poll() is None:
            if effect is None and self._is_done(stop, before):
                effect = time.time() - began
            if time.time() - began > VERB_S:
                process.kill()
            time.sleep(LOOK_S)
        took = time.time() - began
        said, error = process.communicate()
        if effect is None and self._is_done(stop, before):
            effect = took
        return self._seen(process, said, error, reason, before, began, took, effect)

    def _seen(
        self,
        process: subprocess.Popen[str],
        said: str,
        error: str,
        reason: str,
        before: Doc,
        began: float,
        took: float,
        effect: float | None,
    ) -> Seen:
        try:
            answer = json.loads(said)
        except ValueError:
            answer = {"ok": False}
        entries = [e for e in self._site.since(before["spool_seq"]) if e.get("reason") == reason]
        entry = entries[0] if entries else None
        fence = entry["at"] - began if entry is not None else None
        words = "" if process.returncode == 0 else why_of(said, error)
        return Seen(answer, words, reason, entry, fence, took, effect)

    def _is_done(self, stop: Stop, before: Doc) -> bool:
        try:
            now = self._site.status()
        except CannotGoOn:
            return False
        if now["epoch"] <= before["epoch"]:
            return False
        return stop != "rollback" or (now["observed"] or {}).get("canary") == 0

    def _wrong(self, stop: Stop, seen: Seen, before: Doc, versions: Doc) -> list[str]:
        """What is not as promised."""
        site, limits = self._site, self._limits
        after, wrong = site.status(), []
        if not seen.answer.get("ok"):
            wrong.append(f"it was refused: {seen.words or 'it said nothing'}")
        elif seen.words:
            wrong.append(f"it is not done: {seen.words}")
        mode = "person" if stop == "takeover" else "paused"
        if after["mode"] != mode:
            wrong.append(f"the governor says {after['mode']}, not {mode}")
        if after["epoch"] != before["epoch"] + 1:
            wrong.append(
                f"epoch {before['epoch']} became {after['epoch']}: somebody else was there"
            )
        share = 0 if stop == "rollback" else before["observed"]["canary"]
        has = (after["observed"] or {}).get("canary")
        if has != share:
            wrong.append(f"the canary has {has} %, {share} % was promised")
        if site.versions() != versions:
            wrong.append("a version has changed")
        if seen.fence_s is None:
            wrong.append("the governor has no line of it")
        elif seen.fence_s > limits.fence_s:
            wrong.append(
                f"the fence was up after {seen.fence_s:.2f} s, {limits.fence_s:g} s at most"
            )
        if stop == "rollback" and (seen.effect_s is None or seen.effect_s > limits.effect_s):
            took = "never" if seen.effect_s is None else f"after {seen.effect_s:.2f} s"
            wrong.append(f"the canary was without traffic {took}, {limits.effect_s:g} s at most")
        return wrong

    def _in_the_journal(self, reason: str) -> list[str]:
        """The stop must be in the journal, and once."""
        found: list[int] = [0]

        def told() -> bool:
            found[0] = self._site.told(reason)
            return found[0] > 0

        try:
            self._site.until(told, "it did not come into the journal", JOURNALED_S)
        except CannotGoOn as error:
            return [str(error)]
        return [] if found[0] == 1 else [f"the journal has it {found[0]} times"]


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def begin(site: Site, environment: str, installation: str, by: str, *, scratch: bool) -> Evidence:
    """The evidence of a drill that begins now, when the site is fit for one. Raises CannotGoOn."""
    docs, status = site.docs(), site.status()
    unwell = site.unwell()
    if unwell:
        raise CannotGoOn(f"A drill starts from health, and it is not well: {unwell}.")
    if status["mode"] != "agent":
        who = f"{status['mode']} by {status['holder']}"
        raise CannotGoOn(f"{site.service} is {who}: give it back first, a drill is no reason to.")
    breaker = docs.get(f"standing/{site.service}", {}).get("breaker")
    if breaker:
        todo = f"Look at it first: hatchway breaker close {site.service} --reason WHY"
        raise CannotGoOn(f"Giving back closes the breaker, and it is open: {breaker}. {todo}.")
    can = set(docs["you"].get("can") or ())
    missing = [right for right in (*STOPS, "release") if right not in can]
    if missing:
        why = docs["you"].get("why_not") or f"you may not {', '.join(missing)}"
        raise CannotGoOn(f"A drill stops and gives back, and {why}.")
    began = time.time()
    name: Any = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(began))
    return Evidence(
        drill=name,
        environment=environment,
        installation=installation,
        service=site.service,
        scratch=scratch,
        began=began,
        by=str(docs["you"].get("name") or by),
        left=drill_evidence.RUNNING,
    )
