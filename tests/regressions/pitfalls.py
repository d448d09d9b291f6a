"""Mistakes that other platforms have made, and the tests that keep us from making them.

The numbers are those of our own list; a test is named by its file and function.
"""

from __future__ import annotations

from typing import Final

HERE: Final = "tests/regressions/test_pitfalls.py"
PITFALLS: Final[dict[int, tuple[str, tuple[str, ...]]]] = {
    4: (
        "What is checked may have changed before it is acted upon.",
        (
            "tests/conformance/documents/test_slots.py::test_many_at_once_never_hold_more_than_the_limit_and_all_get_their_turn",
            "tests/conformance/documents/test_breakers.py::test_half_open_lets_exactly_as_many_through_as_permitted",
            "tests/conformance/documents/test_breakers.py::test_a_budget_that_many_processes_take_from_is_spent_once",
            "tests/unit/services/test_executions.py::test_fifty_concurrent_starts_with_one_key_are_one_execution",
        ),
    ),
    5: (
        "An error that repetition cannot change is repeated for ever.",
        (
            "tests/unit/driver/test_boundaries.py::test_a_value_over_16_mib_is_a_permanent_failure_of_exactly_one_attempt",
            "tests/unit/engine/test_retry.py::test_a_failure_that_is_not_named_is_permanent_after_one_attempt",
        ),
    ),
    6: (
        "Nobody can catch what fails just at a limit.",
        (
            "tests/unit/driver/test_boundaries.py::test_a_commit_around_256_kib_becomes_as_many_segments_as_it_needs",
            "tests/unit/driver/test_boundaries.py::test_what_cannot_be_stored_says_how_large_it_was",
            "tests/unit/engine/test_values.py::test_a_value_over_the_largest_size_fails_its_task_without_an_attempt",
        ),
    ),
    7: (
        "An empty list counts as everything being done.",
        (
            f"{HERE}::test_what_waits_for_an_empty_loop_and_for_another_task_waits_for_both",
            "tests/unit/engine/test_loops.py::test_an_empty_array_is_an_empty_output_and_goes_through_the_mapping",
        ),
    ),
    8: (
        "A loop holds the place that its own body waits for.",
        (
            "tests/unit/engine/test_slots.py::test_a_loop_that_holds_a_place_shares_it_with_its_body",
            "tests/unit/engine/test_slots.py::test_an_execution_shares_the_place_of_the_one_that_started_it",
            "tests/simulation/test_places.py::test_worlds_that_share_places_keep_the_invariants",
        ),
    ),
    9: (
        "A restart forgets the items of a loop that had not begun.",
        (
            "tests/e2e/test_loop_kills.py::test_a_killed_loop_runs_exactly_what_was_not_over_again",
            "tests/unit/engine/test_resumed.py::test_wherever_a_run_is_cut_off_the_rest_comes_to_the_same",
            "tests/simulation/test_nested.py::test_nested_worlds_keep_the_invariants",
        ),
    ),
    10: (
        "A run uses answers that people gave to another one.",
        (
            f"{HERE}::test_a_decision_and_an_event_reach_only_the_execution_that_they_are_for",
            f"{HERE}::test_an_execution_that_is_run_again_asks_people_again",
            "tests/unit/testing/test_recording.py::test_signals_decisions_and_waits_come_again_at_their_times",
        ),
    ),
    11: (
        "An event is lost that comes while its wait is being set up.",
        (
            "tests/unit/engine/test_waits.py::test_an_event_that_came_before_its_wait_began_is_not_lost",
            "tests/simulation/test_park_protocol.py::test_a_parked_execution_always_learns_of_every_acknowledged_message",
        ),
    ),
    17: (
        "A run of a definition that has been replaced is taken for one of the new.",
        (
            f"{HERE}::test_a_run_says_which_definition_it_is_of_and_never_sees_a_later_one",
            "tests/unit/services/test_resolve_version.py::test_a_later_publish_changes_the_next_start_only",
            "tests/unit/local/test_watch.py::test_a_broken_file_keeps_the_last_good_version_and_says_why",
        ),
    ),
    22: (
        "After an upgrade, runs that cannot go on are shown as running for ever.",
        (
            f"{HERE}::test_a_run_that_cannot_go_on_after_an_upgrade_is_shown_as_stalled_and_goes_on_when_it_can",
            "tests/unit/store/test_executions.py::test_a_stalled_execution_has_a_sign_on_its_actor_and_in_lists_and_is_looked_at_again",
        ),
    ),
    23: (
        "The handler of failures is triggered by its own.",
        (f"{HERE}::test_a_handler_that_fails_is_not_handled_again",),
    ),
    24: (
        "One iteration at a time feels broken; all at once breaks.",
        (f"{HERE}::test_a_loop_that_says_nothing_runs_ten_iterations_at_once_or_all_if_there_are_fewer",),
    ),
}
