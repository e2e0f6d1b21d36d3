"""What pages are answered in a replay: by the makers that answer them live, about the state of then."""

from __future__ import annotations

from hatchway.conductor.live import Live
from hatchway.core.state import State
from hatchway.edge import protocol as p
from hatchway.edge.chronicle import Chronicle
from hatchway.edge.docs.log import JobLog
from hatchway.edge.queries.answer import answer
from hatchway.edge.queries.changes import changes_of
from hatchway.edge.queries.log import found_job
from hatchway.edge.queries.run import run_story
from hatchway.edge.queries.why import why_of


async def answered(
    state: State, chronicle: Chronicle, live: Live, kind: str, about: str
) -> p.Told | p.Refused:
    """The answer to a page's query; Refused, in words, where no journal tells."""

    def then() -> State:
        return state

    makers = {
        "run": run_story(then, chronicle),
        "why": why_of(then, chronicle, live),
        "changes": changes_of(then),
        "log": lambda about: _log(state, about),
    }
    name = f"q:{kind}/{about}"
    if kind not in makers:
        return p.Refused(
            name, "not_known", "what this page asks for is not in the journal of a run"
        )
    return await answer(makers, p.Query(name, kind, about))


def _log(state: State, about: str) -> JobLog:
    """Of what a job printed only its last lines are journaled, and only when it has ended."""
    run, stage, job = found_job(state, about)
    running = job.status == "running"
    why = "" if job.tail else "what it printed was not journaled, but for the last lines at its end"
    return JobLog(run, stage, job.name, job.attempt, job.tail, running=running, missing=why)
