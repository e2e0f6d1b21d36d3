"""A person's own keys: `$XDG_CONFIG_HOME/hatchway/keys.yaml`, a mapping of action to key or keys.

The whole file counts or nothing of it: with a mistake in it the shipped keys are in use, and the
screen says where the mistake is. The dashboard starts in any case.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from hatchway_tui.hands import Hands, Notice
from hatchway_tui.keys import (
    _PUNCTUATION,
    _SHOWN,
    ALWAYS,
    BY_ID,
    SHIPPED,
    Keymap,
    key_of,
    keymap_of,
    shown,
)

LARGEST = 64 * 1024
"""Bytes of such a file; a larger one is none."""

_NAMES = {
    **{key: key for key in (*_SHOWN, *_PUNCTUATION)}, **{f"f{n}": f"f{n}" for n in range(1, 25)},
    "esc": "escape", "return": "enter", "pgup": "pageup", "pgdn": "pagedown", "del": "delete",
    "shift+tab": "shift+tab", "ctrl+space": "ctrl+at",
    **{f"ctrl+{char}": f"ctrl+{char}" for char in "abcdefgjklnoprstuvwxyz"},
    **{f"alt+{char}": f"alt+{char}" for char in "abcdefghijklmnopqrstuvwxyz"},
}  # fmt: skip
_SAME = {"ctrl+h": "Backspace", "ctrl+i": "Tab", "ctrl+m": "Enter", "ctrl+[": "Esc"}
_REPLIES = set("ytcmnu")
"""Letters that terminals' own answers end in."""


def place(environ: Mapping[str, str]) -> Path:
    """Where a person's keys are."""
    home = environ.get("XDG_CONFIG_HOME", "")
    base = Path(home) if os.path.isabs(home) else Path("~/.config").expanduser()
    return base / "hatchway" / "keys.yaml"


def load(file: Path) -> Keymap:
    """The keys with those of `file`; the shipped ones when it is not there or has a mistake."""
    try:
        kind = os.stat(file).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return SHIPPED
    except OSError as error:
        return _refused(file, [(0, f"cannot be read: {error.strerror}")])
    if not stat.S_ISREG(kind):  # reading a pipe would wait for ever
        return _refused(file, [(0, "is not a file")])
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST + 1)
    except OSError as error:
        return _refused(file, [(0, f"cannot be read: {error.strerror}")])
    if len(text) > LARGEST:
        return _refused(file, [(0, f"is larger than {LARGEST // 1024} kB")])
    return understood(text, file)


def understood(text: bytes, file: Path) -> Keymap:
    """The keys that `text` describes."""
    import yaml  # noqa: PLC0415 - only who has such a file pays for it

    try:
        root = yaml.compose(text.decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        return _refused(file, [(0, "is not UTF-8 text")])
    except RecursionError:
        return _refused(file, [(0, "is nested too deeply")])
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        said = f"is no YAML: {error.problem or error.context}; put marks such as '?' into quotes"
        return _refused(file, [(line, said)])
    except yaml.YAMLError as error:
        return _refused(file, [(0, f"is no YAML: {error}")])
    if root is None:
        return replace(SHIPPED, source=str(file))
    if not isinstance(root, yaml.MappingNode):
        return _refused(file, [(1, "is not a mapping of actions to keys, such as  takeover: w")])
    return _mapped(root.value, file)


def _mapped(pairs: list[tuple[Any, Any]], file: Path) -> Keymap:
    own: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    wrong: list[tuple[int, str]] = []
    for name, value in pairs:
        line, action = name.start_mark.line + 1, str(name.value)[:40]
        if action not in BY_ID:
            near = ", ".join(each for each in BY_ID if each[:2] == action[:2])
            wrong.append((line, f"no action is called {action!r}" + (f" (is it {near}?)" if near else "")))  # fmt: skip
            continue
        if action in own:
            wrong.append((line, f"{action} is there twice"))
        lines[action] = line
        own[action] = _keys(action, value, wrong)
    wrong += _conflicts(own, lines)
    return _refused(file, wrong) if wrong else keymap_of(own, str(file))


# Nodes of yaml are Any here: their types cost an import of yaml, and its stubs lack `id`.
def _keys(action: str, value: Any, wrong: list[tuple[int, str]]) -> tuple[str, ...]:
    """The keys of one action; what is wrong with them goes into `wrong`."""
    several = value.value if value.id == "sequence" else [value]
    found: list[str] = []
    for node in several:
        line = node.start_mark.line + 1
        if node.id != "scalar":
            wrong.append((line, f"{action}: a key or a list of keys is meant"))
            continue
        key = named(node.value)
        why = refusal(action, key) if key else unknown(node.value)
        if why:
            wrong.append((line, f"{action}: {why}"))
        elif key:
            found.append(key)
    if not several:
        wrong.append((value.start_mark.line + 1, f"{action}: every action keeps a key"))
    return tuple(dict.fromkeys(found))


def named(text: str) -> str | None:
    """The key that a person calls `text`: one character, or a name such as `ctrl+l`, `F5`, `Esc`."""
    if len(text) == 1:
        return "space" if text == " " else key_of(text) if text.isprintable() else None
    return _NAMES.get(text.strip().lower())


def unknown(text: str) -> str:
    """Why `text` is no key."""
    same = _SAME.get(text.strip().lower())
    if same:
        return f"terminals send {same} for {text}: name that"
    if text.strip().lower() == "ctrl+q":
        return "ctrl+q stays without a meaning: it stops and starts some terminals"
    return (
        f"no key is called {text[:40]!r}: one character, or a name such as f5, ctrl+l, space, pgup"
    )


def refusal(action: str, key: str) -> str:
    """Why `key` may not be one of `action`; empty when it may."""
    if BY_ID[action].rule == "free" or key in ALWAYS.get(action, ()):
        return ""
    name = shown(key)
    if key in {"escape", "enter", "ctrl+c"}:
        return f"{name} acts nowhere: people press it to get out of something"
    if key.startswith("alt+") and action != "pause":
        return f"{name} is what a late piece of an escape sequence looks like"
    if key in _PUNCTUATION or (len(key) == 1 and (key in _REPLIES or key != key.lower() or not key.isalpha())):  # fmt: skip
        return f"{name} may not act: late pieces of escape sequences look like digits, capitals, marks and y t c m n u"  # fmt: skip
    return ""


def _conflicts(own: dict[str, tuple[str, ...]], lines: dict[str, int]) -> list[tuple[int, str]]:
    """Every key that would mean two things, at the line in the file that makes it so."""
    has: dict[str, str] = {}
    wrong = []
    for action, shipped in BY_ID.items():
        keys = (*own.get(action, shipped.keys), *ALWAYS.get(action, ()))
        for key in dict.fromkeys(keys):
            other = has.setdefault(key, action)
            if other != action:
                line = max(lines.get(action, 0), lines.get(other, 0))
                own_one, that = (action, other) if lines.get(action) == line else (other, action)
                todo = "" if that in own or key in ALWAYS.get(that, ()) else f"; give {that} another key"  # fmt: skip
                wrong.append((line, f"{own_one}: {shown(key)} is the key of {that} too{todo}"))
    return wrong


def _refused(file: Path, wrong: list[tuple[int, str]]) -> Keymap:
    said = tuple(f"{file}:{line}: {text}" if line else f"{file} {text}" for line, text in sorted(wrong))  # fmt: skip
    return replace(SHIPPED, source=str(file), trouble=said)


def with_keys(hands: Hands, keys: Keymap, at: float) -> Hands:
    """The hands with a person's own keys; what is wrong with their file is said for a minute."""
    hands = replace(hands, keys=keys)
    if not keys.trouble:
        return hands
    text = f"{keys.trouble[0]}. The shipped keys are in use ({keys.of('keys')} says more)"
    return replace(hands, notice=Notice(text, "warn", at + 60.0))


def check(environ: Mapping[str, str]) -> int:
    """Print what a person's file makes of the keys: 0 when it is good, 2 when it is not."""
    file = place(environ)
    keys = load(file)
    for line in keys.trouble:
        print(line, file=sys.stderr)
    if keys.trouble:
        print("Until that is mended the shipped keys are in use.", file=sys.stderr)
        return 2
    if not keys.source:
        print(f"There is no {file}: the shipped keys are in use.")
    for action in BY_ID:
        mark = "  (own)" if action in keys.own else ""
        print(f"{action:<12} {keys.all_of(action)}{mark}")
    return 0
