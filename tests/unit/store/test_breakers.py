"""What one write of counts takes out of a breaker's item."""

from __future__ import annotations

import pytest

from millrace.engine.breaker import Counts
from millrace.store.breakers import REMOVED, Stored, counts_write


@pytest.mark.parametrize("old", [19, 20, 21])
def test_one_write_takes_out_at_most_twenty_seconds(old: int) -> None:
    known = [(1, second) for second in range(old)]
    write = counts_write("default", "host", {(1, 1_000): (1, 0)}, known=known, now_s=1_000, keep_s=10)
    expected = [f"{kind}1_{second}" for second in range(min(old, REMOVED)) for kind in "sf"]
    assert (20, expected) == (REMOVED, list(write.remove))


def test_what_is_taken_out_is_of_an_earlier_generation_or_older_than_anybody_looks() -> None:
    known = [(1, 999), (2, 989), (2, 990), (2, 999), (2, 1_000)]
    write = counts_write("default", "host", {(2, 1_000): (1, 0)}, known=known, now_s=1_000, keep_s=10)
    assert ["s1_999", "f1_999", "s2_989", "f2_989"] == list(write.remove)


@pytest.mark.parametrize(("since_ms", "failures"), [(4_999, 3), (5_000, 2), (5_999, 2), (6_000, 0)])
def test_what_was_counted_in_seconds_that_begin_after_a_moment_is_of_the_time_since(
    since_ms: int, failures: int
) -> None:
    stored = Stored(counts={(1, 5): (0, 1), (1, 6): (0, 2), (2, 6): (0, 4)})
    assert Counts(0, failures) == stored.within(1, since_ms)
