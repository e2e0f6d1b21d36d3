"""`hatchway token`: tokens for dashboards and programs that come over TCP."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from hatchway.cli.where import find
from hatchway.core.roles import ROLES
from hatchway.edge.tokens import TokenFileError, TokenLine, Tokens
from hatchway.runners.visible import visible
from hatchway.settings.errors import ConfigError
from hatchway.settings.fields import NAME
from hatchway.settings.load import load_installation
from hatchway.settings.words import NotUnderstood, seconds

_STATUS = """\
exit status: 0 done, 1 not done, 2 called wrongly. A token is shown once; the file holds its hash.
The backend reads the file at each use: nothing has to be restarted."""


def main(argv: list[str]) -> int:
    """Run `hatchway token ...`."""
    options = _parser().parse_args(argv)
    try:
        path = _file(Path(find(options.dir)), options.file)
        if options.verb == "new":
            return _new(path, options)
        return _list(path, options) if options.verb == "list" else _revoke(path, options.name)
    except (TokenFileError, ConfigError, OSError) as error:
        print(f"hatchway token: {visible(str(error))}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hatchway token",
        description=__doc__,
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True, metavar="verb", dest="verb")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--dir", help="the state directory")
    shared.add_argument("--file", help="the token file (default: token_file of hatchway.yaml)")
    new = verbs.add_parser("new", parents=[shared], help="make one, print it, note its hash")
    new.add_argument("name", type=_name, metavar="NAME", help="whose it is, as in the journal")
    new.add_argument("--roles", type=_roles, required=True, help="operator,approver ...")
    new.add_argument("--for", type=_span, dest="span", metavar="30d", help="how long (for ever)")
    new.add_argument("--service", type=_names, default="", help="only for these services")
    new.add_argument("--environment", type=_names, default="", help="only for these environments")
    of = verbs.add_parser("list", parents=[shared], help="whose tokens there are, until when")
    of.add_argument("--json", action="store_true")
    gone = verbs.add_parser("revoke", parents=[shared], help="take all tokens of a name out")
    gone.add_argument("name", type=_name, metavar="NAME")
    return parser


def _file(directory: Path, given: str | None) -> Path:
    if given:
        return Path(given)
    config = directory / "config" / "hatchway.yaml"
    if not config.exists():
        raise TokenFileError(f"{config} is not there; name another --dir, or the --file itself")
    installation = load_installation(config)
    return directory / (installation.token_file or "token")


def _new(path: Path, options: argparse.Namespace) -> int:
    token = secrets.token_urlsafe(32)
    words = [options.name, hashlib.sha256(token.encode()).hexdigest(), options.roles]
    if options.span is not None:
        until = datetime.fromtimestamp(time.time() + options.span, UTC)
        words.append(f"until={until:%Y-%m-%dT%H:%MZ}")
    for name in ("service", "environment"):
        if getattr(options, name):
            words.append(f"{name}={getattr(options, name)}")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with open(descriptor, "ab") as file:
        Tokens(path).lines()  # nothing is added to a file that could not be used
        whole = path.read_bytes()
        newline = b"" if not whole or whole.endswith(b"\n") else b"\n"
        file.write(newline + " ".join(words).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    print(token)
    print(f"The token of {options.name}, shown this once; its hash is in {path}.", file=sys.stderr)
    return 0


def _list(path: Path, options: argparse.Namespace) -> int:
    lines = Tokens(path).lines()
    if options.json:
        print(json.dumps([_as_json(line) for line in lines]))
        return 0
    for line in lines:
        good = ", ".join((*line.services, *line.environments))
        only = f", only for {good}" if good else ""
        print(f"{visible(line.name)}  {','.join(line.roles)}  {_until(line)}{only}")
    return 0


def _as_json(line: TokenLine) -> dict[str, object]:
    return {
        "name": line.name,
        "roles": line.roles,
        "until": line.until or None,
        "services": line.services,
        "environments": line.environments,
    }


def _until(line: TokenLine) -> str:
    if not line.until:
        return "never ends"
    moment = datetime.fromtimestamp(line.until, UTC)
    return f"{'ENDED' if line.until < time.time() else 'until'} {moment:%Y-%m-%d %H:%MZ}"


def _revoke(path: Path, name: str) -> int:
    Tokens(path).lines()  # a file that is not understood is not rewritten
    kept, gone = [], 0
    for text in path.read_text("utf-8").splitlines(keepends=True):
        words = text.split("#", 1)[0].split()
        if words and words[0] == name:
            gone += 1
        else:
            kept.append(text)
    if not gone:
        print(f"hatchway token: {name} has no token in {path}.", file=sys.stderr)
        return 1
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.writelines(kept)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    print(
        f"{gone} {'token' if gone == 1 else 'tokens'} of {name} taken out; they open nothing now."
    )
    return 0


def _name(text: str) -> str:
    if NAME.fullmatch(text):
        return text
    raise argparse.ArgumentTypeError("up to 40 letters, digits, - or _")


def _names(text: str) -> str:
    for name in text.split(",") if text else ():
        _name(name)
    return text


def _roles(text: str) -> str:
    for role in text.split(","):
        if role not in ROLES:
            raise argparse.ArgumentTypeError(f"there is no role {role!r}; {', '.join(ROLES)}")
    return text


def _span(text: str) -> float:
    try:
        return seconds(text)
    except NotUnderstood as error:
        raise argparse.ArgumentTypeError(f"{error.what}; write {error.write}") from None
