"""`hatchway tui`: the dashboard of the installation that is meant."""

from __future__ import annotations

import argparse
import os
import sys

from hatchway.cli import where


def main(argv: list[str]) -> int:
    """Replace this process by the dashboard; returns only when there is nothing to show."""
    parser = argparse.ArgumentParser(
        prog="hatchway tui", description="The dashboard. q leaves and changes nothing."
    )
    parser.add_argument("--dir", help="state directory of the installation")
    parser.add_argument("--backend", help="PATH or wss://HOST:PORT instead of its socket")
    parser.add_argument("--ca", help="PEM of the authority of a wss:// address's certificate")
    parser.add_argument("--governor", help="the governor's socket instead of the one in --dir")
    parser.add_argument("--service", help="which service to show first")
    parser.add_argument("--read-only", action="store_true", help="look, but act in no way")
    parser.add_argument("--token-file", help="for wss:// addresses")
    parser.add_argument("--plain", action="store_true", help="sentences and typed words, no screen")
    parser.add_argument("--mouse", choices=("on", "off"))
    parser.add_argument("--bell", choices=("on", "off"), help="when a person is needed")
    parser.add_argument("--title", choices=("on", "off"), help="the terminal's: who is in control")
    parser.add_argument("--notify", choices=("on", "off"), help="OSC 9, while looking elsewhere")
    parser.add_argument(
        "--wire", choices=("thin", "plain"), help="plain: Textual draws by itself; HATCHWAY_WIRE"
    )
    parser.add_argument(
        "--theme", choices=("auto", "dark", "light", "blind", "blind-light", "ansi", "mono")
    )
    parser.add_argument(
        "--serve", nargs="?", const="", metavar="HOST:PORT", help="in a browser, on loopback"
    )
    parser.add_argument(
        "--allow-acting", action="store_true", help="with --serve: keys act, as this account"
    )
    parser.add_argument(
        "--check-keys", action="store_true", help="is keys.yaml good? says what not, and exits 2"
    )
    asked = parser.parse_args(argv)
    if asked.check_keys:
        return _show(["--check-keys"])
    directory = where.find(asked.dir)
    remote = bool(asked.backend)
    if not remote and not os.path.isdir(directory):
        print(
            f"hatchway tui: there is no installation at {directory}.\n"
            "Start the demo with `hatchway demo`, or say where it is with --dir.",
            file=sys.stderr,
        )
        return 2
    serves = asked.serve is not None
    if asked.allow_acting and not serves:
        parser.error("--allow-acting belongs to --serve: in a terminal the keys act already")
    if serves and asked.plain:
        parser.error("--serve and --plain are two ways: choose one")
    if not serves and not asked.plain and not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(
            "hatchway tui: this is not a terminal. Sentences and typed words instead of a screen: "
            "hatchway tui --plain. For scripts: hatchway status --json, hatchway watch --plain.",
            file=sys.stderr,
        )
        return 2
    if not serves and not asked.plain and os.environ.get("TERM", "") in ("", "dumb"):
        print("This terminal can place no cursor (TERM): the plain mode.", file=sys.stderr)
        asked.plain = True
    command = ["--backend", asked.backend or os.path.join(directory, "backend.sock")]
    governor = asked.governor or ("" if remote else os.path.join(directory, "governor.sock"))
    if governor:
        command += ["--governor", governor]
    for name in (
        "service",
        "token_file",
        "ca",
        "mouse",
        "bell",
        "title",
        "notify",
        "theme",
        "wire",
    ):
        value = getattr(asked, name)
        if value:
            command += [f"--{name.replace('_', '-')}", value]
    command += [
        f"--{name.replace('_', '-')}" for name in ("read_only", "plain") if getattr(asked, name)
    ]
    if serves:
        from importlib import import_module  # noqa: PLC0415

        status: int = import_module("hatchway_tui.serve").main(
            asked.serve, command, asked.allow_acting
        )
        return status
    return _show(command)


def _show(command: list[str]) -> int:
    # runpy and not an import: the backend package knows nothing of the dashboard's
    import runpy  # noqa: PLC0415

    sys.argv = ["hatchway tui", *command]
    try:
        runpy.run_module("hatchway_tui", run_name="__main__", alter_sys=False)
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 1
    return 0
