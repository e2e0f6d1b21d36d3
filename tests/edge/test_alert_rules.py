"""The shipped Prometheus rules: sound, each one tried, and about metrics that really are there."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from hatchway.cli.main import VERBS
from hatchway.conductor.ledger import Ledger
from hatchway.core import events as ev
from hatchway.edge.catalogue import FAMILIES, table
from hatchway.edge.health import Health, page
from hatchway.journal.sqlite import SqliteJournal
from hatchway.settings.load import load_all, shipped

RULES = shipped() / "prometheus"
DOCS = Path(__file__).parents[2] / "docs" / "prometheus.md"
CASES = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
PATIENCE_S = 60.0
OURS = re.compile(r"(?<![\w:])hatchway_[a-z0-9_]+")


def rules(file: str) -> list[dict[str, Any]]:
    document = yaml.safe_load((RULES / file).read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


ALERTS, RECORDED = rules("alerts.yaml"), rules("recording.yaml")


def promtool(*arguments: str, stdin: bytes | None = None) -> str:
    """Run promtool, which must be there; what it printed. Fails when it does."""
    done = subprocess.run(
        ["promtool", *arguments], input=stdin, capture_output=True, timeout=100, check=False
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


# --- the files ------------------------------------------------------------------------------------


def test_promtool_finds_the_rules_sound() -> None:
    said = promtool("check", "rules", *(str(RULES / f) for f in ("alerts.yaml", "recording.yaml")))
    assert f"{len(ALERTS)} rules found" in said
    assert f"{len(RECORDED)} rules found" in said


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_each_rule_does_what_its_cases_say(case: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", str(case))


def test_each_alert_has_a_firing_and_a_silent_case() -> None:
    firing, silent = set(), set()
    for case in CASES:
        for test in yaml.safe_load(case.read_text())["tests"]:
            for expected in test.get("alert_rule_test", ()):
                (firing if expected["exp_alerts"] else silent).add(expected["alertname"])
            for expected in test.get("promql_expr_test", ()):
                for name in re.findall(r'ALERTS{alertname="(\w+)"', expected["expr"]):
                    (firing if expected.get("exp_samples") else silent).add(name)
    names = {rule["alert"] for rule in ALERTS}
    assert firing == names
    assert silent == names


def test_each_recording_rule_has_a_case() -> None:
    tried = {
        expected["expr"]
        for case in CASES
        for test in yaml.safe_load(case.read_text())["tests"]
        for expected in test.get("promql_expr_test", ())
        if expected.get("exp_samples")
    }
    assert {rule["record"] for rule in RECORDED} <= tried


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_means_and_which_command_to_give(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Hatchway")
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description"}
    commands = re.findall(r"hatchway ([a-z]+)", rule["annotations"]["description"])
    assert commands
    assert set(commands) <= set(VERBS)
    assert rule["annotations"]["summary"].endswith(".")


def test_the_rules_are_only_about_metrics_that_are_said() -> None:
    suffixes = {"histogram": ("_bucket", "_sum", "_count")}
    said = {f.name + suffix for f in FAMILIES for suffix in suffixes.get(f.kind, ("",))}
    asked = {name for rule in ALERTS + RECORDED for name in OURS.findall(rule["expr"])}
    assert asked
    assert asked <= said
    in_cases = {name for case in CASES for name in OURS.findall(case.read_text())}
    assert asked <= in_cases <= said


def test_the_document_lists_what_is_said() -> None:
    assert table() in DOCS.read_text(), "docs/prometheus.md: put hatchway.edge.catalogue.table() in"


def test_no_label_is_a_run_a_commit_or_a_person() -> None:
    labels = {label for family in FAMILIES for label in family.labels}
    assert not labels & {"run", "commit", "person", "by", "user", "name", "item", "id"}


def test_every_family_has_help_and_a_conventional_name() -> None:
    text = page(Health().samples())
    assert {f"# HELP {f.name} {f.says}" for f in FAMILIES} <= {
        re.sub(r" Since the (journal|process) began\.$", "", line)
        for line in text.decode().splitlines()
    }
    promtool("check", "metrics", stdin=text)


def test_the_rules_are_nothing_to_the_configuration(tmp_path: Path) -> None:
    shutil.copytree(shipped(), tmp_path, dirs_exist_ok=True)
    before = load_all(tmp_path)
    (tmp_path / "prometheus" / "alerts.yaml").write_text("{ no rules")
    assert load_all(tmp_path) == before


# --- the real thing -------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def wait_for(true: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with contextlib.suppress(OSError, httpx.HTTPError, LookupError):
            found = true()
            if found:
                return found
        time.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE_S:g} s: {what}")


class Machine:
    """A splitter, a governor, a backend with a canary at 5 %, and a Prometheus: real processes."""

    def __init__(self, d: Path) -> None:
        self.d = d
        self.port, self.prometheus_port, self.edge_port = free_port(), free_port(), free_port()
        self.metrics = f"http://127.0.0.1:{self.port}/metrics"
        self.processes: list[subprocess.Popen[bytes]] = []

    def begin(self) -> None:
        """Write the configuration and the journal, and start everything."""
        d, edge = self.d, self.edge_port
        shutil.copytree(shipped(), d / "config")
        file = d / "config" / "hatchway.yaml"
        text = file.read_text().replace("127.0.0.1:8100", f"127.0.0.1:{edge}")
        file.write_text(f"{text}\nlisten: 127.0.0.1:{self.port}\ntoken_file: token\n")
        token = hashlib.sha256(b"t0ken").hexdigest()
        for name, line in (("token", f"prometheus {token} viewer\n"), ("bearer", "t0ken")):
            (d / name).write_text(line)
            (d / name).chmod(0o600)
        target = {"kind": "haproxy", "socket": "splitter.sock", "backend": "be"}
        (d / "governor.json").write_text(json.dumps({"services": {"shop": {"target": target}}}))
        asyncio.run(self._seed())
        ports = [f"--{name}={free_port()}" for name in ("port", "stable", "canary")]
        splitter = (*ports, f"--metrics={edge}", f"--socket={d / 'splitter.sock'}")
        self.start(sys.executable, "-m", "hatchway.demo.splitter", *splitter)
        wait_for(self._share, "the splitter")
        self.start(sys.executable, "-m", "hatchway", "governor", "--dir", str(d))
        self.backend = self.start(sys.executable, "-m", "hatchway", "serve", "--dir", str(d))
        (d / "prometheus.yml").write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(RULES / "*.yaml")],
                    "scrape_configs": [
                        {
                            "job_name": "hatchway",
                            "authorization": {"credentials_file": str(d / "bearer")},
                            "static_configs": [{"targets": [f"127.0.0.1:{self.port}"]}],
                        }
                    ],
                }
            )
        )
        self.start(
            "prometheus",
            f"--config.file={d / 'prometheus.yml'}",
            f"--storage.tsdb.path={d / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
            "--log.level=warn",
        )

    def _share(self) -> bool:
        """Set 5 % by hand, before there is a governor: it adopts what it finds."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.d / "splitter.sock"))
            s.sendall(b"set server be/canary weight 5; set server be/stable weight 95\n")
            s.settimeout(5)
            return bool(s.recv(4096))

    async def _seed(self) -> None:
        """A journal whose newest run has its canary at 5 %."""
        plan = load_all(self.d / "config").pipelines["shop"]
        given: dict[str, Any] = dict.fromkeys(
            ("commit", "base", "from_version", "to_version", "policy_digest"), "x"
        )
        run = ev.RunStarted(
            run="1", service="shop", environment="prod", mode="act", pace=1.0, plan=plan, **given
        )
        events: list[ev.Event] = [run]
        *before, canary = (stage.name for stage in plan.stages)
        for stage in before:
            events.append(ev.StageStarted(run="1", stage=stage))
            events.append(ev.StageEnded(run="1", stage=stage, status="passed"))
        events.append(ev.StageStarted(run="1", stage=canary))
        for job in (job for group in plan.stages[-1].deploy for job in group):  # type: ignore[union-attr]
            events.append(ev.JobStarted(run="1", stage=canary, job=job.name, attempt=1))
            events.append(
                ev.JobEnded(
                    run="1",
                    stage=canary,
                    job=job.name,
                    attempt=1,
                    status="passed",
                    seconds=1.0,
                    why="",
                )
            )
        by = ev.By("person", "ana")
        events += [
            ev.CapsuleArmed(run="1", checksum="c"),
            ev.EffectIntended(run="1", key="k", step=0, weight=5, epoch=1, by=by, reason=""),
            ev.EffectVerified(run="1", key="k", observed=5),
            ev.StepEntered(run="1", step=0, weight=5),
        ]
        journal = await SqliteJournal.open(self.d / "journal.db")
        ledger = Ledger(journal, lambda: None)
        await ledger.record(lambda _: events, actor="seed")
        await journal.close()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a process that is ended with the machine."""
        with open(self.d / "log", "ab") as log:
            process = subprocess.Popen(command, cwd=self.d, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def page(self) -> str:
        """What the backend says of itself."""
        answer = httpx.get(self.metrics, headers={"Authorization": "Bearer t0ken"})
        return answer.text if answer.status_code == 200 else ""

    def ask(self, path: str, **query: str) -> Any:
        """The data of an answer of Prometheus."""
        answer = httpx.get(f"http://127.0.0.1:{self.prometheus_port}/api/v1/{path}", params=query)
        return answer.json()["data"]

    def stop(self) -> None:
        """End all processes."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()


@pytest.fixture
def machine() -> Iterator[Machine]:
    d = Path(tempfile.mkdtemp(prefix="hw-"))
    made = Machine(d)
    try:
        made.begin()
        yield made
    finally:
        made.stop()
        shutil.rmtree(d, ignore_errors=True)


def test_a_prometheus_scrapes_a_backend_and_its_rules_find_what_they_ask_for(
    machine: Machine,
) -> None:
    page = wait_for(lambda: (p := machine.page()) and "look_age_seconds{" in p and p, "a look")
    found = {f.name: f for f in text_string_to_metric_families(page)}
    samples = {sample.name for family in found.values() for sample in family.samples}

    # What the page says is sound, listed, and all that the rules ask for.
    promtool("check", "metrics", stdin=page.encode())
    assert all(family.documentation for family in found.values())
    listed = {family.name.removesuffix("_total") for family in FAMILIES}
    assert {name for name in found if not name.startswith("process_")} == listed
    asked = {name for rule in ALERTS + RECORDED for name in OURS.findall(rule["expr"])}
    assert asked <= samples
    told = {(s.name, s.labels.get("service")): s.value for f in found.values() for s in f.samples}
    assert told["hatchway_canary_weight_observed_ratio", "shop"] == 0.05
    assert told["hatchway_canary_monitoring", "shop"] == 1

    # Prometheus takes it, and every rule can be worked out.
    def target() -> Any:
        return [t for t in machine.ask("targets")["activeTargets"] if t["health"] == "up"]

    [up] = wait_for(target, "the target is up")
    assert up["lastError"] == ""

    def all_evaluated() -> Any:
        rules = [rule for group in machine.ask("rules")["groups"] for rule in group["rules"]]
        return rules if {rule["health"] for rule in rules} == {"ok"} else None

    evaluated = wait_for(all_evaluated, "every rule is evaluated")
    assert len(evaluated) == len(ALERTS) + len(RECORDED)
    query = "instance:hatchway_loop_lag_seconds:p99_5m"
    wait_for(lambda: machine.ask("query", query=query)["result"], "a recorded figure")
    firing = {a["labels"]["alertname"] for a in machine.ask("alerts")["alerts"]}
    assert "HatchwayDown" not in firing

    # A backend that ends in the middle of scrapes ends well.
    machine.backend.send_signal(signal.SIGTERM)
    assert machine.backend.wait(PATIENCE_S) == 0
    assert "Traceback" not in (machine.d / "log").read_text()
