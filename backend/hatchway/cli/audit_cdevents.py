"""Records as CDEvents 0.5.1, where a type of theirs fits: runs, jobs, approvals, services.

A service is `deployed` when the new version is first seen to have traffic, `upgraded` when it is
promoted and `rolledback` when the old one is seen to have all of it again. An approval is a change
`reviewed`. Everything else (evidence, verdicts, stops, policy) has no counterpart there.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from hatchway.cli.audit_cloudevents import text, timestamp
from hatchway.core import events as ev
from hatchway.journal.dossier import Told
from hatchway.journal.lines import printable

SPECVERSION = "0.5.1"
_TYPES = {
    "pipelinerun.started",
    "pipelinerun.finished",
    "taskrun.started",
    "taskrun.finished",
    "change.reviewed",
    "service.deployed",
    "service.upgraded",
    "service.rolledback",
}
_VERSION = "0.3.0"  # of each of these types
_RUN = {"promoted": "success", "rolled_back": "failure", "failed": "failure"}  # else: cancel
_JOB = {"passed": "success", "failed": "failure", "cancelled": "cancel"}  # else: error

Content = dict[str, Any]


class CDEvents:
    """To be given every record of a journal in order, since one alone does not say enough."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._runs: dict[str, ev.RunStarted] = {}
        self._with_traffic: set[str] = set()

    def lines(self, told: Told) -> list[bytes]:
        """The CDEvents of a record, one a line; empty when none fits."""
        made = self._made(told.event)
        at = timestamp(told.record.at)
        if not at:
            return []
        return [self._line(told, at, i, *parts) for i, parts in enumerate(made)]

    def _line(
        self, told: Told, at: str, number: int, type_: str, subject: str, content: Content
    ) -> bytes:
        assert type_ in _TYPES
        record = told.record
        event = {
            "context": {
                "specversion": SPECVERSION,
                "id": f"{record.seq}.{number}",
                "source": self._source,
                "type": f"dev.cdevents.{type_}.{_VERSION}",
                "timestamp": at,
            },
            "subject": {"id": subject, "source": self._source, "content": content},
            "customData": {
                "record": record.seq,
                "hash": record.hash,
                "actor": text(record.actor),
                "kind": text(record.kind),
            },
            "customDataContentType": "application/json",
        }
        return printable(msgspec.json.encode(event))

    def _made(self, event: ev.Event | ev.Unknown) -> list[tuple[str, str, Content]]:
        if isinstance(event, ev.RunStarted):
            self._runs[event.run] = event
            content = {"pipelineName": text(event.plan.name), "uri": _uri(event.run)}
            return [("pipelinerun.started", _run(event.run), content)]
        run = self._runs.get(getattr(event, "run", ""))
        if run is None:
            return []
        match event:
            case ev.JobStarted():
                return [("taskrun.started", _job(event), _task(event))]
            case ev.JobEnded():
                content = {**_task(event), "outcome": _JOB.get(event.status, "error")}
                if event.status != "passed":
                    content["errors"] = text(event.why)
                return [("taskrun.finished", _job(event), content)]
            case ev.ItemClosed(status="accepted") if ".approval." in event.item:
                repository = {"id": text(run.service) or "?"}
                return [("change.reviewed", run.commit or "?", {"repository": repository})]
            case ev.EffectVerified():
                return self._traffic(run, event.observed)
            case ev.RunEnded():
                return self._ended(run, event)
            case _:
                return []

    def _traffic(self, run: ev.RunStarted, weight: int) -> list[tuple[str, str, Content]]:
        if weight > 0 and run.run not in self._with_traffic:
            self._with_traffic.add(run.run)
            return [_service(run, "service.deployed", run.commit)]
        if weight == 0 and run.run in self._with_traffic:
            self._with_traffic.discard(run.run)
            return [_service(run, "service.rolledback", run.base)]
        return []

    def _ended(self, run: ev.RunStarted, event: ev.RunEnded) -> list[tuple[str, str, Content]]:
        outcome = _RUN.get(event.outcome, "cancel")
        content = {"pipelineName": text(run.plan.name), "uri": _uri(run.run), "outcome": outcome}
        if outcome != "success":
            content["errors"] = text(event.why)
        made: list[tuple[str, str, Content]] = [("pipelinerun.finished", _run(run.run), content)]
        if event.outcome == "promoted":
            made.append(_service(run, "service.upgraded", run.commit))
        return made


def _run(run: str) -> str:
    return f"run/{text(run)}"


def _uri(run: str) -> str:
    return f"urn:hatchway:run:{quote(run, safe='')}"


def _job(event: ev.JobStarted | ev.JobEnded) -> str:
    return text(f"run/{event.run}/{event.stage}/{event.job}/{event.attempt}")


def _task(event: ev.JobStarted | ev.JobEnded) -> Content:
    return {
        "taskName": text(f"{event.stage} / {event.job}"),
        "pipelineRun": {"id": _run(event.run)},
    }


def _service(run: ev.RunStarted, type_: str, commit: str) -> tuple[str, str, Content]:
    artifact = f"pkg:generic/{quote(run.service, safe='')}@{quote(commit, safe='')}"
    content = {"environment": {"id": text(run.environment) or "?"}, "artifactId": artifact}
    return type_, f"service/{text(run.service)}", content
