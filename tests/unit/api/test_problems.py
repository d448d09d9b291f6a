from __future__ import annotations

import inspect
import json

import pytest

from millrace.api.problems import TABLE, TYPE_PREFIX, problem, row_for
from millrace.base import errors

TREE = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.MillraceError)]


def test_every_error_of_the_tree_has_a_row_of_its_own() -> None:
    assert set(TREE) == set(TABLE)


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_every_problem_body_is_complete_and_json(cls: type[errors.MillraceError]) -> None:
    found = problem(cls("what", hint="do this", facts={"limit": 1}), instance="/x", request_id="r")
    assert {"type", "title", "status", "detail", "code", "hint", "instance", "requestId"} <= set(found.body)
    assert found.body["status"] == found.status
    assert TYPE_PREFIX + cls.code == found.body["type"]
    assert found.body == json.loads(json.dumps(found.body))


def test_no_two_errors_share_a_code() -> None:
    assert len(TREE) == len({cls.code for cls in TREE})


def test_an_error_of_the_user_is_never_a_server_error() -> None:
    for cls in TREE:
        if issubclass(cls, (errors.UserError, errors.NotFound, errors.Conflict, errors.Denied)):
            assert 400 <= row_for(cls("x")).status < 500


def test_a_subclass_without_a_row_takes_that_of_its_parent() -> None:
    class Special(errors.NotFound):
        code = "special"

    assert 404 == problem(Special("x"), instance="/", request_id="r").status


def test_an_unexpected_exception_leaks_nothing_but_the_request_id() -> None:
    found = problem(ValueError("password=hunter2"), instance="/x", request_id="r-7")
    assert 500 == found.status
    assert "hunter2" not in json.dumps(found.body)
    assert "r-7" == found.body["requestId"]
    assert "internal" == found.body["code"]


def test_facts_of_damaged_data_stay_inside() -> None:
    found = problem(errors.BlobCorrupt("bucket/key", facts={"key": "bucket/key"}), instance="/x", request_id="r")
    assert "bucket/key" not in json.dumps(found.body)


def test_facts_become_members_but_never_replace_ours() -> None:
    found = problem(errors.InvalidRequest("x", facts={"line": 3, "status": 999}), instance="/x", request_id="r")
    assert (3, 400) == (found.body["line"], found.body["status"])


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (errors.MethodNotAllowed("x", facts={"allow": ["GET", "PUT"]}), "Allow", "GET, PUT"),
        (errors.Unauthenticated("x"), "WWW-Authenticate", "Bearer"),
        (errors.Throttled("x", facts={"retryAfter": 7}), "Retry-After", "7"),
        (errors.StoreUnavailable("x"), "Retry-After", "1"),
    ],
)
def test_a_problem_carries_the_header_its_status_asks_for(error: errors.MillraceError, name: str, value: str) -> None:
    assert value == problem(error, instance="/", request_id="r").headers[name]
