"""One suite over every adapter of Blobs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.adapters.files import DirectoryBlobs
from millrace.adapters.memory import MemoryBlobs
from millrace.base.errors import BlobMissing, InvalidRequest, TooLarge
from millrace.ports.blobs import Blobs
from millrace.ports.documents import TenantScope

_numbers = itertools.count()


@pytest.fixture(scope="module")
def bucket() -> Iterator[Blobs]:
    from tests.conformance.blobs.cloud import s3_blobs

    with s3_blobs() as blobs:
        yield blobs


@pytest.fixture(params=["memory", "directory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "memory":
        return MemoryBlobs()
    if request.param == "directory":
        return DirectoryBlobs(tmp_path / "blobs", sync=True)
    return request.getfixturevalue("bucket")


@pytest.fixture
def scope() -> TenantScope:
    return TenantScope(f"tenant-{next(_numbers)}")


@pytest.mark.parametrize("size", [0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 3_000_000])
def test_bytes_come_back_whole(blobs: Blobs, scope: TenantScope, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    blobs.put(scope, ("run", "value"), data)
    assert data == blobs.get(scope, ("run", "value"))


def test_a_second_put_replaces(blobs: Blobs, scope: TenantScope) -> None:
    blobs.put(scope, ("run", "value"), b"old and longer")
    blobs.put(scope, ("run", "value"), b"new")
    assert b"new" == blobs.get(scope, ("run", "value"))
    assert [("run", "value")] == list(blobs.keys(scope, ()))


@pytest.mark.parametrize("key", [("none",), ("run", "value", "below"), ("run",)])
def test_a_missing_blob_is_named_as_missing(blobs: Blobs, scope: TenantScope, key: tuple[str, ...]) -> None:
    blobs.put(scope, ("run", "value"), b"x")
    with pytest.raises(BlobMissing) as caught:
        blobs.get(scope, key)
    assert list(key) == caught.value.facts["key"]


def test_a_key_may_be_the_prefix_of_another(blobs: Blobs, scope: TenantScope) -> None:
    blobs.put(scope, ("a",), b"1")
    blobs.put(scope, ("a", "b"), b"2")
    blobs.put(scope, ("ab",), b"3")
    assert [b"1", b"2", b"3"] == [blobs.get(scope, key) for key in (("a",), ("a", "b"), ("ab",))]
    assert [("a",), ("a", "b")] == sorted(blobs.keys(scope, ("a",)))
    assert 2 == blobs.delete_prefix(scope, ("a",))
    assert [("ab",)] == list(blobs.keys(scope, ()))


def test_a_prefix_is_whole_parts_of_one_tenant(blobs: Blobs, scope: TenantScope) -> None:
    other = TenantScope(f"{scope.tenant}0")
    for tenant in (scope, other):
        for number in range(3):
            blobs.put(tenant, ("run-1", str(number)), b"x")
        blobs.put(tenant, ("run-11", "0"), b"x")
    assert 3 == blobs.delete_prefix(scope, ("run-1",))
    assert 0 == blobs.delete_prefix(scope, ("run-1",))
    assert [("run-11", "0")] == list(blobs.keys(scope, ()))
    assert 4 == len(list(blobs.keys(other, ())))
    assert 1 == blobs.delete_prefix(scope, ())
    assert 4 == len(list(blobs.keys(other, ())))


HOSTILE = [
    "..",
    ".",
    "../x",
    "/",
    "a/b",
    "%2e%2e",
    "a\\b",
    "~",
    "a~",
    "A",
    "a",
    "ž",
    "\n",
    ".tmp-1",
    "#",
    "a b",
    "\U0001f40e",
]


def test_names_that_mean_something_elsewhere_are_only_names(blobs: Blobs, scope: TenantScope, tmp_path: Path) -> None:
    for number, name in enumerate(HOSTILE):
        blobs.put(scope, ("run", name), str(number).encode())
        blobs.put(scope, (name, "run"), b"-")
    assert [str(number).encode() for number in range(len(HOSTILE))] == [
        blobs.get(scope, ("run", name)) for name in HOSTILE
    ]
    assert sorted([("run", name) for name in HOSTILE]) == sorted(blobs.keys(scope, ("run",)))
    assert 2 * len(HOSTILE) == blobs.delete_prefix(scope, ())
    assert {"blobs"} >= {path.name for path in tmp_path.iterdir()}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tenants=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6),
        unique=True,
        min_size=2,
        max_size=3,
    )
)
def test_tenants_never_share_a_key(blobs: Blobs, tenants: list[str]) -> None:
    base = f"h{next(_numbers)}-"
    scopes = [TenantScope(base + tenant) for tenant in tenants]
    for number, tenant in enumerate(scopes):
        blobs.put(tenant, ("k",), str(number).encode())
    assert [str(number).encode() for number in range(len(scopes))] == [blobs.get(one, ("k",)) for one in scopes]
    assert 1 == blobs.delete_prefix(scopes[0], ())
    assert [1] * (len(scopes) - 1) == [len(list(blobs.keys(one, ()))) for one in scopes[1:]]


@pytest.mark.parametrize("key", [(), ("",), ("a", ""), ("a\0",), ("\ud800",)])
def test_a_senseless_key_is_refused(blobs: Blobs, scope: TenantScope, key: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest):
        blobs.put(scope, key, b"x")
    with pytest.raises(InvalidRequest):
        blobs.get(scope, key)
    with pytest.raises(InvalidRequest):
        blobs.put(TenantScope(""), ("a",), b"x")


def test_a_key_part_of_200_encoded_bytes_passes_and_of_201_does_not(blobs: Blobs, scope: TenantScope) -> None:
    blobs.put(scope, ("x" * 200,), b"x")
    assert b"x" == blobs.get(scope, ("x" * 200,))
    with pytest.raises(TooLarge):
        blobs.put(scope, ("x" * 201,), b"x")
    with pytest.raises(TooLarge):
        blobs.put(scope, ("x" * 199,) * 5, b"x")
