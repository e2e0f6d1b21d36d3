"""What `hatchway metrics check` found, in words for 80 columns and as JSON."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Container, Iterable, Sequence
from typing import Any

import msgspec

from hatchway.judge.planning import Counted, Timed, worse_chance
from hatchway.judge.quantile import quantile
from hatchway.judge.words import duration
from hatchway.metrics.areas import AREAS, Area
from hatchway.metrics.prospects import Prospect, StepProspect
from hatchway.metrics.suggestion import WANTED
from hatchway.metrics.survey import Arm

WIDTH = 80
_UNIT = re.compile(r"(\d) (%|s|ms|min|h|days|requests/s)(?=\W|$)")
_LEGEND = (
    "Seen from: the smallest regression to be expected to be found in that time. PASS after: when"
    " a regression of the factor in brackets is to be expected to be excluded."
)
_TABLE = "  {:<9}{:<9}{:<17}{:<9}{:<17}{}"


def undeclared(found: Sequence[Prospect]) -> list[Area]:
    """The areas that nothing is declared for. Counted requests are traffic, too."""
    declared = {prospect.area for prospect in found}
    if any(prospect.spec.kind in ("counts", "latency") for prospect in found):
        declared.add("traffic")
    return [area for area in AREAS if area not in declared]


def report(
    service: str, found: Sequence[Prospect], about: Sequence[str], looks: int, seconds: float
) -> str:
    """Everything in words, one paragraph a metric."""
    rate = max((prospect.rate for prospect in found), default=0.0)
    lines = [
        f"{service}: looked {looks} times in {seconds:.0f} s, {_rate(rate)} on both arms together."
    ]
    for sentence in about:
        lines += _wrapped(f"- {sentence}.", "  ", "    ")
    shared = _shared(found)
    for prospect in found:
        lines += ["", *_paragraph(prospect, shared)]
    lines.append("")
    if any(prospect.steps for prospect in found):
        lines += _wrapped(_LEGEND, "")
    for note, labels in shared.items():
        lines += _wrapped(f"{', '.join(labels)}: {note}.", "")
    return "\n".join([*lines, "", *_summary(found), *_areas(found)]) + "\n"


def _shared(found: Sequence[Prospect]) -> dict[str, list[str]]:
    """Notes that several metrics have, with their labels: said once."""
    labels: dict[str, list[str]] = {}
    for prospect in found:
        for note in prospect.notes:
            labels.setdefault(note, []).append(prospect.spec.label)
    return {note: of for note, of in labels.items() if len(of) > 1}


def as_json(
    service: str, found: Sequence[Prospect], about: Sequence[str], looks: int, seconds: float
) -> dict[str, Any]:
    """The same for programs."""
    return {
        "service": service,
        "ok": all(prospect.ok for prospect in found if prospect.spec.judged),
        "looks": looks,
        "seconds": round(seconds, 1),
        "about": list(about),
        "metrics": [_metric(prospect) for prospect in found],
        "undeclared": undeclared(found),
    }


def _metric(prospect: Prospect) -> dict[str, Any]:
    spec = prospect.spec
    return {
        "name": spec.name,
        "kind": spec.kind,
        "area": prospect.area,
        "judged": spec.judged,
        "ok": prospect.ok,
        "problems": list(prospect.problems),
        "notes": list(prospect.notes),
        "rate": round(prospect.rate, 3),
        "stable": msgspec.to_builtins(prospect.stable),
        "canary": msgspec.to_builtins(prospect.canary),
        "steps": msgspec.to_builtins(prospect.steps),
        "sentence": _sentence(prospect),
    }


# --- one metric -------------------------------------------------------------------------------


def _paragraph(prospect: Prospect, shared: Container[str]) -> Iterable[str]:
    spec = prospect.spec
    word = "can be judged" if prospect.ok else "CANNOT BE JUDGED"
    if not spec.judged:
        word = "watched, not judged" if prospect.ok else "NOT FOUND"
    yield f"{spec.label}  ({spec.name}, {spec.kind})".ljust(WIDTH - len(word) - 1) + f" {word}"
    yield from _wrapped(_reading(prospect), "  ")
    for problem in prospect.problems:
        yield from _wrapped(f"! {problem}.", "  ", "    ")
    sentence = _sentence(prospect)
    if sentence:
        yield from _wrapped(sentence, "  ")
    if prospect.steps:
        yield _TABLE.format(
            "canary", "within", "seen from", "at most", "seen from", "PASS after"
        ).rstrip()
        for step in prospect.steps:
            yield _row(prospect, step).rstrip()
    for note in prospect.notes:
        if note in shared:
            continue
        yield from _wrapped(f"- {note}.", "  ", "    ")


def _reading(prospect: Prospect) -> str:
    stable = prospect.stable
    if stable.trouble:
        return ""
    arms = [f"stable {_level(prospect, stable)}"]
    if prospect.canary.trouble:
        arms.append(f"canary nothing yet ({prospect.canary.trouble})")
    elif prospect.spec.kind in ("counts", "latency") and not prospect.canary.requests:
        arms.append("canary no requests")
    else:
        arms.append(f"canary {_level(prospect, prospect.canary)}")
    return "; ".join(arms) + "."


def _level(prospect: Prospect, arm: Arm) -> str:
    spec = prospect.spec
    if spec.kind == "counts":
        now = f"{_percent(_share(arm.events, arm.requests))} ({arm.events:,} of {arm.requests:,})"
        ever = f", {_percent(_share(arm.events, arm.requests))}" if not arm.ever[0] else ""
        if arm.ever[0]:
            ever = f", {_percent(_share(arm.ever[1], arm.ever[0]))} since it started"
        return now + ever
    if spec.kind == "latency":
        level = quantile(arm.bounds, arm.buckets, spec.quantile)
        said = f"p{100 * spec.quantile:g} {_time(prospect, level)}" if level is not None else "none"
        return f"{said} of {arm.requests:,} requests"
    if not arm.levels:
        return "no number"
    levels = sorted(arm.levels)
    shown = f"{levels[0]:.4g}"
    if len(levels) > 1 and levels[0] != levels[-1]:
        shown += f" to {levels[-1]:.4g}"
    limit = f" (limit {spec.limit:g})" if spec.limit is not None else ""
    return shown + limit


def _sentence(prospect: Prospect) -> str:
    """At what traffic how small a regression takes how long, in the first step."""
    subject = prospect.subject
    if subject is None or not prospect.steps:
        return ""
    step = prospect.steps[0]
    at = f"At {_rate(prospect.rate)} and {step.weight} %"
    needs = (
        f"needs {duration(prospect.double_s)}" if prospect.double_s else "is not found in a week"
    )
    if isinstance(subject, Timed):
        return f"{at}, requests that take {prospect.double:g}x as long {_needs(needs)}."
    share = _percent(subject.p)
    if prospect.guessed:
        return (
            f"{at}, with none seen it is reckoned with at most {share}: the first "
            f"{prospect.spec.label} on the canary count, PASS takes longer than said here."
        )
    if subject.down:
        return f"{at}, half of {share} {prospect.spec.label} {needs}."
    return f"{at}, a doubling of {share} {prospect.spec.label} {needs}."


def _needs(words: str) -> str:
    return words.replace("needs", "need").replace("is not", "are not")


def _row(prospect: Prospect, step: StepProspect) -> str:
    passed = f"{duration(step.pass_s)}" if step.pass_s is not None else "never"
    if prospect.guessed and step.pass_s is not None:
        passed = f"> {passed}"
    return _TABLE.format(
        f"{step.weight} %",
        duration(step.monitor_s),
        _factor(prospect, step.found),
        duration(step.most_s),
        _factor(prospect, step.found_late),
        f"{passed} ({step.excludes:g}x)",
    )


def _factor(prospect: Prospect, factor: float | None) -> str:
    if factor is None:
        return "nothing"
    if isinstance(prospect.subject, Counted):
        worse = worse_chance(prospect.subject, factor)
        if prospect.subject.down:
            return f"-{100 - 100 * worse / prospect.subject.p:.0f} % ({_percent(worse)})"
        times = worse / prospect.subject.p
        return f"x{_times(times)} ({_percent(worse)})"
    return f"+{100 * factor - 100:.0f} %" if factor < 2 else f"x{_times(factor)}"


# --- the end ----------------------------------------------------------------------------------


def _summary(found: Sequence[Prospect]) -> Iterable[str]:
    judged = [prospect for prospect in found if prospect.spec.judged]
    bad = [prospect.spec.label for prospect in judged if not prospect.ok]
    if not judged:
        yield "No metric is judged: no canary could ever pass."
    elif bad:
        yield from _wrapped(
            f"{len(bad)} of {len(judged)} judged metrics cannot be judged: {', '.join(bad)}.", ""
        )
    else:
        yield (
            f"All {len(judged)} judged metrics can be judged."
            if len(judged) > 1
            else ("The judged metric can be judged.")
        )
    with_steps = [prospect for prospect in judged if prospect.steps]
    if with_steps:
        yield from _wrapped(_passes(with_steps), "")


def _passes(found: Sequence[Prospect]) -> str:
    said = []
    for index, step in enumerate(found[0].steps):
        times = [prospect.steps[index].pass_s for prospect in found]
        known = [time for time in times if time is not None]
        took = f"in {duration(max(known))}" if len(known) == len(times) else "never"
        said.append(f"{step.weight} % {took}")
    return f"PASS, which needs all of them, is to be expected: {', '.join(said)}."


def _areas(found: Sequence[Prospect]) -> Iterable[str]:
    missing = undeclared(found)
    watched = [area for area in AREAS if area not in missing]
    yield from _wrapped(f"Watched: {', '.join(watched) or 'nothing'}.", "")
    for area in missing:
        yield from _wrapped(f"Not declared: {area} ({WANTED[area]} would do).", "", "  ")


# --- words ------------------------------------------------------------------------------------


def _wrapped(text: str, first: str, rest: str | None = None) -> list[str]:
    together = _UNIT.sub("\\1\xa0\\2", text)  # a number and its unit stay on one line
    lines = textwrap.wrap(
        together, WIDTH, initial_indent=first, subsequent_indent=first if rest is None else rest,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.replace("\xa0", " ") for line in lines]


def _rate(rate: float) -> str:
    return f"{rate:.0f} requests/s" if rate >= 10 else f"{rate:.2g} requests/s"


def _share(events: int, requests: int) -> float:
    return events / requests if requests else 0.0


def _percent(share: float) -> str:
    value = 100 * share
    if value == 0:
        return "0 %"
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def _time(prospect: Prospect, level: float) -> str:
    if prospect.spec.shown_as == "ms":
        return f"{1000 * level:.0f} ms"
    return f"{level:.3g} {prospect.spec.unit}".rstrip()


def _times(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
