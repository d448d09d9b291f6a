"""Buckets partition the durations, and a quantile is as near as it says."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from millrace.store.histogram import ERROR, LONGEST_MS, PARTS, bounds, bucket, middle, quantile

DURATIONS = st.integers(0, LONGEST_MS)


@given(DURATIONS)
def test_a_duration_lies_within_the_bounds_of_its_bucket(duration: int) -> None:
    low, high = bounds(bucket(duration))
    assert low <= duration <= high


@given(st.integers(0, bucket(LONGEST_MS)))
def test_buckets_follow_each_other_without_gap_or_overlap(number: int) -> None:
    low, high = bounds(number)
    assert number == bucket(low) == bucket(high)
    assert number + 1 == bucket(high + 1) or high >= LONGEST_MS


@given(st.integers(2 * PARTS, bucket(LONGEST_MS)))
def test_a_bucket_is_no_wider_than_an_eighth_of_its_lower_bound(number: int) -> None:
    low, high = bounds(number)
    assert Fraction(high - low + 1, low) <= Fraction(1, PARTS)


def test_durations_below_16_ms_are_exact() -> None:
    assert list(range(16)) == [middle(bucket(duration)) for duration in range(16)]


def test_a_negative_duration_counts_as_zero_and_one_beyond_the_longest_as_that() -> None:
    assert bucket(0) == bucket(-5)
    assert bucket(LONGEST_MS) == bucket(LONGEST_MS * 1000)
    assert bucket(2**40 - 1) < bucket(2**40) == bucket(2**41)


@given(st.lists(DURATIONS, min_size=1, max_size=60), st.integers(0, 100))
def test_a_quantile_is_within_the_stated_error_of_the_true_one(durations: list[int], hundredths: int) -> None:
    rank = max(-(-len(durations) * hundredths // 100), 1)
    true = sorted(durations)[rank - 1]
    found = quantile(Counter(map(bucket, durations)), hundredths)
    assert found is not None
    assert abs(found - true) <= true * ERROR


def test_the_lowest_of_all_is_the_first_and_the_highest_the_last() -> None:
    counts = {bucket(3): 1, bucket(7): 1, bucket(11): 1}
    assert [3, 3, 7, 7, 11, 11] == [quantile(counts, hundredths) for hundredths in (0, 33, 34, 66, 67, 100)]


def test_there_is_no_quantile_of_nothing() -> None:
    assert quantile({}, 50) is None


def test_the_published_error_is_a_sixteenth() -> None:
    assert 0.0625 == ERROR
