"""What is going on, in words: for every state one word, one sentence, reasons, and what is next."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from hatchway.edge.protocol import JobDoc, RunDoc, StageDoc, VerdictDoc, WhyLine
from hatchway_tui.control import canary_weight, governor_answers, live
from hatchway_tui.mirror import items
from hatchway_tui.paint import words
from hatchway_tui.view import View

VERDICTS = {
    "PASS": ("PASS", "ok"),
    "REGRESS": ("REGRESS", "bad"),
    "UNSURE": ("UNSURE", "warn"),
    "NO_DATA": ("NO DATA", "warn"),
}
OUTCOMES = {
    "promoted": ("PROMOTED", "ok"),
    "rolled_back": ("ROLLED BACK", "warn"),
    "held": ("HELD", "warn"),
    "rejected": ("REJECTED", "warn"),
    "failed": ("FAILED", "bad"),
}


class Story(Struct, frozen=True):
    """The verdict block: `word` in `tone`, a sentence, reasons, what happens if nobody acts."""

    word: str
    tone: str
    headline: str
    why: tuple[WhyLine, ...] = ()
    next: str = ""
    sure: str = ""


def stage_of(run: RunDoc) -> StageDoc | None:
    """The stage that matters now: failed, else running or waiting, else the next pending one."""
    for wanted in (("failed",), ("running", "waiting"), ("pending",)):
        for stage in run.stages:
            if stage.status in wanted:
                return stage
    return None


def story(view: View) -> Story:
    """What to tell the person first."""
    model, run = view.model, view.run
    if model.rev < 0:
        return _without_backend(view)
    if run is None:
        told = Story(
            "IDLE", "dim", "Nothing is being released.",
            next="the agent starts when there is a new commit; or: hatchway run",
        )  # fmt: skip
    elif run.status == "ended":
        told = _ended(view, run)
    else:
        told = _going(view, run)
        if not live(model):
            heard = words.age(view.at - model.heard_at)
            text = f"as heard {heard} ago; nothing new is decided; the governor pauses it soon"
            told = replace(told, next=text)
    halted = _halted(view, going=run is not None and run.status != "ended")
    return replace(told, next=halted) if halted else told


def _halted(view: View, *, going: bool) -> str:
    """What happens next while it is not the agent that decides it; empty while it is."""
    control, give_back = view.control, view.keys.of("release")
    by = control.holder or "somebody"
    if control.stop_all:
        stays = "; traffic stays as it is" if going else ""
        return f"{control.stop_all}. No agent may do anything until somebody lets them in again ({give_back}){stays}"  # fmt: skip
    if control.mode == "paused" and going:
        return f"PAUSED by {by}: no new step until somebody gives back ({give_back}); traffic stays as it is"  # fmt: skip
    if control.mode == "paused":
        return f"the agent stays PAUSED by {by} until {give_back} gives back"
    if control.mode == "person":
        return f"{control.holder or 'a person'} has the wheel: the agent only watches until {give_back}"  # fmt: skip
    return ""


def _without_backend(view: View) -> Story:
    model = view.model
    if model.phase == "connecting" and not model.why:
        return Story("CONNECTING", "dim", f"to the backend at {view.address}")
    lines = [WhyLine("?", model.why)] if model.why else []
    if governor_answers(model):
        weight = canary_weight(model, view.hands.service)
        share = "not known" if weight is None else f"{weight} % of the traffic"
        lines.append(
            WhyLine("+", f"the governor answers: canary {share}, mode {view.control.mode}")
        )
        following = "pause, take over and roll back work directly through the governor"
    else:
        trouble = model.governor_trouble or "no governor is known to this dashboard"
        lines.append(WhyLine("-", trouble))
        following = "start it with: hatchway serve   (this screen goes on by itself)"
    return Story("NO BACKEND", "warn", "The backend cannot be reached.", tuple(lines), following)


def _ended(view: View, run: RunDoc) -> Story:
    word, tone = OUTCOMES.get(run.outcome, (run.outcome.upper() or "ENDED", "plain"))
    at = words.clock(run.ended_at)
    spent = words.lasting(run.ended_at - run.started_at) if run.ended_at else "?"
    sentences = {
        "promoted": f"{run.to_version} has all the traffic since {at}, after {spent}.",
        "rolled_back": f"Back on {run.from_version} since {at}; {run.to_version} is out.",
        "held": f"Ended held at {at}.",
        "rejected": f"A person said no to {run.to_version} at {at}.",
        "failed": f"{run.to_version} stopped at {at}.",
    }
    why: list[WhyLine] = []
    stage = stage_of(run)
    if run.outcome == "failed" and stage is not None and stage.status == "failed":
        why += _failures(stage)
    if run.held:
        why.append(WhyLine("?" if run.outcome == "held" else "-", run.held))
    if run.verdict is not None and run.outcome != "failed":
        why += _judged(run.verdict)
    following = run.next or f"nothing waits; {run.weight} % on the canary"
    return Story(word, tone, sentences.get(run.outcome, f"Ended at {at}."), tuple(why), following)


def _judged(verdict: VerdictDoc) -> list[WhyLine]:
    word = VERDICTS[verdict.verdict][0]
    first, rest = verdict.why[:1], list(verdict.why[1:])
    if first and first[0].text.startswith(verdict.headline):
        return [replace(first[0], text=f"{word}: {first[0].text}"), *rest]
    sign: Literal["+", "-"] = "-" if verdict.verdict == "REGRESS" else "+"
    return [WhyLine(sign, f"judged {word}: {verdict.headline}"), *verdict.why]


def _failures(stage: StageDoc) -> list[WhyLine]:
    lines = [WhyLine("-", f"{stage.name}: {stage.detail}")] if stage.detail else []
    lines += [
        WhyLine("-", f"{stage.name} / {job.name}: {job.detail or 'failed'}")
        for job in stage.jobs
        if job.status == "failed"
    ]
    return lines or [WhyLine("-", f"{stage.name} failed")]


def _going(view: View, run: RunDoc) -> Story:
    verdict = run.verdict
    if verdict is not None:
        word, tone = VERDICTS[verdict.verdict]
        return Story(
            word, tone, _headline(view, run, verdict), verdict.why, _following(run, verdict),
            sure_words(verdict.confidence),
        )  # fmt: skip
    stage = stage_of(run)
    if run.status == "rolling_back":
        return Story("ROLLING BACK", "warn", f"to {run.from_version}", (), run.next)
    if stage is None:
        return Story("RUNNING", "acc", "between two stages", (), run.next)
    if stage.status == "failed":
        return Story("FAILED", "bad", f"{stage.name} failed", tuple(_failures(stage)), run.next)
    if stage.status == "waiting" or run.status == "waiting":
        why = _risks(run)
        headline = stage.detail or _waits(run, stage)
        return Story("WAITING", "warn", headline, tuple(why), run.next)
    if run.status == "held":
        return Story("HELD", "warn", run.held or "held", (), run.next)
    return Story("RUNNING", "acc", _busy(view, stage), tuple(_so_far(run)), run.next)


def sure_words(confidence: float | None) -> str:
    """How sure somebody is: never all of it, and nothing when rather not."""
    if confidence is None or confidence < 0.5:
        return ""
    return ">99% sure" if confidence > 0.99 else f"{confidence:.0%} sure"


def _headline(view: View, run: RunDoc, verdict: VerdictDoc) -> str:
    """What the agent asks for; the reasons are below it. Else what the judge found."""
    asked = next(
        (i.title for i in items(view.model) if i.run == run.id and i.kind == "recommendation"), ""
    )
    return f"The agent asks you to {asked}." if asked else verdict.headline


def _following(run: RunDoc, verdict: VerdictDoc) -> str:
    if not run.held:
        return run.next
    told = run.held == verdict.headline or any(run.held in line.text for line in verdict.why)
    why = "" if told else f" {run.held};"
    return f"HELD:{why} {run.next}"


def _waits(run: RunDoc, stage: StageDoc) -> str:
    ahead = [each for each in run.stages if each.status == "pending"]
    if stage.kind != "release" or not ahead:
        return f"{stage.name} waits for a person"
    done = sum(each.status == "passed" for each in run.stages)
    goal = ahead[0].label
    return f"{words.count(done, 'stage')} passed; {run.to_version} goes to {goal} when a person says yes"


def _busy(view: View, stage: StageDoc) -> str:
    if not live(view.model):
        return f"{stage.name}, as last heard"
    names = ", ".join(job.name for job in stage.jobs if job.status == "running")
    return f"{stage.name}: {names}" if names else stage.name


def _so_far(run: RunDoc) -> list[WhyLine]:
    done = sum(stage.status == "passed" for stage in run.stages)
    people = ", ".join(dict.fromkeys(change.author for change in run.changes))
    brings = f"{words.count(len(run.changes), 'commit')} by {people}" if run.changes else ""
    lines = [WhyLine("+", f"{done} of {words.count(len(run.stages), 'stage')} passed")]
    if brings:
        lines.append(WhyLine("+", f"{brings}: {run.changes[0].title}"))
    return lines + _risks(run)


def reasons(run: RunDoc) -> list[str]:
    """Why the risk is what it is, without what needs attention and is said there already."""

    def core(text: str) -> str:
        level, colon, rest = text.partition(": ")
        return (rest if colon and level.isupper() else text).partition(" (")[0]

    return [
        text
        for text in run.risk_reasons
        if not any(core(text) in attention for attention in run.attention)
    ]


def _risks(run: RunDoc) -> list[WhyLine]:
    lines = [WhyLine("-", text) for text in run.attention]
    for text in reasons(run):
        own = text.partition(":")[0]  # the policy may have said how much each reason weighs
        named = own in {"LOW", "MEDIUM", "HIGH"}
        sign: Literal["+", "-"] = "+" if (own if named else run.risk) == "LOW" else "-"
        lines.append(WhyLine(sign, f"risk {text}" if named else f"risk {run.risk}: {text}"))
    return lines


def job_says(view: View, job: JobDoc) -> str:
    """A job's state and time in words."""
    match job.status:
        case "running":
            spent = words.lasting(view.now - job.started_at) if job.started_at else ""
            return f"running {spent}  {job.detail}".rstrip()
        case "passed":
            return f"passed in {words.took(job.ended_at - job.started_at)}"
        case "failed":
            return f"FAILED  {job.detail}".rstrip()
        case _:
            return job.status
