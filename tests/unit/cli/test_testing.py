"""`millrace test` and `millrace executions to-test`."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.cli.yaml_text import yaml_text
from millrace.local.root import find_root
from millrace.local.server import LocalServer
from millrace.spec import parse_document
from millrace.wiring.settings import Settings
from tests.unit.cli.running import Ran, millrace

EXAMPLES = find_root() / "docs/examples"
FLOW = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: flow}
spec:
  tasks:
    - {id: call, type: http, request: {url: "https://api.example/x"}, condition: "config.go"}
    - {id: own, taskRef: ship}
  config: {go: true}
  tests:
    - name: fine
      tasks: {call: {body: 1}, own: {body: 2}}
      expect: {calls: {own: {request: {url: "https://api.example/ship"}}}}
    - name: wrong
      tasks: {call: {body: 1}, own: {body: 2}}
      expect: {tasks: {call: failed, own: {output: {body: 3, status: 201}}}, notCalled: [own]}
    - name: unmocked
      config: {go: false}
      signals: [{name: a, after: own}]
"""
SHIP = """\
apiVersion: workflow.io/v1
kind: WorkflowTask
metadata: {name: ship}
spec: {type: http, request: {url: "https://api.example/ship"}}
"""
GOOD = FLOW[: FLOW.index("    - name: wrong")]


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "ship.yaml").write_text(SHIP)
    return tmp_path


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Nothing but a server of the test's own is reached."""
    if "data" in request.fixturenames:
        return

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_file_is_tested_with_the_tasks_beside_it(folder: Path) -> None:
    ran = millrace("test", str(folder / "flow.yaml"))
    assert (1, "1 passed, 1 failed, 1 errors") == (ran.code, ran.out.splitlines()[-1])
    assert [
        f"flow ({folder / 'flow.yaml'})",
        "  pass  fine",
        "  FAIL  wrong",
        "        tasks.call: expected failed, got succeeded",
        "        tasks.own.output at body: expected 3, got 2 (and 3 more)",
    ] == ran.out.splitlines()[:5]
    assert "          status: expected 201, got 200" in ran.out.splitlines()
    assert "        notCalled: own was called 1 times" in ran.out.splitlines()
    assert "        The task 'own' (GET https://api.example/ship) would be performed, and has no mock." in ran.out


def test_tests_that_pass_exit_with_zero(folder: Path) -> None:
    (folder / "flow.yaml").write_text(GOOD)
    assert 0 == millrace("test", str(folder)).code
    assert 0 == millrace("test", str(folder / "flow.yaml"), "--only", "fine").code


def test_this_folder_is_tested_without_arguments(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    ran = millrace("test", "--only", "fine")
    assert (0, "1 passed, 0 failed, 0 errors") == (ran.code, ran.out.splitlines()[-1])


def test_tests_of_a_document_with_errors_cannot_be_run(folder: Path) -> None:
    (folder / "flow.yaml").write_text(FLOW.replace("call: failed", "cal: failed"))
    ran = millrace("test", str(folder / "flow.yaml"), "--junit", str(folder / "out.xml"))
    assert (1, "0 passed, 0 failed, 1 errors") == (ran.code, ran.out.splitlines()[-1])
    assert 'there is no task "cal". Did you mean "call"?' in ran.err
    (suite,) = ET.parse(folder / "out.xml").getroot()
    assert ["error"] == [one.tag for one in suite[0]]


def test_a_document_that_cannot_be_read_is_an_error(folder: Path) -> None:
    (folder / "flow.yaml").write_text("kind: Workflow\n\tx")
    assert (1, "0 passed, 0 failed, 1 errors") == (
        millrace("test", str(folder)).code,
        millrace("test", str(folder)).out.splitlines()[-1],
    )


def test_results_are_data_for_programs(folder: Path) -> None:
    ran = millrace("test", "--json", "--coverage", str(folder))
    assert (1, 1, 1, 1) == (ran.code, ran.json["passed"], ran.json["failed"], ran.json["errors"])
    (report,) = ran.json["reports"]
    assert ["fine", "wrong", "unmocked"] == [test["name"] for test in report["tests"]]
    assert [{"task": "call", "branch": "condition is false"}] == report["coverage"]["untaken"]


def test_coverage_is_printed(folder: Path) -> None:
    lines = millrace("test", "--coverage", str(folder)).out.splitlines()
    assert ["  2 of 3 branches taken (66 %)", "        never: call condition is false"] == lines[-3:-1]


def test_results_are_written_as_xml(folder: Path) -> None:
    millrace("test", str(folder), "--junit", str(folder / "out.xml"))
    (suite,) = ET.parse(folder / "out.xml").getroot()
    assert ("flow", "3", "1", "1") == tuple(suite.get(key) for key in ("name", "tests", "failures", "errors"))
    assert 0 < float(suite.get("time", ""))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.yaml",), "No such file"),
        (("nowhere/flow.yaml",), "No such file"),
        (("{folder}/ship.yaml",), "There are no tests in"),
        (("{folder}", "--only", "nope"), "There is no test called 'nope' in"),
    ],
    ids=["file", "folder", "task", "name"],
)
def test_nothing_to_test_is_a_usage_error(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    ran = millrace("test", *(one.replace("{folder}", str(folder)) for one in arguments))
    assert 2 == ran.code
    assert said in ran.err


def test_the_tests_of_every_example_pass() -> None:
    ran = millrace("test", str(EXAMPLES), "--json")
    assert (0, 0, 0) == (ran.code, ran.json["failed"], ran.json["errors"])
    assert {"waiting", "order-pipeline"} <= {report["workflow"] for report in ran.json["reports"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    with LocalServer(Settings(data=folder, port=0, demo_port=0, sync="normal")) as server:
        server.client.publish("WorkflowTask", SHIP.encode(), media="yaml")
        server.client.publish("Workflow", FLOW.encode(), media="yaml")
        server.client.publish("Workflow", (EXAMPLES / "hello/workflow.yaml").read_bytes(), media="yaml")
        yield folder


def on(data: Path, *arguments: str) -> Ran:
    return millrace(arguments[0], "--data", str(data), *arguments[1:])


def test_a_published_workflow_is_tested_by_name(data: Path) -> None:
    ran = on(data, "test", "flow")
    assert (1, "flow", "1 passed, 1 failed, 1 errors") == (ran.code, ran.out.splitlines()[0], ran.out.splitlines()[-1])
    assert (0, "  pass  fine") == (on(data, "test", "flow", "--only", "fine").code, ran.out.splitlines()[1])
    assert 4 == on(data, "test", "nobody").code


def test_an_execution_is_printed_as_a_test_that_passes_in_its_document(data: Path, tmp_path: Path) -> None:
    run = on(data, "run", "hello", "--input", '{"userId": 3}', "--json")
    ran = on(data, "executions", "to-test", run.json["id"], "--name", "as it ran: user 3")
    assert (0, "") == (ran.code, ran.err)
    text = (EXAMPLES / "hello/workflow.yaml").read_text()
    indented = "".join(f"  {line}\n" for line in ran.out.splitlines())
    path = tmp_path / "workflow.yaml"
    path.write_text(text.rstrip("\n") + "\n" + indented)
    tested = millrace("test", str(path), "--only", "as it ran: user 3", "--json")
    assert (0, 1) == (tested.code, tested.json["passed"])
    as_json = on(data, "executions", "to-test", run.json["id"], "--json").json
    assert (True, f"execution {run.json['id']}") == (as_json["passes"], as_json["test"]["name"])


def test_an_id_is_needed_for_a_test(data: Path) -> None:
    assert 2 == on(data, "executions", "to-test").code
    assert 4 == on(data, "executions", "to-test", "0" * 26).code


TEXT = st.text(max_size=12, alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn")))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | TEXT
    | st.sampled_from(["on", "010", "1e3", "~", "2026-01-01", "a: b", "- x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(value=JSON)
def test_yaml_is_read_back_as_what_was_written(value: Any) -> None:
    text = yaml_text({"tests": [value]})
    assert {"tests": [value]} == parse_document(text.encode(), media="yaml").value
