"""`python -m hatchway_tui`: the dashboard for one backend."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from hatchway.edge.docs.replay import Tape

# Read by textual when it is imported. A late piece of an escape sequence must not become letters
# (1 s), the kitty protocol would split plain keys, and nothing on this screen moves by itself.
SETTINGS = {
    "ESCDELAY": "1000",
    "TEXTUAL_DISABLE_KITTY_KEY": "1",
    "TEXTUAL_ANIMATIONS": "none",
    "TEXTUAL_SMOOTH_SCROLL": "0",
}


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="hatchway tui", description="The operator's dashboard.")
    parser.add_argument("--backend", required=True, metavar="PATH|wss://HOST:PORT")
    parser.add_argument(
        "--governor", default="", metavar="PATH", help="its socket, for direct stops"
    )
    parser.add_argument("--service", default="", help="which service to show first")
    parser.add_argument("--read-only", action="store_true", help="look, but act in no way")
    parser.add_argument("--token-file", default="", metavar="FILE", help="for wss:// addresses")
    parser.add_argument("--ca", default="", metavar="FILE", help="vouches for a wss:// address")
    parser.add_argument("--plain", action="store_true", help="sentences and typed words, no screen")
    parser.add_argument("--mouse", choices=("on", "off"), default="off")
    for channel, tells in (
        ("bell", "ring when control changes hands or something new needs a person"),
        ("title", "the terminal's title says who is in control and how much needs you"),
        ("notify", "a notification (OSC 9) with the bell, while the terminal has not the focus"),
    ):
        parser.add_argument(f"--{channel}", choices=("on", "off"), default="on", help=tells)
    parser.add_argument(
        "--wire", choices=("thin", "plain"), default=os.environ.get("HATCHWAY_WIRE", "thin"),
        help="plain: Textual writes to the terminal by itself, should a terminal not take the "
        "differences (also HATCHWAY_WIRE=plain)",
    )  # fmt: skip
    parser.add_argument(
        "--theme",
        choices=("auto", "dark", "light", "blind", "blind-light", "ansi", "mono"),
        default="auto",
    )
    parser.add_argument("--check-keys", action=_CheckKeys, help="is keys.yaml good? 2 when not")
    return parser.parse_args(argv)


class _CheckKeys(argparse.Action):
    """Prints a person's own keys, or what is wrong with their file, and nothing else is done."""

    def __init__(self, option_strings: list[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from hatchway_tui.keymap import check  # noqa: PLC0415

        parser.exit(check(os.environ))


def login() -> str:
    """The name of the person at this terminal, as the system knows it."""
    import pwd  # noqa: PLC0415

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def main(argv: list[str] | None = None) -> int:
    """Run the dashboard; 0 when it was left with q."""
    asked = arguments(argv)
    token = ""
    if asked.token_file:
        try:
            token = Path(asked.token_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            print(
                f"hatchway tui: the token cannot be read: {error}. Check --token-file.",
                file=sys.stderr,
            )
            return 2
    if asked.plain:
        from hatchway_tui.link import Address  # noqa: PLC0415
        from hatchway_tui.plain import session  # noqa: PLC0415

        here = Address(asked.backend, asked.governor, token, asked.read_only, login(), asked.ca)
        return session.main(here, asked.service)
    return show(asked, token)


def show(asked: argparse.Namespace, token: str = "", tape: Tape | None = None, seq: int = 0) -> int:
    """Run the dashboard; on a `tape`, from record `seq` on, it connects to nobody."""
    os.environ.update(SETTINGS)
    for stale in ("COLUMNS", "LINES"):  # the terminal itself knows better
        os.environ.pop(stale, None)
    from hatchway_tui.alert import Wanted, fitting  # noqa: PLC0415
    from hatchway_tui.app import Dashboard  # noqa: PLC0415 - the settings come first
    from hatchway_tui.keymap import load, place  # noqa: PLC0415
    from hatchway_tui.link import Address  # noqa: PLC0415
    from hatchway_tui.paint.ink import palette_for  # noqa: PLC0415

    if sys.__stdout__ is not None and sys.__stdout__.isatty() and not _is_terminal(sys.__stderr__):
        # textual draws on it, and it was redirected
        setattr(sys, "__stderr__", sys.__stdout__)  # noqa: B010 - final for the type checker
    encoding = (getattr(sys.__stderr__, "encoding", "") or "").lower().replace("-", "")
    play = None
    if tape is not None:
        from hatchway_tui.player import Player  # noqa: PLC0415

        play = partial(Player, tape, seq)
    alerts = Wanted(*(channel == "on" for channel in (asked.bell, asked.title, asked.notify)))
    app = Dashboard(
        Address(asked.backend, asked.governor, token, asked.read_only, login(), asked.ca),
        service=asked.service,
        palette=palette_for(os.environ, os.environ.get("HATCHWAY_THEME", asked.theme) if asked.theme == "auto" else asked.theme),
        ascii_only=not encoding.startswith("utf"),
        alerts=fitting(alerts, os.environ.get("TERM", "")),
        keys=load(place(os.environ)),
        play=play,
        thin=asked.wire != "plain",
    )  # fmt: skip
    app.run(mouse=asked.mouse == "on")
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main())
