"""`millrace import --from`: in this process, without a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millrace.base.limits import DOCUMENT_BYTES
from millrace.cli.import_verb import spelled
from tests.unit.cli.running import millrace

FOLDER = Path(__file__).resolve().parents[1] / "importers"


def test_a_definition_is_printed_as_a_document_and_notes_go_to_the_error_stream() -> None:
    done = millrace("import", "--from", "asl", str(FOLDER / "asl" / "order.json"))
    assert (0, "apiVersion: workflow.io/v1") == (done.code, done.out.splitlines()[0])
    assert "unmapped: /States/Get order/Parameters/Authentication: store what" in done.err


def test_a_document_that_could_not_be_published_says_why_and_exits_with_one(tmp_path: Path) -> None:
    target = tmp_path / "out.yaml"
    done = millrace("import", "n8n", str(FOLDER / "n8n" / "lead.json"), "-o", str(target))
    assert (1, f"wrote {target}\n") == (done.code, done.out)
    assert 'there is no reusable task "code". [unknown-task-ref]' in done.err
    assert target.read_text().startswith("apiVersion")


def test_programs_get_the_whole_report() -> None:
    done = millrace("import", "--json", "--from=kestra", str(FOLDER / "kestra" / "dag.yaml"))
    assert ("kestra", "dag", True) == tuple(json.loads(done.out)[key] for key in ("source", "name", "valid"))


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "big.json"
    file.write_bytes(b"{" + b" " * DOCUMENT_BYTES + b"}")
    done = millrace("import", "asl", str(file))
    assert (2, True) == (done.code, "more than 262144 bytes" in done.err)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("import --from asl x", "import asl x"),
        ("--json import x --from=n8n", "--json import n8n x"),
        ("import --json -o y --from asl x", "import --json asl -o y x"),
        ("import openapi x", "import openapi x"),
        ("import --from", "import --from"),
    ],
)
def test_from_names_the_action_wherever_it_stands(given: str, expected: str) -> None:
    assert expected.split() == spelled(given.split())


def test_a_package_for_another_engine_is_refused() -> None:
    done = millrace("export", "flow", "--to", "asl", "--format", "package", "-o", "x.zip")
    assert (2, True) == (done.code, "a package is not for another engine" in done.err)
