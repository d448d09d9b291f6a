"""Hyphens in names that are known by shape alone."""

from __future__ import annotations

import pytest

from tests.unit.spec.builders import judge

LOOP = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: hyphens}
spec:
  input:
    type: object
    required: [order]
    properties:
      order:
        type: object
        required: [lines]
        properties:
          lines:
            type: array
            items: {type: object, properties: {unit-price: {type: number}, total: {type: number}, fee: {type: number}}}
          open: {type: object, additionalProperties: true, properties: {at-all: {type: integer}}}
  tasks:
    - id: each
      forEach: {items: "{{input.order.lines}}"}
      tasks:
        - {id: get-it, type: transform, input: {items: ["{{item}}"]}, transform: [{limit: 1}]}
  output: "{{EXPRESSION}}"
"""


DOUBT = "warning ambiguous-hyphen: Write {}."
MEANT = "{} ambiguous-hyphen: For a subtraction write {}."


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("tasks.each.output[0].output.get-it", []),
        ("tasks.each.output.map(one, one.output.get-it)", []),
        ("input.order.lines[0].unit-price ?? 0", []),
        ("input.order.open.at-all ?? 0", []),
        ("input.order.open.at-once ?? 0", [DOUBT.format("at - once")]),
        ("input.order.lines[0].total-fee", [MEANT.format("error", "total - fee")]),
        ("input.order.lines[0].total-1", [MEANT.format("error", "total - 1")]),
        ("input.order.lines[0].total-fee ?? 0", [MEANT.format("warning", "total - fee")]),
        ("input.order.lines[0].unit-prize", ["error unknown-input: Write unit-price."]),
        (
            "[input.order.open.a-b ?? 0, tasks.each.output[0].output.a-b]",
            ["error unknown-output: Declared there: get-it.", DOUBT.format("a - b"), DOUBT.format("a - b")],
        ),
        ("{'get-it': 1}.get-it", [DOUBT.format("get - it")]),
    ],
)
def test_a_hyphenated_name_is_judged_by_the_shape_it_is_read_from(expression: str, expected: list[str]) -> None:
    codes = {"ambiguous-hyphen", "unknown-input", "unknown-output"}
    found = [one for one in judge(LOOP.replace("EXPRESSION", expression)) if one.code in codes]
    assert expected == sorted(f"{one.severity} {one.code}: {one.fix}" for one in found)


@pytest.mark.parametrize(
    ("step", "fix"),
    [
        ("map: '{{item.total-fee}}'", "total - fee"),
        ("filter: item.total-fee > 1", "total - fee"),
        ("map: '{{item.total - input.order.lines[0].total-fee}}'", "total - fee"),
    ],
)
def test_a_step_of_a_transform_is_told_the_same(step: str, fix: str) -> None:
    lines = "{id: t, type: transform, input: {items: '{{input.order.lines}}'}, transform: [{STEP}]}"
    text = LOOP.replace("  output:", f"    - {lines.replace('STEP', step)}\n  output:").replace("EXPRESSION", "1")
    assert [("ambiguous-hyphen", f"For a subtraction write {fix}.")] == [
        (one.code, one.fix) for one in judge(text) if one.severity == "error"
    ]
