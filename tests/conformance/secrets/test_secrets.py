"""One suite over every adapter of Secrets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.adapters.files import FileSecrets
from millrace.adapters.memory import ManualClock, MemorySecrets
from millrace.base.errors import InvalidRequest, NotFound
from millrace.ports.documents import TenantScope
from millrace.ports.secrets import Secret, Secrets

_numbers = itertools.count()
CANARY = "canary-žluť-\U0001f40e-'\"\\-\0"


@pytest.fixture(params=["memory", "file", "manager"])
def secrets(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Secrets]:
    if request.param == "memory":
        yield MemorySecrets()
    elif request.param == "file":
        yield FileSecrets(tmp_path)
    else:
        import boto3

        from millrace.adapters.secrets import ManagedSecrets
        from tests.conformance.documents.cloud import REGION, mocked_aws

        with mocked_aws():
            yield ManagedSecrets(boto3.client("secretsmanager", region_name=REGION), ManualClock(), prefix="millrace")


@pytest.fixture
def scope() -> TenantScope:
    return TenantScope(f"tenant-{next(_numbers)}")


def test_a_secret_comes_back_with_its_hosts(secrets: Secrets, scope: TenantScope) -> None:
    wanted = Secret(CANARY, ("api.example.com", "*.example.org"))
    secrets.put(scope, "crm-token", wanted)
    assert wanted == secrets.get(scope, "crm-token")


def test_a_second_put_replaces_value_and_hosts_at_once(secrets: Secrets, scope: TenantScope) -> None:
    secrets.put(scope, "t", Secret("old", ("a.example",)))
    assert "old" == secrets.get(scope, "t").value
    secrets.put(scope, "t", Secret("new"))
    assert Secret("new", ()) == secrets.get(scope, "t")


def test_what_is_not_there_is_not_found(secrets: Secrets, scope: TenantScope) -> None:
    with pytest.raises(NotFound):
        secrets.get(scope, "none")
    secrets.delete(scope, "none")


def test_a_deleted_secret_is_gone_and_may_be_put_again(secrets: Secrets, scope: TenantScope) -> None:
    secrets.put(scope, "t", Secret("x"))
    assert "x" == secrets.get(scope, "t").value
    secrets.delete(scope, "t")
    with pytest.raises(NotFound):
        secrets.get(scope, "t")
    assert [] == secrets.names(scope)
    secrets.put(scope, "t", Secret("y"))
    assert "y" == secrets.get(scope, "t").value


@pytest.mark.parametrize("suffix", ["0", "/x", "#", "%2f", "A", " x", "\u212a"])
def test_tenants_with_like_names_share_nothing(secrets: Secrets, scope: TenantScope, suffix: str) -> None:
    other = TenantScope(scope.tenant + suffix)
    secrets.put(scope, "t", Secret("mine"))
    with pytest.raises(NotFound):
        secrets.get(other, "t")
    secrets.put(other, "u", Secret("theirs"))
    assert (["t"], ["u"]) == (secrets.names(scope), secrets.names(other))
    secrets.delete(other, "t")
    assert "mine" == secrets.get(scope, "t").value


def test_names_are_sorted_and_show_no_value(secrets: Secrets, scope: TenantScope) -> None:
    for name in ("b", "a.c", "a"):
        secrets.put(scope, name, Secret(CANARY))
    assert ["a", "a.c", "b"] == secrets.names(scope)
    assert "canary" not in repr(secrets.get(scope, "a"))


def test_what_was_put_is_there_until_it_is_deleted(secrets: Secrets, scope: TenantScope) -> None:
    assert not secrets.has(scope, "t")
    secrets.put(scope, "t", Secret("x"))
    found = [secrets.has(one, name) for one in (scope, TenantScope(scope.tenant + "0")) for name in ("t", "t2")]
    assert [True, False, False, False] == found
    secrets.delete(scope, "t")
    assert not secrets.has(scope, "t")


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "a b", "-a", "a-", "é", "a\n", "x" * 129])
def test_a_senseless_name_is_refused(secrets: Secrets, scope: TenantScope, name: str) -> None:
    for call in (
        lambda: secrets.get(scope, name),
        lambda: secrets.put(scope, name, Secret("x")),
        lambda: secrets.delete(scope, name),
        lambda: secrets.has(scope, name),
    ):
        with pytest.raises(InvalidRequest):
            call()
    with pytest.raises(InvalidRequest):
        secrets.get(TenantScope(""), "a")
