from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.api.current import Request, caller, serving
from millrace.api.parameters import cursor_of, sealed, unsealed, wait_of
from millrace.api.resolver import Resolver
from millrace.base.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "wait", "header"),
    [("10s", 10_000, "wait=10"), ("20s", 20_000, "wait=20"), ("1h", 20_000, "wait=20"), ("5", 5_000, "wait=5")],
)
def test_a_wait_is_clamped_and_the_answer_says_so(text: str, wait: int, header: str) -> None:
    assert (wait, {"Preference-Applied": header}) == wait_of(text)


def test_no_wait_is_no_header() -> None:
    assert (0, {}) == wait_of(None)


def test_what_is_no_duration_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="wait"):
        wait_of("soon")


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_a_sealed_cursor_opens_to_what_was_sealed(inner: str) -> None:
    page = sealed({"items": [], "cursor": inner})
    assert inner == unsealed(page["cursor"])
    assert page["cursor"] == cursor_of(page["cursor"])


def test_the_end_of_a_list_has_no_cursor() -> None:
    assert {"cursor": None} == sealed({"cursor": None})
    assert unsealed(None) is None
    assert cursor_of(None) is None


@pytest.mark.parametrize("text", ["#", "a b", "%", "\u00e9", "_w==x", "/w=="])
def test_a_cursor_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        unsealed(text)


def test_a_caller_exists_only_within_an_authenticated_request() -> None:
    with pytest.raises(LookupError):
        caller()
    with serving(Request(method="GET", path="/", request_id="r", event={})), pytest.raises(LookupError):
        caller()


def test_the_resolver_keeps_what_belongs_to_a_request_out_of_itself() -> None:
    app = Resolver("test")
    first = Request(method="GET", path="/", request_id="r1", event={"path": "/1"}, lambda_context="c1")
    with serving(first):
        app.append_context(mark=1)
        assert ({"mark": 1}, "/1", "c1") == (app.context, app.current_event.path, app.lambda_context)
        with serving(Request(method="GET", path="/", request_id="r2", event={"path": "/2"})):
            assert ({}, "/2", None) == (app.context, app.current_event.path, app.lambda_context)
            app.lambda_context = "c2"
            app.current_event = app.current_event
        assert "c1" == app.lambda_context
    assert {} == app.context
