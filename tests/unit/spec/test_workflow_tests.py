"""Tests in files of their own: judged with their workflow, and told at their own places."""

from __future__ import annotations

from millrace.base.limits import DOCUMENT_BYTES
from millrace.spec import load
from millrace.spec.shapes import Shape, deprecation_of
from millrace.spec.workflow_tests import load_tests, with_tests
from tests.unit.spec.builders import HTTP, flow

HEAD = "apiVersion: workflow.io/v1\nkind: WorkflowTest\nmetadata: {name: t}\nspec:\n  workflow: flow\n  tests:\n"
ONE = "    - name: one\n      expect: {status: succeeded}\n"


def test_tests_take_the_place_of_those_of_their_workflow() -> None:
    made, findings = with_tests(
        load_tests((HEAD + ONE).encode(), media="yaml"), load(flow(f"id: a, {HTTP}").encode(), media="yaml"), tasks={}
    )
    assert made is not None
    assert (["one"], ()) == ([test.name for test in made.spec.tests], findings)


def test_a_mistake_in_tests_is_told_at_its_place_in_their_file() -> None:
    text = HEAD + ONE + "      mocks: {gone: {output: 1}}\n"
    made, findings = with_tests(
        load_tests(text.encode(), media="yaml"), load(flow(f"id: a, {HTTP}").encode(), media="yaml"), tasks={}
    )
    assert None is made
    assert 9 in {one.line for one in findings}


def test_tests_that_are_too_large_with_their_workflow_are_told_so() -> None:
    half = DOCUMENT_BYTES * 2 // 3
    tests = load_tests((HEAD + ONE + f"      input: {{text: {'x' * half}}}\n").encode(), media="yaml")
    assert () == tests.findings
    workflow = load(flow(f"id: a, {HTTP}", more=f"  config: {{text: {'x' * half}}}\n").encode(), media="yaml")
    made, findings = with_tests(tests, workflow, tasks={})
    assert None is made
    assert findings


def test_a_schema_that_is_no_object_and_one_that_refers_to_itself_say_nothing_of_their_age() -> None:
    assert None is deprecation_of(Shape.of(True))
    assert None is deprecation_of(Shape.of({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}))
    assert "" == deprecation_of(Shape.of({"deprecated": True}))
