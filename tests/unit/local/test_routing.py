"""The router chooses as API Gateway does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.local.routing import Match, Router
from millrace.local.template import Route

ROUTES = [
    Route("Deep", "GET", "/v1/things/{proxy+}"),
    Route("List", "GET", "/v1/things"),
    Route("Make", "POST", "/v1/things"),
    Route("Fixed", "GET", "/v1/things/fixed"),
    Route("One", "GET", "/v1/jobs/{id}"),
    Route("Log", "GET", "/v1/jobs/{id}/log"),
]
ROUTER = Router(ROUTES)


def found(method: str, path: str) -> tuple[str, dict[str, str]] | frozenset[str]:
    match = ROUTER.match(method, path)
    return (match.route.function, match.parameters) if isinstance(match, Match) else match


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/things", ("List", {})),
        ("/v1/things/fixed", ("Fixed", {})),
        ("/v1/things/a", ("Deep", {"proxy": "a"})),
        ("/v1/things/fixed/b", ("Deep", {"proxy": "fixed/b"})),
        ("/v1/things/a%2Fb/c", ("Deep", {"proxy": "a/b/c"})),
        ("/v1/jobs/7", ("One", {"id": "7"})),
        ("/v1/jobs/a%20b/log", ("Log", {"id": "a b"})),
    ],
)
def test_a_fixed_segment_wins_over_a_variable_and_a_greedy_one_comes_last(
    path: str, expected: tuple[str, dict[str, str]]
) -> None:
    assert expected == found("GET", path)


@pytest.mark.parametrize(
    "path", ["", "/", "/v1", "/v1/things/", "/v1/jobs", "/v1/jobs/", "/v1/jobs/7/other", "/V1/things"]
)
def test_other_paths_lead_nowhere(path: str) -> None:
    assert frozenset() == found("GET", path)


def test_a_method_that_a_path_does_not_have_names_those_it_has() -> None:
    assert frozenset({"GET", "POST"}) == found("DELETE", "/v1/things")


@given(st.text())
def test_any_path_is_answered(path: str) -> None:
    assert isinstance(ROUTER.match("GET", path), Match | frozenset)


@given(st.permutations(ROUTES))
def test_the_order_of_the_template_changes_nothing(routes: list[Route]) -> None:
    match = Router(routes).match("GET", "/v1/things/fixed")
    assert isinstance(match, Match)
    assert "Fixed" == match.route.function
