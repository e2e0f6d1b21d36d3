"""Every state of the first screen, as facts that can be varied one by one: pure, with a fixed clock.

`Facts` is what is the case; `view_of(facts)` is what a dashboard knows then. Nothing is taken from
the painters, so that what they write can be held against what is the case.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from hatchway.edge import protocol as wire
from hatchway_tui import hands as rules
from hatchway_tui.control import Rights
from hatchway_tui.hands import Armed, Entry, Hands, Notice
from hatchway_tui.mirror import GovernorSaid, GovernorStatus, Heard, Lost, Model, fold
from hatchway_tui.view import View

NOW = 1_790_000_000.0
AT = 5_000.0
STAGES = ("checks", "tests", "integration", "scan", "staging", "release", "canary")
KINDS = ("checks", "tests", "tests", "scan", "deploy", "release", "canary")
CAN = ("pause", "takeover", "rollback", "release", "approve")
HEADLINES = {
    "PASS": "No worse than stable so far.",
    "REGRESS": "Errors on the canary are 12.8 times those of stable.",
    "UNSURE": "Too little traffic to tell.",
    "NO_DATA": "Nothing is heard of the canary.",
}


class Facts(Struct, frozen=True):
    """What is the case."""

    link: str = "live"  # live, silent, down, connecting, never
    age: float = 1.0  # of the last word of the backend
    governor: str = "answers"  # answers, trouble, unknown
    mode: str = "agent"
    holder: str = ""
    level: str = "acts within policy"
    run: str = "canary"  # none, stage, waiting, canary, held, rolling_back, or an outcome
    stage: int = 1
    failed: bool = False
    weight: int = 5
    verdict: str = "PASS"
    why: str = "errors 2 of 1220 on canary against 0.50% on stable"
    risk: str = "MEDIUM"
    attention: tuple[str, ...] = ("POST /orders has a new required field",)
    next: str = "goes to 25 % in about 1m20s when nothing gets worse"
    undo: str = "YES"
    items: tuple[str, ...] = ()
    metrics_age: float = 1.0
    can: tuple[str, ...] = CAN
    read_only: bool = False
    stop_all: str = ""
    drift: str = ""
    governor_trouble: str = ""
    journal_trouble: str = ""
    freeze: str = ""
    duty: str = "ana till 06:00"
    armed: bool = False
    entry: str = ""
    notice: str = ""


OUTCOMES = ("promoted", "rolled_back", "held_at_end", "rejected", "failed")
RUNS = ("none", "stage", "waiting", "canary", "held", "rolling_back", *OUTCOMES)


def measured(facts: Facts) -> bool:
    """Whether there is a canary whose figures count."""
    return facts.run in {"canary", "held", "rolling_back"}


def _stages(facts: Facts) -> tuple[wire.StageDoc, ...]:
    here = {"none": 0, "stage": facts.stage, "waiting": 5, "failed": facts.stage}.get(facts.run, 6)
    word: Any = {"waiting": "waiting", "failed": "failed"}.get(facts.run, "running")
    if facts.run in {"promoted", "rolled_back", "held_at_end", "rejected"}:
        here = 7
    out = []
    for i, (name, kind) in enumerate(zip(STAGES, KINDS, strict=True)):
        is_: Any = "passed" if i < here else word if i == here else "pending"
        began = NOW - 300 + 10 * i if i <= here else 0.0
        detail = "one yes is needed to release 1.5.0" if is_ == "waiting" else ""
        job = wire.JobDoc(f"{name}-job", is_, began, began + 4 if i < here else 0.0)
        out.append(
            wire.StageDoc(name, kind, name, is_, began, began + 9 if i < here else 0.0, detail, (job,))
        )  # fmt: skip
    return tuple(out)


def _verdict(facts: Facts) -> wire.VerdictDoc | None:
    if not (measured(facts) or facts.run in {"promoted", "rolled_back"}) or not facts.verdict:
        return None
    why = (
        wire.WhyLine("-" if facts.verdict == "REGRESS" else "+", facts.why, "E1", "edge", NOW - 1),
        wire.WhyLine("+", "p95 212 ms against 208 ms: no difference", "E2", "app", NOW - 1),
    )
    word: Any = facts.verdict
    return wire.VerdictDoc(word, HEADLINES[facts.verdict], why, 0.58, NOW - 1)


def _run(facts: Facts) -> wire.RunDoc:
    ended = facts.run in OUTCOMES
    statuses: dict[str, Any] = {
        "waiting": "waiting",
        "held": "held",
        "rolling_back": "rolling_back",
    }
    then = {5: "25%, 100%", 25: "100%", 100: ""}[facts.weight]
    step = wire.StepDoc(f"CANARY {facts.weight}%", 0, 3, facts.weight, NOW - 40, NOW + 80, then)
    weight = facts.weight if measured(facts) else 100 if facts.run == "promoted" else 0
    return wire.RunDoc(
        "r1", "shop", "prod", "shop", "act", 17, "1.4.0", "1.5.0", "77ab01c9d2",
        "ended" if ended else statuses.get(facts.run, "running"), NOW - 300,
        outcome=facts.run.removesuffix("_at_end") if ended else "",
        ended_at=NOW - 12 if ended else 0.0,
        risk=facts.risk,
        risk_reasons=("api/openapi.yaml changes the API contract that other services call",),
        attention=facts.attention,
        changes=(
            wire.ChangeDoc("77ab01c9d2", "ana", "orders: require a currency"),
            wire.ChangeDoc("51fe09aa00", "luis", "pricing: round half to even"),
        ),
        files=("api/openapi.yaml  +12 -3", "shop/pricing.py  +8 -8"),
        stages=_stages(facts), step=step if measured(facts) else None, weight=weight,
        verdict=_verdict(facts), next="" if ended else facts.next,
        held="a person said stay" if facts.run == "held" else "", undo=facts.undo,
    )  # fmt: skip


def points(base: float, jump: float, count: int = 100) -> tuple[wire.MetricDoc, ...] | Any:
    """A course: stable goes in waves, the canary comes late, and jumps."""
    out = []
    for i in range(count):
        wave = base * (1 + 0.04 * math.sin(i / 3))
        canary = wave + jump * 0.3 * math.sin(i / 5) + (jump if i > 75 else 0)
        out.append(
            (NOW - count - 1 + i, round(wave, 3), round(max(canary, 0), 3) if i > 55 else None)
        )
    return tuple(out)


def _metrics(facts: Facts) -> wire.MetricsDoc:
    at, make = NOW - facts.metrics_age, wire.MetricDoc
    bad = facts.verdict == "REGRESS"
    tone: Any = "bad" if bad else "good"
    return wire.MetricsDoc("r1", at, (
        make("errors", "errors", "%", 0.5, 6.4 if bad else 0.61, "worse" if bad else "same", tone, 2.0, "max", 1220, at, True, points=points(0.5, 6 if bad else 0.2)),
        make("latency", "latency p95", "ms", 208, 212, "same", "good", 300.0, "max", 1220, at, True, points=points(208, 5)),
        make("orders", "orders", "per min", 31, 31, "same", "good", 25.0, "min", 62, at, True, points=points(31, 2)),
        make("db", "database connections", "", 41, 44, "ok", "good", 80.0, "max", None, at, points=points(41, 3)),
        make("payments", "payments dependency", "", None, None, "ok", "good", None, "none", None, at, text_stable="ok", text_canary="ok"),
    ), (NOW - 40,))  # fmt: skip


def _items(facts: Facts) -> wire.NeedsDoc:
    made = {
        "rollback": wire.ItemDoc(
            "i1", "recommendation", "rollback", "ROLL BACK shop to 1.4.0", "shop", "r1", NOW - 20,
            NOW + 3600, "MEDIUM", 0.91, facts.undo, ("errors 6.40% on canary against 0.50%",),
            default="it stays paused",
        ),
        "release": wire.ItemDoc(
            "i2", "approval", "release", "RELEASE shop 1.5.0", "shop", "r1", NOW - 65, NOW + 14000,
            facts.risk, None, facts.undo, ("2 commits, 2 files; changes the API contract",),
            default="it is not released",
        ),
        "residue": wire.ItemDoc(
            "i3", "residue", "rollback", "RESIDUE of shop 1.5.0", "shop", "r1", NOW - 240, 0.0,
            "LOW", None, "", ("2 requests are still under way on the canary",),
        ),
    }  # fmt: skip
    return wire.NeedsDoc(tuple(made[kind] for kind in facts.items))


def documents(facts: Facts) -> dict[str, msgspec.Struct]:
    """What the backend would say."""
    mode: Any = facts.mode
    docs: dict[str, msgspec.Struct] = {
        "system": wire.SystemDoc(
            "prod", "demo", duty=facts.duty, freeze=facts.freeze,
            governor_trouble=facts.governor_trouble, journal_trouble=facts.journal_trouble,
        ),
        "authority/shop": wire.AuthorityDoc(
            "shop", mode, 4, facts.holder, NOW - 45, level=facts.level if mode == "agent" else "",
            read_at=NOW, drift=facts.drift, stop_all=facts.stop_all,
        ),
        "needs-you": _items(facts),
        "audit/tail": wire.AuditDoc(
            tuple(
                wire.AuditLine(40 + i, NOW - 90 + 15 * i, who, text)
                for i, (who, text) in enumerate(
                    (("ana", "approved 1.5.0 (image 77ab01)"), ("agent", "canary 5%"))
                )
            ),
            41,
        ),
    }  # fmt: skip
    if facts.run != "none":
        docs["run/r1"] = _run(facts)
        docs["log/r1"] = wire.LogDoc("r1", (wire.LogLine("cart", "tests/unit/test_cart.py ..."),))
    if measured(facts) or facts.run in {"promoted", "rolled_back"}:
        docs["metrics/r1"] = _metrics(facts)
    return docs


def _model(facts: Facts) -> Model:
    model = Model(governor_known=facts.governor != "unknown", skew=NOW - AT, phase_since=AT - 60)
    if facts.link == "connecting":
        return replace(model, phase_since=AT - 0.2)
    heard = AT - facts.age
    if facts.link != "never":
        you = wire.You("ana", ("operator",), facts.can, facts.read_only)
        raw = {key: msgspec.Raw(msgspec.json.encode(doc)) for key, doc in documents(facts).items()}
        model = fold(model, Heard(wire.Hello(1, "x", "b", you, 7, NOW - facts.age), heard))
        model = fold(model, Heard(wire.Snapshot(7, raw), heard))
    if facts.link == "silent":
        model = fold(model, Lost("silent", heard + 2, "connected, but the backend is silent"))
    elif facts.link in {"down", "never"}:
        why = "the backend went away" if facts.link == "down" else "there is no socket at /run/b"
        model = fold(model, Lost("down", heard + 0.1, why, AT + 0.8))
    if facts.link not in {"live", "connecting"} and facts.governor != "unknown":
        mode: Any = facts.mode
        said = GovernorStatus(
            "shop", 4, mode, facts.holder, NOW - 45, drift=facts.drift,
            desired={"canary": facts.weight}, observed={"canary": facts.weight},
            stop_all={"by": "luis", "reason": "bad night"} if facts.stop_all else None,
        )  # fmt: skip
        trouble = "the governor cannot be reached: it is not running"
        answers = facts.governor == "answers"
        event = GovernorSaid(AT - 0.5, (said,)) if answers else GovernorSaid(AT - 0.5, (), trouble)
        model = fold(model, event)
    return model


def view_of(facts: Facts) -> View:
    """What a dashboard knows when `facts` are the case."""
    model = _model(facts)
    rights = Rights(facts.read_only, "ana")
    hands = rules.settle(Hands(service="shop"), model, AT - 30)
    if facts.armed:
        ground = rules.ground_of(model, "shop")
        hands = replace(hands, armed=Armed(AT - 2, "shop", ground, facts.mode, 4))
    if facts.entry:
        kind: Any = facts.entry
        hands = replace(hands, entry=Entry(kind, "because", hands.focus))
    if facts.notice:
        hands = replace(hands, notice=Notice(facts.notice, "warn", AT + 5))
    return View(model, hands, rights, NOW, AT, "/run/b.sock")


VALUES: dict[str, tuple[Any, ...]] = {
    "link": ("live", "silent", "down"),
    "age": (1.0, 2.0, 40.0, 400.0),
    "governor": ("answers", "trouble", "unknown"),
    "mode": ("agent", "paused", "person", "unknown"),
    "holder": ("ana", "luis"),
    "level": ("acts within policy", "recommends only"),
    "run": RUNS,
    "stage": (0, 1, 2, 3, 4),
    "weight": (5, 25, 100),
    "verdict": tuple(HEADLINES),
    "why": ("errors 2 of 1220 on canary against 0.50% on stable", "errors 9 of 80, p 0.004"),
    "risk": ("LOW", "MEDIUM", "HIGH"),
    "next": ("goes to 25 % in about 1m20s when nothing gets worse", "rolls back in 20s unless held"),
    "undo": ("YES", "NO: schema 119 is not read by 1.4.0", "unknown"),
    "items": ((), ("release",), ("rollback",), ("rollback", "release"), ("rollback", "release", "residue")),
    "metrics_age": (1.0, 60.0),
    "can": (CAN, CAN[:3], ("approve",), ()),
    "read_only": (False, True),
    "stop_all": ("", "STOP ALL by luis: bad night"),
    "drift": ("", "target has 9 %, wanted 5 %"),
    "governor_trouble": ("", "the governor is silent for 9 s"),
    "journal_trouble": ("", "the journal cannot be written: disk full"),
    "freeze": ("", "none", "since Fri 14:00"),
    "duty": ("ana till 06:00", "luis till 14:00"),
    "armed": (False, True),
    "entry": ("", "release", "reject"),
    "notice": ("", "o: ignored, press again"),
}  # fmt: skip


def matters(facts: Facts) -> dict[str, object]:
    """The facts of a state that an operator must know in it; the others are no part of it."""
    known = {each.name: getattr(facts, each.name) for each in fields(Facts)}
    live = facts.link == "live"

    def drop(*names: str) -> None:
        for name in names:
            known.pop(name, None)

    drop("failed")
    if facts.mode not in {"paused", "person"}:
        drop("holder")
    if facts.mode != "agent":
        drop("level")
    if facts.run not in {"stage", "failed"}:
        drop("stage")
    if not measured(facts):
        drop("weight", "metrics_age")
    if _verdict(facts) is None:
        drop("verdict", "why")
    if facts.run == "none":
        drop("risk", "next")
    if facts.run in OUTCOMES or facts.mode in {"paused", "person"} or not live:
        drop("next")  # somebody holds it: what the agent would do is not what happens next
    if "rollback" not in facts.items and "release" not in facts.items and not facts.armed:
        drop("undo")
    if live:
        drop("governor", "age")  # the backend speaks; its age is of the second
    else:
        # the one thing to know is who can be reached; and all else is as last heard
        drop("level", "freeze", "duty", "governor_trouble", "journal_trouble", "can", "metrics_age")
        drop("drift", "stop_all", "next")
        if facts.governor == "unknown":
            drop("holder")
    if facts.governor_trouble or facts.journal_trouble or facts.drift:
        drop("duty", "freeze", "drift" if facts.governor_trouble or facts.journal_trouble else "")
        if facts.governor_trouble:
            drop("journal_trouble")
    if facts.freeze == "none" or not facts.freeze:
        drop("freeze")
    if facts.armed:
        # the plan stands in the place of the verdict, the rest stays
        drop("verdict", "why", "next", "run", "stage", "metrics_age")
    if facts.read_only:
        drop("can")
    return known


def variations(base: Facts) -> Iterator[tuple[str, list[Facts]]]:
    """By the name of a fact: `base` with each of its values that can be."""
    for name, values in VALUES.items():
        variants = (replace(base, **{name: value}) for value in values)
        yield name, [each for each in variants if sensible(each)]


def sampled(count: int, seed: int) -> list[Facts]:
    """`count` states that make sense, at random from a seed."""
    dice = random.Random(seed)
    out: list[Facts] = []
    while len(out) < count:
        facts = Facts(**{name: dice.choice(values) for name, values in VALUES.items()})
        if sensible(facts):
            out.append(facts)
    return out


def sensible(facts: Facts) -> bool:
    """Whether a state can be at all."""
    if facts.link == "live" and facts.age > 2:
        return False
    if facts.link != "live" and facts.age < 3:
        return False
    if (facts.armed or facts.entry) and (facts.read_only or not set(CAN) <= set(facts.can)):
        return False
    if facts.armed and (facts.link != "live" or facts.entry or facts.notice):
        return False
    if facts.entry and facts.link != "live":
        return False
    if facts.entry == "reject" and not facts.items:
        return False
    if facts.entry == "release" and facts.mode == "agent":
        return False
    return not (facts.entry and facts.notice)


def pairs(states: list[Facts]) -> Iterator[tuple[Facts, Facts]]:
    """Every two states in which something that matters is different."""
    known = [(each, matters(each)) for each in states]
    for (one, of_one), (other, of_other) in itertools.combinations(known, 2):
        if of_one != of_other:
            yield one, other
