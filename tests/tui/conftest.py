"""A scripted backend and a scripted governor: real sockets that speak the real wire."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from websockets.asyncio.server import Server, ServerConnection, unix_serve

from hatchway.edge import protocol as wire

if (_here := str(Path(__file__).parent)) not in sys.path:
    sys.path.append(_here)  # for `harness`, which the benchmarks use too

settings.register_profile("tui", deadline=None, max_examples=60)
settings.load_profile("tui")

CAN = ("pause", "takeover", "rollback", "release", "approve")
LABELS = ("checks", "tests", "integration", "scan", "staging", "release")


class Scenes:
    """Documents of every state that the dashboard must tell apart."""

    NAMES = (
        "idle", "checks", "approval", "canary", "unsure", "paused", "taken", "held",
        "rolled_back", "promoted", "failed", "hostile",
    )  # fmt: skip

    def __init__(self, now: float | None = None) -> None:
        self.now = time.time() if now is None else now

    def build(self, name: str) -> dict[str, msgspec.Struct]:
        docs: dict[str, msgspec.Struct] = {
            "system": wire.SystemDoc("prod", name="demo", pace=10, duty="ana till 06:00"),
            "authority/shop": self.authority("agent"),
            "needs-you": wire.NeedsDoc(),
            "audit/tail": self.audit(),
        }
        getattr(self, "_" + name)(docs)
        return docs

    def authority(self, mode: str, holder: str = "", epoch: int = 4) -> wire.AuthorityDoc:
        level = "acts within policy" if mode == "agent" else ""
        return wire.AuthorityDoc(
            "shop",
            mode,
            epoch,
            holder,
            self.now - 45,
            level=level,
            read_at=self.now,  # type: ignore[arg-type]
        )

    def audit(self) -> wire.AuditDoc:
        rows = (
            ("system", "release request made for 1.5.0", "plain"),
            ("ana", "approved 1.5.0 (image 77ab01)", "good"),
            ("agent", "canary 5%", "plain"),
            ("judge", "payments dependency degraded", "warn"),
            ("agent", "proposed roll back, rule errors-2x", "plain"),
        )
        lines = [
            wire.AuditLine(40 + i, self.now - 90 + 15 * i, who, text, tone)  # type: ignore[arg-type]
            for i, (who, text, tone) in enumerate(rows)
        ]
        return wire.AuditDoc(tuple(lines), 44)

    def stages(
        self, here: int, status: str = "running", detail: str = ""
    ) -> tuple[wire.StageDoc, ...]:
        kinds = ("checks", "tests", "tests", "scan", "deploy", "release", "canary")
        out = []
        for i, label in enumerate((*LABELS, "canary")):
            word = "passed" if i < here else status if i == here else "pending"
            start = self.now - 100 + 10 * i if i <= here else 0.0
            jobs = tuple(
                wire.JobDoc(job, word if i <= here else "pending", start, start + 4.2 if i < here else 0.0,  # type: ignore[arg-type]
                            "12 passed in 0.41s" if i <= here else "")
                for job in (("compile", "lint", "types") if i == 0 else ("cart", "pricing", "api") if i == 1 else ())
            )  # fmt: skip
            out.append(
                wire.StageDoc(label, kinds[i], label, word, start, start + 9 if i < here else 0.0,  # type: ignore[arg-type]
                              detail if i == here else "", jobs)
            )  # fmt: skip
        return tuple(out)

    def run(self, **more: object) -> wire.RunDoc:
        base: dict[str, object] = {
            "id": "r1", "service": "shop", "environment": "prod", "pipeline": "shop", "mode": "act",
            "version": 17, "from_version": "1.4.0", "to_version": "1.5.0", "commit": "77ab01c9d2",
            "status": "running", "started_at": self.now - 130, "risk": "MEDIUM",
            "risk_reasons": ("api/openapi.yaml changes the API contract that other services call",),
            "attention": ("POST /orders has a new required field",),
            "changes": (
                wire.ChangeDoc("77ab01c9d2", "ana", "orders: require a currency"),
                wire.ChangeDoc("51fe09aa00", "luis", "pricing: round half to even"),
            ),
            "files": ("api/openapi.yaml  +12 -3", "shop/pricing.py  +8 -8"),
            "undo": "YES: 1.4.0 keeps running, traffic goes back to it",
        }  # fmt: skip
        return wire.RunDoc(**(base | more))  # type: ignore[arg-type]

    def canary(self, verdict: wire.VerdictDoc, **more: object) -> wire.RunDoc:
        step = wire.StepDoc("CANARY 5%", 0, 3, 5, self.now - 40, self.now + 80, "25%, 100%")
        base: dict[str, object] = {
            "stages": self.stages(6), "step": step, "weight": 5, "verdict": verdict,
            "next": "goes to 25 % in about 1m20s when nothing gets worse",
        }  # fmt: skip
        return self.run(**(base | more))

    def verdict(
        self, word: str = "PASS", headline: str = "No worse than stable so far."
    ) -> wire.VerdictDoc:
        at = self.now - 1
        why = (
            wire.WhyLine("+", "errors 2 of 1220 on canary against 0.50% on stable: could be chance (p 0.13)", "E1", "edge", at),
            wire.WhyLine("+", "p95 212 ms against 208 ms, orders 31/min against 31/min: no difference", "E2", "app", at),
            wire.WhyLine("-", "payments (dependency) degraded since 02:09, before this release: not ours", "E3", "app", at - 95),
        )  # fmt: skip
        return wire.VerdictDoc(word, headline, why, 0.58, at)  # type: ignore[arg-type]

    def metrics(self, bad: bool = False, age: float = 1.0) -> wire.MetricsDoc:
        at = self.now - age
        make = wire.MetricDoc
        tone, says = ("bad", "worse") if bad else ("good", "same")
        return wire.MetricsDoc("r1", at, (
            make("errors", "errors", "%", 0.5, 6.4 if bad else 0.61, says, tone, 2.0, "max", 1220, at, True, points=self.points(0.5, 6 if bad else 0.2)[-15:]),
            make("latency", "latency p95", "ms", 208, 212, "same", "good", 300.0, "max", 1220, at, True, points=self.points(208, 5)[-15:]),
            make("orders", "orders", "per min", 31, 31, "same", "good", 25.0, "min", 62, at, True, points=self.points(31, 2)[-15:]),
            make("db", "database connections", "", 41, 44, "ok", "good", 80.0, "max", None, at, points=self.points(41, 3)[-15:]),
            make("payments", "payments dependency", "", None, None, "STALE", "warn", None, "none", None, at - 95, text_stable="ok", text_canary="--"),
        ), (self.now - 40,))  # fmt: skip

    def points(
        self, base: float, jump: float
    ) -> tuple[tuple[float, float | None, float | None], ...]:
        out = []
        for i in range(100):
            at = self.now - 101 + i
            wave = base * (1 + 0.04 * math.sin(i / 3))
            canary = wave + jump * 0.3 * math.sin(i / 5) + (jump if i > 75 else 0)
            out.append((round(at, 1), wave, max(canary, 0.0) if i > 55 else None))
        return tuple(out)

    def history(self, bad: bool = False) -> wire.HistoryDoc:
        return wire.HistoryDoc("r1", {
            "errors": self.points(0.5, 6 if bad else 0.2), "latency": self.points(208, 5),
            "orders": self.points(31, 2), "db": self.points(41, 3),
        })  # fmt: skip

    def items(self, *kinds: str) -> wire.NeedsDoc:
        made = {
            "rollback": wire.ItemDoc(
                "i1", "recommendation", "rollback", "ROLL BACK shop to 1.4.0", "shop", "r1",
                self.now - 20, self.now + 3600, "MEDIUM", 0.91, "YES",
                ("errors 6.40% on canary against 0.50%", "rule errors-2x; 0 migrations"),
                default="it stays paused",
            ),
            "release": wire.ItemDoc(
                "i2", "approval", "release", "RELEASE shop 1.5.0", "shop", "r1", self.now - 65,
                self.now + 14000, "MEDIUM", None, "YES",
                ("2 commits, 2 files; changes the API contract", "all checks and tests passed"),
                default="it is not released",
            ),
        }  # fmt: skip
        return wire.NeedsDoc(tuple(made[kind] for kind in kinds))

    def _live(self, docs: dict[str, msgspec.Struct], run: wire.RunDoc, bad: bool = False) -> None:
        docs |= {"run/r1": run, "metrics/r1": self.metrics(bad), "history/r1": self.history(bad)}

    def _idle(self, docs: dict[str, msgspec.Struct]) -> None:
        docs["audit/tail"] = wire.AuditDoc()

    def _checks(self, docs: dict[str, msgspec.Struct]) -> None:
        docs["run/r1"] = self.run(stages=self.stages(1), next="integration tests after this")
        docs["log/r1"] = wire.LogDoc("r1", (wire.LogLine("cart", "tests/unit/test_cart.py ..."),))

    def _approval(self, docs: dict[str, msgspec.Struct]) -> None:
        docs["run/r1"] = self.run(
            status="waiting", stages=self.stages(5, "waiting", "one yes is needed to release 1.5.0"),
            next="nothing happens until somebody answers",
        )  # fmt: skip
        docs["needs-you"] = self.items("release")

    def _canary(self, docs: dict[str, msgspec.Struct]) -> None:
        self._live(docs, self.canary(self.verdict()))

    def _unsure(self, docs: dict[str, msgspec.Struct]) -> None:
        verdict = self.verdict("REGRESS", "Errors on the canary are 12.8 times those of stable.")
        held = "recommendation waits for a person"
        self._live(docs, self.canary(verdict, status="held", mode="recommend", held=held), bad=True)
        docs["needs-you"] = self.items("rollback", "release")

    def _paused(self, docs: dict[str, msgspec.Struct]) -> None:
        self._live(docs, self.canary(self.verdict(), status="paused"))
        docs["authority/shop"] = self.authority("paused", "ana", 5)

    def _taken(self, docs: dict[str, msgspec.Struct]) -> None:
        self._live(docs, self.canary(self.verdict(), status="paused"))
        docs["authority/shop"] = self.authority("person", "luis", 6)

    def _held(self, docs: dict[str, msgspec.Struct]) -> None:
        verdict = self.verdict("UNSURE", "Too little traffic to tell.")
        self._live(docs, self.canary(verdict, status="held", held="evidence 122 of 3,679 requests"))

    def _rolled_back(self, docs: dict[str, msgspec.Struct]) -> None:
        verdict = self.verdict("REGRESS", "Errors on the canary are 12.8 times those of stable.")
        run = self.canary(
            verdict, status="ended", outcome="rolled_back", ended_at=self.now - 12, weight=0, step=None,
            held="", next="",
        )  # fmt: skip
        self._live(docs, run, bad=True)

    def _promoted(self, docs: dict[str, msgspec.Struct]) -> None:
        run = self.canary(
            self.verdict(), status="ended", outcome="promoted", ended_at=self.now - 5, weight=100,
            step=None, next="", stages=self.stages(7),
        )  # fmt: skip
        self._live(docs, run)

    def _failed(self, docs: dict[str, msgspec.Struct]) -> None:
        stages = list(self.stages(1, "failed", "cart failed"))
        job = wire.JobDoc(
            "cart", "failed", self.now - 9, self.now - 3, "1 failed: test_total, 11 passed"
        )
        stages[1] = msgspec.structs.replace(stages[1], jobs=(job, *self.stages(2)[1].jobs[1:]))
        docs["run/r1"] = self.run(
            status="ended", outcome="failed", ended_at=self.now - 3, stages=tuple(stages), next=""
        )

    def _hostile(self, docs: dict[str, msgspec.Struct]) -> None:
        evil = HOSTILE
        run = self.canary(
            wire.VerdictDoc("UNSURE", evil, (wire.WhyLine("-", evil, evil, evil, self.now),), 0.5, self.now),
            held=evil, next=evil, from_version=evil, to_version=evil, risk=evil, risk_reasons=(evil,),
            attention=(evil,), changes=(wire.ChangeDoc(evil, evil, evil),), files=(evil,), commit=evil,
        )  # fmt: skip
        self._live(docs, run)
        metric = wire.MetricDoc(
            evil, evil, evil, 1, 2, evil, "bad", 3, "max", 4, self.now, True, evil, evil
        )
        docs["metrics/r1"] = wire.MetricsDoc(
            "r1", self.now, (metric, msgspec.structs.replace(metric, plot=False))
        )
        docs["system"] = wire.SystemDoc(evil, evil, duty=evil, freeze=evil)
        docs["authority/shop"] = wire.AuthorityDoc("shop", "person", 4, evil, self.now, evil, evil)
        docs["audit/tail"] = wire.AuditDoc((wire.AuditLine(1, self.now, evil, evil),))
        docs["log/r1"] = wire.LogDoc("r1", (wire.LogLine(evil, evil),))
        item = self.items("rollback").items[0]
        docs["needs-you"] = wire.NeedsDoc(
            (
                msgspec.structs.replace(
                    item, title=evil, risk=evil, undo=evil, lines=(evil, evil), default=evil
                ),
            )
        )


HOSTILE = (
    "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1bP1$q\x9b31m[@click=app.quit]x[/] [/foo]"
    "\u202eTXET\u2066\u200b\ufeff\ue000\u0301漢字👍🏽🇪🇸\r\n\t\x00\u2028z"
)


class Backend:
    """A websockets server on a unix socket that plays scripted documents."""

    def __init__(self, path: Path, docs: dict[str, msgspec.Struct]) -> None:
        self.path, self.docs = path, dict(docs)
        self.boot, self.rev = "boot-1", 100
        self.you = wire.You("ana", ("operator", "approver"), CAN)
        self.commands: list[wire.Command] = []
        self.subscribed: list[wire.Subscribe] = []
        self.answers: dict[str, wire.Refused] = {}
        self.ack_after, self.mute, self.obey = 0.0, False, True
        self.tell: Callable[[str], msgspec.Struct | None] = lambda kind: None  # answers queries
        self._clients: set[ServerConnection] = set()
        self._server: Server | None = None
        self._beats: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._server = await unix_serve(self._serve, str(self.path))
        self._beats = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        """As good as kill -9: every connection is cut without a goodbye."""
        assert self._server is not None
        assert self._beats is not None
        self._beats.cancel()
        for client in list(self._clients):
            client.transport.abort()
        self._server.close()
        await self._server.wait_closed()
        self.path.unlink(missing_ok=True)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(1)
            if not self.mute:
                await self._all(wire.Beat(self.rev, time.time()))

    async def _all(self, message: wire.ServerMessage) -> None:
        for client in list(self._clients):
            await self._say(client, message)

    async def _say(self, client: ServerConnection, message: wire.ServerMessage) -> None:
        try:
            await client.send(wire.encode(message), text=True)
        except Exception:
            self._clients.discard(client)

    async def set(self, gone: tuple[str, ...] = (), skip: int = 0, **docs: msgspec.Struct) -> None:
        """Change documents (`run__r1=...` is `run/r1`) and tell every client."""
        named = {
            key.replace("__", "/").replace("needs_you", "needs-you"): doc
            for key, doc in docs.items()
        }
        self.docs |= named
        for key in gone:
            self.docs.pop(key, None)
        before, self.rev = self.rev + skip, self.rev + skip + 1
        await self._all(wire.Delta(before, self.rev, self._raw(named), gone))

    async def play(self, docs: dict[str, msgspec.Struct]) -> None:
        gone = tuple(key for key in self.docs if key not in docs)
        await self.set(
            gone, **{key.replace("/", "__").replace("-", "_"): doc for key, doc in docs.items()}
        )

    def _raw(self, docs: dict[str, msgspec.Struct]) -> dict[str, msgspec.Raw]:
        return {key: msgspec.Raw(msgspec.json.encode(doc)) for key, doc in docs.items()}

    async def _serve(self, client: ServerConnection) -> None:
        try:
            async for data in client:
                message = wire.decode_client(data)
                if isinstance(message, wire.Subscribe):
                    await self._subscribe(client, message)
                elif isinstance(message, wire.Command):
                    await self._command(client, message)
                elif isinstance(message, wire.Query):
                    await self._query(client, message)
        except Exception:
            self._clients.discard(client)

    async def _subscribe(self, client: ServerConnection, message: wire.Subscribe) -> None:
        self.subscribed.append(message)
        you = self.you
        if message.read_only:
            you = wire.You(you.name, ("viewer",), (), True, "this dashboard was opened read-only")
        await self._say(client, wire.Hello(1, "scripted", self.boot, you, self.rev, time.time()))
        if not (message.boot == self.boot and message.since == self.rev):
            await self._say(client, wire.Snapshot(self.rev, self._raw(self.docs)))
        self._clients.add(client)

    async def _query(self, client: ServerConnection, query: wire.Query) -> None:
        doc = self.tell(query.kind)
        if doc is None:
            await self._say(client, wire.Refused(query.id, "unknown", "not asked of this one"))
            return
        raw = msgspec.Raw(msgspec.json.encode(doc))
        await self._say(client, wire.Told(query.id, query.kind, query.about, raw))

    async def _command(self, client: ServerConnection, command: wire.Command) -> None:
        self.commands.append(command)
        if self.mute:
            return
        await asyncio.sleep(self.ack_after)
        refused = self.answers.get(command.kind)
        if refused is not None:
            await self._say(client, msgspec.structs.replace(refused, id=command.id))
            return
        await self._say(client, wire.Ack(command.id, 4471, f"{command.kind} by ana"))
        doc = self.docs.get("authority/shop")
        if self.obey and isinstance(doc, wire.AuthorityDoc):
            mode = {
                "pause": "paused",
                "takeover": "person",
                "rollback": "paused",
                "release": "agent",
            }
            if command.kind in mode:
                new = msgspec.structs.replace(
                    doc,
                    mode=mode[command.kind],
                    holder="ana",
                    epoch=doc.epoch + 1,
                    since=time.time(),
                )
                await self.set(authority__shop=new)


class Governor:
    """The governor's socket, as the dashboard uses it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[dict[str, object]] = []
        self.mode, self.holder, self.epoch, self.canary = "agent", "", 4, 5
        self.stopped: dict[str, object] | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        self.path.unlink(missing_ok=True)

    def acted(self) -> list[str]:
        return [str(each["op"]) for each in self.asked if each["op"] != "status"]

    def status(self) -> dict[str, object]:
        return {
            "service": "shop", "epoch": self.epoch, "mode": self.mode, "holder": self.holder,
            "since": time.time(), "reason": "", "desired": {"canary": self.canary},
            "observed": {"canary": self.canary, "stable": 100 - self.canary, "canary_inflight": 0,
                         "canary_total": 123, "at": time.time()},
            "target_trouble": "", "drift": "", "capsule": None, "lease_age_s": 1.2, "spool_seq": 7,
            "agent_writes": 0, "person_writes": 2, "pid": 1, "stop_all": self.stopped,
        }  # fmt: skip

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            question = json.loads(line)
            self.asked.append(question)
            match question["op"]:
                case "status":
                    answer: dict[str, object] = {"ok": True, "status": self.status()}
                case op:
                    modes = {"takeover": "person", "stop_all": "paused"}
                    self.mode = {"pause": "paused", "rollback": "paused", **modes}[op]
                    if op == "stop_all":
                        self.stopped = {"by": question["by"], "reason": question["reason"]}
                    self.holder, self.epoch = question["by"], self.epoch + 1
                    self.canary = 0 if op == "rollback" else self.canary
                    answer = {"ok": True, "said": f"{op} by {self.holder}", "done": True}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()


@pytest.fixture
def room() -> Iterator[Path]:
    """A short directory for sockets."""
    path = Path(tempfile.mkdtemp(prefix="hw"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def scenes() -> Scenes:
    return Scenes()


@pytest.fixture
async def backend(room: Path, scenes: Scenes) -> AsyncIterator[Backend]:
    served = Backend(room / "backend.sock", scenes.build("canary"))
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def governor(room: Path) -> AsyncIterator[Governor]:
    served = Governor(room / "governor.sock")
    await served.start()
    yield served
    await served.stop()


def _beside(name: str) -> None:
    """Let the tests `import tui_NAME`: what NAME.py beside this file holds."""
    spec = importlib.util.spec_from_file_location(
        f"tui_{name}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


for _name in ("states", "answers", "fleet", "drawn"):
    _beside(_name)
