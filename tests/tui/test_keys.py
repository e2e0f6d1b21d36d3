"""The registry of keys, a person's own ones, and that everything on the screen follows them."""

from __future__ import annotations

import os
import re
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from textual.keys import _character_to_key

from hatchway.edge import protocol as wire
from hatchway_tui import hands as rules
from hatchway_tui import keymap
from hatchway_tui.control import Rights
from hatchway_tui.hands import Hands, Send
from hatchway_tui.keys import ACTIONS, BY_ID, SHIPPED, Keymap, key_of, keymap_of, markdown, shown
from hatchway_tui.mirror import Heard, Lost, Model, fold
from hatchway_tui.pages.registry import PAGES
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import paint
from hatchway_tui.view import View

ROOT = Path(__file__).resolve().parents[2]
ME = Rights(name="ana")


def read(text: str | bytes) -> Keymap:
    data = text.encode() if isinstance(text, str) else text
    return keymap.understood(data, Path("keys.yaml"))


def test_every_key_has_one_meaning_and_every_action_a_key_a_help_and_a_tip() -> None:
    assert sum(len(SHIPPED.keys[action.id]) for action in ACTIONS) == len(SHIPPED.actions)
    for action in ACTIONS:
        assert SHIPPED.keys[action.id]
        assert 5 < len(SHIPPED.tip(action)) < 90, action.id
        assert SHIPPED.help(action).endswith(".")
        assert "{" not in SHIPPED.help(action)


def test_what_ships_keeps_the_rules_for_acting_keys() -> None:
    for action in ACTIONS:
        for key in action.keys:
            assert keymap.refusal(action.id, key) == "", (action.id, key)


def test_every_page_is_opened_by_the_action_of_its_name() -> None:
    opened = {action.id for action in ACTIONS if action.page} | {"palette"}
    assert opened == set(PAGES)


@pytest.mark.parametrize("char", string.punctuation + "aZ5öß é漢")
def test_a_character_is_called_as_the_terminal_library_calls_it(char: str) -> None:
    assert key_of(char) == _character_to_key(char)


# --- a file of one's own -------------------------------------------------------------------------

GOOD = {
    "takeover: w\nwhy: f1\n": {"takeover": "w", "why": "F1"},
    "keys: ['?', f1]\n": {"keys": "?"},
    "takeover: F5\n": {"takeover": "F5"},
    "log: y\nleave: 'Q'\n": {"log": "y", "leave": "Q"},  # y is no boolean here
    "log: 1\n": {"log": "1"},
    "pause: space\n": {"pause": "Space"},
    "pause: [p, space]\n": {"pause": "p"},
    "pause: ctrl+p\n": {"pause": "Ctrl+P"},
    "takeover: r\nrollback: o\n": {"takeover": "r", "rollback": "o"},
    "redraw: [ctrl+l, Insert]\n": {"redraw": "Ctrl+L"},
    "": {},
    "# nothing yet\n": {},
}


@pytest.mark.parametrize("text", GOOD)
def test_a_good_file_is_in_force(text: str) -> None:
    keys = read(text)
    assert keys.trouble == ()
    assert keys.source == "keys.yaml"
    for action, name in GOOD[text].items():
        assert keys.of(action) == name
        assert action in keys.own


BAD = {
    "takover: w\n": "1: no action is called 'takover' (is it takeover?)",
    "why: f1\n\nlog: fourtytwo\n": "3: log: no key is called 'fourtytwo'",
    "takeover: a\n": "1: takeover: a is the key of accept too; give accept another key",
    "takeover: w\n": "1: takeover: w is the key of why too",
    "why: f1\nlog: f1\n": "2: log: F1 is the key of why too",
    "log: ctrl+p\n": "1: log: Ctrl+P is the key of pause too",
    "log: alt+p\n": "1: log: Esc p is the key of pause too",
    "takeover: 5\n": "1: takeover: 5 may not act",
    "takeover: B\n": "1: takeover: B may not act",
    "takeover: Ö\n": "1: takeover: Ö may not act",
    "takeover: '['\n": "1: takeover: [ may not act",
    "takeover: ';'\n": "1: takeover: ; may not act",
    "takeover: '~'\n": "1: takeover: ~ may not act",
    "pause: 'O'\n": "1: pause: O may not act",
    "pause: 7\n": "1: pause: 7 may not act",
    "pause: []\n": "1: pause: every action keeps a key",
    "log: []\n": "1: log: every action keeps a key",
    "accept: enter\nclose: escape\n": "1: accept: Enter acts nowhere",
    "takeover: esc\nclose: enter\n": "1: takeover: Esc acts nowhere",
    "takeover: alt+o\n": "1: takeover: Esc o is what a late piece",
    "log: ctrl+q\n": "1: log: ctrl+q stays without a meaning",
    "log: ctrl+h\n": "1: log: terminals send Backspace for ctrl+h",
    "log: ''\n": "1: log: no key is called ''",
    "log: {a: b}\n": "1: log: a key or a list of keys is meant",
    "log: [[v]]\n": "1: log: a key or a list of keys is meant",
    "log: &x [*x]\n": "1: log: a key or a list of keys is meant",
    "log: f1\nlog: f2\n": "2: log is there twice",
    "- log\n": "1: is not a mapping",
    "keys: [?\n": "is no YAML",
    "log: \x1b\n": "is no YAML",
    "log: f1\n\tkeys: f1\n": "2: is no YAML",
    "[" * 20000: "",
    b"log: \xff\n": "is not UTF-8",
    **{f"reject: {key}\n": f"1: reject: {key} may not act" for key in "ytcmnu"},
}


@pytest.mark.parametrize("text", BAD, ids=lambda text: repr(text)[:30])
def test_a_bad_file_changes_nothing_and_its_line_is_named(text: str | bytes) -> None:
    keys = read(text)
    assert keys.trouble
    assert BAD[text] in "\n".join(keys.trouble)
    assert keys.keys == SHIPPED.keys
    assert keys.own == frozenset()


def test_every_mistake_of_a_file_is_told_in_the_order_of_its_lines() -> None:
    keys = read("takeover: 5\nnobody: f1\nlog: ctrl+p\n")
    assert [text.split(":")[1] for text in keys.trouble] == ["1", "2", "3"]


@given(
    st.dictionaries(st.sampled_from([*BY_ID, "else"]), st.lists(st.text(max_size=6), max_size=3))
)
def test_whatever_the_file_says_pause_has_a_key_and_no_key_means_two_things(
    wanted: dict[str, list[str]],
) -> None:
    keys = read(msgspec.json.encode(wanted))
    assert "ctrl+p" in keys.keys["pause"]
    assert sum(len(each) for each in keys.keys.values()) == len(keys.actions)
    assert keys.trouble == () or keys.keys == SHIPPED.keys


@given(st.binary(max_size=200))
def test_no_file_keeps_the_dashboard_from_starting(text: bytes) -> None:
    assert read(text).keys["pause"]


def test_a_pipe_a_directory_and_a_huge_file_are_said(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "is not a file" in keymap.load(pipe).trouble[0]
    assert "is not a file" in keymap.load(tmp_path).trouble[0]
    large = tmp_path / "large"
    large.write_text("#" * (keymap.LARGEST + 1))
    assert "is larger than 64 kB" in keymap.load(large).trouble[0]
    assert keymap.load(tmp_path / "none" / "keys.yaml") == SHIPPED
    assert keymap.load(large / "keys.yaml") == SHIPPED


def test_the_place_follows_xdg(tmp_path: Path) -> None:
    assert keymap.place({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "hatchway" / "keys.yaml"
    assert keymap.place({"XDG_CONFIG_HOME": "not/absolute"}) == keymap.place({})


# --- what the keys do ----------------------------------------------------------------------------

STRANGE = {
    "pause": "e", "takeover": "q", "rollback": "s", "fire": "v", "release": "b", "accept": "z",
    "reject": "i",
}  # fmt: skip


def strange() -> Keymap:
    """Every action on another key: the acting ones on letters, the others on function keys."""
    others = (f"f{n}" for n in range(1, 25))
    more = (f"ctrl+{char}" for char in "abdefgklnortwy")
    free = iter([*others, *more])
    own = {action.id: (STRANGE.get(action.id) or next(free),) for action in ACTIONS}
    return keymap_of(own, "keys.yaml")


def model_of(scenes: Any, name: str) -> Model:
    docs = {key: msgspec.Raw(msgspec.json.encode(doc)) for key, doc in scenes.build(name).items()}
    you = wire.You("ana", ("operator",), ("pause", "takeover", "rollback", "release", "approve"))
    model = Model(governor_known=True, skew=scenes.now - 50.0)
    model = fold(model, Heard(wire.Hello(1, "x", "b", you, 7, scenes.now), 50.0))
    return fold(model, Heard(wire.Snapshot(7, docs), 50.0))


def sent(hands: Hands, model: Model, key: str, at: float) -> tuple[Hands, list[str]]:
    char = key if len(key) == 1 else None
    hands, intents = rules.press(hands, model, ME, key, char, at)
    return hands, [each.kind for each in intents if isinstance(each, Send)]


def test_own_keys_act_and_the_shipped_ones_do_no_longer(scenes: Any) -> None:
    model = model_of(scenes, "unsure")
    hands = rules.settle(Hands(service="shop", keys=strange()), model, 50)
    assert sent(hands, model, "o", 60)[1] == []
    assert sent(hands, model, "p", 60)[1] == []
    assert sent(hands, model, "q", 60)[1] == ["takeover"]
    assert sent(hands, model, "z", 60)[1] == ["accept"]
    armed, _ = sent(hands, model, "s", 60)
    assert armed.armed is not None
    assert sent(armed, model, "f", 61)[1] == []
    assert sent(armed, model, "v", 61)[1] == ["rollback"]


def test_an_own_acting_key_has_the_guard_and_an_own_pause_key_is_exempt(scenes: Any) -> None:
    model = model_of(scenes, "unsure")
    hands = rules.settle(Hands(service="shop", keys=strange()), model, 50)
    stray, _ = sent(hands, model, "escape", 60)
    ignored, kinds = sent(stray, model, "q", 60.5)
    assert kinds == []
    assert ignored.notice is not None
    assert ignored.notice.text == "q: ignored, press again"
    assert sent(stray, model, "e", 60.001)[1] == ["pause"]


@pytest.mark.parametrize("key", ["ctrl+p", "f9", "alt+u"])
def test_a_pause_key_that_is_no_letter_pauses_while_typing(scenes: Any, key: str) -> None:
    model = model_of(scenes, "paused")
    keys = keymap_of({"pause": ("u", "f9")})
    hands = rules.settle(Hands(service="shop", keys=keys), model, 50)
    hands, _ = sent(hands, model, "g", 60)
    assert hands.entry is not None
    hands, kinds = sent(hands, model, "u", 61)
    assert kinds == []
    assert hands.entry is not None
    assert hands.entry.text == "u"
    assert sent(hands, model, key, 62)[1] == ["pause"]


# --- what the screen says ------------------------------------------------------------------------


def screens(model: Model, scenes: Any, keys: Keymap) -> list[tuple[str, str]]:
    """The text of everything there is to see with `model`, by a name."""
    hands = rules.settle(Hands(service="shop", keys=keys), model, 50)
    variants = {"first": hands, "armed": sent(hands, model, keys.keys["rollback"][0], 60)[0]}
    variants |= {page: replace(hands, page=page) for page in PAGES}
    for action in ACTIONS:
        if action.rule != "free":
            variants[f"after {action.id}"] = sent(hands, model, keys.keys[action.id][0], 60)[0]
    out = []
    for name, each in variants.items():
        for phase in ("live", "down"):
            seen = model if phase == "live" else fold(model, Lost("down", 60.0, "gone", 64.0))
            view = View(seen, each, ME, scenes.now + 10, 60.0, "backend.sock")
            for size in ((80, 24), (130, 40), (100, 150)):
                if size[1] == 150 and name not in PAGES:
                    continue
                out.append((f"{name} {phase} {size[0]}", text_of(paint(view, *size))))
    return out


def names_of(key: str) -> str:
    """A pattern for a place that names a key: it stands alone, or in brackets.

    `a` is also a word, and marks are everywhere; there only what reads as a key counts.
    """
    name = re.escape(shown(key))
    if name == "a" or not shown(key).isalnum():
        label = re.escape(SHIPPED.actions[key].label)
        return rf"(?m)({name} {label}|\({name}\)|press {name}|{name} says|^ *{name}  )"
    return rf"(?<![\w'’]){name}(?![\w'’.:=])"


@pytest.mark.parametrize("name", ["idle", "checks", "unsure", "paused", "taken", "rolled_back"])
def test_no_screen_names_a_key_that_was_given_away(scenes: Any, name: str) -> None:
    keys, model = strange(), model_of(scenes, name)
    gone = [key for key in SHIPPED.actions if key not in keys.actions]
    gone += ["o", "f", "r", "p"]
    patterns = [(key, re.compile(names_of(key))) for key in dict.fromkeys(gone) if key != "j"]
    # what the scripted backend itself says (a p-value), and what is fixed
    fixed = r"\(p\s+0\.13\)|for 1 s after Esc, \[ or O|(Enter sends|Enter keeps)  Esc \w+|Esc e|Enter keeps it|Esc clears it|Enter fires|Esc disarms|Ctrl\+P still pauses|then Enter"
    for screen, whole in screens(model, scenes, keys):
        text = re.sub(fixed, "", whole)
        for key, pattern in patterns:
            found = pattern.search(text)
            assert found is None, f"{screen}: {shown(key)}: {text[max(0, found.start() - 60):found.end() + 20]!r}"  # fmt: skip


def test_the_search_for_given_away_keys_does_find_the_shipped_ones(scenes: Any) -> None:
    texts = " ".join(text for _, text in screens(model_of(scenes, "paused"), scenes, SHIPPED))
    texts += " ".join(text for _, text in screens(model_of(scenes, "unsure"), scenes, SHIPPED))
    for action in ACTIONS:
        assert re.search(names_of(action.keys[0]), texts), action.id


def test_a_mistake_in_the_file_is_on_the_last_row_and_on_the_page_of_keys(scenes: Any) -> None:
    model = model_of(scenes, "canary")
    hands = keymap.with_keys(Hands(service="shop"), read("why: f1\ntakeover: 5\n"), 50.0)
    for width, height in ((80, 24), (120, 40)):
        view = View(model, rules.settle(hands, model, 55.0), ME, scenes.now, 55.0)
        assert "keys.yaml:2: takeover: 5 may not act" in text_of(paint(view, width, height)).splitlines()[-1]  # fmt: skip
        page = replace(view, hands=replace(view.hands, page="keys", notice=None))
        text = " ".join(text_of(paint(page, width, height)).split())
        assert "keys.yaml:2: takeover: 5 may not act" in text
        assert "The shipped keys are in use" in text


def test_the_page_of_keys_has_every_action_in_its_group_and_says_which_are_own(scenes: Any) -> None:
    keys = replace(keymap_of({"why": ("f1",)}, "/etc/keys.yaml"), own=frozenset({"why"}))
    view = View(model_of(scenes, "idle"), Hands(page="keys", keys=keys), ME, scenes.now, 50.0)
    text = "\n".join("".join(piece.text for piece in row) for row in PAGES["keys"].rows(view, 100))
    assert text.index("STOPS") < text.index("ACTING") < text.index("LOOKING")
    assert "1 own keys from /etc/keys.yaml" in text
    assert re.search(r"(?m)^F1 +own key\. The verdict", text)
    for action in ACTIONS:
        assert keys.help(action)[:40] in text


def test_the_table_of_the_readme_is_the_registry() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _, begin, rest = readme.partition("<!-- keys: made by `python -m hatchway_tui.keys --markdown` -->\n")  # fmt: skip
    assert begin
    table, end, _ = rest.partition("<!-- keys: end -->")
    assert end
    assert table == markdown(), "python -m hatchway_tui.keys --markdown prints what belongs there"


# --- the command line ----------------------------------------------------------------------------

TUI = "import sys; from hatchway.cli.tui import main; sys.exit(main(sys.argv[1:]))"


def check_keys(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", TUI, "--check-keys"], capture_output=True, text=True, timeout=60,
        check=False, env=os.environ | {"XDG_CONFIG_HOME": str(home)},
    )  # fmt: skip


def test_check_keys_says_what_is_wrong_and_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "hatchway" / "keys.yaml"
    file.parent.mkdir()
    file.write_text("takeover: q\n")
    done = check_keys(tmp_path)
    assert done.returncode == 2
    assert f"{file}:1: takeover: q is the key of leave too" in done.stderr
    file.write_text("takeover: w\nwhy: f1\n")
    done = check_keys(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"takeover +w  \(own\)", done.stdout)


def test_without_a_file_yaml_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import os, sys; from hatchway_tui.keymap import load, place; "
        "load(place(os.environ)); print('yaml' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.strip() == "False"
