"""Your own commands as a target: what hangs, fails, lies or chatters is trouble in words."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hatchway.governor.command import CommandTarget, filled
from hatchway.governor.driver import Driver, Order, Report
from hatchway.governor.settings_target import BadSettings, CommandSettings, read_target
from hatchway.governor.target import Inventory, Overtaken, TargetError, Traffic, Weights, Wish

OPEN = contextlib.nullcontext()
ALL = Weights(100, 0)
Make = Callable[..., CommandTarget]


@pytest.fixture
def target(tmp_path: Path) -> Make:
    """A target of shell texts; the share is in the file `share`."""
    (tmp_path / "share").write_text("0\n")

    def make(timeout_s: float = 2.0, **texts: str) -> CommandTarget:
        texts = {"get": "cat share", "set": "echo $1 > share", **texts}
        words = {
            name: ("sh", "-c", text, name, *(("{percent}",) if name == "set" else ()))
            for name, text in texts.items()
        }
        more = {} if "inflight" in texts else {"drained_after_s": 0.2}
        return CommandTarget(
            CommandSettings(**words, **more, timeout_s=timeout_s, directory=str(tmp_path))
        )

    return make


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_share_is_set_and_read_back(target: Make, tmp_path: Path) -> None:
    made = target(inflight="echo 3 17", inventory="echo b; echo 'a: 1'", rollback="echo 0 > share")
    made.bring(made.weights(), Wish(25, 4, "run-1.canary.0"), OPEN)
    assert made.weights() == Weights(25, 75)
    assert made.traffic() == Traffic(3, 17)
    assert made.inventory() == Inventory(("a: 1", "b"))
    made.bring(made.weights(), Wish(0), OPEN)
    assert made.weights() == Weights(0, 100)


def test_a_template_is_words_and_never_a_shell(target: Make, tmp_path: Path) -> None:
    settings = CommandSettings(
        set=("sh", "-c", 'printf "%s|" "$@" > said; echo 5 > share', "x",
             "{percent}/{stable_percent}", "{key}", "e{epoch}", "{}", "{other}"),
        get=("cat", "share"),
        drained_after_s=1,
        directory=str(tmp_path),
    )  # fmt: skip
    CommandTarget(settings).bring(ALL, Wish(5, 7, "$(touch owned); {percent}"), OPEN)
    assert (tmp_path / "said").read_text() == "5/95|$(touch owned); {percent}|e7|{}|{other}|"
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("word", "said"),
    [("{a}{b}", "1{b}"), ("{{a}}", "{1}"), ("{a", "{a"), ("a}", "a}"), ("", ""), ("{a}{a}", "11")],
)
def test_placeholders_are_filled_once(word: str, said: str) -> None:
    assert filled(word, {"a": "1"}) == said


BAD_GETS = {
    "a percent sign": ("echo 5%", "not a whole percent"),
    "too much": ("echo 101", "not a whole percent"),
    "negative": ("echo -1", "not a whole percent"),
    "a fraction": ("echo 5.5", "not a whole percent"),
    "other digits": ("printf '\\331\\243'", "not a whole percent"),
    "two lines": ("echo 5; echo 6", "not a whole percent"),
    "nothing": ("true", "'nothing'|nothing, and not"),
    "binary": ("head -c 2000 /dev/urandom; echo", "not a whole percent"),
    "escapes": ("printf '\\033]52;c;aGk=\\007'", "not a whole percent"),
    "10 MB": ("head -c 10000000 /dev/zero", "prints without end"),
    "10 MB of errors": ("head -c 10000000 /dev/zero >&2; echo 5", "prints without end"),
    "without end": ("yes", "prints without end"),
    "a failure": ("echo 5; echo no route to host >&2; exit 3", "status 3 and said 'no route"),
    "killed": ("echo 5; kill -9 $$", "was killed .SIGKILL."),
    "hangs": ("echo 5; sleep 60", "has not ended within 0.5 s"),
    "hangs, silent": ("exec >&- 2>&-; sleep 60", "has not ended within 0.5 s"),
    "not there": ("", "cannot be started: './none': No such file"),
}


@pytest.mark.parametrize("how", BAD_GETS)
def test_whatever_get_does_wrong_is_trouble_in_words(target: Make, how: str) -> None:
    text, words = BAD_GETS[how]
    made = target(timeout_s=0.5, get=text)
    if not text:
        made._settings = CommandSettings(set=("./none",), get=("./none",))
    with pytest.raises(TargetError, match=words) as caught:
        made.weights()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("printed", ["5", "1 2 3", "-1 2", "a b", "", "1.5 2", "9" * 20 + " 1"])
def test_what_inflight_prints_wrong_is_not_an_empty_canary(target: Make, printed: str) -> None:
    with pytest.raises(TargetError, match="not two whole numbers"):
        target(inflight=f"echo '{printed}'").traffic()


def test_a_long_inventory_is_refused(target: Make) -> None:
    with pytest.raises(TargetError, match="more than 200 lines"):
        target(inventory="seq 300").inventory()
    with pytest.raises(TargetError, match="characters a line"):
        target(inventory="head -c 300 /dev/zero | tr '\\0' a").inventory()


def test_a_set_that_ends_well_and_changes_nothing_is_no_success(target: Make) -> None:
    with pytest.raises(TargetError, match="said 'done', and the canary has 0 % instead of 5 %"):
        target(set="echo done").bring(ALL, Wish(5), OPEN)


def test_a_time_out_takes_the_whole_process_group(
    target: Make, tmp_path: Path, wait_for: Any
) -> None:
    made = target(timeout_s=0.5, set="sleep 60 & echo $! > child; sleep 60")
    with pytest.raises(TargetError, match=r"set has not ended within 0\.5 s, so it was killed"):
        made.bring(ALL, Wish(5), OPEN)
    child = int((tmp_path / "child").read_text())
    wait_for(lambda: not alive(child))  # killed: the system still has to take it away


def test_what_a_command_leaves_behind_is_not_waited_for_and_does_not_go_on(
    target: Make, tmp_path: Path, wait_for: Any
) -> None:
    made = target(
        timeout_s=30, set="(sleep 60; echo 99 > share) & echo $! > child; echo $1 > share"
    )
    began = time.monotonic()
    made.bring(ALL, Wish(5), OPEN)
    assert time.monotonic() - began < 20
    child = int((tmp_path / "child").read_text())
    wait_for(lambda: not alive(child))  # killed: the system still has to take it away


def test_without_inflight_the_canary_is_empty_when_it_was_declared_to_be(
    target: Make, wait_for: Any
) -> None:
    made = target()
    assert made.traffic().inflight == -1, "the share was not read yet"
    made.weights()
    assert made.traffic().inflight == -1
    wait_for(lambda: made.traffic().inflight == 0)


class Run:
    """A driver whose reports are kept."""

    def __init__(self, target: CommandTarget) -> None:
        target.observe_every_s = 0.05
        self.target = target
        self.reports: list[Report] = []
        self.driver = Driver("shop", target, self.reports.append)
        self.driver.start()

    def of(self, serial: int) -> list[Report]:
        return [r for r in self.reports if r.serial == serial]


@pytest.fixture
def drive() -> Iterator[Callable[[CommandTarget], Run]]:
    """Starts drivers; afterwards they are idle, as a driver's thread ends with its process."""
    runs: list[Run] = []

    def start(target: CommandTarget) -> Run:
        runs.append(Run(target))
        return runs[-1]

    yield start
    for run in runs:
        run.target.observe_every_s = 3600
        known = len(run.reports)
        run.driver.give(Order(99, 0, "look"))
        until = time.monotonic() + 30
        while len(run.reports) == known and time.monotonic() < until:
            time.sleep(0.01)


def test_a_new_order_ends_the_old_command_and_nothing_of_it_is_begun_after(
    target: Make, tmp_path: Path, wait_for: Any, drive: Any
) -> None:
    made = target(
        timeout_s=60,
        set="echo $$ $1 >> begun; test $1 = 50 && sleep 60; echo $1 > share",
    )
    run = drive(made)
    run.driver.give(Order(1, 50, "exactly"))
    wait_for((tmp_path / "begun").exists)
    pid = int(wait_for((tmp_path / "begun").read_text).split()[0])
    began = time.monotonic()
    run.driver.give(Order(2, 0, "down"))
    assert time.monotonic() - began < 1.0, "who decides does not wait"
    wait_for(lambda: any(r.weights == Weights(0, 100) for r in run.of(2)))
    wait_for(lambda: not alive(pid))
    assert run.of(1) == [], "nothing is concluded from what was cut short"
    assert "killed" not in "".join(r.trouble for r in run.reports)
    time.sleep(0.2)
    assert len((tmp_path / "begun").read_text().splitlines()) == 1


def test_an_order_that_is_over_begins_nothing(target: Make, tmp_path: Path) -> None:
    made = target(set="echo $1 >> begun")

    class Over:
        def __enter__(self) -> None:
            raise Overtaken

        def __exit__(self, *_: object) -> None: ...

    with pytest.raises(Overtaken):
        made.bring(ALL, Wish(5), Over())  # type: ignore[arg-type]
    assert not (tmp_path / "begun").exists()


def test_going_back_is_begun_also_where_the_share_cannot_be_read(
    target: Make, tmp_path: Path, wait_for: Any, drive: Any
) -> None:
    (tmp_path / "share").write_text("25\n")
    made = target(get="test -e sick && exit 1; cat share", rollback="echo 0 > share")
    (tmp_path / "sick").touch()
    run = drive(made)
    run.driver.give(Order(1, 0, "down"))
    wait_for(lambda: (tmp_path / "share").read_text() == "0\n")
    wait_for(lambda: run.of(1))
    assert all(r.weights is None and r.trouble for r in run.of(1)), "and is no success until seen"
    (tmp_path / "sick").unlink()
    wait_for(lambda: run.of(1)[-1].weights == Weights(0, 100))


def test_a_raise_is_not_begun_where_the_share_cannot_be_read(
    target: Make, tmp_path: Path, wait_for: Any, drive: Any
) -> None:
    run = drive(target(get="exit 1", set="echo $1 >> begun"))
    run.driver.give(Order(1, 25, "exactly"))
    wait_for(lambda: len(run.of(1)) > 2)
    assert not (tmp_path / "begun").exists()


def test_interrupting_what_does_not_run_does_no_harm(target: Make) -> None:
    made = target()
    stop = threading.Event()

    def interrupt() -> None:
        while not stop.is_set():
            made.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        for _ in range(20):
            with contextlib.suppress(Overtaken):
                made.weights()
    finally:
        stop.set()
        thread.join()
    assert made.weights() == Weights(0, 100)


def test_no_process_and_no_descriptor_stays_behind(target: Make) -> None:
    made = target(timeout_s=0.2)
    made.weights()
    before = len(os.listdir("/proc/self/fd"))
    for text in ("cat share", "exit 1", "yes", "sleep 9"):
        made._settings = CommandSettings(set=("x",), get=("sh", "-c", text), timeout_s=0.2)
        with contextlib.suppress(TargetError):
            made.weights()
    assert len(os.listdir("/proc/self/fd")) == before
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    assert not [pid for pid in children if not alive(int(pid))], "every one was waited for"


# --- governor.json --------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "kind": "command",
    "set": ["split", "{percent}"],
    "get": ["split"],
    "inflight": ["busy"],
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"set": None}, 'set is missing: write "set": ['),
        ({"get": None}, "get is missing"),
        ({"set": "split {percent}"}, "set is a list of words"),
        ({"set": []}, "set is a list of words"),
        ({"set": ["split", 5]}, "5 is not a word"),
        ({"set": ["split"]}, "does not say which share"),
        ({"set": ["split", "{precent}"]}, "there is no {precent}"),
        ({"get": ["split", "{percent}"]}, "only reads"),
        ({"inflight": None}, "nothing tells when the canary is empty"),
        ({"timeout_s": 0}, "above 0"),
        ({"timeout_s": True}, "above 0"),
        ({"timeouts_s": {"stop": 3}}, "unknown key 'stop'"),
        ({"timeouts_s": {"set": "3"}}, "timeouts_s.set must be a number"),
        ({"rolback": ["x"]}, "Did you mean 'rollback'"),
        ({"socket": "x"}, "unknown key 'socket'"),
        ({"kind": "comand"}, 'must be "haproxy" or "command"'),
    ],
)
def test_a_mistake_in_the_file_is_said_with_what_to_write(change: Any, says: str) -> None:
    doc = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
    if change.get("kind"):
        doc = {"kind": change["kind"]}
    with pytest.raises(BadSettings, match=r"^t") as caught:
        read_target(doc, "t", "/d")
    assert says in str(caught.value)


def test_what_is_written_is_read() -> None:
    doc = {**GOOD, "timeouts_s": {"set": 30}, "every_s": 1, "set": ["a", '{"x": {percent}}']}
    found = read_target(doc, "t", "/d")
    assert isinstance(found, CommandSettings)
    assert (found.timeouts_s, found.every_s, found.directory) == ({"set": 30.0}, 1.0, "/d")
    assert filled(found.set[1], {"percent": "5"}) == '{"x": 5}'
