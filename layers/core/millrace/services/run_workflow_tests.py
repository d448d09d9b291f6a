"""Run the tests of a published version, and those that the request brings. Nothing is executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from millrace.base.canonical import dumps
from millrace.base.errors import InvalidRequest
from millrace.ports.rehearsal import Rehearse
from millrace.services.caller import Caller
from millrace.services.checked_document import check_document, refuse
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.platform import Platform
from millrace.services.resolve_version import resolve_version
from millrace.services.workflow_tests import report, run_cases, subject_of
from millrace.spec import Workflow
from millrace.spec.models.testing import Case
from millrace.spec.suggest import asking, nearest


class Order(Struct, frozen=True):
    """``tests`` are documents of tests: one with the name of a test of the version takes its place, others are added.
    ``only`` are the names to run, none for all; ``covered`` asks for what the tests never took."""

    version: str | None = None
    tests: Sequence[Mapping[str, Any]] = ()
    only: Sequence[str] = ()
    covered: bool = False


def run_workflow_tests(
    platform: Platform, caller: Caller, name: str, order: Order, rehearse: Rehearse
) -> dict[str, Any]:
    """The report on the active version, or on the one asked for.

    Raises NotFound, Conflict when no version is active, InvalidDocument for tests with mistakes, InvalidRequest for a
    name in ``only`` that no test has.
    """
    resolved = resolve_version(platform, caller, name, version=order.version)
    workflow = resolved.workflow
    if order.tests:
        workflow = _with_tests(platform, caller, name, order, resolved.revision)
    hashes = {entry["ref"]: entry["hash"] for entry in resolved.manifest if entry["kind"] == "task"}
    subject = subject_of(workflow, resolved.tasks, hashes, version=resolved.version)
    results = run_cases(subject, chosen(workflow.spec.tests, order.only), rehearse)
    return report(subject, results, covered=order.covered)


def chosen(cases: Sequence[Case], only: Sequence[str]) -> list[Case]:
    """The tests with these names, all of them without names. Raises InvalidRequest for a name that none has."""
    known = [case.name for case in cases]
    for name in only:
        if name not in known:
            hint = asking(nearest(name, known)).strip() or "Name tests as they are written in the document."
            raise InvalidRequest(f"There is no test {name[:200]!r}.", hint=hint, facts={"tests": known})
    return [case for case in cases if not only or case.name in only]


def _with_tests(platform: Platform, caller: Caller, name: str, order: Order, revision: int) -> Workflow:
    definitions = definitions_of(platform, caller)
    head = find_head(definitions, "workflow", name)
    document = definitions.document(find_version(definitions, head, f"r{revision}"))
    spec = document["spec"]
    replaced = [test.get("name") for test in order.tests]
    own = [test for test in spec.get("tests", []) if test["name"] not in replaced]
    tested = {**document, "spec": {**spec, "tests": [*own, *order.tests]}}
    checked = check_document(platform, caller, "workflow", dumps(tested), "json")
    mistaken = any(one.severity == "error" and one.path[:2] == ("spec", "tests") for one in checked.findings)
    if not isinstance(checked.document, Workflow) or mistaken:
        raise refuse(checked)
    return checked.document
