"""One spelling of a document, with its comments."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.base.errors import InvalidDocument
from millrace.spec import format_source, load
from millrace.spec.formatting import canonical_value
from millrace.spec.source import read_document

BEFORE = """\
# file
kind: Workflow # the kind
apiVersion: workflow.io/v1
metadata: {name: x}
spec:
  # the tasks
  tasks:
      - id: a
        type: http
        # why
        request: {url: "x/{{ inputs.id }}/{{inputs.id}}"}
        needs: [b]   # order
        if: "{{ inputs.ok }}"
      - {id: b, type: http, request: {url: 'y'}, runIf: '{{input.ok'}
  # what goes in
  input: {type: object}
  description: |
    Long
    text
"""
AFTER = """\
# file
apiVersion: workflow.io/v1
kind: Workflow # the kind
metadata: {name: x}
spec:
  description: |
    Long
    text
  # what goes in
  input: {type: object}
  # the tasks
  tasks:
    - id: a
      type: http
        # why
      request: {url: "x/{{ input.id }}/{{input.id}}"}
      dependsOn: [b]     # order
      condition: "input.ok"
    - {id: b, type: http, request: {url: 'y'}, condition: '{{input.ok'}
"""


def test_a_document_gets_our_names_our_order_and_keeps_its_comments() -> None:
    assert AFTER == format_source(BEFORE, "yaml")


BLOCKS = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: x}
spec:
  tasks:
    - id: a
      type: http
      condition: >-
        inputs.ok
      request:
        url: "x"
        bodyText: |
          as is: inputs.id

            deeper {{ inputs.id }} and {{inputs.other}}
          over {{ inputs.id +
            inputs.other }}
        headers: {x: ~, y: null}
        form:
        query:
          - ~
          - >
            folded {{inputs.id}}
            twice {{inputs.id}}
      # behind
  output: "{{inputs.id}}"
"""


def test_expressions_on_the_lines_of_blocks_get_our_names_too() -> None:
    found = format_source(BLOCKS, "yaml")
    assert "        input.ok\n" in found
    assert "            deeper {{ input.id }} and {{input.other}}\n" in found
    assert "            folded {{input.id}}\n            twice {{input.id}}\n      # behind\n" in found
    assert '  output: "{{input.id}}"\n' in found
    assert "as is: inputs.id\n" in found
    assert "over {{ inputs.id +\n            inputs.other }}" in found
    assert found == format_source(found, "yaml")


def test_what_limits_a_workflow_stands_before_its_tasks() -> None:
    spec = "\n".join(f"  {key}" for key in ("tasks: []", "execution: {}", "concurrency: {limit: 1}", "timeout: 1m"))
    found = format_source(f"spec:\n{spec}\n", "yaml")
    assert ["timeout", "concurrency", "execution", "tasks"] == [
        line.strip().split(":")[0] for line in found.splitlines()[1:]
    ]


def test_null_is_written_out() -> None:
    found = format_source(BLOCKS, "yaml")
    assert "headers: {x: null, y: null}\n        form: null\n        query:\n          - null\n" in found
    assert [] == [line for line in found.splitlines() if line != line.rstrip()]


def test_formatting_twice_changes_nothing() -> None:
    assert AFTER == format_source(AFTER, "yaml")


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\n",
        "- a\n- b\n",
        "just text\n",
        "{kind: Workflow, apiVersion: workflow.io/v1}\n",
        "spec: 5\nkind: x\n",
        "spec:\n  tasks: []\n  input: {}\n",
        "spec: {tasks: [], input: {}}\n",
        "# only\nspec:\n  tasks:\n  - a\n# behind\n  input: {}\nkind: x",
        "---\nspec:\n  tasks: []\n  input: {}\n...\n",
        "spec:\n  tasks:\n    - condition: >\n        {{ inputs.a\n        }}\n",
        'spec:\n  tasks:\n    - condition: "{{ inputs.a == \\"x\\" }}"\n',
        "spec:\n  tasks:\n    - {needs: [a], dependsOn: [b]}\n",
        "a: &x [1]\nb: *x\n",
        "kind: a\n\n\n# c\n\napiVersion: b\n",
        "?  a\n: b\n",
        "{kind: x,\n apiVersion: y}\n",
        "a: 2024-99-99\nb: 2024-01-01\n",
    ],
)
def test_formatting_keeps_the_meaning_and_is_done_once(text: str) -> None:
    once = format_source(text, "yaml")
    read = [canonical_value(read_document(one.encode(), media="yaml")) for one in (text, once)]
    assert read[0] == read[1]
    assert once == format_source(once, "yaml")


@given(
    st.dictionaries(
        st.sampled_from(["kind", "apiVersion", "spec", "x"]), st.text("ab #:{}'\"\n-", max_size=12), min_size=1
    )
)
def test_any_small_document_keeps_its_meaning(value: dict[str, str]) -> None:
    text = "".join(f"{key}: {json.dumps(item)}  # {key}\n" for key, item in value.items())
    once = format_source(text, "yaml")
    assert value == load(once.encode(), media="yaml").value
    assert once == format_source(once, "yaml")
    assert all(f"# {key}" in once for key in value)


def test_json_is_written_with_our_names_and_order() -> None:
    text = '{"spec":{"tasks":[{"id":"a","needs":["b"],"when":"{{inputs.x}}","n":1.0}],"input":{}},"kind":"Workflow"}'
    expected = {
        "kind": "Workflow",
        "spec": {"input": {}, "tasks": [{"id": "a", "dependsOn": ["b"], "condition": "input.x", "n": 1.0}]},
    }
    assert json.dumps(expected, indent=2) + "\n" == format_source(text, "json")


@pytest.mark.parametrize(("text", "expected"), [("[1]", "[\n  1\n]\n"), ('{"spec":1}', '{\n  "spec": 1\n}\n')])
def test_other_json_is_indented(text: str, expected: str) -> None:
    assert expected == format_source(text, "json")


def test_json_that_says_the_same_twice_keeps_both() -> None:
    text = '{"spec": {"tasks": [{"if": true, "condition": false}]}}'
    assert json.loads(text) == json.loads(format_source(text, "json"))


def test_a_document_that_cannot_be_read_is_not_formatted() -> None:
    with pytest.raises(InvalidDocument):
        format_source("a: [", "yaml")
