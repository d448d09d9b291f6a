"""The graph of a workflow as people see it, tasks inside tasks included."""

from typing import Any

from millrace.services.workflow_graph import graph_json, mermaid
from tests.unit.spec.builders import HTTP, flow, loop, switch, workflow_of

TEXT = flow(
    f"id: first, {HTTP}",
    loop(
        "each",
        f"id: ship, {HTTP}, input: {{id: '{{{{tasks.first.output.status}}}}'}}",
        "id: note, taskRef: get, input: {id: '{{tasks.ship.output.status}}'}, fallback: {task: get}",
        each="items: '{{state.rows}}'",
    ),
    switch(
        "route",
        ("match: 1", f"id: pack, {HTTP}"),
        ("when: value == tasks.each.status", f"id: pack, {HTTP}, dependsOn: [late]}}, {{id: late, {HTTP}"),
    ),
    more="  state: {rows: '{{tasks.first.output.body}}'}\n"
    f"  onFailure: {{{HTTP}}}\n"
    f"  finally: [{{id: x, {HTTP}, dependsOn: [y]}}, {{id: y, {HTTP}}}]\n",
)


def graph() -> dict[str, Any]:
    return graph_json(workflow_of(TEXT)[0])


def test_nodes_name_the_task_around_them_and_their_layer_in_it() -> None:
    found = [(node["id"], node["type"], node["parent"], node["layer"]) for node in graph()["nodes"]]
    assert [
        ("first", "http", None, 0),
        ("each", "forEach", None, 1),
        ("each/ship", "http", "each", 0),
        ("each/note", "taskRef", "each", 1),
        ("each/note/fallback", "taskRef", "each/note", 0),
        ("route", "switch", None, 2),
        ("route/0/pack", "http", "route", 0),
        ("route/1/pack", "http", "route", 1),
        ("route/1/late", "http", "route", 0),
        ("onFailure", "http", None, 0),
        ("finally/x", "http", None, 1),
        ("finally/y", "http", None, 0),
    ] == found


def test_edges_stay_in_one_list_and_say_what_is_read() -> None:
    found = {(edge["from"], edge["to"]): (edge["why"], edge["reads"]) for edge in graph()["edges"]}
    assert {
        ("first", "each"): (["data"], ["tasks.first.output.body", "tasks.first.output.status"]),
        ("each/ship", "each/note"): (["data"], ["tasks.ship.output.status"]),
        ("each", "route"): (["data"], ["tasks.each.status"]),
        ("route/1/late", "route/1/pack"): (["order"], []),
        ("finally/y", "finally/x"): (["order"], []),
    } == found


def test_layers_are_those_of_the_workflows_own_list() -> None:
    assert [["first"], ["each"], ["route"]] == graph()["layers"]


def test_tasks_inside_tasks_are_drawn_inside_them() -> None:
    assert mermaid(graph()) == (
        "flowchart TD\n"
        '  n0["first (http)"]\n'
        '  subgraph n1["each (forEach)"]\n'
        '    n2["each/ship (http)"]\n'
        '    subgraph n3["each/note (taskRef)"]\n'
        '      n4["each/note/fallback (taskRef)"]\n'
        "    end\n"
        "  end\n"
        '  subgraph n5["route (switch)"]\n'
        '    n6["route/0/pack (http)"]\n'
        '    n7["route/1/pack (http)"]\n'
        '    n8["route/1/late (http)"]\n'
        "  end\n"
        '  n9["onFailure (http)"]\n'
        '  n10["finally/x (http)"]\n'
        '  n11["finally/y (http)"]\n'
        "  n0 --> n1\n"
        "  n1 --> n5\n"
        "  n2 --> n3\n"
        "  n8 -.-> n7\n"
        "  n11 -.-> n10\n"
    )
