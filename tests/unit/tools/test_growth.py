"""The bench of growth says what it lacks instead of failing in the middle of all others."""

from __future__ import annotations

from tests.bench import growth


def test_a_commit_that_is_not_in_the_clone_gives_one_row_that_says_how_to_fetch_it() -> None:
    (row,) = growth.rows(since="0" * 40)
    assert row["name"] == "engine growth"
    assert str(row["not measured"]).startswith("Commit 0000000 is not at hand (fatal: ")
    assert str(row["not measured"]).endswith("in a shallow clone, fetch it: git fetch --unshallow.")
