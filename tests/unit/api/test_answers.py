"""Addresses in answers lead where the client can go: below the stage, if that is how it came."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.api.answers import before_path

PATH = "/api/v1/workflows"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"path": PATH, "requestContext": {"path": f"/live{PATH}"}}, "/live"),
        ({"path": PATH, "requestContext": {"path": PATH}}, ""),
        ({"path": PATH, "requestContext": {"path": "/other"}}, ""),
        ({"path": PATH, "requestContext": {"path": f"//evil.example{PATH}"}}, ""),
        ({"path": PATH, "requestContext": {"path": 7}}, ""),
        ({"path": PATH, "requestContext": None}, ""),
        ({"requestContext": {"path": f"/live{PATH}"}}, ""),
        ({}, ""),
    ],
)
def test_what_stands_before_our_paths_is_the_stage_or_nothing(event: dict[str, Any], expected: str) -> None:
    assert expected == before_path(event)
