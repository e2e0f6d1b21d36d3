"""A rollback is done when everything is as it was, and that was seen. Else there is residue. Pure.

The traffic goes back first, whatever else is left; the run then ends as rolled back. What remains
to be seen is listed, looked at again until nothing is left, or accepted by a person with a reason.
"""

from __future__ import annotations

from msgspec import Struct

from hatchway.core import commands as cmd
from hatchway.core import events as ev
from hatchway.core.answers import Accepted, Refused
from hatchway.core.state import Run, State
from hatchway.core.undo import Instance

SAMPLES = 5
"""Samples in a row without the symptom: one alone is chance, and levels are means over ten seconds,
so that five a second apart are half of a window that the canary has no part in."""

SETTLING_S = 30.0
"""What is not known yet (a version, a level) is only waited for so long, in seconds."""

MOST_LEFT = 20


class After(Struct, frozen=True, kw_only=True):
    """What is seen of a service after a rollback. None: not known.

    `left` is what the governor says differs from before (None: it cannot be read), `fleet` the
    instances of stable that take the traffic, `good` how many samples in a row the symptom was
    gone, `symptom` what the last sample said of it.
    """

    weight: int | None = None
    inflight: int | None = None
    left: tuple[str, ...] | None = None
    fleet: tuple[Instance, ...] = ()
    attests: bool = False
    good: int = 0
    symptom: str = ""


def item_of(run: Run) -> str:
    """The name under which a person accepts what is left."""
    return f"run-{run.id}.residue"


def still_left(run: Run, after: After, seconds: float) -> tuple[str, ...] | None:
    """What is left `seconds` after the traffic went back; None: wait, it is too early to tell."""
    certain: list[str] = []
    unknown: list[str] = []
    if after.weight is None or after.inflight is None or after.inflight < 0:
        unknown.append("the target cannot be read: whether the traffic is back is not known")
    elif after.weight:
        certain.append(f"the canary has {after.weight} % of the traffic")
    elif after.inflight:
        certain.append(f"{after.inflight} requests are still in the canary")
    if after.left is None:
        unknown.append("whether the target is as it was before is not known")
    certain += after.left or ()
    others = [i for i in after.fleet if i.version and i.version != run.from_version]
    certain += [f"{i.name} runs {i.version}, not {run.from_version}" for i in others]
    silent = [i for i in after.fleet if not i.version]
    if after.attests and (silent or not after.fleet):
        who = f"{silent[0].name} does not say" if silent else "no instance says"
        unknown.append(f"{who} which version it runs")
    counting = after.good < SAMPLES and bool(run.symptoms)
    if counting and after.symptom:
        unknown.append(after.symptom)
    if seconds >= SETTLING_S:
        certain += unknown
    if certain:
        return tuple(certain[:MOST_LEFT])
    return None if unknown or counting else ()


def seen(run: Run, after: After) -> tuple[str, ...]:
    """What a confirmed rollback was confirmed by."""
    said = ["weight 0 read back, nothing under way", "the target is as it was before"]
    if after.fleet:
        said.append(f"{len(after.fleet)} instances run {run.from_version}")
    if run.symptoms:
        names = ", ".join(s.metric for s in run.symptoms)
        said.append(f"{names} as before for {SAMPLES} samples")
    else:
        said.append("no metric had asked for it")
    return tuple(said)


def named(state: State, item: str) -> Run | None:
    """The run whose residue is meant by `item`."""
    return next((r for r in reversed(state.runs.values()) if item == item_of(r)), None)


def close(run: Run, command: cmd.Accept | cmd.Reject) -> Accepted | Refused:
    """A person's word on what a rollback left behind."""
    if not run.unsettled or not run.residue:
        return Refused("closed", f"The rollback of run {run.id} has left nothing that waits.")
    if isinstance(command, cmd.Reject):
        return Refused(
            "not_a_question",
            "What is left stays left by being rejected.",
            "Clean it up; it is looked at again every second. Or accept it with a reason.",
        )
    if not command.reason.strip():
        return Refused(
            "reason_missing",
            "To accept what a rollback left behind needs a reason.",
            f"hatchway accept {item_of(run)} --reason WHY",
        )
    accepted = ev.ResidueAccepted(
        run=run.id, left=run.residue, by=command.by, reason=command.reason
    )
    return Accepted((accepted,))
