"""Every finding says what to do about it: over the mistakes of the other tests, and over values put where they do
not belong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from millrace.spec import load
from millrace.spec.registry import known_types
from tests.unit.spec.builders import HEAD, HTTP, flow, judge
from tests.unit.spec.test_findings import CASES

FULL: dict[str, Any] = {
    "apiVersion": "workflow.io/v1",
    "kind": "Workflow",
    "metadata": {"name": "flow", "namespace": "team", "labels": {"a": "b"}, "annotations": {"x": 1}, "owner": "me"},
    "spec": {
        "description": "d",
        "version": "1.0.0",
        "tags": ["t"],
        "categories": ["c"],
        "input": {"type": "object"},
        "config": {"a": 1},
        "parallelLimit": 2,
        "timeout": "5m",
        "examples": [{"name": "one", "input": {}}],
        "output": {"o": "{{tasks.a.output.status}}"},
        "tasks": [
            {
                "id": "a",
                "type": "http",
                "request": {
                    "method": "POST",
                    "url": "https://x.example",
                    "headers": {"h": "1"},
                    "query": {"q": 1},
                    "body": {"a": "{{input.x}}"},
                    "auth": {"bearer": {"secretRef": "k"}},
                    "successCodes": ["2xx"],
                    "responseSchema": {"type": "object"},
                },
                "retry": {"maxAttempts": 2, "strategy": "exponential", "interval": "1s", "retryOn": ["5xx"]},
                "timeout": "1m",
                "attemptTimeout": "10s",
                "condition": "input.x",
                "priority": 1,
            },
            {"id": "t", "type": "transform", "input": {"items": []}, "transform": [{"limit": 1}], "dependsOn": ["a"]},
            {"id": "w", "wait": {"for": "1s"}},
            {"id": "e", "event": {"type": "paid", "match": "event.data.x == 1", "timeout": "1d"}},
            {"id": "p", "type": "approval", "approvers": ["role:x"], "required": 1, "timeout": "3d"},
        ],
    },
}
ODD: tuple[Any, ...] = (
    None,
    0,
    -1,
    1.5,
    True,
    "",
    "x" * 9_000,
    "{{",
    "{{1 +}}",
    [],
    {},
    [[]],
    {"zz": 1},
    ["", ""],
    "\x00",
)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _places(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _places(below, (*path, index))


def _with(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(copy[path[0]], path[1:], new)
    return copy


def _unfixed(text: str) -> list[tuple[str, str]]:
    return [(finding.code, finding.message) for finding in judge(text) if not finding.fix.strip()]


@pytest.mark.repeats
@pytest.mark.parametrize("text", [case[1] for case in CASES], ids=[f"{case[0]}-{at}" for at, case in enumerate(CASES)])
def test_every_finding_of_the_mistake_corpus_says_what_to_do(text: str) -> None:
    assert [] == _unfixed(text)


@pytest.mark.parametrize("path", list(_places(FULL)), ids=lambda path: "/".join(map(str, path)) or "root")
def test_whatever_stands_in_the_wrong_place_is_told_with_a_fix_in_our_own_words(path: tuple[str | int, ...]) -> None:
    found = 0
    for odd in ODD:
        text = json.dumps(_with(FULL, path, odd))
        assert [] == _unfixed(text), (path, odd)
        for finding in judge(text):
            found += 1
            assert "input should" not in finding.message.lower(), finding
            assert "tuple" not in finding.message, finding
    assert found


def test_the_document_that_is_broken_here_is_sound() -> None:
    assert [] == [finding for finding in judge(json.dumps(FULL)) if finding.severity == "error"]


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        (
            flow(f"id: a, {HTTP}, retry: {{maxAttempts: 0}}"),
            '"maxAttempts" is out of range: it takes 1 or more',
            "Write 1 or more.",
        ),
        (
            flow(f"id: a, {HTTP}", more="  parallelLimit: 0\n"),
            '"parallelLimit" is out of range: it takes 1 or more',
            "Write 1 or more.",
        ),
        (HEAD + "  tasks: []\n", '"tasks" has 0 entries', "Give it at least 1."),
        (
            flow(f"id: a, {HTTP}, priority: 1001"),
            '"priority" is out of range: it takes at most 1000',
            "Write at most 1000.",
        ),
        (flow("id: a, type: http, request: {url: ''}"), '"url" has fewer than 1 characters', "Write at least 1."),
        (
            flow("id: a, type: transform, input: {items: []}, transform: [" + "{limit: 1}, " * 101 + "]"),
            '"transform" has 101 entries',
            "Give it at most 100.",
        ),
        (
            flow(f"id: a, type: http, request: {{url: 'https://x/{'y' * 8192}'}}"),
            '"url" has more than 8192 characters',
            "Write at most 8192.",
        ),
    ],
)
def test_a_bound_that_is_passed_is_named_in_the_fix(text: str, message: str, fix: str) -> None:
    assert (message, fix) in [(finding.message, finding.fix) for finding in judge(text)]


def test_a_type_that_resembles_none_is_answered_with_all_there_are() -> None:
    (finding,) = judge(flow("id: a, type: qqqqqqq"))
    assert ("unknown-type", known_types()) == (finding.code, finding.did_you_mean)
    (finding,) = judge(flow("id: a, type: htpp"))
    assert "http" == finding.did_you_mean[0]


@pytest.mark.parametrize(("label", "message"), [("a\\0b", "control character"), ("x" * 257, "has 257 characters")])
def test_a_label_that_cannot_be_kept_is_refused_in_words_about_labels(label: str, message: str) -> None:
    text = flow(f"id: a, {HTTP}").replace("{name: flow}", f'{{name: flow, labels: {{team: "{label}"}}}}')
    (finding,) = judge(text)
    assert message in finding.message


def test_yaml_that_is_read_as_json_is_told_how_to_say_that_it_is_yaml() -> None:
    text = flow(f"id: a, {HTTP}").encode()
    (finding,) = load(text, media="json").findings
    assert "content-type: application/yaml" in finding.fix
    (finding,) = load(b'{"a": 1,}', media="json").findings
    assert "yaml" not in finding.fix
    assert finding.fix
