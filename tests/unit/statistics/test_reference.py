"""The reference pages say what the code does: their figures, their example and the promise."""

from __future__ import annotations

import json
import re
from pathlib import Path

from millrace.adapters.feed_loop import INTERVAL_S
from millrace.api.models import WorkflowStatistics
from millrace.base.limits import INLINE_VALUE_BYTES, UNKNOWN_ATTEMPTS
from millrace.services.workflow_statistics import CELLS, DEFAULT_MS, LONGEST_MS
from millrace.store import histogram

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"
STATISTICS = " ".join((REFERENCE / "statistics.md").read_text().split())
DURABILITY = " ".join((REFERENCE / "durability.md").read_text().split())


def test_the_example_answer_fits_the_model_and_shows_every_field() -> None:
    block = re.search(r"```json (.*?) ```", STATISTICS)
    assert block is not None
    example = json.loads(block[1])
    shown = WorkflowStatistics.model_validate(example).model_dump(by_alias=True)
    assert shown == example


def test_the_figures_of_the_statistics_page_are_those_of_the_code() -> None:
    assert f"at most {100 * histogram.ERROR:.2f} % (`quantileError`)" in STATISTICS
    assert f"{LONGEST_MS // 86_400_000} days and {CELLS:,} counts" in STATISTICS
    assert f"{histogram.LONGEST_MS / 365.25 / 86_400_000:.0f} years is the longest" in STATISTICS
    assert (3_600_000, 1.0) == (DEFAULT_MS, INTERVAL_S)
    assert "an hour before `until`" in STATISTICS
    assert "locally by a second" in STATISTICS


def test_the_formula_of_the_statistics_page_is_the_code() -> None:
    assert "max(bits(*v*) − 4, 0), the bucket's number is 8*s* + ⌊*v* / 2^*s*⌋" in STATISTICS
    for duration in [*range(200), 12_345, 10**9]:
        shift = max(duration.bit_length() - 4, 0)
        assert 8 * shift + duration // 2**shift == histogram.bucket(duration)


def test_the_durability_page_gives_the_promise_and_the_limits() -> None:
    assert (
        "*A task is never started again once its result is committed; before that it may run more than once, and "
        "every attempt carries the same idempotency key.*"
    ) in DURABILITY
    assert f"above {INLINE_VALUE_BYTES // 1024} KiB" in DURABILITY
    assert 3 == UNKNOWN_ATTEMPTS
    assert "found unknown three times fails with `driver_crash`" in DURABILITY
