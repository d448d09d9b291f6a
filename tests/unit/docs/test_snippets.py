"""What the documents show is what happens: every command runs, every document is without errors."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from millrace.cli.validate import judge
from millrace.local import documents
from tests.e2e.examples import FUNCTIONS_SETTING, differences, wait_until_published
from tests.e2e.server import Server
from tests.unit.docs.snippets import NEEDS, PAGES, ROOT, SHELLS, SNIPPETS, Snippet, snippets_in

pytestmark = pytest.mark.repeats

with socket.create_server(("127.0.0.1", 0)) as free:
    MOCK_PORT = free.getsockname()[1]
"""In place of the port that mocks listen on, which another run on this machine may have."""
PAGES_THAT_RUN = [page for page in PAGES if any("run" in one.words for one in SNIPPETS if one.page == page)]
RUNNABLE = re.compile(r"^\s*(?:\.venv/bin/)?(?:millrace|curl|python)\b", re.MULTILINE)
UNMADE = {"unknown-task", "unknown-task-ref"}
"""What a list of tasks may lack when it stands alone in a page."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has published the examples, as `make run` does."""
    folder = tmp_path_factory.mktemp("snippets")
    settings = {"MILLRACE_LAMBDA_FUNCTIONS": FUNCTIONS_SETTING}
    with Server(folder / "data", "--load", str(ROOT / "docs" / "examples"), env=settings) as running:
        listed = "/workflows?limit=100"
        wait_until_published(lambda: [item["name"] for item in running.call("GET", listed).json()["items"]])
        yield running


@pytest.mark.parametrize("page", PAGES_THAT_RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_run_in_their_order(page: Path, server: Server, tmp_path: Path) -> None:
    for shared in ("docs", "tools", "layers", ".venv"):
        (tmp_path / shared).symlink_to(ROOT / shared)
    printed = ""
    for snippet in (one for one in SNIPPETS if one.page == page):
        name = snippet.option("file")
        if name is not None:
            (tmp_path / name).write_text(snippet.text, encoding="utf-8")
        if "run" in snippet.words:
            done = run(snippet, server, tmp_path)
            assert int(snippet.option("exit") or 0) == done.returncode, f"{snippet}: {done.stdout}{done.stderr}"
            printed = done.stdout
        if "output" in snippet.words:
            assert [] == differences(json.loads(snippet.text), last_json(printed)), f"{snippet}: {printed}"


def run(snippet: Snippet, server: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    """The commands of a block, each of which must succeed, against the server under test."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    environment["MILLRACE_DATA"] = str(server.data)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    text = snippet.text.replace("localhost:8321", f"localhost:{server.port}")
    text = text.replace("127.0.0.1:8321", f"127.0.0.1:{server.port}").replace("8323", str(MOCK_PORT))
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def last_json(printed: str) -> Any:
    """The JSON value that the output ends with."""
    for match in re.finditer(r"^[\[{]", printed, re.MULTILINE):
        try:
            value, end = json.JSONDecoder().raw_decode(printed, match.start())
        except ValueError:
            continue
        if not printed[end:].strip():
            return value
    raise AssertionError(f"no JSON at the end of {printed!r}")


@pytest.mark.parametrize("snippet", [one for one in SNIPPETS if one.language in SHELLS], ids=str)
def test_a_command_runs_or_says_what_it_needs(snippet: Snippet) -> None:
    done = subprocess.run(["bash", "-n", "-c", snippet.text], capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    needs = snippet.option("needs")
    assert needs is None or needs in NEEDS
    if "run" not in snippet.words and needs is None:
        assert [] == RUNNABLE.findall(snippet.text), f"{snippet} can run here: mark it with `run`"


@pytest.mark.parametrize("snippet", [one for one in SNIPPETS if one.language == "yaml"], ids=str)
def test_a_document_is_read_and_has_no_errors(snippet: Snippet) -> None:
    value = yaml.safe_load(snippet.text)
    if "workflow" in snippet.words or "task" in snippet.words:
        text, accepted = snippet.text, {"unknown-task-ref"}
    elif isinstance(value, list) and all("id" in item for item in value):
        body = "".join(f"    {line}\n" for line in snippet.text.splitlines())
        text = f"apiVersion: workflow.io/v1\nkind: Workflow\nmetadata: {{name: shown}}\nspec:\n  tasks:\n{body}"
        accepted = UNMADE
    else:
        return
    ((_, found),) = judge([documents.Document(snippet.page, text.encode(), "yaml", 0)])
    assert [] == [finding for finding in found if finding.severity == "error" and finding.code not in accepted]


@pytest.mark.parametrize("snippet", [one for one in SNIPPETS if one.language == "json"], ids=str)
def test_json_is_json(snippet: Snippet) -> None:
    assert isinstance(json.loads(snippet.text), dict | list)


def test_every_language_is_one_that_is_judged() -> None:
    known = SHELLS | {"yaml", "json", "mermaid", "text", ""}
    assert [] == [f"{one}: {one.language}" for one in SNIPPETS if one.language not in known]


def test_a_diagram_begins_with_its_kind() -> None:
    kinds = ("flowchart ", "sequenceDiagram", "stateDiagram-v2")
    assert [] == [str(one) for one in SNIPPETS if one.language == "mermaid" and not one.text.startswith(kinds)]


def test_a_block_knows_its_line_and_its_words() -> None:
    text = "# T\n\n```bash run exit=1\nfalse\n```\n\n````text\n```\n````\n"
    first, second = snippets_in(ROOT / "x.md", text)
    assert (3, "bash", ("run", "exit=1"), "false\n") == (first.line, first.language, first.words, first.text)
    assert ("1", None) == (first.option("exit"), first.option("file"))
    assert (7, "text", "```\n") == (second.line, second.language, second.text)


def test_the_last_json_of_an_output_is_found() -> None:
    assert {"a": 1} == last_json('some words\n{"b": 2}\n{\n  "a": 1\n}\n')


def test_every_target_that_is_named_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"`make ([a-z0-9-]+)|^make ([a-z0-9-]+)", page.read_text(), re.MULTILINE)
        assert {name for pair in named for name in pair if name} <= targets, page


def test_every_file_of_the_examples_is_one_that_is_loaded() -> None:
    found = [one for path in documents.files_in(ROOT / "docs" / "examples") for one in documents.read_file(path)]
    assert ["WorkflowTask"] + ["Workflow"] * 23 == [
        one.kind for one in documents.tasks_first(found) if documents.is_ours(one)
    ]
