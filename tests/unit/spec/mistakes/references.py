"""Mistakes in names: of tasks, inputs, constants, outputs, documents."""

from __future__ import annotations

import re

from millrace.spec.findings import Path
from tests.unit.spec.mistakes.draft import Draft, NotHere, misspelt, mistake


def _renamed(draft: Draft, path: Path, pattern: str) -> Path:
    """Misspells what the group of the pattern finds in a text."""
    text = draft.at(path)
    match = re.search(pattern, text)
    if match is None:
        raise NotHere
    start, end = match.span(1)
    return draft.put(path, text[:start] + misspelt(text[start:end], draft.chance) + "q" + text[end:])


@mistake("unknown-task", "ambiguous-hyphen", "unknown-reference")
def read_of_a_task_that_is_not_there(draft: Draft) -> Path:
    return _renamed(draft, draft.pick(draft.texts("tasks")), r"tasks\.([\w-]+)")


@mistake("unknown-input")
def read_of_an_input_that_is_not_declared(draft: Draft) -> Path:
    if not draft.spec.get("input", {}).get("properties"):
        raise NotHere
    return _renamed(draft, draft.pick(draft.texts("input")), r"input\.(\w+)")


@mistake("unknown-config")
def read_of_a_constant_that_is_not_there(draft: Draft) -> Path:
    return _renamed(draft, draft.pick(draft.texts("config")), r"config\.(\w+)")


@mistake("unknown-state")
def read_of_a_state_that_is_not_there(draft: Draft) -> Path:
    return _renamed(draft, draft.pick(draft.texts("state")), r"state\.(\w+)")


_ODD = ("custmer.name", "customer.nmae", "total.value", "lines[0].skus", "paid[0]")


@mistake("unknown-output")
def read_of_an_output_that_no_schema_allows(draft: Draft) -> Path:
    draft.spec["tasks"].append({"id": "one-more", "taskRef": "get-order", "input": {"id": 1, "tier": "gold"}})
    return draft.put(("spec", "output"), {"x": "{{tasks.one-more.output." + draft.chance.choice(_ODD) + "}}"})


@mistake("unknown-output")
def read_below_an_output_that_is_a_number(draft: Draft) -> Path:
    _, task = draft.pick(draft.listed(lambda task: "request" in task and "fallback" not in task))
    return draft.put(("spec", "output"), {"x": f"{{{{tasks.{task['id']}.output.status.code}}}}"})


@mistake("unknown-output")
def read_of_a_part_of_an_answer_that_does_not_exist(draft: Draft) -> Path:
    _, task = draft.pick(draft.listed(lambda task: "request" in task and not {"output", "fallback"} & set(task)))
    return draft.put(("spec", "output"), {"x": f"{{{{tasks.{task['id']}.output.bdy}}}}"})


@mistake("unknown-output")
def read_of_an_output_that_another_workflow_does_not_give(draft: Draft) -> Path:
    draft.spec["tasks"].append({"id": "one-more", "workflowRef": "charge@^2", "input": {"order": 1, "amount": 2.5}})
    return draft.put(("spec", "output"), {"x": "{{tasks.one-more.output.reciept}}"})


@mistake("unknown-output")
def read_of_something_that_a_task_does_not_have(draft: Draft) -> Path:
    _, task = draft.pick(draft.listed())
    return draft.put(("spec", "output"), {"x": f'{{{{tasks["{task["id"]}"].outputs}}}}'})


@mistake("unknown-output")
def read_of_the_output_of_a_workflow_that_nobody_waits_for(draft: Draft) -> Path:
    path, task = draft.pick(draft.listed(lambda task: "workflowRef" in task and "output" not in task))
    draft.put((*path, "detached"), True)
    draft.spec["state"] = {}
    return draft.put(("spec", "output"), {"x": f"{{{{tasks.{task['id']}.output.order}}}}"})


@mistake("unknown-reference")
def read_of_a_root_that_does_not_exist(draft: Draft) -> Path:
    path = draft.pick(draft.texts("input"))
    return draft.put(path, draft.at(path).replace("{{input.", "{{inptu.", 1))


@mistake("unknown-reference", "unknown-field")
def read_of_an_item_outside_its_loop(draft: Draft) -> Path:
    _, task = draft.pick(draft.listed(lambda task: "forEach" in task))
    name = task["forEach"].get("as", "item")
    return draft.put(("spec", "output"), {"x": f"{{{{{name}}}}}"})


@mistake("unknown-task")
def read_of_a_task_inside_a_loop_from_outside(draft: Draft) -> Path:
    _, task = draft.pick(draft.listed(lambda task: "forEach" in task))
    taken = {one["id"] for _, one in draft.listed()}
    inner = draft.pick([one["id"] for one in task["tasks"] if one["id"] not in taken])
    return draft.put(("spec", "output"), {"x": f'{{{{tasks["{inner}"].output}}}}'})


@mistake("unknown-task")
def dependency_on_a_task_that_is_not_there(draft: Draft) -> Path:
    path, task = draft.pick(draft.listed(lambda task: task.get("dependsOn")))
    at = draft.chance.randrange(len(task["dependsOn"]))
    draft.put((*path, "dependsOn", at), "no-such-task")
    return (*path, "dependsOn", at)


@mistake("unknown-task-ref")
def reusable_task_that_does_not_exist(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "taskRef" in task)
    return draft.put((*path, "taskRef"), "gte-order")


@mistake("unknown-workflow-ref")
def workflow_that_does_not_exist(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "workflowRef" in task)
    return draft.put((*path, "workflowRef"), "chrage")


@mistake("unknown-task-ref")
def version_of_a_reusable_task_that_does_not_exist(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: str(task.get("taskRef")).startswith("get-order"))
    return draft.put((*path, "taskRef"), "get-order@^9")


@mistake("duplicate-id")
def two_tasks_of_one_id(draft: Draft) -> Path:
    first, second = (
        sorted(draft.chance.sample(range(len(draft.spec["tasks"])), 2)) if len(draft.spec["tasks"]) > 1 else (0, 0)
    )
    if first == second:
        raise NotHere
    draft.spec["tasks"][second]["id"] = draft.spec["tasks"][first]["id"]
    return ("spec", "tasks", second)


@mistake("duplicate-id")
def id_of_a_task_around_given_to_one_inside(draft: Draft) -> Path:
    path, _ = draft.pick([one for one in draft.tasks() if len(one[0]) > 3 and one[0][1] == "tasks" and "id" in one[1]])
    draft.put((*path, "id"), draft.spec["tasks"][int(path[2])]["id"])
    return (*path, "id")


@mistake("reserved-id")
def id_that_the_handlers_have(draft: Draft) -> Path:
    path, _ = draft.pick(draft.listed())
    return draft.put((*path, "id"), draft.chance.choice(["finally", "onFailure"]))


@mistake("shadowed-name")
def name_of_an_item_that_is_taken(draft: Draft) -> Path:
    path, task = draft.pick(draft.listed(lambda task: "forEach" in task))
    name = task["forEach"].get("as", "item")
    inner = {"id": "inner-loop", "forEach": {"items": [1], "as": name, "index": "n2"}, "tasks": [_nap()]}
    task["tasks"].append(inner)
    return (*path, "tasks", len(task["tasks"]) - 1)


def _nap() -> dict[str, object]:
    return {"id": "nap-a-moment", "wait": {"for": "1s"}}


@mistake("bad-value")
def name_of_an_item_that_means_something_else(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "forEach" in task)
    return draft.put((*path, "forEach", "as"), "tasks")


@mistake("ambiguous-hyphen")
def subtraction_without_spaces(draft: Draft) -> Path:
    known = draft.spec.get("input", {}).get("properties")
    if not known:
        raise NotHere
    return draft.put(("spec", "output"), {"x": f"{{{{input.{draft.pick(sorted(known))}-1}}}}"})


@mistake("unknown-key")
def misspelt_key_of_a_task(draft: Draft) -> Path:
    path, task = draft.task()
    key = draft.pick(sorted(set(task) & {"dependsOn", "condition", "timeout", "request", "input", "transform", "wait"}))
    task[key + "s"] = task.pop(key)
    return path


@mistake("unknown-key")
def key_of_a_spec_that_does_not_exist(draft: Draft) -> Path:
    return draft.put(("spec", "parallelism"), 3)


@mistake("unknown-key")
def key_of_the_document_that_does_not_exist(draft: Draft) -> Path:
    return draft.put(("status",), {})


@mistake("unknown-key")
def key_of_the_metadata_that_does_not_exist(draft: Draft) -> Path:
    return draft.put(("metadata", "lables"), {})


@mistake("unknown-key")
def key_of_a_block_that_does_not_exist(draft: Draft) -> Path:
    blocks = ("request", "retry", "forEach", "switch", "event", "wait", "circuitBreaker", "generate", "concurrency")
    path, task = draft.task(lambda task: set(blocks) & set(task))
    key = draft.pick(sorted(set(blocks) & set(task)))
    return draft.put((*path, key, "optional"), True)


@mistake("unknown-config")
def constant_of_a_test_that_does_not_exist(draft: Draft) -> Path:
    if not draft.spec.get("tests"):
        raise NotHere
    return draft.put(("spec", "tests", 0, "config"), {"bsae": "x"})


@mistake("unknown-task")
def mocks_of_a_task_that_is_not_there(draft: Draft) -> Path:
    if not draft.spec.get("tests"):
        raise NotHere
    return draft.put(("spec", "tests", 0, "tasks"), {"no-such-task": {"output": 1}})


@mistake("deprecated")
def use_of_a_reusable_task_that_is_deprecated(draft: Draft) -> Path:
    path, task = draft.task(lambda task: str(task.get("taskRef")).startswith("get-order"))
    task["taskRef"] = "get-order-1"
    return (*path, "taskRef")


@mistake("deprecated")
def input_that_is_deprecated(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: str(task.get("taskRef")).startswith("get-order"))
    return draft.put((*path, "input", "customer"), "ann")


@mistake("deprecated")
def output_that_is_deprecated(draft: Draft) -> Path:
    draft.spec["tasks"].append({"id": "one-more", "taskRef": "get-order", "input": {"id": 1, "tier": "gold"}})
    return draft.put(("spec", "output"), {"x": "{{tasks.one-more.output.sum}}"})
