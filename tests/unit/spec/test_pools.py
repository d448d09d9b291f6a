"""Pools of places: what a document may say of them, what is found about it, and what it becomes in a plan."""

from __future__ import annotations

import jsonschema
import pytest

from millrace.engine.compile import compile_plan
from millrace.engine.plan import PoolPlan
from millrace.spec import document_schema, format_source
from tests.unit.spec.builders import HTTP, flow, judge, workflow_of

POOL = "pool: {name: gpu, limit: 4}"


def said(concurrency: str, *tasks: str) -> list[tuple[str, str]]:
    text = flow(f"id: a, {HTTP}, concurrency: {{{concurrency}}}", *tasks)
    return [(finding.code, finding.message) for finding in judge(text)]


@pytest.mark.parametrize(
    ("concurrency", "code", "message"),
    [
        ("limit: 3, min: 1", "bad-value", '"min" needs a pool that keys share'),
        ("limit: 3, weight: 2", "bad-value", '"weight" needs a pool that keys share'),
        (f"limit: 3, {POOL}, min: 4", "bad-value", '"min" is 4, but a key holds at most 3'),
        (f"limit: 4, {POOL}, min: 5", "bad-value", '"min" is 5, but a key holds at most 4'),
        (f"limit: 3, {POOL}, min: -1", "bad-value", "-1 is out of range"),
        (f"limit: 3, {POOL}, weight: 0", "bad-value", "0 is out of range"),
        (f"limit: 3, {POOL}, weight: 1001", "bad-value", "1001 is out of range"),
        (f"limit: 3, {POOL}, weight: two", "bad-value", '"two" is not a number'),
        ("limit: 3, pool: {name: gpu, limit: 1001}", "bad-value", '"limit" is out of range: it takes at most 1000'),
        ("limit: 3, pool: {name: GPU, limit: 4}", "bad-value", '"GPU" is not a name'),
        ("limit: 3, pool: {limit: 4}", "missing-key", '"name" is required'),
        (
            f"limit: 3, {POOL}, wieght: 1",
            "unknown-key",
            '"wieght" is not a key of "concurrency". Did you mean "weight"?',
        ),
        (f"limit: 3, {POOL}, weight: '{{{{input.x +}}}}'", "bad-expression", "expected a value, found }"),
        (f"limit: 3, {POOL}, min: '{{{{taks.b}}}}'", "unknown-reference", "taks"),
        (f"limit: 9, {POOL}", "no-effect", "a key never holds 9 places: the pool has 4"),
    ],
)
def test_what_makes_no_sense_is_found(concurrency: str, code: str, message: str) -> None:
    ((found, text),) = said(concurrency)
    assert code == found
    assert message.lower() in text.lower()


def test_a_weight_of_another_type_is_told_what_it_takes() -> None:
    assert [("wrong-type", '"weight" is the number 1.5, expected an integer or text')] == said(
        f"limit: 3, {POOL}, weight: 1.5"
    )


@pytest.mark.parametrize(
    "concurrency",
    [
        f"limit: 4, {POOL}",
        f"key: '{{{{input.customer}}}}', limit: 4, {POOL}, min: 4, weight: 1000, onLimit: fail",
        f"limit: 2, {POOL}, min: 0, weight: '{{{{input.gold ? 3 : 1}}}}'",
    ],
)
def test_what_makes_sense_is_taken_by_the_models_and_by_the_schema(concurrency: str) -> None:
    text = flow(f"id: a, {HTTP}, concurrency: {{{concurrency}}}")
    assert () == judge(text)
    _, source = workflow_of(text)
    jsonschema.validate(source.value, document_schema("Workflow"))
    once = format_source(text, "yaml")
    assert once == format_source(once, "yaml")


def test_one_pool_has_one_size_in_a_document() -> None:
    other = f"id: b, {HTTP}, concurrency: {{limit: 2, pool: {{name: gpu, limit: 5}}}}"
    third = f"id: c, {HTTP}, concurrency: {{limit: 2, pool: {{name: cpu, limit: 5}}}}"
    found = said(f"limit: 2, {POOL}", other, third)
    assert [("bad-value", 'the pool "gpu" has 4 places above and 5 here')] == found
    whole = flow(other, more=f"  concurrency: {{limit: 2, {POOL}}}\n")
    assert ["bad-value"] == [finding.code for finding in judge(whole)]


def test_the_claim_of_a_workflow_reads_no_task() -> None:
    weight = "'{{size(tasks.a.output)}}'"
    text = flow(f"id: a, {HTTP}", more=f"  concurrency: {{limit: 2, {POOL}, weight: {weight}}}\n")
    assert ["unknown-reference"] == [finding.code for finding in judge(text) if finding.severity == "error"]


def test_a_plan_holds_numbers_as_they_are_and_templates_compiled() -> None:
    workflow, _ = workflow_of(
        flow(
            f"id: a, {HTTP}, concurrency: {{limit: 3, {POOL}}}",
            f"id: b, {HTTP}, concurrency: {{limit: 3, {POOL}, min: 2, weight: '{{{{input.x}}}}'}}",
            f"id: c, {HTTP}, concurrency: {{limit: 3}}",
        )
    )
    first, second, third = (node.slot for node in compile_plan(workflow, {}, hashes={}).nodes)
    assert first is not None and second is not None and third is not None
    assert (PoolPlan("gpu", 4, 0, 1), None) == (first.pool, third.pool)
    assert second.pool is not None and not isinstance(second.pool.weight, int)
    assert ("gpu", 4, 2, 7) == (
        second.pool.name,
        second.pool.limit,
        second.pool.min,
        second.pool.weight.render({"input": {"x": 7}}),
    )
