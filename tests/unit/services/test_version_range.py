from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.services.version_range import choose, next_patch, order

LABELS = {"0.1.0": 1, "0.1.5": 2, "0.2.0": 3, "1.0.0": 4, "1.2.0": 5, "1.2.9": 6, "1.10.0": 7, "2.0.0-rc.1": 8}
SEMVER = st.builds(lambda a, b, c: f"{a}.{b}.{c}", *[st.integers(0, 30)] * 3)


@pytest.mark.parametrize(
    ("wanted", "revision"),
    [
        ("1.2.0", 5),
        ("1.2.1", None),
        ("^1", 7),
        ("^1.2", 7),
        ("~1.2", 6),
        ("~1.2.5", 6),
        ("~1", 7),
        ("1", 7),
        ("1.2", 6),
        ("^0.1", 2),
        ("^0.1.1", 2),
        ("^0", 3),
        ("0", 3),
        ("^0.0.1", None),
        ("^2", None),
        ("2.0.0-rc.1", 8),
        ("^1.2.0-rc.1", None),
        (">=1 <2", 7),
        (">=1  <1.3", 6),
        (">1.2.0 <1.10", 6),
        (">1.2", 7),
        (">1.10", None),
        ("<=1.2", 6),
        ("<=1", 7),
        ("<1", 3),
        ("<0.1", None),
        ("=1.2", 6),
        ("=1.2.0", 5),
        ("=1.2.1", None),
        ("^0 <0.2", 2),
        ("~1.2 >=1.2.5", 6),
        (">=2 <1", None),
        (">=0 <1 nonsense", None),
        (">=0 1.2.0", None),
        (">= 1", None),
        (">=0 >=0 >=0 >=0 >=0", 7),
        (">=0 >=0 >=0 >=0 >=0 >=0", None),
        ("9" * 5_000, None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_a_range_names_the_newest_release_in_it(wanted: str, revision: int | None) -> None:
    assert revision == choose(wanted, LABELS)


def test_labels_order_as_semantic_versions_do() -> None:
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.1"]
    assert ordered == sorted(sorted(ordered), key=order)


def test_what_is_no_version_has_no_order() -> None:
    with pytest.raises(ValueError, match="semantic"):
        order("1.0")


@pytest.mark.parametrize(
    ("label", "taken", "following"),
    [
        ("1.2.3", [], "1.2.4"),
        ("1.2.3", ["1.2.4", "1.2.5"], "1.2.6"),
        ("2.0.0-rc.1", [], "2.0.0"),
        ("1.0.0+dev.a", [], "1.0.1"),
    ],
)
def test_the_next_patch_is_the_first_free_one(label: str, taken: list[str], following: str) -> None:
    assert following == next_patch(label, taken)


@given(SEMVER, st.sets(SEMVER))
def test_the_next_patch_is_free_and_newer(label: str, taken: set[str]) -> None:
    found = next_patch(label, taken)
    assert found not in taken
    assert order(label) < order(found)


@given(st.dictionaries(SEMVER, st.integers(1, 99), min_size=1))
def test_an_exact_label_is_always_found(labels: dict[str, int]) -> None:
    for label, revision in labels.items():
        assert revision == choose(label, labels)


NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))


@given(NUMBERS, st.dictionaries(SEMVER, st.integers(1, 99), min_size=1))
def test_past_and_up_to_share_no_version_and_leave_none_out(bound: str, labels: dict[str, int]) -> None:
    numbered = {label: place for place, label in enumerate(labels)}
    names = {place: label for label, place in numbered.items()}

    def chosen(wanted: str) -> str | None:
        place = choose(wanted, numbered)
        return None if place is None else names[place]

    assert chosen(f">{bound}") or chosen(f"<={bound}")
    assert None is choose(f">{bound} <={bound}", numbered)
    assert None is choose(f">={bound} <{bound}", numbered)
    newest = max(numbered, key=order)
    assert newest in (chosen(f">={bound}"), chosen(f"<{bound}"))
