"""Secrets of local mode from the command line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from millrace.adapters.files import FileSecrets
from millrace.ports.documents import TenantScope
from millrace.ports.secrets import Secret
from tests.unit.cli.running import millrace

SCOPE = TenantScope("default")


def _put(monkeypatch: pytest.MonkeyPatch, folder: Path, value: str, *flags: str) -> tuple[int, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO(value))
    ran = millrace("secrets", "--data", str(folder), "put", "crm-token", *flags)
    return ran.code, ran.out + ran.err


def test_a_secret_is_stored_with_its_hosts_and_never_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, printed = _put(
        monkeypatch, tmp_path, "s3cr3t-value\n", "--host", "api.example.com", "--host", "*.crm.example"
    )
    assert code == 0
    assert Secret("s3cr3t-value", ("api.example.com", "*.crm.example")) == FileSecrets(tmp_path).get(SCOPE, "crm-token")
    assert "s3cr3t" not in printed
    listed = millrace("secrets", "--json", "--data", str(tmp_path), "list")
    assert {"names": ["crm-token"]} == listed.json


def test_the_folder_may_be_named_behind_the_action(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("v"))
    millrace("secrets", "put", "crm-token", "--host", "api.example.com", "--data", str(tmp_path))
    assert {"names": ["crm-token"]} == millrace("secrets", "list", "--data", str(tmp_path), "--json").json
    assert 0 == millrace("secrets", "--data", str(tmp_path), "delete", "crm-token").code


def test_a_deleted_secret_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _put(monkeypatch, tmp_path, "v", "--host", "api.example.com")
    assert 0 == millrace("secrets", "--data", str(tmp_path), "delete", "crm-token").code
    assert [] == FileSecrets(tmp_path).names(SCOPE)


@pytest.mark.parametrize(("value", "flags"), [("v", ()), ("", ("--host", "api.example.com"))], ids=["host", "value"])
def test_a_secret_without_a_host_or_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, flags: tuple[str, ...]
) -> None:
    code, printed = _put(monkeypatch, tmp_path, value, *flags)
    assert code == 2
    assert "--host" in printed or "printf" in printed
    assert [] == FileSecrets(tmp_path).names(SCOPE)


@pytest.mark.parametrize("host", ["127.0.0.1:8552", "http://x.com/a", "*", "a b", "*.", "x/"])
def test_a_host_that_can_never_match_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str) -> None:
    code, printed = _put(monkeypatch, tmp_path, "v", "--host", host)
    assert (2, True) == (code, "without scheme, port and path" in printed)


def test_a_secret_that_is_not_there_cannot_be_deleted(tmp_path: Path) -> None:
    assert 4 == millrace("secrets", "--data", str(tmp_path), "delete", "nosuch").code
