"""Two thousand requests of many callers at once through every function: each gets its own answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from millrace.services.platform import Platform
from tests.functions.apps import handle
from tests.functions.documents import task, workflow
from tests.functions.events import Who, body_of, header, status

TENANTS = 20
REQUESTS = 2000


@pytest.fixture()
def tenants(world: Platform) -> list[str]:
    """Each with a workflow, a task and an execution that carry its name."""
    executions = []
    for number in range(TENANTS):
        who = Who(principal=f"setup{number}", tenant=f"t{number}")
        handle("POST", "/api/v1/workflows", workflow("own", description=f"of t{number}"), who=who)
        handle("POST", "/api/v1/tasks", task("own", description=f"of t{number}"), who=who)
        body = {"input": {}, "labels": {"tenant": f"t{number}"}}
        executions.append(body_of(handle("POST", "/api/v1/workflows/own/executions", body, who=who))["id"])
    return executions


def ask(number: int, executions: list[str]) -> tuple[Any, Any]:
    """What was expected and what came."""
    tenant = number % TENANTS
    who = Who(principal=f"p{number}", tenant=f"t{tenant}", roles="admin" if number % 3 else "viewer")
    more: dict[str, Any] = {"who": who, "request_id": f"r{number}"}
    kind = number % 7
    if kind == 0:
        result = handle("GET", "/api/v1/workflows/own", **more)
        pair: tuple[Any, Any] = (f"of t{tenant}", body_of(result).get("description"))
    elif kind == 1:
        result = handle("GET", "/api/v1/tasks/own", **more)
        pair = (f"of t{tenant}", body_of(result).get("description"))
    elif kind == 2:
        result = handle("GET", f"/api/v1/executions/{executions[tenant]}", **more)
        pair = ({"tenant": f"t{tenant}"}, body_of(result).get("labels"))
    elif kind == 3:
        other = executions[(tenant + 1) % TENANTS]
        result = handle("GET", f"/api/v1/executions/{other}", **more)
        pair = (404, status(result))
    elif kind == 4:
        result = handle("GET", "/api/v1/health", **more)
        pair = ("ok", body_of(result).get("status"))
    elif kind == 5:
        result = handle("POST", "/api/v1/tasks/own/validate-input", {"input": {"number": number}}, **more)
        pair = (True, body_of(result).get("valid"))
    else:
        result = handle("POST", "/api/v1/workflows", workflow(f"w{number}"), **more)
        expected = (201, who.principal) if who.roles == "admin" else (403, None)
        pair = (expected, (status(result), body_of(result).get("createdBy")))
    return (*pair[:1], f"r{number}"), (*pair[1:], header(result, "X-Request-Id"))


def test_every_answer_carries_its_own_identity(tenants: list[str]) -> None:
    together = threading.Barrier(16)

    def one(number: int) -> tuple[Any, Any]:
        if number < 16:
            together.wait()
        return ask(number, tenants)

    with ThreadPoolExecutor(16) as pool:
        pairs = list(pool.map(one, range(REQUESTS)))
    assert [] == [(expected, found) for expected, found in pairs if expected != found]
