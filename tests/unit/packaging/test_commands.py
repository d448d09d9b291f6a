"""`millrace export` and `millrace import package`, through a server of each data folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.cli.codes import Exit
from millrace.local.documents import publish, read_file
from millrace.local.server import LocalServer
from millrace.wiring.settings import read_settings
from tests.unit.cli.running import millrace
from tests.unit.packaging.builders import CALL, FLOW, TASK
from tests.unit.packaging.test_signature import pem, public_pem

EMPTY = {"MILLRACE_PORT": "0", "MILLRACE_DEMO_PORT": "0"}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed package of a workflow, with the forms that were printed and the keys beside it."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "all.yaml").write_text("---\n".join((TASK, CALL, FLOW)))
    (folder / "key.pem").write_bytes(pem())
    (folder / "public.pem").write_bytes(public_pem())
    (folder / "other.pem").write_bytes(public_pem(2))
    data = folder / "data"
    with LocalServer(read_settings({**EMPTY, "MILLRACE_DATA": str(data)})) as server:
        assert all(publish(server.client, one).ok for one in read_file(folder / "all.yaml"))
        base = ("export", "order-flow", "--data", str(data))
        for shape in ("yaml", "json"):
            (folder / f"printed.{shape}").write_text(millrace(*base, "--format", shape).out)
        signed = (*base, "--format", "package", "--sign", str(folder / "key.pem"), "-o", str(folder / "order.zip"))
        assert Exit.OK == millrace(*signed).code
        (folder / "wrapped.json").write_text(millrace(*base, "--json").out)
        assert Exit.NOT_FOUND == millrace("export", "nothing", "--data", str(data)).code
    return folder


@pytest.fixture()
def server(tmp_path: Path) -> Iterator[LocalServer]:
    """A server without definitions."""
    with LocalServer(read_settings({**EMPTY, "MILLRACE_DATA": str(tmp_path / "data")})) as started:
        yield started


@pytest.fixture()
def target(server: LocalServer, tmp_path: Path) -> str:
    """The data folder of that server."""
    return str(tmp_path / "data")


def test_sources_are_printed_as_a_stream_with_their_comments(package: Path) -> None:
    text = (package / "printed.yaml").read_text()
    assert 3 == text.count("\n---\n") + text.startswith("---\n")
    assert "# Serves an order" in text
    assert text == json.loads((package / "wrapped.json").read_text())["content"]


def test_documents_are_printed_as_json(package: Path) -> None:
    told = json.loads((package / "printed.json").read_text())
    assert ["read-customer", "shorten", "order-flow"] == [one["metadata"]["name"] for one in told["documents"]]


def test_a_package_is_imported_as_its_dry_run_said_and_exported_again_as_it_was(
    package: Path, target: str, tmp_path: Path
) -> None:
    command = ("import", "package", str(package / "order.zip"), "--data", target)
    dry = millrace(*command, "--dry-run", "--verify", str(package / "public.pem"))
    assert Exit.OK == dry.code
    assert "order-flow 2.1.0 would be imported into the namespace default" in dry.out
    assert "secret crm-token is missing; it is sent to api.example.com" in dry.out
    assert "hook-token is missing; it is sent to hosts computed at run time" in dry.out
    assert "env key HOST is missing" in dry.out
    assert Exit.NOT_FOUND == millrace("export", "order-flow", "--data", target).code
    done = millrace(*command, "--require-signature", "--verify", str(package / "public.pem"))
    assert (Exit.OK, True) == (done.code, "(trusted)" in done.out)
    again = tmp_path / "again.zip"
    signed = ("--format", "package", "--sign", str(package / "key.pem"), "-o", str(again))
    assert Exit.OK == millrace("export", "order-flow", "--data", target, *signed).code
    assert (package / "order.zip").read_bytes() == again.read_bytes()


def test_a_package_that_is_not_trusted_or_not_one_is_refused(package: Path, target: str) -> None:
    command = ("import", "package", str(package / "order.zip"), "--data", target)
    wrong = millrace(*command, "--verify", str(package / "other.pem"))
    assert (Exit.USAGE, True) == (wrong.code, "not by the one that is trusted" in wrong.err)
    assert Exit.USAGE == millrace(*command, "--require-signature").code
    assert Exit.USAGE == millrace("import", "package", str(package / "all.yaml"), "--data", target).code
    assert Exit.USAGE == millrace("import", "package", str(package / "nothing.zip"), "--data", target).code
    assert "not compared with a key" in millrace(*command, "--dry-run").out


def test_conflicts_make_a_dry_run_fail_and_are_solved_as_asked(
    package: Path, server: LocalServer, target: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(TASK.replace("limit: 1", "limit: 3"))
    assert [True] == [publish(server.client, one).ok for one in read_file(other)]
    command = ("import", "--json", "package", str(package / "order.zip"), "--data", target)
    dry = millrace(*command, "--dry-run")
    labels = [one["version"] for one in dry.json["definitions"] if one["action"] == "conflict"]
    assert (Exit.FAILED, ["1.2.0"]) == (dry.code, labels)
    refused = millrace(*command)
    assert (Exit.USAGE, "") == (refused.code, refused.out)
    done = millrace(*command, "--on-conflict", "skip")
    assert (Exit.OK, ["shorten@^1"]) == (done.code, [one["reference"] for one in done.json["differences"]])


@pytest.mark.parametrize(
    "arguments",
    [
        ["import"],
        ["import", "nothing"],
        ["import", "package"],
        ["export"],
        ["export", "x", "--format", "package"],
        ["export", "x", "--sign", "key.pem"],
        ["export", "x", "--format", "tar"],
    ],
)
def test_a_wrong_command_line_is_code_2(arguments: list[str]) -> None:
    assert Exit.USAGE == millrace(*arguments).code
