"""Durations in buckets of fixed bounds, so that histograms of any period and process add up by adding counts.

The layout is log-linear, as in Gil Tene's HdrHistogram: every power of two is split into eight equal parts, and below
16 ms every millisecond has a bucket of its own. It needs integers only, so two machines never disagree about a bound.
A bucket is never wider than an eighth of its lower bound; a quantile answers its middle and is therefore off by at
most a sixteenth of the true value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BITS: Final = 3
PARTS: Final = 1 << _BITS
ERROR: Final = 1 / (2 * PARTS)
"""How far a quantile may be from the true one, as a share of it."""
LONGEST_MS: Final = 1 << 40
"""About 35 years; what is longer counts as this long."""


def bucket(duration_ms: int) -> int:
    """The number of the bucket that holds a duration. One below 0, which a clock set back can give, counts as 0."""
    value = min(max(duration_ms, 0), LONGEST_MS)
    shift = max(value.bit_length() - _BITS - 1, 0)
    return shift * PARTS + (value >> shift)


def bounds(number: int) -> tuple[int, int]:
    """The smallest and the largest duration (ms) of a bucket."""
    shift = max(number // PARTS - 1, 0)
    low = (number - shift * PARTS) << shift
    return low, low + (1 << shift) - 1


def middle(number: int) -> int:
    """The duration (ms) that stands for a bucket; exact below 16 ms."""
    low, high = bounds(number)
    return (low + high) // 2


def quantile(counts: Mapping[int, int], hundredths: int) -> int | None:
    """The nearest-rank quantile of bucket counts: the middle (ms) of the bucket that holds the element of rank
    ``ceil(hundredths / 100 * n)``, at least 1. None without elements."""
    total = sum(counts.values())
    if not total:
        return None
    rank = max(-(-total * hundredths // 100), 1)
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= rank:
            break
    return middle(number)
