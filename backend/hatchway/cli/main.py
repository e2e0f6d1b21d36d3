"""The entry point `hatchway`: finds the verb by its first word and imports only what it needs."""

from __future__ import annotations

import sys

HELP = """\
usage: hatchway VERB [...]

stops, at once and always (through the backend, or straight to the governor):
  pause [SERVICE]       the agent stops; weight and version stay
  takeover [SERVICE]    pause, and you drive
  rollback [SERVICE]    back to the last good version, and pause
  stopall               pause every service, and no agent may do anything
giving back:
  resume [SERVICE] --reason WHY      (also: release)
  resume --agents --reason WHY       let the agents in again after stopall
looking:
  status                what is going on, one sentence a line
  watch --plain         the same, whenever it changes
  tui                   the dashboard
  replay RUN            the dashboard on a past run, step by step; reaches nobody
  audit VERB            verify, report, export, replay the journal; checkpoints
  judge FILE            judge recorded data (--explain RUN: why a past verdict)
calling and handing over:
  ask STOP SERVICE      page oncall to pause, takeover or rollback, for whoever may not
  handover              what would be handed over; write it, acknowledge it
deciding:
  quarantine VERB       list what was rolled back, lift it with a reason
  expect SERVICE        say that a metric will rise for a while; list, withdraw
  breaker VERB          show and close the breaker of the agent
  accept ITEM           yes to an approval or a recommendation
  reject ITEM           no
running it:
  demo                  a real release on this machine
  fault                 switch a fault of the demo on or off
  run                   start a pipeline
  serve                 the backend
  governor              the small process that holds the targets
  check                 check the configuration
  policy VERB           check, explain, test the policy
  would --at WHEN       what the agent could do then, and when next it may
  oncall                who is on call
  token VERB            tokens for --backend wss://...: new, list, revoke
  metrics check         what a service's metrics can judge, at the traffic of now
  metrics suggest URL   what hatchway.yaml could say of a page of metrics
  rehearse NAME         a public incident over your policy: which guard stops it
  drill                 try the stops in staging and record it; --status: when was the last?

hatchway VERB --help says more. --dir DIRECTORY names the installation."""

EMERGENCY = ("pause", "takeover", "rollback", "stopall", "resume", "release", "status", "watch")
VERBS = (
    *EMERGENCY,
    *("tui", "replay", "audit", "judge", "accept", "reject"),
    *("quarantine", "expect", "breaker", "ask", "handover"),
    *("demo", "fault", "run", "serve", "governor", "check", "metrics"),
    *("policy", "would", "oncall"),
    "rehearse",
    "drill",
    "token",
)

FILES = {"ask": "ask_oncall"}  # ask.py asks sockets
"""Verbs whose file is not called after them."""


def main(argv: list[str] | None = None) -> int:
    """Run `hatchway`; returns the exit status. 2: it was called wrongly."""
    words = sys.argv[1:] if argv is None else argv
    verb = words[0] if words else "--help"
    if verb in ("--help", "-h", "help"):
        print(HELP)
        return 0 if words else 2
    if verb in ("--version", "-V"):
        from hatchway import __version__  # noqa: PLC0415

        print(f"hatchway {__version__}")
        return 0
    if verb in EMERGENCY:
        if verb != "watch" and any(w.partition("=")[0] == "--backend" for w in words):
            from importlib import import_module  # noqa: PLC0415

            status: int = import_module("hatchway.cli.remote").main(verb, words[1:])
            return status
        from hatchway.cli import emergency  # noqa: PLC0415

        return emergency.main(verb, words[1:])
    if verb in VERBS:
        return _other(verb, words[1:])
    print(f"hatchway: there is no verb {verb!a}.{_nearest(verb)}", file=sys.stderr)
    return 2


def _other(verb: str, argv: list[str]) -> int:
    """A verb in a file of its own, which may need more than this installation has."""
    from importlib import import_module  # noqa: PLC0415

    try:
        module = import_module(f"hatchway.cli.{FILES.get(verb, verb)}")
    except ModuleNotFoundError as error:
        missing = error.name or "a module"
        if missing == f"hatchway.cli.{FILES.get(verb, verb)}":
            print(f"hatchway: {verb} is not part of this installation.", file=sys.stderr)
        else:
            print(
                f"hatchway: {verb} needs {missing}, which is not installed."
                " Install hatchway with its dependencies, e.g. pipx install --force hatchway."
                " The stops (pause, takeover, rollback) work without it.",
                file=sys.stderr,
            )
        return 1
    status: int = module.main(argv)
    return status


def _nearest(word: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415

    close = get_close_matches(word, VERBS, 1)
    return f" Did you mean {close[0]}?" if close else " hatchway --help lists them."


if __name__ == "__main__":
    sys.exit(main())
