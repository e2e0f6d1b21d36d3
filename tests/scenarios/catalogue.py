"""The scenarios by their ids, in a line each, and the tests elsewhere that show them too.

Most have a test in this folder whose name begins with the id. What needs real processes or a real
terminal is shown where those are, and named here; `test_catalogue.py` checks that it exists.
"""

from __future__ import annotations

TITLES: dict[str, str] = {
    "S01": "One server of eight kept the old code: rolling back the seven would spread it",
    "S02": "The same warning at every look is one thing to decide, and nothing is promoted",
    "S03": "The old version never ran with the configuration of today",
    "S04": "A migration that the old version does not read keeps it from coming back",
    "S05": "One automatic rollback in a window, whatever happens",
    "S06": "Nothing runs a migration back, least of all one that drops data",
    "S07": "A cure that makes its own symptom worse is tried once",
    "S08": "A store that is failing is not given a herd of restarted clients as well",
    "S09": "A rollback that left something behind is not called done",
    "S11": "A rollback with nothing in flight says so",
    "S12": "A verdict that is lost, late, or an exception promotes nothing",
    "S13": "A gate that fails, or whose policy is broken, denies",
    "S14": "Missing, zero, NaN, frozen: no data, and nothing is done on it",
    "S15": "No request on the canary: neither on nor back",
    "S16": "Two errors of 122 are not known to be one or the other",
    "S17": "What comes and goes is named, and no single spell of it is acted on",
    "S18": "A feed that stops is said within seconds, and the stops go on working",
    "S19": "A spike that was declared is no alarm, up to its bound and until its end",
    "S20": "What stable has too, or a dependency had before, is not ours",
    "S21": "A pause survives restarts, other agents and a restored backup",
    "S22": "A delayed change of an older epoch is refused at the governor",
    "S23": "What a person rolled back is not released again before somebody lifts it",
    "S24": "A stop that not everybody confirmed is never shown as done",
    "S25": "An agent that hears nothing and loops has no effect",
    "S26": "Whoever is cut off goes on with nothing",
    "S27": "With everything else dead, a shell on the host stops it",
    "S28": "The agent's process holds nothing that opens a target",
    "S29": "Facts win over words, and the contradiction is told",
    "S30": "A line written into a log moves no decision",
    "S31": "A yes is for what was shown, and for nothing else",
    "S32": "Forty small things never hide the one that matters",
    "S33": "Nobody approves what is their own, under any name",
    "S34": "A freeze holds from its first second, and never stops a stop",
    "S35": "Configuration goes the way of code",
    "S36": "Production is said in words, and the way back is known before it is offered",
    "S37": "Broken escape sequences, pastes and held keys press nothing",
    "F1": "Killed between the change of traffic and its record",
    "F2": "Killed between a promotion and the next step",
    "F8": "A clock that jumps promotes nothing",
    "F9": "A yes to the question of before is not an answer to the one of now",
    "F13": "Two people at once have an order, and both are told",
    "F23": "Somebody moves the traffic by hand: found, held, named",
    "F24": "A third version arrives in the middle: old evidence is not its",
    "F26": "Stable itself is unwell: nothing is gone back to",
    "F27": "A target that fails during a rollback is tried again, and it is not called done",
    "F35": "A threshold is crossed while a question waits",
}
"""Every scenario. Gaps in the numbers are in the source of the list."""

ELSEWHERE: dict[str, tuple[str, ...]] = {
    "S22": (
        "tests/governor/test_stops.py::test_nothing_of_an_old_epoch_is_sent_after_a_stop_was_answered",
    ),
    "S24": (
        "tests/system/stops/test_e10_what_is_shown.py"
        "::test_e10_paused_is_shown_only_when_the_governor_has_confirmed_it",
        "tests/governor/test_stop_all.py"
        "::test_every_service_is_paused_every_agent_barred_and_no_target_touched",
    ),
    "S27": (
        "tests/system/test_control.py"
        "::test_with_the_backend_dead_pause_and_rollback_work_and_are_journaled_later",
        "tests/structure/test_imports.py::test_the_stops_run_without_any_package",
    ),
    "S28": (
        "tests/system/test_scenarios.py"
        "::test_s28_the_agents_process_holds_nothing_that_opens_the_target",
    ),
    "S31": (
        "tests/core/test_approvals.py"
        "::test_s31_a_question_about_what_has_changed_is_refused_and_asked_again_with_the_difference",
        "tests/core/test_approvals.py::test_s31_a_yes_is_void_once_what_it_was_for_has_changed",
        "tests/core/test_approvals.py"
        "::test_a_yes_that_is_not_used_in_time_runs_out_and_is_asked_again",
        "tests/conductor/test_approvals.py"
        "::test_s31_a_tag_that_was_moved_is_noticed_before_a_yes_is_taken",
    ),
    "S33": (
        "tests/core/test_approvals.py"
        "::test_s33_who_wrote_any_commit_of_it_says_no_yes_under_any_name",
        "tests/core/test_approvals.py::test_s33_the_last_pusher_and_the_requester_say_no_yes",
    ),
    "S32": (
        "tests/tui/test_scenarios.py::test_s32_low_items_never_ring_and_a_high_one_does",
        "tests/tui/test_scenarios.py"
        "::test_s32_a_high_item_has_another_shape_and_is_the_first_of_forty_one",
        "tests/tui/test_scenarios.py"
        "::test_s32_a_yes_to_high_risk_has_a_way_of_its_own_and_low_keeps_its_one_key",
    ),
    "S36": (
        "tests/tui/test_scenarios.py::test_s36_a_yes_to_high_risk_names_production_in_words",
        "tests/tui/test_app.py::test_r_then_f_rolls_back",
    ),
    "S37": (
        "tests/tui/test_pty.py::test_split_escape_sequences_never_act",
        "tests/tui/test_pty.py::test_no_sequence_before_it_makes_p_deaf",
        "tests/tui/test_pty.py::test_a_paste_and_a_held_key_act_in_no_way",
    ),
    "F13": (
        "tests/conductor/test_approvals.py"
        "::test_f13_a_yes_and_a_no_at_once_have_an_order_and_both_people_are_told",
        "tests/conductor/test_approvals.py"
        "::test_f13_opposite_orders_at_once_are_in_the_governors_order_for_everybody",
    ),
    "F1": (
        "tests/system/test_crash.py::test_kills_at_random_points_repeat_skip_and_forget_nothing",
    ),
    "F2": (
        "tests/system/test_crash.py::test_kills_at_random_points_repeat_skip_and_forget_nothing",
    ),
}
"""Tests of other folders that show a scenario on real processes or a real terminal."""

REHEARSALS: dict[str, str] = {
    "S01": "knight-2012",
    "S03": "stripe-2019",
    "S07": "feedback-2010",
    "S08": "herd-2025",
    "S09": "residue-2020",
    "S14": "zero-2020",
    "S17": "flapping-2025",
    "S19": "expected-spike",
    "S21": "reddit-2016",
}
"""Scenarios that people can run over their own policy."""
