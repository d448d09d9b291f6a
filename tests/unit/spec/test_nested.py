"""Ids, names, dependencies and references over bodies of tasks."""

import pytest

from millrace.base.limits import BODIES_DEEP
from millrace.services.transform_check import check_transform
from millrace.spec import (
    behaviour_hash,
    check_workflow,
    dependencies,
    format_source,
    load,
    references,
    wanted_tasks,
    wanted_workflows,
)
from millrace.spec.dependencies import graphs_of
from millrace.spec.sites import workflow_sites
from millrace.spec.tree import Visible, tree_of
from tests.unit.spec.builders import HEAD, HTTP, flow, judge, loop, switch, workflow_of

CALL = f"id: c, {HTTP}"


def said(*tasks: str, more: str = "") -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in judge(flow(*tasks, more=more)) if one.severity != "hint"]


def places(code: str, *tasks: str, more: str = "") -> list[str]:
    """What stands where the findings of a code point."""
    text = flow(*tasks, more=more)
    lines = text.splitlines()
    return [lines[one.line - 1][one.column - 1 :] for one in judge(text) if one.code == code]


def needs(*tasks: str, more: str = "") -> dict[str, tuple[str, ...]]:
    """What waits for what, in all bodies, by label."""
    workflow, _ = workflow_of(flow(*tasks, more=more))
    tree = tree_of(workflow)
    found = {}
    for body, graph in zip(
        tree.bodies, graphs_of(workflow, tree, workflow_sites(workflow, check_transform, tree)), strict=True
    ):
        for name, wanted in graph.needs.items():
            found[tree.label(body.ids[name])] = wanted
    return found


def reads(name: str, path: str) -> str:
    return f"id: {name}, type: http, request: {{url: '{{{{{path}}}}}'}}"


@pytest.mark.parametrize(
    ("tasks", "found"),
    [
        ((loop("a", reads("b", "tasks.c.output.status")), CALL), []),
        ((loop("a", CALL, reads("b", "tasks.c.output.status")),), []),
        (
            (switch("s", ("match: 1", CALL), ("match: 2", reads("b", "tasks.c.output.status"))),),
            [("unknown-task", 'there is no task "c".')],
        ),
        (
            (loop("a", CALL), reads("b", "tasks.c.output.status")),
            [("unknown-task", 'the task "c" stands inside "a", and is not seen from here')],
        ),
        (
            (loop("a", loop("d", CALL, each="items: [], as: x, index: y"), reads("b", "tasks.c.output.status")),),
            [("unknown-task", 'the task "c" stands inside "d", and is not seen from here')],
        ),
        (
            (loop("a", CALL), f"id: b, {HTTP}, dependsOn: [c]"),
            [("unknown-task", 'the task "c" stands inside "a", and is not seen from here')],
        ),
        (
            (
                loop("a", CALL),
                "id: t, type: transform, transform: [{filter: 'tasks.c.status == \"failed\"'}], input: {items: [1]}",
            ),
            [("unknown-task", 'the task "c" stands inside "a", and is not seen from here')],
        ),
        (
            (loop("a", reads("fetch", "input.x"), reads("b", "tasks.fetsh.output.status")),),
            [("unknown-task", 'there is no task "fetsh". Did you mean "fetch"?')],
        ),
        (
            (loop("a", reads("b", "tasks.fetsh.output.status")), reads("fetch", "input.x")),
            [("unknown-task", 'there is no task "fetsh". Did you mean "fetch"?')],
        ),
        (
            (loop("a", reads("b", "tasks.a.output")),),
            [("self-reference", 'the task "a" is around this one, and ends after it')],
        ),
        (
            (loop("a", loop("d", reads("b", "tasks.a.status"), each="items: [], as: x, index: y")),),
            [("self-reference", 'the task "a" is around this one, and ends after it')],
        ),
        ((loop("a", reads("b", "tasks.b.status")),), [("self-reference", 'the task "b" waits for itself')]),
        (
            (loop("a", f"{CALL}, dependsOn: [o]"), f"id: o, {HTTP}"),
            [("unknown-task", 'the task "o" is not beside this one, and is done before it anyway')],
        ),
        ((loop("a", f"{CALL}, dependsOn: [a]"),), [("unknown-task", 'the task "a" is around this one')]),
        ((loop("a", f"{CALL}, dependsOn: [d]"),), [("unknown-task", 'there is no task "d".')]),
        (
            (loop("a", f"{CALL}, dependsOn: [d]", f"id: d, {HTTP}, dependsOn: [c]"),),
            [("cycle", "the tasks wait for each other: c → d → c")],
        ),
        (
            (loop("a", reads("b", "tasks.o.status")), f"id: o, {HTTP}, dependsOn: [a]"),
            [("cycle", "the tasks wait for each other: a → o → a")],
        ),
        ((loop("a", reads("b", "item.x + index")),), []),
        ((loop("a", reads("b", "row.x + n"), each="items: [], as: row, index: n"),), []),
        (
            (loop("a", reads("b", "itme.x")),),
            [("unknown-reference", "itme is not a name that can be used here")],
        ),
        (
            (loop("a", CALL), reads("b", "item.x")),
            [("unknown-reference", "item is not a name that can be used here")],
        ),
        ((switch("s", ("when: value.x == 1", CALL), ("when: tasks.o.status == 'failed'", CALL)), f"id: o, {HTTP}"), []),
        (
            (switch("s", ("match: 1", f"{CALL}, condition: value == 1")),),
            [("unknown-reference", "value is not a name that can be used here")],
        ),
        (
            (switch("s", ("when: value +", CALL)),),
            [("bad-expression", "the expression ends where a value is expected")],
        ),
        ((switch("s", ("when: 1 + 1", CALL)),), [("not-boolean", "the condition is integer, not true or false")]),
        (
            (switch("s", ("match: 1", CALL), value="{{secrets.k}}"),),
            [("secret-misplaced", "secrets.k is read where its value would be stored or shown")],
        ),
        (
            ("id: g, generate: {from: [{request: {headers: {a: '{{secrets.k}}'}}}]}",),
            [("secret-misplaced", "secrets.k is read where its value would be stored or shown")],
        ),
        ((loop("a", "id: b, type: http, request: {url: 'https://x', headers: {a: '{{secrets.k}}'}}"),), []),
        (("id: g, generate: {from: [{id: b, wait: {for: '{{execution.id}}'}}]}",), []),
    ],
)
def test_a_name_means_what_stands_around_it(tasks: tuple[str, ...], found: list[tuple[str, str]]) -> None:
    assert found == said(*tasks)


def test_a_mistake_about_a_name_is_found_where_it_is_read() -> None:
    inner = loop("d", reads("b", "tasks.q.status"), each="items: [], as: x, index: y")
    assert ["tasks.q.status}}'}}]}]}"] == places("unknown-task", loop("a", inner))
    assert ["q]}]}"] == places("unknown-task", loop("a", f"{CALL}, dependsOn: [q]"))
    assert ["tasks.a.status}}'}}]}"] == places("self-reference", loop("a", reads("b", "tasks.a.status")))


@pytest.mark.parametrize(
    ("tasks", "more", "found"),
    [
        ((loop("a", CALL, CALL),), "", [("duplicate-id", 'the id "c" is taken by the task in line 6')]),
        ((loop("a", f"id: a, {HTTP}"),), "", [("duplicate-id", 'the id "a" is taken by the task in line 6')]),
        ((CALL, loop("a", CALL)), "", [("duplicate-id", 'the id "c" is taken by the task in line 6')]),
        ((loop("a", CALL), CALL), "", [("duplicate-id", 'the id "c" is taken by the task in line 7')]),
        ((switch("s", ("match: 1", CALL), ("match: 2", CALL), default=CALL),), "", []),
        ((loop("a", CALL), loop("b", CALL)), "", []),
        ((CALL,), f"  finally: [{{{CALL}}}]\n", [("duplicate-id", 'the id "c" is taken by the task in line 7')]),
        ((CALL,), f"  onFailure: {{tasks: [{{id: d, {HTTP}}}]}}\n  finally: [{{id: d, {HTTP}}}]\n", []),
        ((f"id: fallback, {HTTP}",), "", []),
        (
            (loop("a", f"id: fallback, {HTTP}"),),
            "",
            [("reserved-id", 'the id "fallback" is that of what stands in for the task around this one')],
        ),
        ((switch("s", ("match: 1", f"id: fallback, {HTTP}")),), "", []),
        (
            (f"id: onFailure, {HTTP}", loop("a", f"id: finally, {HTTP}")),
            "",
            [("reserved-id", 'the id "onFailure" is that of the handlers at the end of the workflow')],
        ),
    ],
)
def test_an_id_is_unique_where_it_is_seen(tasks: tuple[str, ...], more: str, found: list[tuple[str, str]]) -> None:
    assert found == said(*tasks, more=more)


@pytest.mark.parametrize(
    ("each", "found"),
    [
        ("items: [], as: row, index: n", []),
        ("items: [], as: row", ["{items: [], as: row}"]),
        ("items: [], index: n, as: item", ["item}"]),
        ("items: [], index: index, as: row", ["index, as"]),
        ("items: []", ["{items: []}", "{items: []}"]),
    ],
)
def test_a_loop_in_a_loop_has_names_of_its_own(each: str, found: list[str]) -> None:
    reported = places("shadowed-name", loop("a", loop("b", CALL, each=each)))
    assert found == [text[: len(start)] for text, start in zip(reported, found, strict=True)]


def test_a_loop_beside_a_loop_may_have_the_same_names() -> None:
    stand_in = f"id: b, {HTTP}, fallback: {{task: {{forEach: {{items: [], as: x, index: y}}, tasks: [{{{CALL}}}]}}}}"
    assert [] == said(loop("a", stand_in), loop("d", CALL))


def test_a_transform_in_a_loop_reads_its_own_items() -> None:
    step = "type: transform, input: {items: '{{row.lines}}'}, transform: [{filter: 'item.n > n'}]"
    assert [] == said(loop("a", f"id: b, {step}", each="items: [], as: row, index: n"))


@pytest.mark.parametrize(("levels", "found"), [(BODIES_DEEP, 0), (BODIES_DEEP + 1, 1), (BODIES_DEEP + 3, 1)])
def test_tasks_stand_inside_tasks_so_deep(levels: int, found: int) -> None:
    task = CALL
    for level in range(levels):
        task = loop(f"t{level}", task, each=f"items: [], as: v{level}, index: n{level}")
    assert found == [code for code, _ in said(task)].count("too-many-levels")


def test_what_is_read_inside_a_task_is_waited_for_by_the_task() -> None:
    found = needs(
        f"id: o, {HTTP}",
        loop("a", loop("b", reads("d", "tasks.o.status"), CALL, each="items: [], as: x, index: y")),
        switch("s", ("when: tasks.a.status == 'x'", reads("e", "tasks.p.status"))),
        f"id: p, {HTTP}, fallback: {{task: {{type: http, request: {{url: '{{{{tasks.o.status}}}}'}}}}}}",
        f"id: q, {HTTP}, fallback: {{value: '{{{{tasks.p.status}}}}'}}",
        "id: t, type: transform, input: {items: []}, transform: [{filter: 'item == tasks.q.status'}]",
        more=f"  onFailure: {{tasks: [{{{reads('x', 'tasks.o.status')}}}, {{id: y, {HTTP}, dependsOn: [x]}}]}}\n",
    )
    assert {
        "o": (),
        "a": ("o",),
        "a/b": (),
        "a/b/d": (),
        "a/b/c": (),
        "s": ("a", "p"),
        "s/0/e": (),
        "p": ("o",),
        "q": ("p",),
        "t": ("q",),
        "onFailure/x": (),
        "onFailure/y": ("x",),
    } == found


def test_what_is_read_through_the_state_is_waited_for() -> None:
    found = needs(
        reads("a", "state.sum"),
        loop("b", reads("d", "state.sum")),
        reads("e", "state"),
        reads("f", "state.none"),
        f"id: o, {HTTP}",
        f"id: p, {HTTP}",
        more="  state: {sum: '{{state.part + tasks.o.output.status}}', part: '{{tasks.p.output.status}}', none: 1}\n",
    )
    assert {"a": ("o", "p"), "b": ("o", "p"), "b/d": (), "e": ("o", "p"), "f": (), "o": (), "p": ()} == found


def test_a_dependency_through_the_state_is_firm_unless_it_may_be_missing() -> None:
    text = (
        f"id: off, {HTTP}, condition: false",
        reads("a", "state.firm"),
        reads("b", "state.loose"),
        reads("d", "state.both"),
        reads("e", "state.later"),
        reads("f", "state.asking"),
    )
    state = (
        "  state:\n"
        "    firm: '{{tasks.off.output.status}}'\n"
        "    loose: '{{tasks.off.output?.status ?? 1}}'\n"
        "    both: '{{tasks.off.output?.status ?? 1}}{{state.loose}}{{tasks.off.output?.status ?? state.firm}}'\n"
        "    asking: '{{state.firm ?? 1}}'\n"
        "    later: '{{state.loose}}{{state.both}}{{state.later ?? 1}}'\n"
    )
    found = [one.path for one in judge(flow(*text, more=state)) if one.code == "unreachable-task"]
    assert [
        ("spec", "tasks", 0, "condition"),
        ("spec", "tasks", 1),
        ("spec", "tasks", 3),
        ("spec", "tasks", 4),
    ] == found


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("{x: '{{state.y}}', y: '{{input.a}}'}", []),
        (
            "{x: '{{state.y}}', y: '{{state.x}}'}",
            [("state-cycle", "the entries of state read each other: x → y → x")],
        ),
        ("{x: '{{state.x}}'}", [("state-cycle", "the entries of state read each other: x → x")]),
        ("{x: '{{state}}', y: 1}", [("state-cycle", "the entries of state read each other: x → x")]),
        ("{x: '{{secrets.k}}'}", [("secret-misplaced", "secrets.k is read where its value would be stored or shown")]),
        ("{x: '{{tasks.q.status}}'}", [("unknown-task", 'there is no task "q".')]),
        (
            "{count: 1, x: '{{state.cuont}}'}",
            [("unknown-state", 'state.cuont: cuont is not declared. Did you mean "count"?')],
        ),
        ("{count: {n: 1}, x: '{{state.count.m}}'}", [("unknown-state", "state.count.m: m is not declared.")]),
        ("{count: {n: '{{input.n}}'}, x: '{{state.count.n.anything}}'}", []),
    ],
)
def test_the_state_is_judged(state: str, found: list[tuple[str, str]]) -> None:
    assert found == said(CALL, more=f"  state: {state}\n")


def test_a_state_that_reads_a_task_which_reads_it_is_a_ring() -> None:
    assert ["cycle"] == [
        code
        for code, _ in said(
            reads("a", "tasks.b.output.status"),
            reads("b", "state.x"),
            more="  state: {x: '{{tasks.a.output.status}}'}\n",
        )
    ]
    loops = said(loop("a", reads("b", "state.x")), more="  state: {x: '{{tasks.a.output}}'}\n")
    assert [("self-reference", 'the task "a" waits for itself')] == loops


def test_reads_through_the_state_are_counted() -> None:
    many = 460
    entry = "+".join(f"tasks.t{i}.attempts" for i in range(many))
    readers = [reads(f"r{i}", "state.x") for i in range(many)]
    tasks = [f"id: t{i}, {HTTP}" for i in range(many)]
    found = said(*tasks, *readers, more=f"  state: {{x: '{{{{{entry}}}}}'}}\n")
    assert [("too-many-tasks", "tasks read others through state more than 200000 times")] == found
    fewer = said(*tasks, *readers[:400], more=f"  state: {{x: '{{{{{entry}}}}}'}}\n")
    assert [] == fewer


def test_dependencies_are_those_of_the_workflows_own_list() -> None:
    workflow, _ = workflow_of(flow(loop("a", CALL, reads("b", "tasks.c.status")), f"id: d, {HTTP}, dependsOn: [a]"))
    assert {"a": (), "d": ("a",)} == dependencies(workflow)


def test_aliases_inside_tasks_get_our_names() -> None:
    before = HEAD + (
        "  tasks:\n"
        "    - id: o\n"
        "      forEach: {items: []}\n"
        "      tasks:\n"
        "        # why\n"
        "        - id: a # first\n"
        "          wait: {for: 1h}\n"
        "          if: '{{inputs.x}}'\n"
        "        - id: s\n"
        "          needs: [{task: a, when: inputs.x}]\n"
        "          switch:\n"
        "            value: '{{inputs.x}}'\n"
        "            cases:\n"
        "              # last\n"
        "              - when: inputs.x == value\n"
        "                tasks:\n"
        "                  - {id: b, wait: {for: 1h}, runIf: inputs.y}\n"
        "      fallback:\n"
        "        task: {type: event, event: {type: paid, match: event.id == inputs.x, timeout: 1h}}\n"
        "    - {id: h, type: http, request: {url: x, body: {condition: inputs.x, event: {match: inputs.x}}}}\n"
        "  onFailure: {wait: {for: 1s}, if: inputs.z}\n"
        "  finally:\n"
        "    - {id: z, wait: {for: 1s}, if: inputs.z} # end\n"
    )
    after = before
    for old, new in (
        ("if: '{{inputs.x}}'", "condition: 'input.x'"),
        ("needs: [{task: a, when: inputs.x}]", "dependsOn: [{task: a, condition: input.x}]"),
        ("value: '{{inputs.x}}'", "value: '{{input.x}}'"),
        ("when: inputs.x == value", "when: input.x == value"),
        ("runIf: inputs.y", "condition: input.y"),
        ("match: event.id == inputs.x", "match: event.id == input.x"),
        ("if: inputs.z", "condition: input.z"),
    ):
        after = after.replace(old, new)
    assert after == format_source(before, "yaml")
    assert after == format_source(after, "yaml")
    loaded = load(before.encode(), media="yaml")
    assert 6 == [one.code for one in loaded.findings].count("alias-spelling")


def test_aliases_are_read_around_what_is_no_task() -> None:
    text = flow("id: a, switch: {cases: [5, {tasks: 7}, {match: 1, tasks: [8, {if: true}]}], default: 9}, if: true")
    found = load(text.encode(), media="yaml").findings
    assert 2 == [one.code for one in found].count("alias-spelling")


def test_an_alias_beside_our_name_is_found_inside_a_task() -> None:
    assert ["if: true, condition: true}]}"] == places("duplicate-key", loop("a", f"{CALL}, if: true, condition: true"))


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("id: c,", "id: c, description: x,", True),
        ("id: w, workflowRef", "id: w, type: workflowRef, workflowRef", True),
        ("id: s, switch", "type: switch, id: s, switch", True),
        ("{type: http, request: {url: y}}", "{type: http, description: z, request: {url: y}}", True),
        ("{wait: {for: 1s}}", "{wait: {for: 1s}, type: wait, description: x}", True),
        ("id: c,", "id: c, priority: 1,", False),
        ("{wait: {for: 1s}}", "{wait: {for: 2s}}", False),
        ("match: 1", "match: 2", False),
    ],
)
def test_the_behaviour_of_inner_tasks_is_hashed(old: str, new: str, same: bool) -> None:
    text = flow(
        loop("a", CALL, "id: w, workflowRef: other"),
        switch("s", ("match: 1", f"id: d, {HTTP}, fallback: {{task: {{type: http, request: {{url: y}}}}}}")),
        more="  onFailure: {wait: {for: 1s}}\n",
    )
    assert old in text
    changed = text.replace(old, new)
    hashes = [behaviour_hash(load(one.encode(), media="yaml").value) for one in (text, changed)]
    assert same == (hashes[0] == hashes[1])


def test_references_name_tasks_by_their_place() -> None:
    workflow, _ = workflow_of(
        flow(
            loop(
                "loop",
                "id: ship, taskRef: get@^1, input: {id: '{{item.id}}'}",
                "id: note, type: http, request: {url: '{{tasks.ship.output.total}}', auth: {bearer: {secretRef: crm}}}",
            ),
            switch(
                "route",
                ("match: 1", "id: pack, taskRef: get"),
                ("match: 2", "id: pack, workflowRef: other@^2, fallback: {task: get, input: {id: 1}}"),
            ),
            "id: plan, generate: {from: '{{tasks.route.output.pack}}', taskRefs: [get, put]}",
            more="  state: {x: '{{tasks.loop.output[0].output.note}}'}\n"
            "  onFailure: {workflowRef: alert, input: {e: '{{error.code}}'}}\n",
        )
    )
    found = {
        (one.path, one.kind, one.name): one.fields for one in references(workflow, check_transform=check_transform)
    }
    assert {
        ("", "task", "loop"): ("output.[0].output.note",),
        ("loop/note", "secret", "crm"): (),
        ("loop/note", "task", "loop/ship"): ("output.total",),
        ("loop/ship", "taskRef", "get@^1"): ("output.total",),
        ("onFailure", "workflowRef", "alert"): (),
        ("plan", "task", "route"): ("output.pack",),
        ("plan", "taskRef", "get"): (),
        ("plan", "taskRef", "put"): (),
        ("route", "input", "input"): ("x",),
        ("route/0/pack", "taskRef", "get"): (),
        ("route/1/pack", "workflowRef", "other@^2"): (),
        ("route/1/pack/fallback", "taskRef", "get"): (),
    } == found
    assert ["get@^1", "get", "put"] == wanted_tasks(workflow)
    assert ["other@^2", "alert"] == wanted_workflows(workflow)


def test_the_key_of_a_limit_reads_what_is_around_it() -> None:
    limited = f"{CALL}, concurrency: {{key: '{{{{item.kode}}}}{{{{tasks.o.status}}}}', limit: 1}}"
    each = "items: [{code: 1}]"
    tasks = (f"id: o, {HTTP}", loop("a", limited, each=each))
    assert [("unknown-reference", 'item.kode: kode is not declared. Did you mean "code"?')] == said(*tasks)
    assert ("o",) == needs(*tasks)["a"]
    whole = "  concurrency: {key: '{{input.x}}{{item.x}}', limit: 1}\n"
    assert [("unknown-reference", "item is not a name that can be used here")] == said(*tasks[:1], more=whole)


def test_the_ids_that_are_seen_are_shared_between_bodies() -> None:
    workflow, _ = workflow_of(flow(CALL, loop("a", f"id: b, {HTTP}")))
    tree = tree_of(workflow)
    outer, inner = tree.visible
    assert {"c", "a"} == set(outer)
    assert {"b", "c", "a"} == set(inner)
    assert (2, 3) == (len(outer), len(inner))
    assert inner.above is outer
    assert "q" not in inner
    assert Visible(frozenset("b"), outer) == inner
    assert hash(Visible(frozenset("b"), outer)) == hash(inner)


@pytest.mark.parametrize("count", [100, 1_000])
def test_what_bodies_see_and_wait_for_grows_with_the_tasks_only(count: int) -> None:
    texts = [loop(f"l{i}", reads(f"t{i}", "tasks.first.status")) for i in range(count)]
    workflow, source = workflow_of(flow(f"id: first, {HTTP}", *texts, more="  timeout: 1h\n"))
    tree = tree_of(workflow)
    assert count + 1 + count == sum(len(one.own) for one in tree.visible)
    graphs = graphs_of(workflow, tree, workflow_sites(workflow, None, tree))
    assert count == sum(len(needs) for graph in graphs for needs in graph.needs.values())
    assert () == check_workflow(workflow, source, tasks={})
