"""The invariants: checked whenever something reaches the target, the journal or a person, and at the end.

They keep their own account of what was acknowledged and do not ask the code under test.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hatchway.core import events as ev
from hatchway.governor.authority import DEAD_MAN
from hatchway.journal.chain import Verifier
from hatchway.journal.port import Record
from simulated.installation import PLAN

if TYPE_CHECKING:
    from simulated.target import Link
    from simulated.world import World

STEPS = next(stage for stage in PLAN.stages if stage.name == "canary").steps  # type: ignore[union-attr]
WEIGHTS = [*(step.weight - step.hold_back for step in STEPS), 100]


class Broken(Exception):
    """A promise was broken; the message says which and how."""


class Promises:
    """The account of one schedule."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.failed = ""
        self.acknowledged: dict[tuple[str, str], dict[str, Any]] = {}  # durable, by op and id
        self.epoch = 0  # the highest that anybody was told
        self.stopped = 0  # the epoch of the newest acknowledged stop that nobody gave back since
        self.held_epoch = 0  # the same in memory: also of stops that were not durable
        self.rolled_back = 0  # the epoch of the newest acknowledged rollback nothing came after
        self.releasing = 0  # requests to give back, with a reason, that reached the governor
        self.orders: dict[int, tuple[str, int, int, str]] = {}  # by order: key, epoch, weight, kind
        self.settled: set[str] = set()  # keys that were done and then replaced by another order
        self.newest_key = ""
        self.intended: dict[str, int] = {}
        self.applied: set[str] = set()
        self.late = 0  # commands on the wire before a stop's answer, carried out after it
        self.durable_epoch = 0
        self.given_back = self.durably_given_back = 0  # the epoch of the newest release
        self.shares = [world.target.percent]  # that the target has had
        self.since: dict[str, int] = {}  # by key: how many of them there were when it was intended

    def check(self, holds: bool, promise: str, said: str) -> None:
        if not holds:
            # The code under test may swallow the exception: the world looks here after each step.
            self.failed = self.failed or f"{promise}: {said}"
            raise Broken(self.failed)

    # --- the governor ---------------------------------------------------------------------------

    def asked(self, doc: dict[str, Any], trusted: bool) -> None:
        """A request reaches the governor."""
        if doc["op"] == "release" and trusted and str(doc.get("reason", "")).strip():
            self.releasing += 1
            self.stopped = self.held_epoch = 0  # from here on the agent may be in control again
        if doc["op"] == "release" and trusted:
            self.rolled_back = 0

    def answered(self, doc: dict[str, Any], answer: dict[str, Any], trusted: bool) -> None:
        """The governor answers: from this moment on somebody may rely on it."""
        op = doc["op"]
        if op == "release" and not trusted:
            self.check(not answer["ok"], "E12", "somebody without the right gave control back")
        if op in ("pause", "takeover", "rollback"):
            self.check(answer["ok"], "E2", f"{op} was refused: {answer}")
        if op not in ("pause", "takeover", "rollback", "release") or not answer["ok"]:
            return
        # A rollback is answered when it was seen, perhaps after others have gone on.
        again = answer["replayed"] or op == "rollback"
        self.check(answer["epoch"] >= self.epoch or again, "E4", f"the epoch fell: {answer}")
        self.epoch = max(self.epoch, answer["epoch"])
        durable = answer.get("durable", True)
        if durable:
            self.acknowledged[op, answer["id"]] = answer
            self.durable_epoch = max(self.durable_epoch, answer["epoch"])
        if op == "release":
            self.given_back = max(self.given_back, answer["epoch"])
            if durable:
                self.durably_given_back = max(self.durably_given_back, answer["epoch"])
        if op == "release" or (answer["replayed"] and answer["epoch"] < self.epoch):
            return
        if op == "rollback" and not answer["replayed"]:
            self.check(answer["desired"] == {"canary": 0}, "rollback", f"wants {answer['desired']}")
        if answer["epoch"] == self.epoch and not self._given_back_since(answer["epoch"]):
            self.held_epoch = answer["epoch"]
            if durable:
                self.stopped = answer["epoch"]
                if op == "rollback":
                    self.rolled_back = answer["epoch"]

    def _given_back_since(self, epoch: int) -> bool:
        state = self._world.governor.state if self._world.governor.keeper else None
        return state is not None and state.epoch > epoch

    def governor_is_up(self, state: Any) -> None:
        """It read its disk: what was acknowledged and durable is there (E7)."""
        self.held_epoch, self.epoch = self.stopped, self.durable_epoch
        self.given_back = self.durably_given_back
        self.governor_says(state)

    def governor_says(self, state: Any) -> None:
        """What must hold of the governor's state at any time."""
        self.check(
            state.epoch >= self.durable_epoch,
            "E7",
            f"the governor is at epoch {state.epoch}, {self.durable_epoch} was acknowledged",
        )
        if self.held_epoch:
            self.check(
                state.mode != "agent",
                "E7/E8",
                f"the agent is in control at epoch {state.epoch}, stopped at {self.held_epoch}",
            )
        if self.rolled_back:
            self.check(
                state.desired == 0,
                "rollback",
                f"acknowledged at epoch {self.rolled_back}, now {state.desired} % is desired",
            )

    def ordered(self, serial: int, doc: dict[str, Any]) -> None:
        """An apply became the driver's order."""
        key = doc["key"]
        if key != self.newest_key:
            if self.newest_key:
                self.settled.add(self.newest_key)
            # A governor whose state was replaced by an older copy no longer knows what it did.
            known = key in self.settled and not self._world.put_back
            self.check(not known, "no effect doubled", f"{key} was done and left before")
            self.newest_key = key
        if doc["epoch"] > self.rolled_back:
            self.rolled_back = 0
        self.orders[serial] = key, doc["epoch"], doc["canary"], doc["by"]["kind"]

    # --- the target -----------------------------------------------------------------------------

    def on_the_wire(self, link: Link) -> None:
        """The governor sends a command."""
        words = link.line.split()
        arm, weight = words[2][3:], int(words[4])
        has = self._world.target.weights[arm]
        if self._world.tracing:
            self._world.trace(f"wire: {arm}={weight}  (order {link.order})")
        order = self.orders.get(link.order.serial) if link.order.how == "exactly" else None
        if order is None:
            self.check(
                arm == "stable" or weight <= max(has, self._queued(arm)) or self._world.deceived,
                "E5",
                f"the canary is raised from {has} to {weight} and nobody asked for it",
            )
            return
        key, epoch, wanted, _ = order
        if arm == "canary":
            self.check(weight == wanted, "exactly", f"{key} wants {wanted}, {weight} is sent")
        self.check(
            epoch >= self.epoch,
            "E4",
            f"{key} of epoch {epoch} is sent after epoch {self.epoch} was acknowledged",
        )
        if wanted > 0:
            said = f"{key} to {wanted} % is sent and is not in the journal"
            self.check(self.intended.get(key) == wanted, "no effect without an intent", said)
            capsule = self._world.governor.state.capsule
            self.check(capsule is not None, "no capsule, no promotion", f"{key} is sent")

    def _queued(self, arm: str) -> int:
        queued = [li.line.split() for li in self._world.target.queue if li.line.startswith("set ")]
        return max((int(w[4]) for w in queued if w[2][3:] == arm), default=0)

    def carried_out(self, link: Link, before: dict[str, int], after: dict[str, int]) -> None:
        """A command reaches the target's weights."""
        if self._world.tracing:
            self._world.trace(f"target: {before} -> {after}")
        self.check(sum(after.values()) > 0, "somebody serves", f"{before} -> {after}")
        self.check(
            sum(after.values()) >= min(100, sum(before.values())) or self._world.deceived,
            "raise first, lower second",
            f"{before} -> {after}",
        )
        self.shares.append(self._world.target.percent)
        order = self.orders.get(link.order.serial) if link.order.how == "exactly" else None
        if order is not None and before != after:
            self.applied.add(order[0])
        if order is not None and order[1] < self.epoch:
            self.late += 1  # see docs/simulation.md: it is undone, and never confirmed

    # --- the journal ----------------------------------------------------------------------------

    def journaled(self, records: list[Record]) -> None:
        for record in records:
            if self._world.tracing:
                self._world.trace(f"journal {record.seq}: {record.payload.decode()[:230]}")
            if record.kind == "effect.intended":
                event = ev.decode(record.kind, record.payload)
                assert isinstance(event, ev.EffectIntended)
                acts = event.by.kind == "agent" and event.weight > 0
                again = acts and 0 < self.given_back <= event.epoch
                self.check(not again, "E8", f"the agent raises after {self.given_back}: {event}")
                self.intended[event.key] = event.weight
                self.since[event.key] = len(self.shares)
            elif record.kind == "effect.verified" and not self._world.deceived:
                verified = ev.decode(record.kind, record.payload)
                assert isinstance(verified, ev.EffectVerified)
                # A share that act-first brought about is intended in the journal afterwards.
                had = self.shares[max(0, self.since.get(verified.key, 1) - 1) :]
                said = f"{verified.key} is verified at {verified.observed} %, it had {had}"
                self.check(verified.observed in had, "done is what was observed", said)

    # --- the end --------------------------------------------------------------------------------

    def at_the_end(self) -> None:
        """Everything is healthy again and has settled."""
        world = self._world
        self._journal()
        spool = self._spool()
        events = world.events()
        merged = [e for e in events if isinstance(e, ev.AuthorityChanged) and e.op != "adopted"]
        lines = [(e["seq"], e["op"], e["id"]) for e in spool]
        self.check(
            len({s for s, _, _ in lines}) == len(lines), "E16", f"spool lines twice: {lines}"
        )
        self.check(
            [s for s, _, _ in lines] == list(range(1, len(lines) + 1)), "E16", f"a gap: {lines}"
        )
        self.check(
            [(e.spool, e.op, e.command) for e in merged] == lines,
            "E16",
            f"the journal has {[(e.spool, e.op) for e in merged]}, the spool {lines}",
        )
        for op, id_ in self.acknowledged:
            count = sum((o, i) == (op, id_) for _, o, i in lines)
            self.check(
                count == 1, "E16", f"{op} {id_} was acknowledged; in the spool {count} times"
            )
        state = world.governor.state
        by_hand = world.deceived and state.mode != "agent"
        self.check(
            world.target.percent <= state.desired or by_hand,
            "converges",
            f"{state.desired} % is desired, the target has {world.target.percent} %",
        )
        for key in self.applied:
            # Going back is done first and journaled after; a backend that dies between the two has
            # forgotten it. What raises is checked when it is sent.
            forgotten = ".rollback." in key and bool(world.graves)
            self.check(key in self.intended or forgotten, "no effect without an intent", key)

    def _spool(self) -> list[dict[str, Any]]:
        data = self._world.disk.names["/g/spool.jsonl"].data
        return [json.loads(line) for line in data.splitlines()]

    def _journal(self) -> None:
        known, back, epoch, given_back = -1, 0, 0, 0
        intents: set[str] = set()
        prefix = self._world.prefix
        verifier = prefix.verifier() if prefix else Verifier()
        for record in self._world.store.records[len(prefix.records) if prefix else 0 :]:
            found = verifier.check(record)
            self.check(found is None, "the chain is intact", str(found))
        for event in self._world.events():
            match event:
                case ev.EffectIntended():
                    self.check(event.key not in intents, "no effect doubled", event.key)
                    intents.add(event.key)
                    agent = event.by.kind == "agent"
                    back += agent and event.weight == 0
                    again = agent and 0 < given_back <= event.epoch
                    self.check(not again, "E8", f"the agent acts again: {event}")
                    if event.weight > 0:
                        right = event.step == known + 1 and event.weight == WEIGHTS[event.step]
                        self.check(right, "no step skipped", f"after step {known}: {event}")
                case ev.EffectVerified():
                    mine = event.key in intents or event.key.startswith("governor/")
                    self.check(mine, "no effect without an intent", event.key)
                case ev.StepEntered():
                    self.check(
                        (event.step, event.weight) == (known + 1, WEIGHTS[event.step]),
                        "no step skipped or repeated",
                        f"{event} after step {known}",
                    )
                    known = event.step
                case ev.AuthorityChanged():
                    if event.op == "adopted":
                        continue
                    self.check(event.epoch > epoch, "E4", f"the journal's epoch falls: {event}")
                    epoch = event.epoch
                    if event.op == "release":
                        given_back = event.epoch
                        self.check(
                            bool(event.reason) and event.by != DEAD_MAN,
                            "E8",
                            f"given back: {event}",
                        )
        self.check(back <= 1, "one automatic rollback in a window", f"there were {back}")
