"""`hatchway status` and `hatchway watch --plain`: one sentence a line, or the documents as JSON."""

from __future__ import annotations

import os
import sys
import time

from hatchway.cli.ask import Silent, ask
from hatchway.cli.emergency import as_json, refused, visible
from hatchway.cli.sentences import from_backend, from_governor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hatchway.cli.sentences import Sentence

    Doc = dict[str, Any]

ANSWER_S = 2.0
WATCH_EVERY_S = 1.0


def main(verb: str, directory: str, in_json: bool) -> int:
    """0 when somebody answered, 1 when nobody did."""
    if verb == "watch":
        return _watch(directory, in_json)
    answer, sentences = look(directory)
    if in_json:
        as_json(answer)
    elif not answer["ok"]:
        refused("status", answer)
    else:
        for sentence in sentences:
            print(visible(sentence.text))
    return 0 if answer["ok"] else 1


def look(directory: str) -> tuple[Doc, list[Sentence]]:
    """The backend's documents, else the governor's status, else a refusal; and the sentences."""
    now = time.time()
    try:
        answer = ask(os.path.join(directory, "command.sock"), {"op": "status"}, ANSWER_S)
        if answer.get("ok") and isinstance(answer.get("docs"), dict):
            return answer, from_backend(answer, now)
        silence = str(answer.get("why") or "it does not say how things are")
    except Silent as error:
        silence = str(error)
    try:
        answer = ask(os.path.join(directory, "governor.sock"), {"op": "status"}, ANSWER_S)
    except Silent as error:
        why = f"Nobody answers: {silence}; {error}."
        todo = f"Nothing seems to run in {directory}. Name another with --dir."
        return {"ok": False, "code": "silent", "why": why, "todo": todo}, []
    statuses = answer.get("statuses") or [answer.get("status")]
    found = [s for s in statuses if isinstance(s, dict)]
    answer = {"ok": False, **answer}
    return {**answer, "backend": f"silent: {silence}"}, from_governor(found, silence, now)


def _watch(directory: str, in_json: bool) -> int:
    """Print what changed, until interrupted."""
    known: dict[str, object] = {}
    while True:
        answer, sentences = look(directory)
        stamp = time.strftime("%H:%M:%SZ", time.gmtime())
        if not answer["ok"]:
            sentences = []
            if known.get("silence") != answer["code"]:
                _news("silence", f"{answer['why']} {answer['todo']}", stamp, in_json)
            known = {"silence": answer["code"]}
        for sentence in sentences:
            if known.get(sentence.key) != sentence.sign:
                _news(sentence.key, sentence.text, stamp, in_json)
        if answer["ok"]:
            keys = {s.key for s in sentences}
            for key in [k for k in known if k not in keys and k.startswith("item/")]:
                _news(key, f"No longer waiting: {key[5:]}.", stamp, in_json)
            known = {s.key: s.sign for s in sentences}
        try:
            time.sleep(WATCH_EVERY_S)
        except KeyboardInterrupt:
            sys.stdout.flush()
            return 0


def _news(key: str, text: str, stamp: str, in_json: bool) -> None:
    """One change, on a line of its own, at once."""
    if in_json:
        as_json({"at": stamp, "key": key, "text": text})
    else:
        print(f"{stamp} {visible(text)}")
    sys.stdout.flush()
