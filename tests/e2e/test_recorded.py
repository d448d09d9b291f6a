"""Every workflow of the corpus and every example, run by a server: each execution becomes a test that passes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millrace.local.server import LocalServer
from millrace.wiring.settings import Settings
from tests.corpus import Case, examples, small

CASES = [case for case in [*small(), *examples()] if not case.act]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("data")
    with LocalServer(Settings(data=folder, port=0, demo_port=0, sync="normal")) as running:
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_execution_becomes_a_test_that_passes(case: Case, server: LocalServer) -> None:
    client = server.client
    for task in case.tasks:
        client.publish("WorkflowTask", task, media="yaml")
    for source in (*case.shared, case.source):
        client.publish("Workflow", source, media="yaml")
    started = {"input": case.input}
    _, execution = client.call("POST", f"/workflows/{case.workflow}/executions", value=started, query={"wait": "20s"})
    assert "finishedAt" in execution
    _, found = client.call("GET", f"/executions/{execution['id']}/test")
    assert found["passes"], found["differences"]
    sent = {"tests": [found["test"]], "only": [found["test"]["name"]]}
    _, report = client.call("POST", f"/workflows/{case.workflow}/test", value=sent)
    assert (1, 0, 0) == (report["passed"], report["failed"], report["errors"])
