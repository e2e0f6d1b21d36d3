"""When the demo's faults come on: at once, with the canary's first traffic, or at a stage."""

from __future__ import annotations

from typing import Any

from hatchway.demo.options import SITE_WIDE, Fault


class Schedule:
    """Faults that wait for their time. Pure: told what is going on, it says what is due."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self._waiting = [fault for fault in faults if fault.name != "test-fails"]

    @property
    def waits_for_stage(self) -> bool:
        """Whether what the backend is doing has to be looked at."""
        return any(fault.at for fault in self._waiting)

    @property
    def waits_for_traffic(self) -> bool:
        """Whether the canary's traffic has to be looked at."""
        return any(not fault.at for fault in self._waiting)

    def at_start(self) -> list[str]:
        """Faults that are there before their instance is."""
        return self._take(lambda fault: not fault.at and fault.name not in SITE_WIDE)

    def at_traffic(self) -> list[str]:
        """The canary has got its first request."""
        return self._take(lambda fault: not fault.at)

    def at_documents(self, docs: dict[str, Any]) -> list[str]:
        """The backend's documents are these."""
        begun = _begun(docs)
        return self._take(lambda fault: bool(fault.at) and fault.at in begun)

    def _take(self, due: Any) -> list[str]:
        names = [fault.name for fault in self._waiting if due(fault)]
        self._waiting = [fault for fault in self._waiting if not due(fault)]
        return names


def _begun(docs: dict[str, Any]) -> set[str]:
    """The stages that have begun, and the canary weight that is monitored now."""
    begun: set[str] = set()
    for key, run in docs.items():
        if not key.startswith("run/") or not isinstance(run, dict):
            continue
        for stage in run.get("stages", ()):
            if stage.get("status", "pending") not in ("pending", "skipped"):
                begun.add(stage.get("name", ""))
        step = run.get("step")
        if step:
            begun.add(str(step.get("weight")))
    return begun
