"""Requests made from docs/openapi.json, right and wrong ones, against every function: never a 500, and every
answer is one that the document describes."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import urlencode

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from millrace import wiring
from tests.functions.apps import ROOT, handle
from tests.functions.documents import YAML, YAML_WORKFLOW, task, workflow
from tests.functions.events import body_of, header, status
from tests.functions.world import platform

DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
SCHEMA = schemathesis.openapi.from_path(ROOT / "docs" / "openapi.json")
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
BODIES = st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode(errors="replace")))


@pytest.fixture(autouse=True, scope="module")
def stocked() -> Any:
    """One platform for all examples, with something to find in it."""
    wiring.use(platform())
    handle("POST", "/api/v1/workflows", YAML_WORKFLOW, headers=YAML)
    handle("POST", "/api/v1/workflows", workflow("0"))
    handle("POST", "/api/v1/tasks", task("0"))
    yield
    wiring.use(None)


def judge(method: str, template: str, result: dict[str, Any]) -> bool:
    """True for an answer that the document describes. Raises AssertionError, which says why, for another."""
    code = status(result)
    assert code < 500, result["body"]
    described = DOCUMENT["paths"][template][method.lower()]["responses"]
    assert code == 405 or str(code) in described, (code, result["body"])
    if code == 304:
        return True
    kind = str(header(result, "Content-Type")).split(";")[0]
    if kind in {"text/plain", "application/yaml", "application/zip", "application/sarif+json"}:
        assert kind in described[str(code)]["content"]
        return True
    name = "Problem" if code >= 400 else ""
    assert kind == ("application/problem+json" if name else "application/json")
    schema = {"$ref": "#/components/schemas/Problem"} if name else described[str(code)]["content"][kind]["schema"]
    schema = schema | {"components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(body_of(result))
    return True


def call(case: Any) -> dict[str, Any]:
    """The answer to a generated case, whatever its parts look like."""
    query = {name: value for name, value in (case.query or {}).items() if value is not None}
    url = case.formatted_path + (f"?{urlencode(query, doseq=True)}" if query else "")
    headers = {str(name): str(value) for name, value in (case.headers or {}).items()}
    if case.media_type:
        headers["Content-Type"] = case.media_type
    body: Any = None
    if type(case.body).__name__ != "NotSet":
        text = isinstance(case.body, str) and "json" not in str(case.media_type)
        body = case.body if text or isinstance(case.body, bytes) else json.dumps(case.body)
        if isinstance(body, bytes):
            return handle(case.method, url, body, headers=headers, encoded=True)
    return handle(case.method, url, body, headers=headers)


CASES = [
    (label, mode)
    for label, one in sorted(OPERATIONS.items())
    for mode in MODES
    if mode is GenerationMode.POSITIVE or list(one.iter_parameters())
]
"""A request without parts cannot be made wrong."""


@pytest.mark.parametrize(("label", "mode"), CASES, ids=lambda part: getattr(part, "name", part))
def test_every_generated_request_gets_an_answer_that_the_document_describes(label: str, mode: GenerationMode) -> None:
    operation = OPERATIONS[label]
    template = operation.path

    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        assert judge(case.method, template, call(case))

    run()


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    label=st.sampled_from([label for label, one in sorted(OPERATIONS.items()) if one.method != "get"]),
    body=BODIES,
    kind=st.sampled_from(["application/json", "application/yaml", "", "application/x-www-form-urlencoded"]),
)
def test_no_bytes_as_a_body_make_a_server_error(label: str, body: bytes, kind: str) -> None:
    operation = OPERATIONS[label]
    url = operation.path
    for name, value in {"{name}": "hello", "{execution}": "0" * 26, "{signal}": "go"}.items():
        url = url.replace(name, value)
    assert judge(
        operation.method,
        operation.path,
        handle(operation.method.upper(), url, body, headers={"Content-Type": kind}, encoded=True),
    )


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(path=st.text(max_size=40), method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS"]))
def test_no_path_makes_a_server_error(path: str, method: str) -> None:
    from tests.functions.apps import function
    from tests.functions.events import CONTEXT, event

    sent = event(method, "/api/v1/workflows") | {"path": path}
    assert 400 <= status(function("workflows").handler(sent, CONTEXT)) < 500


ODD_VALUES: list[Any] = [None, True, 0, -1, 1e300, 2**70, "", "x" * 300, "{{", "\u0000", [], {}, [{}], {"a": 1}]
ODD_TEXTS = ["{{input.who}}", "{{tasks.get.output}}", "{{tasks.shape.output}}", "{{secrets.x}}", "{{env.x}}"]
ODD = st.sampled_from([*ODD_VALUES, *ODD_TEXTS]) | st.text(max_size=5)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into a value but its root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in [(*path, key), *places(inner, (*path, key))]]


DEEP = workflow(
    "deep",
    input={"type": "object", "properties": {"who": {"type": "string", "pattern": "^a"}}, "required": ["who"]},
    output={"all": "{{tasks.get.output.body}}"},
    tasks=[
        {
            "id": "get",
            "type": "http",
            "request": {"method": "POST", "url": "https://example.com/{{input.who}}", "body": {"a": ["{{input.who}}"]}},
            "retry": {"maxAttempts": 2, "retryOn": ["5xx", 429]},
            "timeout": "5s",
            "condition": "input.who != 'x'",
        },
        {
            "id": "shape",
            "type": "transform",
            "input": {"items": "{{tasks.get.output.body}}"},
            "transform": [{"filter": "item.n > 1"}, {"map": {"n": "{{item.n}}"}}, {"sort": {"by": "n"}}, {"limit": 3}],
            "dependsOn": ["get"],
        },
    ],
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_no_change_of_a_good_document_makes_a_server_error(data: st.DataObject) -> None:
    document = json.loads(json.dumps(DEEP))
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(places(document)))
        holder = document
        for key in above:
            holder = holder[key]
        change = data.draw(st.sampled_from(["replace", "remove", "rename"]))
        if change == "replace":
            holder[last] = copy.deepcopy(data.draw(ODD))
        elif change == "remove" or isinstance(holder, list):
            del holder[last]
        else:
            holder[data.draw(st.text(max_size=8))] = holder.pop(last)
    assert judge("post", "/api/v1/workflows", handle("POST", "/api/v1/workflows", document))


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(at=st.integers(0, len(YAML_WORKFLOW) - 1), text=st.text(max_size=3), cut=st.integers(0, 5))
def test_no_edit_of_a_good_text_makes_a_server_error(at: int, text: str, cut: int) -> None:
    edited = YAML_WORKFLOW[:at] + text + YAML_WORKFLOW[at + cut :]
    body = edited.encode(errors="surrogatepass")
    assert judge("post", "/api/v1/workflows", handle("POST", "/api/v1/workflows", body, headers=YAML, encoded=True))


def test_the_good_document_itself_is_published() -> None:
    assert status(handle("POST", "/api/v1/workflows", DEEP)) in (200, 201)
