"""`hatchway handover`: what would be handed over, write it down, acknowledge it."""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

from hatchway.cli.accept import call
from hatchway.cli.ask import Silent
from hatchway.cli.emergency import refused, visible
from hatchway.cli.where import find

Doc = dict[str, Any]

_EPILOG = """\
show    what waits to be acknowledged, else what would be handed over now
write   --note TEXT [--to NAME]: the five fields as they are now, and your note under them
ack     --digest DIGEST [--note TEXT]: take over exactly the text that show printed

Handing over changes nobody's control: who takes the wheel says so with hatchway takeover.
Until it is acknowledged, a hand-over is the giver's duty.
exit status: 0 shown, or journaled; 1 refused or nobody answered; 2 called wrongly."""


def main(argv: list[str]) -> int:
    """Run `hatchway handover`; without a verb it shows."""
    parser = argparse.ArgumentParser(
        prog="hatchway handover",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", nargs="?", default="show", choices=("show", "write", "ack"))
    parser.add_argument("--note", default="", help="what to watch, and what you would do")
    parser.add_argument("--to", default="", metavar="NAME", help="else: whose shift is next")
    parser.add_argument("--digest", default="", help="of what was read (its beginning will do)")
    parser.add_argument("--dir", help="the state directory")
    parser.add_argument("--plain", action="store_true", help="one sentence a line, no headings")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    if options.verb == "write" and not options.note.strip():
        parser.error("write: --note says what to watch and what you would do")
    if options.verb == "ack" and len(options.digest) < 8:
        parser.error("ack: --digest names the text that was read, with 8 characters at least")
    try:
        return _run(options)
    except Silent as error:
        said = {"ok": False, "why": f"The backend is silent: {error}.", "todo": "hatchway serve"}
        return _answered(options, said)


def _run(options: argparse.Namespace) -> int:
    directory = find(options.dir)
    if options.verb == "write":
        request = {"op": "handover", "item": options.to, "reason": options.note}
        return _answered(options, _send(directory, request))
    shown = call(directory, {"op": "query", "item": "handover"})
    if not shown.get("ok"):
        return _answered(options, shown)
    doc: Doc = shown["doc"]
    if options.verb == "ack":
        waiting = doc.get("waiting") or {}
        digest = str(waiting.get("digest") or "")
        if not digest.startswith(options.digest):
            digest = options.digest  # of another text: the backend says so
        request = {"op": "acknowledge", "item": str(waiting.get("id") or "none"), "signed": digest}
        return _answered(options, _send(directory, request | {"reason": options.note}))
    if options.json:
        print(json.dumps(doc))
    else:
        for line in (_plain if options.plain else _pretty)(doc):
            print(visible(line))
    return 0


def _send(directory: str, request: dict[str, str]) -> Doc:
    return call(directory, request | {"id": os.urandom(8).hex()})


def _answered(options: argparse.Namespace, said: Doc) -> int:
    if options.json:
        print(json.dumps(said))
    elif said.get("ok"):
        print(f"{visible(said.get('said', 'done'))} #{said.get('seq', '?')}")
    else:
        refused(f"handover {options.verb}", said)
    return 0 if said.get("ok") else 1


def _clock(at: object) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(float(at))) if isinstance(at, int | float) else "?"  # fmt: skip


def _state(doc: Doc) -> list[str]:
    """Whose duty it is, and what is to be done."""
    waiting = doc.get("waiting")
    if not waiting:
        whom = " or ".join(doc.get("next") or ()) or "whoever comes next"
        return [
            f"Nothing waits to be acknowledged. This would be handed over now, to {whom}:"
            " hatchway handover write --note TEXT."
        ]
    whom = " or ".join(waiting.get("to") or ()) or "whoever comes next"
    said = [
        f"{waiting['by']} hands over to {whom}, written {_clock(waiting['at'])}"
        f" (#{waiting['seq']}): NOT ACKNOWLEDGED, so it is still {waiting['by']}'s duty.",
        f"To take it over: hatchway handover ack --digest {str(waiting['digest'])[:16]}",
    ]
    said += [
        f"{waiting['by']} still has the wheel of {name}: handing over does not pass it."
        for name in waiting.get("keeps") or ()
    ]
    if waiting.get("since_then"):
        said.append(f"Since it was written: {waiting['since_then']}.")
    return said


def _fields(doc: Doc) -> list[Doc]:
    return list((doc.get("waiting") or {}).get("fields") or doc.get("draft") or ())


def _pretty(doc: Doc) -> list[str]:
    lines = [*_state(doc), ""]
    for number, field in enumerate(_fields(doc), 1):
        lines += [f"{number} {field['title']}", *(f"  {line}" for line in field["lines"])]
    return [*lines, "", _last(doc)]


def _plain(doc: Doc) -> list[str]:
    lines = _state(doc)
    for field in _fields(doc):
        lines += [f"{str(field['title']).capitalize()}: {line}" for line in field["lines"]]
    return [*lines, _last(doc)]


def _last(doc: Doc) -> str:
    last = doc.get("last")
    if not last:
        return "No hand-over was acknowledged before."
    return (
        f"The last one: {last['by']} {_clock(last['at'])}, acknowledged by {last['taken_by']}"
        f" {_clock(last['taken_at'])}."
    )
