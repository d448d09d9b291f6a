"""Reports: coverage, and the XML that CI servers read."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

import millrace.services.workflow_tests as package
from millrace.services.workflow_tests import coverage, report, run_cases
from millrace.services.workflow_tests.expecting import without_mismatches
from millrace.services.workflow_tests.junit import junit_xml
from millrace.wiring.rehearsing import rehearse
from tests.unit.testing.builders import cut, http, subject, workflow

TASKS = [
    http("a", retry={"maxAttempts": 2, "interval": "1s"}, continueOnError=True),
    http("b", condition="input.go"),
    http("c", "b", triggerRule="all_done"),
    cut("d", [1]),
]
SPEC: dict[str, Any] = {"input": {"properties": {"go": {"type": "boolean", "default": False}}}}


def reported(*cases: dict[str, Any]) -> dict[str, Any]:
    made = subject(workflow(TASKS, **SPEC, tests=[{"onUnmocked": "succeed-empty", **case} for case in cases]))
    return report(made, run_cases(made, made.workflow.spec.tests, rehearse), covered=True)


def test_the_names_of_the_package_are_sorted_and_there() -> None:
    assert sorted(package.__all__) == package.__all__
    assert all(hasattr(package, name) for name in package.__all__)


def test_a_report_counts() -> None:
    found = reported({"name": "1"}, {"name": "2", "expect": {"status": "failed"}}, {"name": "3", "input": {"go": True}})
    assert ("flow", 2, 1, 0) == (found["workflow"], found["passed"], found["failed"], found["errors"])
    assert ["passed", "failed", "passed"] == [test["status"] for test in found["tests"]]
    assert {"a": "succeeded", "b": "skipped", "c": "succeeded", "d": "succeeded"} == found["tests"][0]["tasks"]


NEVER = {
    "nothing": ([], 0, [
        "a runs", "a an attempt fails", "a fails", "b runs", "b condition is false", "b fails", "c runs", "d runs",
    ]),
    "one way": ([{}], 50, ["a an attempt fails", "a fails", "b runs", "b fails"]),
    "both ways": ([{}, {"input": {"go": True}}], 62, ["a an attempt fails", "a fails", "b fails"]),
    "an attempt": ([{"tasks": {"a": [{"status": 503}, {}]}}], 62, ["a fails", "b runs", "b fails"]),
    "a failure": (
        [{"input": {"go": True}, "tasks": {"a": {"status": 404}, "b": {"failure": {"kind": "task"}}},
          "expect": {"status": "failed"}}],
        87, ["b condition is false"],
    ),
    "an error takes nothing": ([{"onUnmocked": "fail"}], 0, None),
}  # fmt: skip


@pytest.mark.parametrize("case", NEVER)
def test_coverage_names_what_no_test_took(case: str) -> None:
    cases, percent, untaken = NEVER[case]
    found = reported(*({"name": str(number), **one} for number, one in enumerate(cases)))["coverage"]
    assert percent == found["percent"]
    if untaken is not None:
        assert untaken == [f"{one['task']} {one['branch']}" for one in found["untaken"]]
    assert len(found["untaken"]) == found["branches"] - found["taken"]


def test_a_task_that_was_skipped_for_another_did_not_take_its_condition() -> None:
    tasks = [http("a", condition="false || input.go"), http("b", "a", condition="input.go")]
    made = subject(workflow(tasks, **SPEC, tests=[{"name": "t"}]))
    found = coverage(made.workflow, run_cases(made, made.workflow.spec.tests, rehearse))
    assert ["a runs", "b runs", "b condition is false"] == [
        f"{one['task']} {one['branch']}" for one in found["untaken"]
    ]


CASES = [
    {"name": "fine"},
    {"name": "wrong", "expect": {"status": "failed", "tasks": {"d": {"output": [2, 3]}}}},
    {"name": "unmocked", "onUnmocked": "fail"},
]
COUNTS = {"tests", "failures", "errors"}


def test_the_xml_has_the_shape_that_ci_servers_read() -> None:
    text = junit_xml([reported(*CASES)], {("flow", "fine"): 1.5, ("flow", "wrong"): 0.25})
    root = ET.fromstring(text)
    assert ("testsuites", "3", "1", "1", "1.750") == (
        root.tag,
        *(root.get(key) for key in ("tests", "failures", "errors", "time")),
    )
    assert COUNTS | {"name", "time"} == set(root.keys())
    (suite,) = root
    assert ("testsuite", COUNTS | {"name", "time", "skipped"}) == (suite.tag, set(suite.keys()))
    assert all(
        re.fullmatch(r"[0-9]+(\.[0-9]{3})?", suite.get(key, ""))
        for key in ("tests", "failures", "errors", "skipped", "time")
    )
    assert [{"name", "classname", "time"}] * 3 == [set(case.keys()) for case in suite]
    fine, wrong, unmocked = suite
    assert [[], ["failure"], ["error"]] == [[one.tag for one in case] for case in (fine, wrong, unmocked)]
    assert {"message", "type"} == set(wrong[0].keys()) == set(unmocked[0].keys())
    assert ["status: expected failed, got succeeded", "tasks.d.output at [0]: expected 2, got 1 (and 1 more)"] == [
        line for line in (wrong[0].text or "").splitlines() if not line.startswith("  ")
    ]
    assert "  [1]: missing, expected 3" in (wrong[0].text or "")


@given(name=st.text(min_size=1, max_size=40, alphabet=st.characters()), message=st.text(max_size=40))
def test_hostile_names_cannot_break_the_xml(name: str, message: str) -> None:
    failure = {"message": message, "differences": [message]}
    test = {"name": name, "status": "failed", "failures": [failure], "error": None}
    text = junit_xml([{"workflow": name, "failed": 1, "errors": 0, "tests": [test]}])
    (case,) = ET.fromstring(text)[0]
    assert ["testcase", "failure"] == [case.tag, *(one.tag for one in case)]
    text.encode()


def test_names_keep_what_xml_can_hold() -> None:
    name = "]]> <a & \"b\" 'c' \x00\ud800\uffff é 🙂"
    test = {"name": name, "status": "passed", "failures": [], "error": None}
    text = junit_xml([{"workflow": "w", "failed": 0, "errors": 0, "tests": [test]}])
    assert "]]> <a & \"b\" 'c' \\u0000\\ud800\\uffff é 🙂" == ET.fromstring(text)[0][0].get("name")


def test_what_a_recorded_test_cannot_show_again_is_left_out_of_it() -> None:
    expect = {
        "status": "succeeded",
        "output": {"d": [1], "late": {"at": 7}},
        "order": ["c", "a"],
        "tasks": {"a": "failed", "c": "succeeded", "d": {"status": "succeeded", "attempts": 3}},
    }
    case = {"name": "t", "onUnmocked": "succeed-empty", "expect": expect}
    made = subject(workflow(TASKS, **SPEC, output={"d": "{{tasks.d.output}}", "late": {"at": 8}}, tests=[case]))
    (result,) = run_cases(made, made.workflow.spec.tests, rehearse)
    assert {"output", "order", "tasks.a.status", "tasks.d.attempts"} == {one.path for one in result.mismatches}
    left = without_mismatches(expect, result)
    assert {"status": "succeeded", "outputContains": {"d": [1]}, "tasks": {"c": "succeeded"}} == left
    nothing = {**expect, "output": {"late": {"at": 7}}}
    assert "outputContains" not in without_mismatches(nothing, result)


NESTED = [
    {
        "id": "loop",
        "forEach": {"items": "{{input.list}}", "tolerate": {"failures": 1}},
        "tasks": [http("ship", retry={"maxAttempts": 2, "interval": "1s"}), cut("told", [1], condition="item > 1")],
    },
    {
        "id": "route",
        "switch": {
            "value": "{{input.list[0]}}",
            "cases": [{"match": 1, "tasks": [http("one")]}],
            "default": {"tasks": [http("rest", fallback={"value": 0})]},
        },
    },
    http("deep", fallback={"task": {"type": "http", "request": {"url": "https://x.example"}}}),
]
AROUND: dict[str, Any] = {
    "input": {"properties": {"list": {"type": "array"}}},
    "onFailure": {"wait": {"for": "1s"}},
    "finally": [{"id": "last", "wait": {"for": "1s"}}],
}
EVERY = (
    "loop runs|loop[*]/ship runs|loop[*]/ship an attempt fails|loop[*]/ship fails|loop[*]/told runs|"
    "loop[*]/told condition is false|loop[*]/told fails|route runs|route/0/one runs|route/default/rest runs|"
    "route/default/rest falls back|deep runs|deep falls back|deep/fallback runs|onFailure runs|finally/last runs"
)
LOOP = {"input": {"list": [1, 2]}, "tasks": {"ship": {"failure": {"kind": "task"}}}}
FELL = {"tasks": {"rest": {"failure": {"kind": "task"}}, "deep": {"failure": {"kind": "task"}}, "fallback": {}}}


@pytest.mark.parametrize(
    ("cases", "left"),
    [
        ([], EVERY),
        (
            [{"input": {"list": [1, 2]}}],
            "loop[*]/ship an attempt fails|loop[*]/ship fails|loop[*]/told fails|route/default/rest runs|"
            "route/default/rest falls back|deep falls back|deep/fallback runs|onFailure runs",
        ),
        (
            [{"input": {"list": [2]}, **FELL}],
            "loop[*]/ship an attempt fails|loop[*]/ship fails|loop[*]/told condition is false|loop[*]/told fails|"
            "route/0/one runs|onFailure runs",
        ),
        (
            [{**LOOP, "expect": {"status": "failed"}}],
            "loop[*]/told fails|route/default/rest runs|route/default/rest falls back|deep falls back|"
            "deep/fallback runs",
        ),
    ],
)
def test_coverage_counts_the_tasks_inside_tasks(cases: list[dict[str, Any]], left: str) -> None:
    tests = [{"name": str(n), "onUnmocked": "succeed-empty", **case} for n, case in enumerate(cases)]
    made = subject(workflow(NESTED, **AROUND, tests=tests))
    found = coverage(made.workflow, run_cases(made, made.workflow.spec.tests, rehearse))
    assert left.split("|") == [f"{one['task']} {one['branch']}" for one in found["untaken"]]
    assert EVERY.count("|") + 1 == found["branches"]
