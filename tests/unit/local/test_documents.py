"""Documents in files: splitting, kinds, order, labels of development versions, publishing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.base.limits import DOCUMENT_BYTES
from millrace.local.documents import (
    Document,
    Published,
    development_version,
    files_in,
    is_ours,
    publish,
    read_file,
    tasks_first,
)
from tests.unit.local.publishing import WORKFLOW, publishing


def document(text: str, media: str = "yaml") -> Document:
    return Document(Path("x"), text.encode(), media, 0)


def written(folder: Path, text: str, name: str = "x.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_is_split_where_yaml_ends_a_document(tmp_path: Path) -> None:
    path = written(
        tmp_path, "# head\n---\na: |\n  --- not here\n---x: 1\n--- # two\nb: 2\n---\n# only a comment\n---\n"
    )
    parts = [(part.text.decode(), part.before) for part in read_file(path)]
    assert [("\na: |\n  --- not here\n---x: 1\n", 1), ("# two\nb: 2\n", 5)] == parts


def test_json_is_one_document(tmp_path: Path) -> None:
    assert ["json"] == [part.media for part in read_file(written(tmp_path, '{"kind": "Workflow"}', "x.json"))]


def test_an_empty_file_is_one_empty_document(tmp_path: Path) -> None:
    assert [b""] == [part.text for part in read_file(written(tmp_path, ""))]


def test_a_file_that_is_far_too_long_is_cut(tmp_path: Path) -> None:
    path = written(tmp_path, "---\na: 1\n" * (3 * DOCUMENT_BYTES))
    (part,) = read_file(path)
    assert 16 * DOCUMENT_BYTES + 1 == len(part.text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("kind: Workflow", "Workflow"),
        ("a: 1\nkind: 'WorkflowTask'", "WorkflowTask"),
        ('{"a": 1,\n "kind": "Workflow"}', "Workflow"),
        ("kind: Deployment", ""),
        ("# kind: Workflow", ""),
        ("kind: Workflows", ""),
        ('{"apiVersion": "workflow.io/v1", "kind": "WorkflowTask"}', "WorkflowTask"),
        ("\ufeffkind: Workflow", "Workflow"),
    ],
)
def test_the_kind_is_read_without_a_parser(text: str, kind: str) -> None:
    assert (kind, bool(kind)) == (document(text).kind, is_ours(document(text)))


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("apiVersion: workflow.io/v1\nkind: Workfow\n", True),
        ("# why\nkind: Workfow\nspec: {}\n", True),
        ("apiVersion: workflow.io/v1\nspec:\n  tasks: [\n", True),
        ("apiVersion: apps/v2\nmetadata: {}\n", True),
        ('{"kind": "Workfow", "apiVersion": "workflow.io/v1"}', True),
        ('{\n  "spec": {}\n}', True),
        ("apiVersion: apps/v1\nkind: Deployment\nspec: {}\n", False),
        ("services:\n  a:\n    spec: 1\n", False),
        ('{"userId": 3, "spec": 1}', False),
        ("", False),
        ("#" * 5000 + "\nspec: {}\n", False),
    ],
)
def test_a_document_without_a_kind_of_ours_is_meant_when_its_beginning_says_so(text: str, ours: bool) -> None:
    assert ("", ours) == (document(text).kind, is_ours(document(text)))


def test_only_documents_that_are_not_hidden_are_found(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.json", "d.txt", ".e.yaml", "sub/f.yaml", ".git/g.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert ["a.yaml", "b.yml", "c.json", "sub/f.yaml"] == [
        str(path.relative_to(tmp_path)) for path in files_in(tmp_path)
    ]


def test_tasks_come_before_the_workflows_that_use_them() -> None:
    found = [document(f"kind: {kind}") for kind in ("Workflow", "WorkflowTask", "Workflow")]
    assert ["WorkflowTask", "Workflow", "Workflow"] == [one.kind for one in tasks_first(found)]


@pytest.mark.parametrize("label", ["1.0.0", '"1.0.0"', "'1.0.0'"])
def test_a_development_version_changes_the_label_and_nothing_else(label: str) -> None:
    text = WORKFLOW.replace("spec:", f"spec:\n  version: {label}  # why")
    changed = development_version(document(text)).text.decode()
    (line,) = [line for line in changed.splitlines() if "version" in line]
    assert line.startswith('  version: "1.0.0+dev.')
    assert line.endswith('"  # why')
    assert text.replace(f"version: {label}", "") == changed.replace(line.strip().removesuffix("  # why"), "")


def test_a_comment_makes_no_other_version_and_a_change_does() -> None:
    text = WORKFLOW.replace("spec:", "spec:\n  version: 1.0.0")

    def label(source: str) -> str:
        return next(line for line in development_version(document(source)).text.decode().splitlines() if "dev" in line)

    assert label(text) == label(text + "# more\n")
    assert label(text) != label(text.replace("limit: 1", "limit: 2"))


@pytest.mark.parametrize(
    "text", [WORKFLOW, "", "kind: Workflow", "a: [", WORKFLOW.replace("spec:", "spec:\n  version: 1.0.0+x")]
)
def test_a_document_without_a_label_of_its_own_stays_as_it_is(text: str) -> None:
    assert text == development_version(document(text)).text.decode()


@given(st.binary(max_size=200))
def test_any_bytes_can_be_relabelled(data: bytes) -> None:
    assert isinstance(development_version(Document(Path("x"), data, "yaml", 0)), Document)


def test_publishing_answers_what_became_of_a_document() -> None:
    with publishing() as (client, _):
        answers = [publish(client, document(text)) for text in (WORKFLOW, WORKFLOW, WORKFLOW + "# broken")]
    assert [(201, True), (200, True), (422, False)] == [(one.status, one.ok) for one in answers]


def test_findings_get_the_lines_of_the_file() -> None:
    moved = Published(Document(Path("x"), b"", "yaml", 10), 422, {"findings": [{"line": 2}, {"line": 0}, {}]})
    assert [12, 0, 0] == [one["line"] for one in moved.findings]
