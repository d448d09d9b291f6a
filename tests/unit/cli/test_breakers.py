"""`millrace breakers` against a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.local.server import LocalServer
from millrace.wiring.settings import Settings
from tests.unit.cli.running import Ran, millrace


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    with LocalServer(Settings(data=folder, port=0, demo_port=0, sync="normal")):
        yield folder


def on(data: Path, *arguments: str) -> Ran:
    return millrace("breakers", "--data", str(data), *arguments)


def test_without_breakers_the_list_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_SYNC", "normal")
    assert "No circuit breaker has counted anything yet" in on(tmp_path).out


def test_a_breaker_is_opened_shown_listed_closed_and_reset(data: Path) -> None:
    opened = on(data, "open", "key~a", "--reason", "noon")
    assert 0 == opened.code
    assert opened.out.startswith("key~a  forcedOpen\n")
    assert "noon" in on(data, "show", "key~a").out
    listed = on(data)
    assert (["NAME", "STATE", "SINCE", "FAILURES"], True) == (listed.out.splitlines()[0].split(), "key~a" in listed.out)
    assert "closed" == on(data, "close", "key~a", "--json").json["state"]
    assert "from the command line" == on(data, "reset", "key~a", "--json").json["changes"][-1]["why"]
    assert ["forcedOpen", "closed", "closed"] == [
        change["state"] for change in on(data, "show", "key~a", "--json").json["changes"]
    ]


def test_every_page_of_breakers_is_listed(data: Path) -> None:
    for number in range(101):
        assert 0 == on(data, "open", f"key~many-{number:03d}").code
    assert {f"key~many-{number:03d}" for number in range(101)} <= set(on(data, "list").out.split())


def test_what_cannot_be_is_told_by_the_exit_code(data: Path) -> None:
    assert [2, 2, 2, 4] == [
        on(data, *arguments).code
        for arguments in (("show",), ("list", "key~a"), ("open", "disk~a"), ("show", "key~none"))
    ]
