"""How things are, one sentence a line, with units: for screen readers, plain terminals, scripts.

Nothing here is safe to print as it is: pass every text through `visible`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Doc = dict[str, Any]

UNITS = {"%": " %", "ms": " ms", "/min": " a minute"}


class Sentence:
    """`text` for people; it is news when `sign` differs from the last one of the same `key`."""

    def __init__(self, key: str, text: str, sign: object = None) -> None:
        self.key = key
        self.text = text
        self.sign = text if sign is None else sign


def from_backend(answer: Doc, now: float) -> list[Sentence]:
    """The sentences of all documents of the backend."""
    docs = {str(k): d for k, d in answer["docs"].items() if isinstance(d, dict)}
    said: list[Sentence] = []
    if "system" in docs:
        said += _system(docs["system"])
    said += _you(answer.get("you"))
    for key, doc in docs.items():
        if key.startswith("authority/"):
            said += _authority(doc, now)
    runs = [d for k, d in docs.items() if k.startswith("run/")]
    runs.sort(key=lambda d: -_number(d.get("started_at")))
    live = [d for d in runs if d.get("status") != "ended"]
    for doc in live or runs[:1]:
        said += _run(doc)
        said += _metrics(docs.get(f"metrics/{doc.get('id')}", {}), now)
    if not runs:
        said.append(Sentence("runs", "No run has been started."))
    for key, doc in docs.items():
        if key.startswith("standing/"):
            said += _standing(doc, now)
    return said + _asks(docs.get("asks", {})) + _needs(docs.get("needs-you", {}), now)


def from_governor(statuses: list[Doc], silence: str, now: float) -> list[Sentence]:
    """What the governor alone knows, while the backend is silent."""
    text = f"The backend is silent ({silence}); this is what the governor says."
    said = [Sentence("backend", text, "silent")]
    for status in statuses:
        said += _authority(status, now)
        name = status.get("service")
        key = f"target/{name}"
        seen = status.get("observed")
        if isinstance(seen, dict):
            text = (
                f"{name}: the canary has {seen.get('canary')} % of the traffic,"
                f" {_requests(seen.get('canary_inflight'))} under way there,"
                f" read {_span(now - _number(seen.get('at')))} ago."
            )
            said.append(Sentence(key, text, seen.get("canary")))
        if status.get("target_trouble"):
            said.append(Sentence(f"{key}/trouble", f"{name}: {status['target_trouble']}."))
        if status.get("disk_trouble"):
            words = f"{name}: the governor's disk refuses: {status['disk_trouble']}."
            said.append(Sentence(f"{key}/disk", words))
    said.append(Sentence("stops", "pause, takeover and rollback work; giving back does not."))
    return said


def _system(doc: Doc) -> list[Sentence]:
    name = f" ({doc['name']})" if doc.get("name") else ""
    pace = _number(doc.get("pace"))
    faster = f", monitoring times divided by {pace:g}" if pace not in (0, 1) else ""
    said = [Sentence("system", f"Hatchway {doc.get('environment')}{name}{faster}.")]
    for key, words in (("journal_trouble", "The journal"), ("governor_trouble", "The governor")):
        if doc.get(key):
            said.append(Sentence(f"system/{key}", f"{words}: {doc[key]}."))
    if doc.get("checkpoint"):
        said.append(Sentence("system/checkpoint", f"Checkpoint overdue: {doc['checkpoint']}."))
    if doc.get("drill"):
        said.append(
            Sentence("system/drill", f"Drill overdue, the agent only recommends: {doc['drill']}.")
        )
    for key in ("duty", "freeze", "handover"):
        if doc.get(key):
            said.append(Sentence(f"system/{key}", f"{key.capitalize()}: {doc[key]}."))
    return said


def _you(you: object) -> list[Sentence]:
    if not isinstance(you, dict) or not you.get("name"):
        return []
    can = ", ".join(str(c) for c in you.get("can") or ()) or "only look"
    why = f" ({you['why_not']})" if you.get("why_not") else ""
    return [Sentence("you", f"You are {you['name']} and can {can}{why}.")]


def _authority(doc: Doc, now: float) -> list[Sentence]:
    name, holder = doc.get("service"), doc.get("holder") or "somebody"
    since = _number(doc.get("since"))
    age = f" for {_span(now - since)}" if since else ""
    mode = {
        "agent": f"{name}: the agent is in control",
        "paused": f"{name}: PAUSED by {holder}{age}",
        "person": f"{name}: {holder} is in control{age}",
    }.get(str(doc.get("mode")), f"{name}: who is in control is not known")
    level = f", it {doc['level']}" if doc.get("mode") == "agent" and doc.get("level") else ""
    reason = f", because: {doc['reason']}" if doc.get("reason") else ""
    sign = [doc.get(k) for k in ("mode", "holder", "epoch", "reason", "level")]
    text = f"{mode}{level}{reason} (epoch {doc.get('epoch')})."
    said = [Sentence(f"authority/{name}", text, sign)]
    stopped = doc.get("stop_all")
    if isinstance(stopped, dict):  # the governor's own
        why = f": {stopped['reason']}" if stopped.get("reason") else ""
        stopped = f"STOP ALL by {stopped.get('by')}{why}"
    if stopped:
        text = f"{name}: no agent may do anything, {stopped}."
        said.append(Sentence(f"stop_all/{name}", text))
    if doc.get("drift"):
        said.append(Sentence(f"drift/{name}", f"{name}: {doc['drift']}."))
    return said


def _run(doc: Doc) -> list[Sentence]:
    key = f"run/{doc.get('id')}"
    what = f"{doc.get('service')} {doc.get('from_version')} to {doc.get('to_version')}"
    state = str(doc.get("outcome") or doc.get("status") or "?").replace("_", " ")
    risk = f", risk {doc['risk']}" if doc.get("risk") else ""
    text = f"Run {doc.get('id')}: {what} is {state}, canary at {doc.get('weight')} %{risk}."
    said = [Sentence(key, text)]
    for number, look in enumerate(doc.get("attention") or ()):
        said.append(Sentence(f"{key}/attention/{number}", f"Look at: {look}."))
    for stage in doc.get("stages") or ():
        if isinstance(stage, dict) and stage.get("status") in ("running", "waiting", "failed"):
            detail = f": {stage['detail']}" if stage.get("detail") else ""
            words = f"Stage {stage.get('name')} is {stage['status']}{detail}."
            said.append(Sentence(f"{key}/stage/{stage.get('name')}", words, stage["status"]))
    verdict = doc.get("verdict")
    if isinstance(verdict, dict):
        text = f"Verdict {verdict.get('verdict')}: {verdict.get('headline')}."
        said.append(Sentence(f"{key}/verdict", text, verdict.get("verdict")))
        for number, why in enumerate(verdict.get("why") or ()):
            if isinstance(why, dict):
                line = Sentence(f"{key}/why/{number}", f"Why: {why.get('text')}.", why.get("sign"))
                said.append(line)
    for field, words in (("held", "Held"), ("next", "Next")):
        if doc.get(field):
            said.append(Sentence(f"{key}/{field}", f"{words}: {doc[field]}."))
    return said


def _standing(doc: Doc, now: float) -> list[Sentence]:
    """What stands about a service beyond its run."""
    name = doc.get("service")
    key = f"standing/{name}"
    said = []
    for change in doc.get("changed") or ():
        said.append(Sentence(f"{key}/changed", f"{name}: {change}."))
    if doc.get("recommends"):
        text = f"{name}: the agent only recommends, {doc['recommends']}."
        said.append(Sentence(f"{key}/recommends", text))
    if doc.get("rollback"):
        said.append(Sentence(f"{key}/rollback", f"{name}: rollback {doc['rollback']}."))
    for each in doc.get("quarantine") or ():
        if isinstance(each, dict):
            commit = str(each.get("commit"))[:9]
            text = f"{name}: {each.get('version')} ({commit}) is in quarantine: {each.get('why')}."
            said.append(Sentence(f"{key}/quarantine/{commit}", text))
    for each in doc.get("expectations") or ():
        if isinstance(each, dict):
            left = _span(_number(each.get("expires_at")) - now)
            text = (
                f"{name}: {each.get('metric')} up to {_number(each.get('at_most')):g} is expected"
                f" by {each.get('by')} for {left} more, ticket {each.get('ticket')}."
            )
            said.append(Sentence(f"{key}/expected/{each.get('id')}", text, each.get("id")))
    return said


def _metrics(doc: Doc, now: float) -> list[Sentence]:
    said = []
    for metric in doc.get("metrics") or ():
        if not isinstance(metric, dict):
            continue
        stable = metric.get("text_stable") or _amount(metric.get("stable"), metric.get("unit"))
        canary = metric.get("text_canary") or _amount(metric.get("canary"), metric.get("unit"))
        count = f" from {metric['n']} requests" if metric.get("n") is not None else ""
        at = _number(metric.get("at")) or _number(doc.get("at"))
        age = f", {_span(now - at)} old" if at else ""
        text = (
            f"{metric.get('label')}: canary {canary}{count}, stable {stable}:"
            f" {metric.get('says') or 'not judged now'}{age}."
        )
        said.append(Sentence(f"metric/{metric.get('name')}", text, metric.get("says")))
    return said


def _asks(doc: Doc) -> list[Sentence]:
    """What was asked of those on call last, and what became of it."""
    asks = [a for a in doc.get("asks") or () if isinstance(a, dict)]
    said = []
    for ask in asks[-3:]:
        by = " and ".join(str(name) for name in ask.get("by") or ())
        op = str(ask.get("op")).replace("takeover", "take over").replace("rollback", "roll back")
        text = f"{by} asked oncall to {op} {ask.get('service')} (#{ask.get('seq')}): {ask.get('became')}."
        said.append(Sentence(f"ask/{ask.get('id')}", text))
    return said


def _needs(doc: Doc, now: float) -> list[Sentence]:
    items = [i for i in doc.get("items") or () if isinstance(i, dict)]
    if not items:
        return [Sentence("needs", "Nothing waits for you.")]
    said = []
    for item in items:
        sure = item.get("confidence")
        certain = f", {sure:.0%} sure" if isinstance(sure, int | float) else ""
        for field, words in (("risk", "risk"), ("undo", "undo safe")):
            certain += f", {words} {item[field]}" if item.get(field) else ""
        default = f" If nobody answers: {item['default']}." if item.get("default") else ""
        text = (
            f"Needs you: {item.get('kind')} {item.get('title')}{certain},"
            f" asked {_span(now - _number(item.get('asked_at')))} ago."
            f" {_answer_with(item)}.{default}"
        )
        said.append(Sentence(f"item/{item.get('id')}", text, item.get("title")))
        why = [str(line).rstrip(".") for line in item.get("lines") or ()]
        if why:
            text = f"About it: {'. '.join(why)}."
            said.append(Sentence(f"lines/{item.get('id')}", text, len(why)))
    return said


def _answer_with(item: Doc) -> str:
    if item.get("kind") == "handover":
        return "hatchway handover"
    return f"hatchway accept {item.get('id')}, or: hatchway reject {item.get('id')}"


def _amount(value: object, unit: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "no data"
    return f"{value:.4g}{UNITS.get(str(unit), f' {unit}' if unit else '')}"


def _requests(count: object) -> str:
    if not isinstance(count, int) or count < 0:
        return "an unknown number of requests is"
    return "1 request is" if count == 1 else f"{count or 'no'} requests are"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _span(seconds: float) -> str:
    """A duration in words, one unit."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
