"""Tests of a workflow in a document of their own: found by path or name, judged by the workflow, run like its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.running import millrace

FLOW = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: flow}
spec:
  version: 1.2.0
  input: {type: object, required: [n], properties: {n: {type: integer}}}
  tasks:
    - {id: call, type: http, timeout: 5s, request: {url: "https://api.example/x"}}
    - {id: own, taskRef: ship, dependsOn: [call]}
  tests:
    - {name: its own, input: {n: 1}, tasks: {call: {body: 1}, own: {body: 2}}}
"""
SHIP = """\
apiVersion: workflow.io/v1
kind: WorkflowTask
metadata: {name: ship}
spec: {type: http, request: {url: "https://api.example/ship"}}
"""
HEAD = """\
apiVersion: workflow.io/v1
kind: WorkflowTest
metadata: {name: flow-tests}
spec:
"""
TESTS = """\
  tests:
    - name: apart
      input: {n: 1}
      tasks: {call: {body: 1}, own: {body: 2}}
      expect: {order: [call, own]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "ship.yaml").write_text(SHIP)
    (tmp_path / "tests").mkdir()
    return tmp_path


def written(folder: Path, text: str, name: str = "tests/apart.yaml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.mark.parametrize("workflow", ["../flow.yaml", "./../tests/../flow.yaml"])
def test_tests_in_a_file_of_their_own_name_their_workflow_by_path(folder: Path, workflow: str) -> None:
    file = written(folder, f"{HEAD}  workflow: {workflow}\n{TESTS}")
    ran = millrace("test", "--json", file)
    assert (0, 1, ["apart"]) == (ran.code, ran.json["passed"], [one["name"] for one in ran.json["reports"][0]["tests"]])
    assert ("flow", file) == (ran.json["reports"][0]["workflow"], ran.json["reports"][0]["source"])


@pytest.mark.parametrize("workflow", ["flow", "flow@^1", "flow@1.2.0"])
def test_tests_beside_a_workflow_name_it_by_name_and_range(folder: Path, workflow: str) -> None:
    ran = millrace("test", written(folder, f"{HEAD}  workflow: {workflow}\n{TESTS}", "flow-tests.yaml"))
    assert (0, True) == (ran.code, "1 passed, 0 failed, 0 errors" in ran.out), ran.out + ran.err


def test_a_folder_runs_the_tests_of_workflows_and_those_apart(folder: Path) -> None:
    written(folder, f"{HEAD}  workflow: ../flow.yaml\n{TESTS}")
    ran = millrace("test", str(folder))
    assert (0, True) == (ran.code, "2 passed, 0 failed, 0 errors" in ran.out), ran.out + ran.err


@pytest.mark.parametrize("workflow", ["flow@^2", "gone", "../gone.yaml", "nowhere/flow.yaml", "../ship.yaml"])
def test_a_workflow_that_is_not_there_is_an_error_of_the_tests(folder: Path, workflow: str) -> None:
    file = written(folder, f"{HEAD}  workflow: {workflow}\n{TESTS}")
    for verb in ("test", "validate"):
        ran = millrace(verb, file)
        assert 1 == ran.code
        assert f'5:13: error: there is no workflow "{workflow}" here [unknown-workflow-ref]' in ran.out + ran.err


def test_a_workflow_with_errors_cannot_be_tested(folder: Path) -> None:
    (folder / "flow.yaml").write_text(FLOW.replace("timeout: 5s", "timeout: soon"))
    ran = millrace("validate", "--json", written(folder, f"{HEAD}  workflow: ../flow.yaml\n{TESTS}"))
    assert ["impossible-test"] == [one["code"] for one in ran.json[0]["findings"]]


@pytest.mark.parametrize(
    ("more", "code", "line"),
    [
        ("      tasks: {cll: {body: 1}}\n", "unknown-task", 8),
        ("      expct: {}\n", "unknown-key", 8),
        ("      expect: {asserts: ['1 +']}\n", "bad-expression", 8),
        ("      input: {n: x}\n", "type-mismatch", 8),
        ("  owner: me\n", "unknown-key", 8),
    ],
)
def test_tests_apart_are_judged_by_their_workflow_at_their_own_place(
    folder: Path, more: str, code: str, line: int
) -> None:
    given = "" if "input" in more else ", input: {n: 1}"
    text = f"{HEAD}  workflow: ../flow.yaml\n  tests:\n    - name: t\n".replace("name: t\n", f"name: t{given}\n")
    text = text.replace("- name: t, input: {n: 1}\n", "- name: t\n      input: {n: 1}\n")
    ran = millrace("validate", "--json", written(folder, text + more))
    found = [(one["code"], one["line"]) for one in ran.json[0]["findings"]]
    assert (1, [(code, line if "input: {n: x}" in more else line + 1)]) == (ran.code, found)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (HEAD.replace("v1", "v9"), "unknown-api-version"),
        (f"{HEAD}{TESTS}", "missing-key"),
        (f"{HEAD}  workflow: flow\n", "missing-key"),
        (f"{HEAD}  workflow: flow\n  tests: []\n", "bad-value"),
        (f"{HEAD}  workflow: Not A Name\n{TESTS}", "bad-value"),
        (f"{HEAD}  workflow: /etc/flow.yaml\n{TESTS}", "bad-value"),
        (f"{HEAD}  workflow: https://x/flow.yaml\n{TESTS}", "bad-value"),
        (f"{HEAD}  workflow: [", "syntax"),
        ("- kind: WorkflowTest\n", "not-a-mapping"),
    ],
)
def test_a_document_of_tests_is_judged_on_its_own(folder: Path, text: str, code: str) -> None:
    ran = millrace("validate", "--json", written(folder, text))
    assert (1, [code]) == (ran.code, [one["code"] for one in ran.json[0]["findings"]])


def test_good_tests_have_no_findings_and_are_formatted_like_any_document(folder: Path) -> None:
    file = written(folder, f"{HEAD}  workflow: ../flow.yaml\n{TESTS}")
    assert 0 == millrace("validate", file).code
    assert 0 == millrace("fmt", "--check", file).code


def test_tests_may_be_json(folder: Path) -> None:
    value = {
        "apiVersion": "workflow.io/v1",
        "kind": "WorkflowTest",
        "metadata": {"name": "t"},
        "spec": {"workflow": "flow.yaml", "tests": [{"name": "a", "input": {"n": 1}, "onUnmocked": "succeed-empty"}]},
    }
    assert 0 == millrace("test", written(folder, json.dumps(value), "apart.json")).code
