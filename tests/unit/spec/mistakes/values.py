"""Mistakes in values: of the wrong type, out of range, misspelt, or not what a schema takes."""

from __future__ import annotations

from typing import Any

from millrace.spec.findings import Path
from tests.unit.spec.mistakes.draft import Draft, NotHere, misspelt, mistake


def _callee(task: dict[str, Any]) -> bool:
    return str(task.get("taskRef")).startswith("get-order") and isinstance(task.get("input"), dict)


@mistake("missing-input")
def required_input_of_a_reusable_task_left_out(draft: Draft) -> Path:
    path, task = draft.task(_callee)
    del task["input"][draft.pick(["id", "tier"])]
    return (*path, "input")


@mistake("missing-input")
def required_input_of_a_workflow_left_out(draft: Draft) -> Path:
    path, task = draft.task(lambda task: str(task.get("workflowRef")).startswith("charge"))
    del task["input"][draft.pick(["order", "amount"])]
    return (*path, "input")


@mistake("unknown-input")
def input_that_a_reusable_task_does_not_take(draft: Draft) -> Path:
    path, _ = draft.task(_callee)
    return draft.put((*path, "input", "teir"), "gold")


@mistake("unknown-input")
def input_that_a_workflow_does_not_take(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: str(task.get("workflowRef")).startswith("charge"))
    return draft.put((*path, "input", "amuont"), 1)


@mistake("type-mismatch")
def literal_input_of_the_wrong_type(draft: Draft) -> Path:
    path, _ = draft.task(_callee)
    return draft.put((*path, "input", "id"), "seven")


@mistake("type-mismatch")
def literal_input_that_is_not_in_the_list(draft: Draft) -> Path:
    path, _ = draft.task(_callee)
    return draft.put((*path, "input", "tier"), "platinum")


@mistake("type-mismatch")
def expression_of_the_wrong_type_as_input(draft: Draft) -> Path:
    path, _ = draft.task(_callee)
    return draft.put((*path, "input", "id"), "{{1 < 2}}")


@mistake("type-mismatch")
def literal_of_the_wrong_type_for_a_workflow(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: str(task.get("workflowRef")).startswith("charge"))
    return draft.put((*path, "input", "order"), "four")


@mistake("type-mismatch")
def expression_of_the_wrong_type_for_a_workflow(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: str(task.get("workflowRef")).startswith("charge"))
    return draft.put((*path, "input", "order"), "{{string(4)}}")


@mistake("type-mismatch")
def items_that_are_no_list(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "forEach" in task)
    return draft.put((*path, "forEach", "items"), draft.chance.choice([7, {"a": 1}, "{{ {'a': 1} }}", "{{1 + 1}}"]))


@mistake("type-mismatch", "missing-input")
def transform_of_what_is_no_list(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "transform" in task)
    return draft.put((*path, "input"), draft.chance.choice([{"items": 5}, {"items": "{{'a' + 'b'}}"}, {"rows": []}]))


@mistake("bad-transform")
def step_that_does_not_exist(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "transform" in task)
    task["transform"].append({"fliter": "true"})
    return (*path, "transform")


@mistake("unknown-field")
def step_that_reads_a_field_the_step_before_dropped(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "transform" in task)
    task["transform"] = [{"map": {"kept": "{{item}}"}}, {"filter": "item.gone > 1"}]
    return (*path, "transform")


@mistake("type-mismatch")
def example_that_does_not_fit(draft: Draft) -> Path:
    if not draft.spec.get("input", {}).get("required"):
        raise NotHere
    return draft.put(("spec", "examples"), [{"name": "wrong", "input": {}}])


@mistake("type-mismatch")
def input_of_a_test_that_does_not_fit(draft: Draft) -> Path:
    if not draft.spec.get("tests") or not draft.spec.get("input", {}).get("required"):
        raise NotHere
    return draft.put(("spec", "tests", 0, "input"), {})


@mistake("type-mismatch")
def default_of_the_wrong_type(draft: Draft) -> Path:
    known = draft.spec.get("input", {}).get("properties", {})
    name = draft.pick(sorted(key for key, schema in known.items() if schema.get("type") in ("integer", "boolean")))
    return draft.put(("spec", "input", "properties", name, "default"), "many")


@mistake("bad-schema")
def required_property_that_is_misspelt(draft: Draft) -> Path:
    known = draft.spec.get("input", {}).get("properties", {})
    name = draft.pick(sorted(known))
    draft.spec["input"]["required"] = [misspelt(name, draft.chance) + "q"]
    draft.spec.pop("tests", None)
    draft.spec.pop("examples", None)
    return ("spec", "input", "required")


@mistake("bad-schema")
def type_that_json_schema_does_not_have(draft: Draft) -> Path:
    known = draft.spec.get("input", {}).get("properties", {})
    return draft.put(("spec", "input", "properties", draft.pick(sorted(known)), "type"), "int")


@mistake("bad-schema")
def reference_to_no_schema(draft: Draft) -> Path:
    known = draft.spec.get("input", {}).get("properties", {})
    return draft.put(("spec", "input", "properties", draft.pick(sorted(known))), {"$ref": "#/$defs/gone"})


@mistake("bad-schema")
def range_in_which_no_number_lies(draft: Draft) -> Path:
    known = draft.spec.get("input", {}).get("properties", {})
    name = draft.pick(sorted(known))
    draft.spec.pop("tests", None)
    draft.spec.pop("examples", None)
    return draft.put(("spec", "input", "properties", name), {"type": "integer", "minimum": 5, "maximum": 3})


@mistake("bad-value")
def duration_that_is_none(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "timeout" in task)
    return draft.put((*path, "timeout"), draft.chance.choice(["1x", "-3s", 0, "0s"]))


@mistake("bad-value", "wrong-type")
def wait_that_is_no_duration(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "wait" in task)
    return draft.put((*path, "wait"), {"for": draft.chance.choice(["soon", "5 moons", [1]])})


@mistake("bad-value")
def instant_without_a_time_zone(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "wait" in task)
    return draft.put((*path, "wait"), {"until": "2026-01-31T09:00:00"})


@mistake("bad-url")
def address_that_cannot_be_called(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "request" in task)
    wrong = ["shop.example/x", "ftp://shop.example", "https:///x", "https://me:pw@shop.example", "/relative"]
    return draft.put((*path, "request", "url"), draft.chance.choice(wrong))


@mistake("bad-value")
def nothing_at_once(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "forEach" in task)
    return draft.put((*path, "forEach", "maxParallel"), 0)


@mistake("bad-value")
def more_failures_than_all(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "forEach" in task)
    return draft.put((*path, "forEach", "tolerate"), {"failures": draft.chance.choice(["101%", "250%", "-5%"])})


@mistake("no-effect")
def as_many_failures_as_items(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "forEach" in task)
    draft.put((*path, "forEach", "items"), "{{['a', 'b', 'c'].filter(x, true)}}")
    draft.put((*path, "forEach", "items"), [1, 2, 3])
    return draft.put((*path, "forEach", "tolerate"), {"failures": draft.chance.choice([3, 10, "100%"])})


@mistake("bad-value", "wrong-type")
def number_of_attempts_out_of_range(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "retry" in task)
    return draft.put((*path, "retry", "maxAttempts"), draft.chance.choice([0, -1, 1000, "three", 1.5]))


@mistake("bad-value")
def strategy_that_does_not_exist(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "retry" in task)
    return draft.put((*path, "retry", "strategy"), "exponentail")


@mistake("bad-value")
def failure_that_does_not_exist(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "retry" in task)
    return draft.put((*path, "retry", "retryOn"), [draft.chance.choice(["timeouts", "6xx", 42])])


@mistake("bad-value")
def trigger_rule_that_does_not_exist(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "id" in task)
    return draft.put((*path, "triggerRule"), "all_succes")


@mistake("bad-value")
def method_that_does_not_exist(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "request" in task)
    return draft.put((*path, "request", "method"), "FETCH")


@mistake("unknown-type")
def type_of_task_that_does_not_exist(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "type" in task)
    return draft.put((*path, "type"), "htpp")


@mistake("missing-key")
def task_without_anything_to_do(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "request" in task)
    del task["request"]
    return path


@mistake("bad-value")
def task_of_two_kinds(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "type" in task)
    return draft.put((*path, "taskRef"), "get-order")


@mistake("attempt-timeout-too-long")
def attempt_longer_than_a_function_may_run(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "request" in task)
    return draft.put((*path, "attemptTimeout"), "20m")


@mistake("bad-value")
def case_with_two_conditions(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "switch" in task)
    at = draft.chance.randrange(len(task["switch"]["cases"]))
    task["switch"]["cases"][at] |= {"match": 1, "when": "value == 1"}
    return (*path, "switch", "cases", at)


@mistake("bad-value")
def fallback_of_two_kinds(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "fallback" in task)
    task["fallback"] = {"value": 1, "workflow": "charge"}
    return (*path, "fallback")


@mistake("bad-value")
def request_with_two_bodies(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "request" in task)
    task["request"] |= {"body": {"a": 1}, "form": {"a": "1"}}
    return (*path, "request")


@mistake("bad-value")
def breaker_with_two_conditions(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "circuitBreaker" in task)
    task["circuitBreaker"] = {"failureThreshold": 3, "failureRate": "50%"}
    return (*path, "circuitBreaker")


@mistake("bad-value")
def approver_that_names_nobody(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "approvers" in task)
    return draft.put((*path, "approvers", draft.chance.randrange(len(task["approvers"]))), "ann")


@mistake("bad-value")
def more_approvals_than_people(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "approvers" in task)
    draft.put((*path, "approvers"), ["user:ann", "user:bob"])
    return draft.put((*path, "required"), 3)


@mistake("bad-value")
def places_for_nobody(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "concurrency" in task)
    return draft.put((*path, "concurrency", "limit"), 0)


@mistake("bad-value")
def more_places_guaranteed_than_a_key_may_hold(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "concurrency" not in task)
    task["concurrency"] = {"limit": 2, "pool": {"name": "shared", "limit": 4}, "min": 3}
    return (*path, "concurrency")


@mistake("bad-value")
def a_share_of_nothing(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "concurrency" not in task)
    task["concurrency"] = {"limit": 2, draft.pick(["min", "weight"]): 1}
    return (*path, "concurrency")


@mistake("bad-value")
def a_weight_of_nothing(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "concurrency" not in task)
    task["concurrency"] = {"limit": 2, "pool": {"name": "shared", "limit": 4}, "weight": 0}
    return (*path, "concurrency", "weight")


@mistake("bad-value")
def page_without_a_parameter(draft: Draft) -> Path:
    path, task = draft.task(lambda task: "request" in task)
    task["request"] = {"url": "https://x.example/list", "paging": {"strategy": "cursor", "path": "next"}}
    return (*path, "request")


@mistake("bad-value")
def version_that_is_none(draft: Draft) -> Path:
    return draft.put(("spec", "version"), draft.chance.choice(["1.0", "v1.0.0", "latest"]))


@mistake("bad-value")
def name_that_is_none(draft: Draft) -> Path:
    return draft.put(("metadata", "name"), draft.chance.choice(["Order_Flow", "-x", "a" * 64, "é"]))


@mistake("bad-value")
def priority_out_of_range(draft: Draft) -> Path:
    path, _ = draft.task(lambda task: "id" in task)
    return draft.put((*path, "priority"), 100_000)


@mistake("unknown-api-version", "unknown-kind")
def kind_that_does_not_exist(draft: Draft) -> Path:
    key, value = draft.chance.choice([("kind", "Workflows"), ("apiVersion", "workflow.io/v2")])
    return draft.put((key,), value)
