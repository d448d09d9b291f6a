"""Every example comes to what its folder says: through a server in a process of its own, and by the services alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from millrace.adapters.files import FileSecrets
from millrace.base.ids import idempotency_key
from millrace.local import documents
from millrace.local.demo import create_app
from millrace.local.listener import HOST, Listener, bind, port_of
from millrace.services.caller import Caller
from millrace.services.execution_events import execution_events
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication
from millrace.services.publish_task import publish_task
from millrace.services.publish_workflow import publish_workflow
from millrace.services.start_execution import Start, start_execution
from millrace.services.wait_execution import wait_execution
from millrace.spec import Workflow, load
from millrace.wiring.local import open_local
from millrace.wiring.settings import Settings
from tests.e2e.examples import (
    EXAMPLES,
    FOLDER,
    FUNCTIONS,
    FUNCTIONS_SETTING,
    ROOT,
    Example,
    differences,
    put_secrets,
    wait_until_published,
)
from tests.e2e.server import Server

ANYBODY = Caller(tenant="examples", principal="test", roles=frozenset({"admin"}))
LONGEST_MS = 60_000

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has published the examples as `make run` does."""
    data = tmp_path_factory.mktemp("examples") / "data"
    data.mkdir()
    put_secrets(FileSecrets(data), "default")
    settings = {"MILLRACE_LAMBDA_FUNCTIONS": FUNCTIONS_SETTING}
    with Server(data, "--load", str(FOLDER), env=settings) as running:
        wait_until_published(
            lambda: [item["name"] for item in running.call("GET", "/workflows?limit=100").json()["items"]]
        )
        yield running


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform on a store of its own inside this process, beside a demo service; no gateway, no functions."""
    bound = bind(0, variable="MILLRACE_DEMO_PORT")
    shop = Listener(create_app(), bound, name="demo")
    local = open_local(
        Settings(data=tmp_path_factory.mktemp("in-process"), sync="normal", lambda_functions=FUNCTIONS),
        demo_url=f"http://{HOST}:{port_of(bound)}",
    )
    shop.start()
    put_secrets(local.platform.secrets, ANYBODY.tenant)
    try:
        found = [one for path in documents.files_in(FOLDER) for one in documents.read_file(path) if one.kind]
        for document in documents.tasks_first(found):
            publish = publish_task if document.kind == "WorkflowTask" else publish_workflow
            publish(local.platform, ANYBODY, Publication(document.text, "yaml"))
        yield local.platform
    finally:
        local.close()
        shop.stop()


@pytest.mark.e2e
@every_example
def test_an_example_comes_to_what_it_says_through_a_server(server: Server, example: Example) -> None:
    reply = server.call("POST", f"/workflows/{example.name}/executions", value={"input": example.input})
    assert 202 == reply.status, reply.body
    assert [] == differences(example.expected, server.wait(reply.json()["id"]))


@every_example
def test_an_example_comes_to_what_it_says_in_process(platform: Platform, example: Example) -> None:
    started = start_execution(platform, ANYBODY, Start(workflow=example.name, input=example.input))
    ended = wait_execution(platform, ANYBODY, started["id"], wait_ms=LONGEST_MS)
    assert [] == differences(example.expected, ended)


@every_example
def test_an_example_that_is_tried_at_its_own_words_runs(platform: Platform, example: Example) -> None:

    document = load((example.folder / "workflow.yaml").read_bytes(), media="yaml").document
    assert isinstance(document, Workflow)
    for said in document.spec.examples:
        started = start_execution(platform, ANYBODY, Start(workflow=example.name, input=said.input))
        ended = wait_execution(platform, ANYBODY, started["id"], wait_ms=LONGEST_MS)
        assert "succeeded" == ended["status"]
        assert [] == differences(said.output or {}, ended["output"])


def test_the_profile_leaves_out_the_address_when_it_is_not_wanted(platform: Platform) -> None:
    value = {"userId": "3", "includeEmail": False}
    started = start_execution(platform, ANYBODY, Start(workflow="user-profile", input=value))
    ended = wait_execution(platform, ANYBODY, started["id"], wait_ms=LONGEST_MS)
    assert ("Carla Montferrat", None) == (ended["output"]["name"], ended["output"]["email"])
    assert {"reason": "condition_false", "origin": "contact"} == ended["tasks"]["contact"]["skip"]


def test_all_attempts_of_a_task_carry_one_key(platform: Platform) -> None:
    started = start_execution(platform, ANYBODY, Start(workflow="order-pipeline", input={"orderId": 7}))
    wait_execution(platform, ANYBODY, started["id"], wait_ms=LONGEST_MS)
    events = execution_events(platform, ANYBODY, started["id"], after="-1", limit=100, wait_ms=0)["items"]
    sent = [
        dict(event["exchange"]["requestHeaders"])["Idempotency-Key"]
        for event in events
        if event["type"] == "AttemptFinished" and event["path"] == "risk"
    ]
    assert [idempotency_key(started["id"], "risk")] * 3 == sent


def test_an_execution_remembers_neither_secrets_nor_tokens(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    started = start_execution(platform, ANYBODY, Start(workflow="authorised-calls", input={"orderId": 7}))
    ended = wait_execution(platform, ANYBODY, started["id"], wait_ms=LONGEST_MS)
    events = execution_events(platform, ANYBODY, started["id"], after="-1", limit=100, wait_ms=0)["items"]
    told = json.dumps([ended, events]) + caplog.text
    assert 2 == told.count('"[redacted]"')  # the token's header, and the signature's
    assert [] == [text for text in ("demo-client-secret", "demo-signing-key", "demo-access-") if text in told]


def test_a_large_value_stands_in_the_log_by_reference(platform: Platform) -> None:
    started = start_execution(platform, ANYBODY, Start(workflow="large-values", input={}))
    wait_execution(platform, ANYBODY, started["id"], wait_ms=LONGEST_MS)
    events = execution_events(platform, ANYBODY, started["id"], after="-1", limit=100, wait_ms=0)["items"]
    output = next(event["output"] for event in events if event["type"] == "TaskFinished" and event["path"] == "related")
    assert {"ref", "sha256", "size"} == set(output)
    assert output["size"] > 64 * 1024


def test_the_generated_example_is_what_its_generator_writes() -> None:
    command = [sys.executable, "tools/generate_example.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stdout)


def test_every_example_says_what_it_shows() -> None:
    assert {"README.md", "expected.json", "input.json", "workflow.yaml"} == set.intersection(
        *({path.name for path in example.folder.iterdir()} for example in EXAMPLES)
    )
    assert 22 == len(EXAMPLES)


def test_a_difference_is_told_with_its_place() -> None:
    assert [] == differences({"a": [1]}, {"a": [1], "b": 2})
    assert ["$.a: expected [1], found [1, 2]"] == differences({"a": [1]}, {"a": [1, 2]})
    assert ["$[1].b: expected 1, found 2"] == differences([{}, {"b": 1}], [{"c": 1}, {"b": 2}])
    assert ["$.a.b is missing"] == differences({"a": {"b": 1}}, {"a": {}})
    assert ["$: expected 1, found True"] == differences(1, True)
