"""E6 and E8 on a running installation: nothing released, waiting, at a canary, after the end."""

from __future__ import annotations

from typing import Any

STOPS = ("pause", "takeover", "rollback")


def every_stop(stack: Any, where: str, share: int) -> None:
    """Each is done and says what it came to; a rollback comes last, as it ends a release."""
    for verb in STOPS:
        tried = stack.stop(verb)
        assert tried.status == 0, f"{where}: {tried.words}"
        assert tried.answer["said"], where
        assert tried.after["observed"]["canary"] == (0 if verb == "rollback" else share), where
        stack.until(stack.healthy, f"{where}: {verb} is known")
        if share == 0 and verb == "rollback":
            said = tried.answer["said"] + str(stack.spool(tried.before["spool_seq"]))
            assert "no traffic" in said or "nothing" in said.lower(), f"{where}: a no-op says so"
        without = stack.demo.cli("resume", "--reason", " ")
        assert without.returncode != 0, "giving back needs a reason"
        assert stack.status()["mode"] != "agent"
        stack.give_back()


def test_e6_stops_work_in_every_state_and_a_no_op_says_that_it_is_one(idle: Any) -> None:
    stack = idle
    every_stop(stack, "nothing was ever released", 0)
    stack.new_run()
    every_stop(stack, "at a canary step", 5)
    stack.until(lambda: not stack.active(), "the release has ended")
    every_stop(stack, "after the end", 0)
