"""docs/openapi.json: up to date, complete, and true of every answer that a fuzz gets out of the functions."""

from __future__ import annotations

import importlib.util
import json
import re
from types import ModuleType
from typing import Any

import pytest

from millrace.api.access import ACCESS, API, PUBLIC
from millrace.local.routing import Match, Router
from millrace.local.template import read_template
from millrace.services.reserved_names import ROUTED
from tests.functions.apps import CONCERNS, ROOT, function

DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
ROUTES = {(verb.upper(), re.sub("{(.*?)}", r"<\1>", path)) for path, item in DOCUMENT["paths"].items() for verb in item}


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_openapi", ROOT / "tools" / "generate_openapi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_document_is_what_the_routes_say() -> None:
    assert json.loads(generator().text()) == DOCUMENT


def test_the_committed_table_of_problems_is_what_the_code_says() -> None:
    assert generator().problems() == (ROOT / "docs" / "reference" / "problems.md").read_text()


def test_every_route_of_every_function_is_in_the_access_table_and_nothing_else_is() -> None:
    registered = {(route.method, route.path) for c in CONCERNS for route in function(c).app.routes}
    assert registered == set(ACCESS) == ROUTES


def test_the_template_routes_every_path_to_the_function_that_serves_it() -> None:
    template = read_template(ROOT / "template.yaml")
    folders = {code.name: code.folder.name for code in template.functions}
    router = Router(template.routes)
    for concern in CONCERNS:
        for route in function(concern).app.routes:
            found = router.match(route.method, route.path.replace("<", "").replace(">", ""))
            assert isinstance(found, Match), (route.method, route.path)
            assert concern == folders[found.route.function]


def test_every_public_path_is_a_route_without_variable_parts() -> None:
    assert set(PUBLIC) <= set(ACCESS)
    assert not [path for _, path in PUBLIC if "<" in path]


def test_every_static_word_beside_a_name_is_reserved() -> None:
    found = set()
    for _, path in ACCESS:
        match = re.fullmatch(rf"{API}/(?:workflows|tasks)/([a-z-]+)", path)
        if match:
            found.add(match[1])
    assert found == set(ROUTED)


def test_no_two_operations_share_an_id() -> None:
    ids = [one["operationId"] for item in DOCUMENT["paths"].values() for one in item.values()]
    assert len(ids) == len(set(ids))


def test_every_operation_describes_its_problems_and_has_a_summary() -> None:
    for path, item in DOCUMENT["paths"].items():
        for verb, one in item.items():
            assert {"400", "401", "403", "404", "500"} <= set(one["responses"]), (verb, path)
            assert one["summary"].endswith("."), (verb, path)


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def test_every_reference_leads_somewhere() -> None:
    for reference in _references(DOCUMENT["paths"]) | _references(DOCUMENT["components"]):
        place: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place, reference


@pytest.mark.parametrize("concern", CONCERNS)
def test_a_handler_of_every_function_is_called_handler(concern: str) -> None:
    assert callable(function(concern).handler)
