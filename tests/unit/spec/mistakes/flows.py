"""Mistakes in what runs when: order, conditions, cases, limits that contradict each other, and secrets."""

from __future__ import annotations

from typing import Any

from millrace.spec.findings import Path
from tests.unit.spec.mistakes.draft import Draft, NotHere, mistake


@mistake("cycle")
def ring_of_dependencies(draft: Draft) -> Path:
    names = [task["id"] for _, task in draft.listed() if "." not in task["id"]]
    if len(names) < 2:
        raise NotHere
    first, second = draft.chance.sample(names, 2)
    for name, need in ((first, second), (second, first)):
        _wait_for(draft, name, need)
    return ("spec", "tasks")


def _wait_for(draft: Draft, name: str, need: str) -> None:
    (_, task), *_ = draft.listed(lambda task: task.get("id") == name)
    held = task.get("dependsOn", [])
    task["dependsOn"] = [*(held if isinstance(held, list) else [held]), need]


@mistake("self-reference")
def task_that_waits_for_itself(draft: Draft) -> Path:
    path, task = draft.pick(draft.listed())
    task["dependsOn"] = [task["id"]]
    return path


@mistake("self-reference")
def task_that_reads_the_loop_it_stands_in(draft: Draft) -> Path:
    path, task = draft.pick(draft.listed(lambda task: "forEach" in task))
    task["tasks"].append({"id": "odd-one", "wait": {"for": f'{{{{size(tasks["{task["id"]}"].output)}}}}'}})
    return (*path, "tasks", len(task["tasks"]) - 1)


@mistake("state-cycle")
def state_that_reads_itself(draft: Draft) -> Path:
    draft.spec["state"] = {"one": "{{state.two}}", "two": "{{state.one}}"}
    return ("spec", "state")


@mistake("no-effect")
def same_dependency_twice(draft: Draft) -> Path:
    path, task = draft.pick(
        draft.listed(lambda task: isinstance(task.get("dependsOn"), list) and isinstance(task["dependsOn"][0], str))
    )
    task["dependsOn"].append(task["dependsOn"][0])
    return (*path, "dependsOn", len(task["dependsOn"]) - 1)


@mistake("unreachable-task")
def condition_that_is_always_false(draft: Draft) -> Path:
    path, _ = draft.pick(draft.listed())
    return draft.put((*path, "condition"), draft.chance.choice(["1 > 2", "false", "'a' == 'b'"]))


@mistake("unreachable-task")
def task_behind_one_that_never_runs(draft: Draft) -> Path:
    path, task = draft.pick(draft.listed(lambda task: "triggerRule" not in task and "dependsOn" not in task))
    draft.spec["tasks"].append({"id": "neverReached", "wait": {"for": "1s"}, "condition": "false"})
    task["dependsOn"] = ["neverReached"]
    return path


@mistake("not-boolean")
def condition_that_is_a_number(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "id" in task)
    return draft.put((*path, "condition"), draft.chance.choice(["1 + 1", "'yes'", "size([1])", "execution.id"]))


@mistake("not-boolean")
def match_of_an_event_that_is_a_text(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "event" in task)
    return draft.put((*path, "event", "match"), "event.type")


@mistake("constant-comparison")
def comparison_with_a_status_that_no_task_has(draft: Draft) -> Path:
    path, task = draft.pick(draft.listed(lambda task: isinstance(task.get("dependsOn"), list)))
    need = draft.pick([one for one in task["dependsOn"] if isinstance(one, str)])
    return draft.put((*path, "condition"), f'tasks["{need}"].status == "success"')


@mistake("constant-comparison")
def comparison_with_a_value_that_the_schema_does_not_list(draft: Draft) -> Path:
    known = draft.spec.get("input", {}).get("properties", {})
    name = draft.pick(sorted(key for key, schema in known.items() if "enum" in schema))
    path, _ = draft.pick(draft.listed())
    return draft.put((*path, "condition"), f"input.{name} == 'platinum'")


@mistake("constant-comparison")
def comparison_of_a_number_with_a_text(draft: Draft) -> Path:
    path, task = draft.pick(draft.listed(lambda task: isinstance(task.get("dependsOn"), list)))
    need = draft.pick([one for one in task["dependsOn"] if isinstance(one, str)])
    return draft.put((*path, "condition"), f'tasks["{need}"].attempts == "2"')


@mistake("constant-comparison")
def conditions_that_exclude_each_other(draft: Draft) -> Path:
    path, _ = draft.pick(draft.listed())
    both = [
        "trigger.kind == 'cron' && trigger.kind == 'manual'",
        "size(execution.id) > 9 && size(execution.id) < 3",
        "execution.startedAt > 7 && execution.startedAt <= 7",
    ]
    return draft.put((*path, "condition"), draft.chance.choice(both))


@mistake("operand-type")
def operator_that_cannot_be_applied(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "id" in task)
    wrong = ["execution.id * 2 > 1", "!(1 + 1)", "size(3) > 1", "execution.workflow.contains(1)"]
    return draft.put((*path, "condition"), draft.chance.choice(wrong))


@mistake("bad-expression")
def expression_that_does_not_compile(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "id" in task)
    wrong = ["input.", "(1 > 2", "1 2", "1 === 1", "nope(1)", "'open"]
    return draft.put((*path, "condition"), draft.chance.choice(wrong))


@mistake("bad-expression")
def braces_that_do_not_end(draft: Draft) -> Path:
    path = draft.pick(draft.texts("input"))
    return draft.put(path, "{{input.orderId")


@mistake("dynamic-task")
def task_whose_id_is_computed(draft: Draft) -> Path:
    return draft.put(("spec", "output"), {"x": "{{tasks[execution.id].output}}"})


@mistake("may-be-missing")
def output_of_a_task_that_may_be_skipped(draft: Draft) -> Path:
    _, task = draft.pick(draft.listed(lambda task: "condition" in task and "fallback" not in task))
    return draft.put(("spec", "output"), {"x": f'{{{{tasks["{task["id"]}"].output}}}}'})


@mistake("may-be-missing")
def output_of_a_task_that_may_fail(draft: Draft) -> Path:
    path, task = draft.pick(draft.listed(lambda task: "request" in task and "fallback" not in task))
    draft.put((*path, "continueOnError"), True)
    return draft.put(("spec", "output"), {"x": f'{{{{tasks["{task["id"]}"].output.body}}}}'})


@mistake("may-be-missing")
def output_of_one_case_of_a_switch(draft: Draft) -> Path:
    _, task = draft.pick(draft.listed(lambda task: "switch" in task))
    first = {"match": "odd", "tasks": [{"id": "only-here", "wait": {"for": "1s"}}]}
    task["switch"]["cases"].insert(0, first)
    inner = task["switch"]["cases"][0]["tasks"][-1]["id"]
    return draft.put(("spec", "output"), {"x": f'{{{{tasks["{task["id"]}"].output["{inner}"]}}}}'})


@mistake("unreachable-case")
def case_that_is_there_twice(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "switch" in task)
    cases = task["switch"]["cases"]
    case = draft.pick([case for case in cases if "match" in case])
    cases.append({"match": case["match"], "tasks": [{"id": "again", "wait": {"for": "1s"}}]})
    return (*path, "switch", "cases", len(cases) - 1)


@mistake("unreachable-case")
def case_of_another_type(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "switch" in task)
    index, _ = draft.pick([(i, case) for i, case in enumerate(task["switch"]["cases"]) if "match" in case])
    draft.put((*path, "switch", "value"), "{{execution.id}}")
    return draft.put((*path, "switch", "cases", index, "match"), draft.chance.choice([7, True, ["gold"]]))


@mistake("unreachable-case")
def case_that_the_schema_does_not_list(draft: Draft) -> Path:
    inputs = draft.spec.get("input", {}).get("properties", {})
    listed = [f"{{{{input.{name}}}}}" for name, schema in inputs.items() if "enum" in schema]
    path, task = draft.task(lambda task: task.get("switch", {}).get("value") in listed)
    index, _ = draft.pick([(i, case) for i, case in enumerate(task["switch"]["cases"]) if "match" in case])
    return draft.put((*path, "switch", "cases", index, "match"), "platinum")


@mistake("unreachable-case")
def default_behind_a_case_that_always_holds(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "default" in task.get("switch", {}))
    task["switch"]["cases"][-1] = {"when": "1 < 2", "tasks": task["switch"]["cases"][-1]["tasks"]}
    return (*path, "switch")


@mistake("no-effect")
def retry_that_never_happens(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "retry" in task)
    return draft.put((*path, "retry"), {"maxAttempts": 1, "interval": "5s"})


@mistake("no-effect")
def retry_for_which_no_time_is_left(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "retry" in task)
    task |= {"timeout": "10s", "retry": {"maxAttempts": 3, "interval": "30s", "jitter": "none"}}
    task.pop("attemptTimeout", None)
    return path


@mistake("no-effect")
def longest_wait_shorter_than_the_first(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "retry" in task)
    return draft.put((*path, "retry"), {"maxAttempts": 3, "interval": "30s", "maxInterval": "5s"})


@mistake("no-effect")
def timeout_shorter_than_that_of_an_attempt(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "request" in task)
    task |= {"timeout": "5s", "attemptTimeout": "1m"}
    task.pop("retry", None)
    return (*path, "attemptTimeout")


@mistake("no-effect")
def task_that_may_take_longer_than_the_workflow(draft: Draft) -> Path:
    path, _ = draft.pick(draft.listed(lambda task: "request" in task))
    draft.put((*path, "timeout"), "30m")
    draft.spec["timeout"] = "1m"
    return (*path, "timeout")


@mistake("no-effect")
def retry_of_what_is_not_attempted(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: {"wait", "event", "forEach", "switch", "transform"} & set(task))
    return draft.put((*path, "retry"), {"maxAttempts": 3})


@mistake("no-effect")
def status_retried_of_what_makes_no_request(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "request" in task)
    task.pop("request")
    task |= {"type": "lambda", "function": "f", "retry": {"maxAttempts": 3, "retryOn": [429, "5xx"]}}
    draft.spec["output"] = {}
    return (*path, "retry")


@mistake("no-effect")
def trigger_rule_without_dependencies(draft: Draft) -> Path:
    draft.spec["tasks"].append({"id": "lonely", "wait": {"for": "1s"}, "triggerRule": "one_success"})
    return ("spec", "tasks", len(draft.spec["tasks"]) - 1)


@mistake("no-timeout")
def wait_for_ever(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "event" in task)
    task.pop("timeout", None)
    task["event"].pop("timeout", None)
    draft.spec.pop("timeout", None)
    return path


@mistake("endless-recursion")
def workflow_that_starts_itself(draft: Draft) -> Path:
    name = draft.value["metadata"]["name"]
    draft.spec["tasks"].append({"id": "again-and-again", "workflowRef": name})
    return ("spec", "tasks", len(draft.spec["tasks"]) - 1)


@mistake("too-many-instances")
def loops_in_loops_with_too_many_tasks(draft: Draft) -> Path:
    many = list(range(300))
    nap: dict[str, Any] = {"id": "moment", "wait": {"for": "1s"}}
    for level in ("c", "b", "a"):
        each = {"items": many, "as": f"it_{level}", "index": f"at_{level}"}
        nap = {"id": f"loop-{level}", "forEach": each, "tasks": [nap]}
    draft.spec["tasks"].append(nap)
    return ("spec", "tasks", len(draft.spec["tasks"]) - 1)


@mistake("secret-misplaced")
def secret_in_an_address(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "request" in task)
    return draft.put((*path, "request", "url"), "https://x.example/{{secrets.key}}")


@mistake("secret-misplaced")
def secret_in_an_input(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: {"taskRef", "workflowRef"} & set(task) and isinstance(task.get("input"), dict))
    return draft.put((*path, "input"), {**draft.at(path)["input"], "key": "a {{secrets.key}}"})


@mistake("secret-misplaced")
def secret_in_what_is_stored_or_shown(draft: Draft) -> Path:
    place = draft.chance.choice(["output", "state"])
    return draft.put(("spec", place), {"key": "{{secrets.key}}"})


@mistake("secret-misplaced", "bad-expression")
def secret_in_a_condition(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "id" in task)
    return draft.put((*path, "condition"), "secrets.key == 'x'")


@mistake("secret-misplaced")
def secret_in_a_step(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "transform" in task)
    task["transform"] = [{"map": {"key": "{{secrets.key}}"}}]
    return (*path, "transform")


@mistake("unknown-input", "unknown-config", "unknown-state")
def step_that_reads_what_is_not_declared(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "transform" in task)
    root = draft.chance.choice(
        ["config", "state", *(["input"] if draft.spec.get("input", {}).get("properties") else [])]
    )
    task["transform"] = [{"filter": f"item.n > {root}.lmiit"}]
    return (*path, "transform")


@mistake("no-effect")
def reference_to_a_secret_that_nothing_resolves(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "request" in task and task["request"].get("method") == "POST")
    for key in ("form", "bodyText"):
        task["request"].pop(key, None)
    draft.put((*path, "request", "body"), {"key": {"secretRef": "crm"}})
    return (*path, "request", "body", "key")


@mistake("plain-secret")
def credential_in_plain_sight(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "request" in task)
    return draft.put((*path, "request", "auth"), {"bearer": "hunter2-hunter2"})


@mistake("plain-secret")
def credential_in_a_header(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "request" in task)
    return draft.put((*path, "request", "headers"), {"Authorization": "Bearer 0123456789abcdef"})


@mistake("impossible-test")
def test_that_expects_what_cannot_be(draft: Draft) -> Path:
    if not draft.spec.get("tests"):
        raise NotHere
    return draft.put(("spec", "tests", 0, "expect"), {"status": "failed", "output": {"a": 1}})


@mistake("template-key")
def braces_in_a_key(draft: Draft) -> Path:
    return draft.put(("spec", "output"), {"{{input.name}}": 1})


@mistake("no-effect")
def template_in_a_constant(draft: Draft) -> Path:
    draft.spec["config"] = {**draft.spec.get("config", {}), "deep": [{"key": "{{secrets.key}}"}]}
    return ("spec", "config", "deep", 0, "key")
