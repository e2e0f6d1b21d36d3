"""Generated installations of many services, for the board, the palette and their benchmark."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec

from hatchway.edge import protocol as wire
from hatchway_tui.mirror import Heard, Model, fold

NOW = 1_800_000_000.0
YOU = wire.You("ana", ("operator",), ("pause", "takeover", "rollback", "release", "approve"))
STEPS = ("checks", "tests", "scan", "staging")


def fleet(count: int = 200, seed: int = 7) -> dict[str, msgspec.Struct]:
    """Documents of `count` services: few need a person, some are in canary, the rest is idle."""
    chance = random.Random(seed)
    docs: dict[str, msgspec.Struct] = {"system": wire.SystemDoc("prod", name="fleet")}
    waiting: list[wire.ItemDoc] = []
    for index in range(count):
        name = f"{chance.choice(('cart', 'ledger', 'search', 'mail', 'auth'))}-{index:03d}"
        docs |= _service(chance, name, index, waiting)
    docs["needs-you"] = wire.NeedsDoc(tuple(waiting))
    return docs


def _service(
    chance: random.Random, name: str, index: int, waiting: list[wire.ItemDoc]
) -> dict[str, msgspec.Struct]:
    kind = index % 25
    mode, holder = "agent", ""
    run: dict[str, object] = {
        "id": f"r{index}", "service": name, "environment": "prod", "pipeline": name, "mode": "act",
        "version": 3, "from_version": f"4.{index}.0", "to_version": f"4.{index}.1", "commit": "77ab01",
        "risk": chance.choice(("LOW", "MEDIUM", "HIGH")), "started_at": NOW - 4000 - index,
        "undo": "YES: the same schema",
    }  # fmt: skip
    step = wire.StepDoc("CANARY 5%", 0, 3, 5, NOW - 130 - index, NOW + 80, "25%, 100%")
    stages = tuple(wire.StageDoc(s, "tests", s, "passed") for s in STEPS)
    canary = wire.StageDoc("canary", "canary", "canary", "running", NOW - 130)
    match kind:
        case 0:
            run |= {"status": "held", "step": step, "weight": 5, "held": "too little traffic"}
            run["verdict"] = wire.VerdictDoc("UNSURE", "too little traffic to tell", at=NOW)
            asked = (NOW - 60 * (index + 1), NOW + 900, "MEDIUM", 0.6)
            title = f"ROLL BACK {name}"
            item = wire.ItemDoc(
                f"i{index}", "recommendation", "rollback", title, name, f"r{index}", *asked
            )
            waiting.append(item)
        case 1 | 2:
            run |= {"status": "running", "step": step, "weight": 5}
            run["verdict"] = wire.VerdictDoc("PASS", "no worse", at=NOW)
        case 3:
            busy = wire.StageDoc("tests", "tests", "tests", "running", NOW - 40)
            run |= {"status": "running"}
            stages = (*stages[:1], busy)
            canary = wire.StageDoc("canary", "canary", "canary", "pending")
        case 4:
            run |= {"status": "rolling_back" if index == 4 else "paused", "step": step, "weight": 5}
            mode, holder = ("paused", "luis") if index != 4 else ("agent", "")
        case _:
            ended = chance.choice(("promoted", "rolled_back", "failed"))
            run |= {"status": "ended", "outcome": ended, "ended_at": NOW - 3600 * (index + 1)}
    docs: dict[str, msgspec.Struct] = {
        f"authority/{name}": wire.AuthorityDoc(name, mode, 4, holder, NOW - 90, read_at=NOW),  # type: ignore[arg-type]
    }
    if kind < 20:  # the others never ran
        docs[f"run/r{index}"] = wire.RunDoc(**run, stages=(*stages, canary))  # type: ignore[arg-type]
    return docs


def raw(docs: dict[str, msgspec.Struct]) -> dict[str, msgspec.Raw]:
    """As they go over the wire."""
    return {key: msgspec.Raw(msgspec.json.encode(doc)) for key, doc in docs.items()}


def model_of(docs: dict[str, msgspec.Struct], at: float = 50.0) -> Model:
    """The model after a snapshot of `docs`."""
    model = Model(governor_known=True, skew=NOW - at)
    model = fold(model, Heard(wire.Hello(1, "x", "b", YOU, 7, NOW), at))
    return fold(model, Heard(wire.Snapshot(7, raw(docs)), at))


def changed(model: Model, docs: Iterable[tuple[str, msgspec.Struct]], at: float = 50.0) -> Model:
    """The model after these documents changed."""
    return fold(model, Heard(wire.Delta(model.rev, model.rev + 1, raw(dict(docs))), at))
