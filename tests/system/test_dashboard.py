"""The dashboard on a real release, in a real terminal: what it says, what its keys do, how it goes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
QUICK = ("--pipeline", str(Path(__file__).parent / "quick.yaml"))
HATCHWAY = (sys.executable, "-m", "hatchway")
SIZES = [(80, 24), (120, 40)]
THREE_STOPS = ("PAUSE", "TAKE OVER", "ROLL BACK")


def on_canary(open_demo: Open, width: int, height: int) -> Any:
    """A demo in a terminal, on its canary at 5 % after `a` was pressed."""
    demo = open_demo(width, height, *QUICK, "--mode", "act")
    demo.screen.until("NEEDS YOU 1", "APPROVE shop 1.5.0")
    time.sleep(1.2)  # a guarded key wants the item to have been looked at
    demo.screen.press("a")
    demo.screen.until("CANARY 5%")
    demo.until(lambda d: d.run_doc()["weight"] == 5, 60, "the backend has read back the 5 %")
    return demo


def control(demo: Any) -> tuple[Any, ...]:
    """Who is in control, as the governor has it."""
    status = demo.governor()
    return status["mode"], status["holder"], status["epoch"], status["desired"]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not reaped does not."""
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_first_screen_says_who_what_next_and_how_to_stop(
    open_demo: Open, width: int, height: int
) -> None:
    demo = open_demo(width, height, *QUICK, "--mode", "act")
    screen = demo.screen
    screen.until("NEEDS YOU 1", "APPROVE shop 1.5.0")
    name = demo.ask(op="status")["you"]["name"]
    first = screen.text
    for words in (
        "PROD", "CONTROL", "AGENT", "acts within policy",  # who is in control
        "DATA LIVE 1s",  # how old the data are
        f"you {name}", "may act: p pauses", "NEEDS YOU 1",  # my rights, and what waits
        "shop 1.4.0 → 1.5.0", "RELEASE WAITS FOR A PERSON", "WAITING", "goes to 5%",  # what happens
        "next", "waits for a yes; no answer means it is held",  # what happens next
        "a accept", "x reject", "undo safe YES",
        *THREE_STOPS, "then f", "q leave",
    ):  # fmt: skip
        assert words in first, f"{words!r} is not on\n{first}"
    assert all(f" {key} " in first for key in "por"), first


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_an_accepted_release_becomes_a_canary_with_live_figures_of_both_arms(
    open_demo: Open, width: int, height: int
) -> None:
    demo = on_canary(open_demo, width, height)
    screen = demo.screen
    assert demo.governor()["observed"]["canary"] == 5
    screen.until("errors %", "latency p95 ms", "orders per min", "stable", "canary", "payments")

    row = r"stable +([\d.]+) +canary +([\d.]+)" if width >= 120 else r"p95 ms +([\d.]+) +([\d.]+)"

    def figures() -> tuple[str, ...]:
        found = re.search(row, screen.text)
        return found.groups() if found else ()

    before = demo.until(lambda _: figures(), 60, "figures of both arms")
    demo.until(lambda _: figures() not in {(), before}, 60, "they move by themselves")
    if width >= 120:
        the_pages_say_what_only_the_backend_knows(screen)


def the_pages_say_what_only_the_backend_knows(screen: Any) -> None:
    """The queries of the pages, asked over the real wire; found by searching each page."""
    screen.press("i")
    screen.until("THE RUN", "bottleneck: ", "waits for a person", "asked to approve the release")
    screen.press("/approval accepted\r")
    screen.until("approval accepted: 1 of 1", "after it was asked, as operator, approver")
    screen.press("w/evidence of harm\r")
    screen.until("evidence of harm: 1 of", "of the newest journaled verdict", "roll back 100 ^")
    screen.press("d/undo safe\r")
    screen.until("UNDO SAFE  YES", "no migration in this release")
    screen.press("l")
    screen.until("LOG", "all jobs, the newest lines")
    os.write(screen.child.child_fd, b"\x1b[C")  # right
    screen.until("passed in", "1 of ", "AT THE END", *THREE_STOPS)


def test_p_pauses_with_its_number_on_the_screen_and_g_gives_back_with_a_reason(
    open_demo: Open,
) -> None:
    demo = on_canary(open_demo, 80, 24)
    screen = demo.screen
    screen.press("p")
    screen.until("CONTROL  PAUSED", "PAUSED by")
    demo.until(lambda _: re.search(r"PAUSED +#\d+", screen.text), 20, "the number of its record")
    status = demo.governor()
    assert status["mode"] == "paused"
    assert status["observed"]["canary"] == 5, "a pause moves no traffic"
    seq = int(re.search(r"PAUSED +#(\d+)", screen.text).group(1))  # type: ignore[union-attr]
    assert any(line["seq"] == seq for line in demo.docs()["audit/tail"]["lines"])

    time.sleep(1.2)
    screen.press("g")
    screen.until("give back, why?")
    screen.press("all is well\r")
    screen.until("CONTROL  AGENT", "recommends only")
    assert demo.governor()["mode"] == "agent"
    assert any("all is well" in line["text"] for line in demo.docs()["audit/tail"]["lines"])
    assert demo.governor()["observed"]["canary"] == 5


def test_r_pauses_and_shows_the_plan_and_f_rolls_back(open_demo: Open) -> None:
    demo = on_canary(open_demo, 120, 40)
    screen = demo.screen
    screen.press("r")
    screen.until("AGENT PAUSED", "Nothing has been rolled back yet", "press f to fire")
    assert "canary from 5 % to 0 %, all traffic to 1.4.0" in screen.text
    assert demo.governor()["observed"]["canary"] == 5
    time.sleep(0.3)
    screen.press("f")
    screen.until("ROLLED BACK", "Back on 1.4.0")
    status = demo.governor()
    assert status["observed"]["canary"] == 0
    assert status["mode"] == "paused", "the agent does not try again by itself"
    screen.press("q")
    assert screen.ended() == 0


def test_a_dead_backend_is_said_in_words_and_p_goes_to_the_governor(open_demo: Open) -> None:
    demo = on_canary(open_demo, 80, 24)
    screen = demo.screen
    os.kill(demo.pid("backend"), signal.SIGKILL)
    took = screen.until("BACKEND DOWN", "p o r go DIRECT to the governor", "direct")
    print(f"killed backend: in words on the screen after {took:.2f} s (bar 3 s)")
    assert took <= 5.0
    screen.press("p")
    screen.until("CONTROL  PAUSED", "direct")
    status = demo.governor()
    assert (status["mode"], status["observed"]["canary"]) == ("paused", 5)

    demo.serve()
    screen.until("DATA LIVE", "CONTROL  PAUSED", "CANARY 5%")
    demo.until(lambda _: "DIRECT" not in screen.text, 5, "the rows below the first follow")
    lines = demo.until(
        lambda d: [x for x in d.docs()["audit/tail"]["lines"] if "direct" in x["text"]],
        20, "the direct pause is in the journal",
    )  # fmt: skip
    assert len(lines) == 1


def test_a_backend_that_hangs_is_said_in_words(waiting: Any, terminal: Open) -> None:
    screen = terminal(*HATCHWAY, "tui", "--dir", str(waiting.d))
    screen.until("DATA LIVE", "NEEDS YOU 1")
    pid = waiting.pid("backend")
    os.kill(pid, signal.SIGSTOP)
    try:
        took = screen.until("BACKEND SILENT", "DIRECT")
        print(f"stopped backend: in words on the screen after {took:.2f} s (bar 3 s)")
        assert took <= 5.0
    finally:
        os.kill(pid, signal.SIGCONT)
    screen.until("DATA LIVE")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_read_only_shows_the_same_screen_and_its_keys_ask_oncall_or_do_nothing(
    waiting: Any, terminal: Open, width: int, height: int
) -> None:
    before = control(waiting)
    last = waiting.ask(op="status")["docs"]["audit/tail"]["lines"][-1]["seq"]
    size = {"width": width, "height": height}
    full = terminal(*HATCHWAY, "tui", "--dir", str(waiting.d), **size)
    only = terminal(*HATCHWAY, "tui", "--dir", str(waiting.d), "--read-only", **size)
    for screen in (full, only):
        screen.until("DATA LIVE", "NEEDS YOU 1", "APPROVE shop 1.5.0", *THREE_STOPS)
    only.until("READ-ONLY", "ask oncall")
    shared = [row for row in full.text.splitlines() if "APPROVE" in row or "checks" in row]
    assert shared
    assert all(row[:40] in only.text for row in shared), only.text
    time.sleep(1.2)
    for key, words in (("p", "pause"), ("o", "take over"), ("r", "roll back")):
        only.press(key)
        only.until(f"ask oncall to {words} shop, why?")
        only.press("\x03")
        only.until("left without sending")
        time.sleep(1.1)
    for key in "ag":
        only.press(key)
        time.sleep(0.3)
    only.until("not done: read-only: ask oncall")
    assert control(waiting) == before
    assert len(waiting.docs()["needs-you"]["items"]) == 1
    after = waiting.ask(op="status")["docs"]["audit/tail"]["lines"]
    assert not any("PAUSED" in line["text"] for line in after if line["seq"] > last)


def test_q_leaves_with_zero_and_changes_nothing(waiting: Any, terminal: Open) -> None:
    before = control(waiting)
    screen = terminal(*HATCHWAY, "tui", "--dir", str(waiting.d))
    screen.until("DATA LIVE")
    screen.press("q")
    assert screen.ended() == 0
    assert control(waiting) == before


def test_a_closed_terminal_ends_it_and_changes_nothing(waiting: Any, terminal: Open) -> None:
    before = control(waiting)
    screen = terminal(*HATCHWAY, "tui", "--dir", str(waiting.d))
    screen.until("DATA LIVE")
    screen.cut()
    screen.ended()
    assert control(waiting) == before


def test_a_killed_dashboard_changes_nothing(waiting: Any, terminal: Open) -> None:
    before = control(waiting)
    screen = terminal(*HATCHWAY, "tui", "--dir", str(waiting.d))
    screen.until("DATA LIVE")
    os.kill(screen.pid, signal.SIGKILL)
    assert screen.ended() == -signal.SIGKILL
    assert control(waiting) == before
    other = terminal(*HATCHWAY, "tui", "--dir", str(waiting.d))
    other.until("DATA LIVE", "NEEDS YOU 1")


@contextmanager
def tmux(room: Path) -> Iterator[Callable[..., str]]:
    """A tmux server of our own; `tmux(*words)` runs one of its commands."""
    assert shutil.which("tmux"), "install tmux: operators run the dashboard inside it"
    room.mkdir(mode=0o700, exist_ok=True)
    environment = {**os.environ, "TMUX_TMPDIR": str(room), "TERM": "xterm-256color"}
    environment.pop("TMUX", None)

    def run(*words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", "hw", "-f", os.devnull, *words],
            capture_output=True, text=True, env=environment, timeout=30, check=False,
        )  # fmt: skip
        return done.stdout

    yield run
    run("kill-server")


def test_a_killed_tmux_leaves_no_dashboard_that_spins(waiting: Any, demo_dir: Path) -> None:
    before = control(waiting)
    with tmux(demo_dir / "tmux") as run:
        run("new-session", "-d", "-x", "80", "-y", "24", *HATCHWAY, "tui", "--dir", str(waiting.d))
        waiting.until(
            lambda _: "DATA LIVE" in run("capture-pane", "-p"), 60, "the dashboard in tmux"
        )
        pid = int(run("list-panes", "-F", "#{pane_pid}"))
        assert alive(pid)
        run("kill-server")
        try:
            waiting.until(lambda _: not alive(pid), 15, f"the dashboard {pid} ends with its tmux")
        except AssertionError:
            os.kill(pid, signal.SIGKILL)
            raise
    assert control(waiting) == before


def test_status_speaks_in_sentences_or_json_without_escapes(waiting: Any) -> None:
    plain = waiting.cli("status", "--plain")
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.replace("\n", "").isprintable()
    lines = plain.stdout.splitlines()
    assert all(line.endswith(".") for line in lines), lines
    for words in ("shop: ", "Needs you: approval APPROVE shop 1.5.0", "Next: "):
        assert words in plain.stdout, plain.stdout
    said = json.loads(waiting.cli("status", "--json").stdout)
    assert said["ok"]
    assert said["docs"]["needs-you"]["items"][0]["title"] == "APPROVE shop 1.5.0 for prod"


def test_watch_prints_changes_as_sentences(waiting: Any) -> None:
    out = waiting.d / "watched"
    with open(out, "wb") as file:
        watch = subprocess.Popen(
            [*HATCHWAY, "watch", "--plain", "--dir", str(waiting.d)], stdout=file, stderr=file
        )
    try:
        whole = ("Needs you: ", "payments dependency: ", "orders: ")
        waiting.until(lambda _: all(w in out.read_text() for w in whole), 30, "how things are")
        known = len(out.read_text().splitlines())
        assert waiting.cli("pause", "--reason", "watching").returncode == 0
        waiting.until(lambda _: "PAUSED by" in out.read_text(), 30, "the pause")
        news = out.read_text().splitlines()[known:]
        assert len(news) < known, f"only what changed: {news}"
        assert not any("Needs you" in line for line in news), news
        assert waiting.cli("resume", "--reason", "watched").returncode == 0
        waiting.until(lambda _: out.read_text().count("the agent is in control") >= 1, 30, "again")
    finally:
        watch.send_signal(signal.SIGINT)
    assert watch.wait(20) == 0
    text = out.read_text()
    assert "\x1b" not in text
    assert all(re.match(r"\d\d:\d\d:\d\dZ \S.*\.$", line) for line in text.splitlines()), text
