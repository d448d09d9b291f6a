"""What one write of counts takes out of a breaker's item."""

from __future__ import annotations

import pytest

from millrace.store.breakers import REMOVED, counts_write


@pytest.mark.parametrize("old", [19, 20, 21])
def test_one_write_takes_out_at_most_twenty_seconds(old: int) -> None:
    known = [(1, second) for second in range(old)]
    write = counts_write("default", "host", {(1, 1_000): (1, 0)}, known=known, now_s=1_000, keep_s=10)
    expected = [f"{kind}1_{second}" for second in range(min(old, REMOVED)) for kind in "sf"]
    assert (20, expected) == (REMOVED, list(write.remove))
