"""pause, takeover, rollback, stopall, resume, release, status, watch: they work when nothing else does.

Standard library only, few modules, no argparse: a stop must be quick from a cold shell. A stop
goes to the backend; when it is silent for BACKEND_S, straight to the governor, with the same id,
so that it happens once.
"""

from __future__ import annotations

import os
import pwd
import sys
import time

from hatchway.cli.ask import Silent, ask
from hatchway.cli.where import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Doc = dict[str, Any]

BACKEND_S = 0.3
"""A backend that has not answered a stop by then is passed by."""
PATIENT_S = 5.0
RESIDUE = "not all is as it was before: "
RESIDUE_S = 3.0
ROLLBACK_S = 10.0
"""How long `rollback` watches for its effect."""

GO_DIRECT = ("governor", "too_many", "too_fast", "no_answer", "internal")
"""Refusals by a backend in trouble; any other (above all: no right to) is the last word."""

OPS = {"stopall": "stop_all"}
FLAGS = ("--direct", "--agents", "--json", "--plain", "--help", "-h")
VALUES = ("--reason", "--dir", "--service")
USAGE = {
    "status": "usage: hatchway status [--plain|--json] [--dir DIRECTORY]",
    "watch": "usage: hatchway watch [--plain|--json] [--dir DIRECTORY]",
    "resume": "usage: hatchway resume [SERVICE|--agents] --reason WHY [--json] [--dir DIRECTORY]\n"
    "  --agents: let the agents in again after stopall; each service is given back by itself.",
    "stopall": "usage: hatchway stopall [--reason WHY] [--direct] [--json] [--dir DIRECTORY]\n"
    "  Every service is paused and no agent may do anything; no target is touched.",
    "stop": "usage: hatchway {} [SERVICE] [--reason WHY] [--direct] [--json] [--dir DIRECTORY]",
}


class Usage(Exception):
    """Called wrongly."""


def main(verb: str, argv: list[str]) -> int:
    """Do it; 0 when it is done, 1 when not (yet), 2 when called wrongly."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    usage = USAGE.get("resume" if verb == "release" else verb) or USAGE["stop"].format(verb)
    try:
        options = parse(argv)
        if "--help" in options or "-h" in options:
            print(usage)
            return 0
        directory = find(options.get("--dir"))
        if verb in ("status", "watch"):
            from hatchway.cli import looking  # noqa: PLC0415

            return looking.main(verb, directory, in_json="--json" in options)
        if verb in ("resume", "release"):
            return _release(directory, options)
        return _stop(verb, directory, options)
    except Usage as error:
        print(f"hatchway {verb}: {error}\n{usage}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has gone; so has the flush
        return 0
    except KeyboardInterrupt:
        return 130


def parse(argv: list[str]) -> dict[str, str]:
    """Options by name; the one word without dashes is the service. Raises Usage."""
    options: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if word in FLAGS:
            options[word] = "yes"
        elif name in VALUES:
            options[name] = value if equals else next(words, "")
            if not options[name] and name != "--reason":
                raise Usage(f"{name} needs a value.")
        elif word.startswith("-"):
            from difflib import get_close_matches  # noqa: PLC0415

            close = get_close_matches(word, FLAGS + VALUES, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise Usage(f"there is no option {word!a}.{hint}")
        elif "--service" in options:
            raise Usage(f"one service at a time, not also {word!a}.")
        else:
            options["--service"] = word
    return options


def visible(text: object) -> str:
    """Text from outside with control, bidi and zero-width characters made visible."""
    shown = str(text)
    if not shown.isascii():
        shown = _unstacked(shown)
    return "".join(
        c if c.isprintable() and c not in INVISIBLE else c.encode("unicode_escape").decode()
        for c in shown
    )


def _unstacked(text: str) -> str:
    """No letter carries more than four marks: a tower of them covers other lines."""
    from unicodedata import category  # noqa: PLC0415 - only where it is needed

    kept, marks = [], 0
    for c in text:
        marks = marks + 1 if ord(c) >= 0x300 and category(c)[0] == "M" else 0
        if marks <= 4:
            kept.append(c)
        elif marks == 5:
            kept.append("…")
    return "".join(kept)


INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b\u180c\u180d\u180f"
"""Letters and marks by Unicode's account, and nothing to see."""


def _stop(verb: str, directory: str, options: dict[str, str]) -> int:
    if "--agents" in options:
        raise Usage("--agents belongs to resume; hatchway stopall stops them.")
    if verb == "stopall" and options.get("--service"):
        raise Usage(f"it stops every service; for one: hatchway pause {options['--service']}")
    request: Doc = {
        "op": OPS.get(verb, verb),
        "id": os.urandom(8).hex(),
        "service": options.get("--service", ""),
        "reason": options.get("--reason", ""),
    }
    silence = "asked for with --direct"
    if "--direct" not in options:
        try:
            answer = ask(os.path.join(directory, "command.sock"), request, BACKEND_S)
            if answer.get("ok") or answer.get("code") not in GO_DIRECT:
                return _told(verb, directory, request, answer, options, "")
            silence = f"the backend says: {answer.get('why')}"
        except Silent as error:
            silence = f"the backend is silent: {error}"
    request |= {"direct": True, "by": login(), "tty": _tty()}
    try:
        answer = ask(os.path.join(directory, "governor.sock"), request, PATIENT_S)
    except Silent as error:
        return _nobody(verb, directory, f"{silence}; {error}", options)
    return _told(verb, directory, request, answer, options, f"direct ({silence})")


def _told(
    verb: str, directory: str, request: Doc, answer: Doc, options: dict[str, str], direct: str
) -> int:
    """Print what was answered; after a rollback also what became of it."""
    status = 0 if answer.get("ok") else 1
    if not status and verb == "rollback":
        left = watch_rollback(directory, request["service"])
        answer = {**answer, "done": not left, "left": left}
        status = 1 if left else 0
    if "--json" in options:
        as_json({**answer, "via": "direct" if direct else "backend"})
    elif not answer.get("ok"):
        refused(verb, answer)
    else:
        number = f" #{answer['seq']}" if answer.get("seq") else ""
        said = answer.get("said") or f"{verb} done."
        print(f"{visible(said)}{number}" + (f" [{visible(direct)}]" if direct else ""))
        if verb == "rollback":
            print(_outcome(answer["left"]))
    return status


def _outcome(left: str) -> str:
    if left.startswith(RESIDUE):
        return f"RESIDUE: the canary has 0 %, and {visible(left)}."
    if not left:
        return "DONE: the canary has 0 %, no request is under way there and none arrives any more."
    return f"NOT DONE yet: {visible(left)}. The governor goes on; look again with: hatchway status"


def watch_rollback(directory: str, service: str) -> str:
    """Wait until the target shows it, at most ROLLBACK_S. Returns what is left, in words."""
    until = time.monotonic() + ROLLBACK_S
    enough = until
    request = {"op": "status", "service": service} if service else {"op": "status"}
    while True:
        try:
            left = _left(ask(os.path.join(directory, "governor.sock"), request, 2.0))
        except Silent as error:
            left = f"the governor cannot be asked ({error})"
        if left.startswith(RESIDUE):  # it may have been read just before the end
            enough = min(enough, time.monotonic() + RESIDUE_S)
        if not left or time.monotonic() > (enough if left.startswith(RESIDUE) else until):
            return left
        time.sleep(0.05)


def _left(answer: Doc) -> str:
    status = answer.get("status")
    if not isinstance(status, dict):
        return str(answer.get("why") or "the governor says nothing of this service")
    if status.get("drained"):
        residue = status.get("residue") or ()
        return RESIDUE + "; ".join(str(each) for each in residue) if residue else ""
    seen = status.get("observed") or {}
    if status.get("target_trouble"):
        return str(status["target_trouble"])
    if seen.get("canary"):
        return f"the canary still has {seen['canary']} %"
    if seen.get("canary_inflight"):
        return f"{seen['canary_inflight']} requests are still under way on the canary"
    return "requests still arrive at the canary"


def _release(directory: str, options: dict[str, str]) -> int:
    if not options.get("--reason", "").strip():
        raise Usage("giving back needs --reason: why is it safe now?")
    if "--direct" in options:
        raise Usage("giving back goes through the backend only: rights are checked there.")
    if "--agents" in options and options.get("--service"):
        raise Usage("the agents and a service are given back one after the other, each with why.")
    request = {
        "op": "readmit" if "--agents" in options else "release",
        "id": os.urandom(8).hex(),
        "service": options.get("--service", ""),
        "reason": options["--reason"],
    }
    try:
        answer = ask(os.path.join(directory, "command.sock"), request, PATIENT_S)
    except Silent as error:
        why = f"Nothing was given back: the backend is silent ({error})."
        todo = "Control is given back through it, because it checks who may: hatchway serve"
        answer = {"ok": False, "code": "silent", "why": why, "todo": todo}
    return _told("resume", directory, request, answer, options, "")


def as_json(doc: Doc) -> None:
    """Print a document on one line; what is not ASCII is escaped."""
    import json  # noqa: PLC0415  its import costs more than a stop

    print(json.dumps(doc))


def refused(verb: str, answer: Doc) -> None:
    """Say on standard error what was refused, why, and what to do."""
    why, todo = visible(answer.get("why", "no reason given")), visible(answer.get("todo", ""))
    print(f"hatchway {verb}: NOT DONE. {why}", file=sys.stderr)
    if todo:
        print(todo, file=sys.stderr)


def _nobody(verb: str, directory: str, why: str, options: dict[str, str]) -> int:
    todo = (
        f"Is {directory} the right one? Name another with --dir. If the governor is dead, start it:"
        f" hatchway governor --dir {directory}. By hand, at the target's own socket:"
        " set server be/stable weight 100, then: set server be/canary weight 0"
    )
    answer = {"ok": False, "code": "silent", "why": f"Nobody answered: {why}.", "todo": todo}
    if "--json" in options:
        as_json(answer)
    else:
        refused(verb, answer)
    return 1


def login() -> str:
    """The name of the account that runs this."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _tty() -> str:
    for fd in (0, 1, 2):
        try:
            return os.ttyname(fd)
        except OSError:
            continue
    return ""
