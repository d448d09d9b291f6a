"""What an import says that it has not taken over to the letter."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millrace.services.import_foreign import import_foreign
from millrace.services.importers.sources import SourceName

CHILD = {"taskReferenceName": "c", "type": "SUB_WORKFLOW", "subWorkflowParam": {"name": "other"}}
FLOW = {"id": "c", "type": "io.kestra.plugin.core.flow.Subflow", "flowId": "other"}


def imported(source: SourceName, definition: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The tasks, and the notes as ``level: message``."""
    report = import_foreign(json.dumps(definition).encode(), "json", source)
    return report["document"]["spec"]["tasks"], [f"{note['level']}: {note['message']}" for note in report["notes"]]


@pytest.mark.parametrize(
    ("source", "definition"),
    [
        ("conductor", {"tasks": [{**CHILD, "subWorkflowParam": {"name": "other", "version": 7}}]}),
        ("kestra", {"id": "f", "tasks": [{**FLOW, "revision": 7}]}),
    ],
    ids=["conductor", "kestra"],
)
def test_the_version_of_a_workflow_that_is_started_is_not_dropped_without_a_word(
    source: SourceName, definition: dict[str, Any]
) -> None:
    _, notes = imported(source, definition)
    assert ["changed: version 7 was asked for: the active one is started, unless a range stands behind an @"] == notes


@pytest.mark.parametrize(
    ("source", "definition"),
    [("conductor", {"tasks": [CHILD]}), ("kestra", {"id": "f", "tasks": [FLOW]})],
    ids=["conductor", "kestra"],
)
def test_a_workflow_that_is_started_in_no_version_needs_no_note(source: SourceName, definition: dict[str, Any]) -> None:
    assert [] == imported(source, definition)[1]


@pytest.mark.parametrize(
    ("given", "headers"),
    [({}, {"content-type": "application/json"}), ({"Content-Type": "text/json"}, {"Content-Type": "text/json"})],
    ids=["none", "named"],
)
def test_json_that_n8n_puts_together_as_a_text_is_sent_as_it_is_and_not_as_a_json_text(
    given: dict[str, str], headers: dict[str, str]
) -> None:
    pairs = [{"name": name, "value": value} for name, value in given.items()]
    parameters = {"method": "POST", "url": "https://x.example", "headerParameters": {"parameters": pairs}}
    parameters |= {"sendBody": True, "jsonBody": '={"n": {{ 1 + 1 }} }'}
    node = {"name": "Post", "type": "n8n-nodes-base.httpRequest", "parameters": parameters}
    tasks, notes = imported("n8n", {"name": "f", "nodes": [node], "connections": {}})
    assert ('{"n": {{1 + 1}} }', headers) == (tasks[0]["request"]["bodyText"], tasks[0]["request"]["headers"])
    assert "body" not in tasks[0]["request"]
    assert "changed: JSON put together as a text is sent as it is: quotes in values break it" in notes
