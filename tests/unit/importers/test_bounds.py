"""What sources allow and we do not: the most that there is here, with a note, and a document that can be published."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.services.import_foreign import import_foreign
from millrace.services.importers.bounds import limit_attempt, limit_parallel
from millrace.services.importers.draft import Draft
from millrace.services.importers.sources import SourceName

KESTRA = "io.kestra.plugin.core"
LAMBDA = {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": True}
HTTP = {"name": "n", "taskReferenceName": "n", "type": "HTTP"}
NODE: dict[str, Any] = {"name": "A", "type": "n8n-nodes-base.httpRequest", "parameters": {"url": "https://a.example"}}
SLOW: dict[SourceName, Any] = {
    "asl": {"StartAt": "A", "States": {"A": {**LAMBDA, "TimeoutSeconds": 3600}}},
    "conductor": {"name": "x", "tasks": [{**HTTP, "inputParameters": {"http_request": {
        "uri": "https://a.example", "readTimeOut": 3_600_000}}}]},
    "n8n": {"nodes": [{**NODE, "parameters": {**NODE["parameters"], "options": {"timeout": 3_600_000}}}],
            "connections": {}},
}  # fmt: skip


@pytest.mark.parametrize("source", SLOW)
def test_an_attempt_that_may_take_longer_than_ours_is_cut_and_told(source: SourceName) -> None:
    report = import_foreign(json.dumps(SLOW[source]).encode(), "json", source)
    assert report["valid"]
    assert ["14m"] == [one["attemptTimeout"] for one in report["document"]["spec"]["tasks"]]
    assert 1 == sum("an attempt takes at most 14m" in note["message"] for note in report["notes"])


@pytest.mark.parametrize(
    ("limit", "taken", "notes"),
    [(None, None, 0), (0, None, 0), (-1, None, 0), (0.0001, "1ms", 0), (840, "14m", 0), (840.001, "14m", 1)],
)
def test_a_limit_of_an_attempt_is_taken_as_far_as_it_goes(limit: float | None, taken: str | None, notes: int) -> None:
    draft, task = Draft(), {"id": "a"}
    limit_attempt(draft, task, limit, ("a",))
    assert (taken, notes) == (task.get("attemptTimeout"), len(draft.notes))


@pytest.mark.parametrize(
    ("most", "taken", "said"),
    [
        (None, None, "without limit, ten iterations run at once"),
        (0, None, "without limit, ten iterations run at once"),
        ("many", None, "without limit, ten iterations run at once"),
        (1, 1, None),
        ("40", 40, None),
        (1_000, 1_000, None),
        (1_001, 1_000, "at most 1000 iterations run at once"),
    ],
)
def test_a_loop_takes_as_many_at_once_as_ours_may(most: Any, taken: int | None, said: str | None) -> None:
    draft = Draft()
    loop: dict[str, Any] = {}
    limit_parallel(draft, loop, most, (), "limit")
    assert taken == loop.get("maxParallel")
    assert ([] if said is None else [("changed", said)]) == [(note.level, note.message) for note in draft.notes]


def test_a_loop_of_kestra_without_a_limit_says_how_many_run_at_once() -> None:
    loop = {"id": "l", "type": f"{KESTRA}.flow.ForEach", "values": [1], "concurrencyLimit": 0}
    inner = [{"id": "t", "type": f"{KESTRA}.log.Log", "message": "x"}]
    report = import_foreign(json.dumps({"id": "a", "tasks": [{**loop, "tasks": inner}]}).encode(), "json", "kestra")
    assert ["without concurrencyLimit, ten iterations run at once"] == [note["message"] for note in report["notes"]]
