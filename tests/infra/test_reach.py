"""Each function may do what it does: every route and every kind of work, against what the template grants."""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from millrace import wiring
from millrace.adapters.dynamodb import feed_records
from millrace.engine.commands import StartChild
from millrace.engine.events import ExecutionStarted
from millrace.services.child_executions import ChildExecutions
from millrace.services.project_statistics import StatisticsProjector
from millrace.services.reconcile import reconcile
from millrace.store.executions import void_actor
from millrace.store.runlog import read_segments
from tests.conformance.documents.cloud import REGION, TABLES
from tests.corpus import small
from tests.functions.apps import CONCERNS, handle
from tests.functions.documents import YAML, step, task, workflow
from tests.functions.events import body_of, status
from tests.infra.reach import Need, granted, note
from tests.infra.test_template import FUNCTIONS
from tests.infra.worlds import CALLER, Cloud, cloud, demo_service, is_over, until

ROOT = Path(__file__).resolve().parents[2]
LARGE = "x" * 70_000
"""Above what is kept inline."""
MANY = {f"l{number}": "x" for number in range(30)}
"""More labels than one transaction has room for."""
RUN = frozenset({"lanes", "sub-workflow", "breaker", "waits-event", "retries-parked", "for-each", "standard"})


class Tour:
    """Requests to functions, each over clients of its own."""

    def __init__(self, here: Cloud) -> None:
        machines = {here.standard: "execution", here.short: "short", here.fan_out: "fan-out"}
        self.here = here
        self.sent: set[tuple[str, str]] = set()
        self.needs: dict[str, set[Need]] = defaultdict(set)
        self.platforms = {name: here.opened() for name in (*CONCERNS, "reconciler", "projector")}
        for name, platform in (*self.platforms.items(), ("driver", here.platform)):
            note(platform, self.needs[name], machines)

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        place = path.partition("?")[0]
        self.sent.add((method, place))
        wiring.use(self.platforms[place.split("/")[1]])
        try:
            answer = handle(method, f"/api/v1{path}", body, **more)
        finally:
            wiring.use(None)
        assert status(answer) < 400, answer["body"]
        return answer

    def end(self, execution: str, how: str = "succeeded") -> None:
        platform = self.platforms["executions"]
        until(lambda: is_over(platform, CALLER.scope, execution), f"{execution} does not end")
        body = body_of(self.send("GET", f"/executions/{execution}"))
        assert how == body["status"], body

    def start(self, name: str, **body: Any) -> str:
        return str(body_of(self.send("POST", f"/workflows/{name}/executions", body))["id"])


def definitions(tour: Tour) -> None:
    reusable = task(version="1.0.0")
    for kind, name, document in (("tasks", "shorten", reusable), ("workflows", "user", user())):
        tour.send("POST", f"/{kind}", document, headers={"Idempotency-Key": f"publish-{name}"})
        tour.send("PUT", f"/{kind}/{name}", document)
        tour.send("POST", f"/{kind}/validate", document)
        tour.send("POST", f"/{kind}/{name}/activate", {"version": "1.0.0"}, headers={"Idempotency-Key": f"on-{name}"})
        for below in (f"/{name}", f"/{name}/versions", f"/{name}/versions/1.0.0", "", "?limit=1"):
            tour.send("GET", f"/{kind}{below}")
        tour.send("POST", f"/{kind}/{name}/validate-input", {"input": {}})
    for kind, document in (("tasks", task("gone")), ("workflows", workflow("gone"))):
        tour.send("POST", f"/{kind}", document)
        tour.send("DELETE", f"/{kind}/gone")
    tour.send("POST", "/tasks/import?source=pets", DESCRIBED)
    for below in ("graph", "statistics", "export?format=yaml"):
        tour.send("GET", f"/workflows/user/{below}")
    tour.send("POST", "/workflows/user/test", {})
    package = base64.b64decode(tour.send("GET", "/workflows/user/export?format=package")["body"])
    zipped: dict[str, Any] = {"headers": {"Content-Type": "application/zip"}, "encoded": True}
    tour.send("POST", "/workflows/import?namespace=other", package, **zipped)


DESCRIBED = {
    "openapi": "3.1.0",
    "info": {"title": "Pets", "version": "1"},
    "servers": [{"url": "https://pets.example.com"}],
    "paths": {"/pets": {"get": {"operationId": "list-pets", "responses": {"200": {"description": "All."}}}}},
}


def user() -> dict[str, Any]:
    request = {"url": "https://api.example.com/", "auth": {"bearer": {"secretRef": "token"}}}
    call = {"id": "call", "type": "http", "condition": "input.call ?? false", "request": request}
    tests = [{"name": "t", "expect": {"status": "succeeded"}}]
    tasks = [{"id": "a", "taskRef": "shorten", "input": {"items": [1]}}, call]
    return workflow("user", tasks=tasks, version="1.0.0", tests=tests)


def executions(tour: Tour) -> None:
    """Executions of every kind of work that the driver does, and everything that may be asked of them."""
    cases = [case for case in small() if case.name in RUN]
    for case in cases:
        for source in (*case.shared, case.source):
            tour.send("POST", "/workflows", source, headers=YAML)
    for document in (waiting(tour.here.platform.env["DEMO_URL"]), long(), echo(), above()):
        tour.send("POST", "/workflows", document)
    running = {tour.start(case.workflow, input=case.input): case.status for case in cases if not case.act}
    running[tour.start("user", labels=MANY)] = running[tour.start("long")] = "succeeded"
    running[last := tour.start("above", input={"text": LARGE})] = "succeeded"
    waits = tour.start("waiting", input={"text": LARGE}, subjectKey="ann")
    listed(tour)
    asked(tour, waits)
    for execution, how in running.items():
        tour.end(execution, how)
    for query in ("", "?tasks=all", "/events", "/events?after=1&wait=1s", "/test"):
        tour.send("GET", f"/executions/{last}{query}")


def asked(tour: Tour, waits: str) -> None:
    said = {"Idempotency-Key": "said"}
    until(lambda: "sign-off" in _tasks(tour, waits), "it does not wait")
    tour.send("POST", f"/executions/{waits}/pause", headers=said)
    tour.send("POST", f"/executions/{waits}/resume")
    tour.send("POST", f"/executions/{waits}/approvals/sign-off", {"decision": "approved", "comment": LARGE[:1000]})
    tour.send("POST", f"/executions/{waits}/signals/go", {"payload": LARGE[:60_000]})
    tour.end(waits)
    stopped = tour.start("waiting", input={"text": "x"})
    tour.send("POST", f"/executions/{stopped}/cancel", {"reason": "enough"})
    tour.end(stopped, "cancelled")


def _tasks(tour: Tour, execution: str) -> Any:
    return body_of(tour.send("GET", f"/executions/{execution}"))["tasks"]


def listed(tour: Tour) -> None:
    for query in ("", "?status=running", "?workflow=user", "?label=l1:x", "?subject=ann", "?trigger=t", "?limit=1"):
        tour.send("GET", f"/executions{query}")


def waiting(demo: str) -> dict[str, Any]:
    """Needs a place, a secret, people, and a signal."""
    request = {"url": f"{demo}/users/1", "auth": {"bearer": {"secretRef": "token"}}}
    tasks = [
        {"id": "call", "type": "http", "request": request, "concurrency": {"key": "one", "limit": 1}},
        {"id": "sign-off", "type": "approval", "approvers": ["role:admin"], "timeout": "1d"},
        {"id": "go", "event": {"type": "go", "timeout": "1d"}},
    ]
    return workflow("waiting", tasks=tasks, concurrency={"key": "waiting", "limit": 1})


def long() -> dict[str, Any]:
    """Enough events for a snapshot."""
    each = {
        "items": "{{[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(a, [a, a, a, a, a, a, a, a, a, a])}}",
        "as": "row",
        "index": "at",
    }
    inner = {"id": "inner", "forEach": {"items": "{{row}}", "as": "one"}, "tasks": [step("a"), step("b")]}
    pause = {"id": "pause", "wait": {"for": 3}, "dependsOn": ["outer"]}
    return workflow("long", tasks=[{"id": "outer", "forEach": each, "tasks": [inner]}, pause])


def echo() -> dict[str, Any]:
    return workflow("echo", output="{{input.text}}")


def above() -> dict[str, Any]:
    """Starts another execution with a large input, and takes a large output of it."""
    return workflow("above", tasks=[{"id": "child", "workflowRef": "echo", "input": {"text": "{{input.text}}"}}])


def others(tour: Tour) -> None:
    """What no route and no execution does by itself."""
    (known, *_) = body_of(tour.send("GET", "/breakers"))["items"]
    key = f"/breakers/{known['name']}"
    tour.send("GET", key)
    for action in ("open", "close", "reset"):
        tour.send("POST", f"{key}/{action}", {"reason": "why"})
    tour.send("GET", "/health")
    event = json.loads((ROOT / "events" / "projector-stream.json").read_text())
    StatisticsProjector(tour.platforms["projector"].documents)(feed_records(event, TABLES))
    reconciled(tour)
    forestalled(tour)


def reconciled(tour: Tour) -> None:
    parked = tour.start("waiting", input={"text": "x"})
    until(lambda: "sign-off" in _tasks(tour, parked), "it does not wait")
    reconcile(tour.platforms["reconciler"], all_live=True)
    tour.send("POST", f"/executions/{parked}/cancel", {"reason": "enough"})
    tour.end(parked, "cancelled")


def forestalled(tour: Tour) -> None:
    """An execution that was told to stop before it began takes its values with it."""
    platform = tour.here.platform
    parent = tour.start("above", input={"text": "x"})
    tour.end(parent)
    started = next(read_segments(platform.documents, CALLER.scope, parent)).events[0]
    assert isinstance(started, ExecutionStarted)
    order = StartChild(path="child", child=platform.ids.new(), ref="echo")
    platform.documents.write(CALLER.scope, [void_actor(order.child, platform.clock.now())])
    ended = ChildExecutions(lambda: platform).start(CALLER.scope, started, order, {"text": LARGE})
    assert "ChildFinished" == type(ended).__name__


@pytest.fixture(scope="module")
def tour() -> Iterator[Tour]:
    with demo_service() as demo, cloud(demo) as here:
        made = Tour(here)
        token = json.dumps({"value": "t", "hosts": [demo.removeprefix("http://").partition(":")[0]]})
        boto3.client("secretsmanager", region_name=REGION).create_secret(Name="millrace/acme/token", SecretString=token)
        try:
            definitions(made)
            executions(made)
            others(made)
            yield made
        finally:
            for platform in made.platforms.values():
                platform.documents.close()


@pytest.mark.parametrize("name", [name.removesuffix("Function").lower() for name in FUNCTIONS])
def test_a_function_may_do_all_that_it_does(tour: Tour, name: str) -> None:
    needed = tour.needs[name]
    assert needed
    assert set() == needed - granted(FUNCTIONS[f"{name.capitalize()}Function"]["Policies"])


def test_the_tour_comes_by_every_route(tour: Tour) -> None:
    described = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    routes = {
        (method.upper(), re.compile(re.sub(r"\{\w+\}", "[^/]+", path.removeprefix("/api/v1"))))
        for path, methods in described.items()
        for method in methods
    }
    missed = {(how, route.pattern) for how, route in routes if not any(_is(sent, how, route) for sent in tour.sent)}
    assert set() == missed


def _is(sent: tuple[str, str], method: str, route: re.Pattern[str]) -> bool:
    return method == sent[0] and route.fullmatch(sent[1]) is not None
