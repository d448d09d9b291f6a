"""What goes over the wire when workflows are tested."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from millrace.api.models import Selector, Wire
from millrace.base.limits import TESTS_PER_WORKFLOW


class TestsRequest(Wire):
    """Which tests to run, on the active version unless another is named."""

    version: Selector | None = Field(default=None, description="A label, a range, rN or latest.")
    tests: Annotated[list[dict[str, Any]], Field(max_length=TESTS_PER_WORKFLOW)] = Field(
        default_factory=list,
        description="Tests as a document writes them; one with the name of the version's own takes its place.",
    )
    only: Annotated[list[str], Field(max_length=TESTS_PER_WORKFLOW)] = Field(
        default_factory=list, description="The names of the tests to run; all, without any."
    )
    coverage: bool = Field(default=False, description="Whether to say what the tests never took.")


class Mismatch(Wire):
    """An expectation that does not hold."""

    path: str = Field(description="Where it stands inside `expect`; under `mocks` for a mock that does not fit.")
    message: str
    expected: Any
    actual: Any
    differences: list[str] = Field(description="Where the two differ, a line each.")


class TestProblem(Wire):
    """Why a test cannot be run."""

    code: str
    message: str
    hint: str


class TestResult(Wire):
    """What came of one test."""

    name: str
    status: Literal["passed", "failed", "error"]
    duration_ms: int = Field(description="By the clock of the test.")
    failures: list[Mismatch]
    error: TestProblem | None
    notes: list[str] = Field(description="Messages of the test that were never sent.")
    tasks: dict[str, str] = Field(description="The status of every task, by path.")


class Untaken(Wire):
    """What no test took."""

    task: str
    branch: Literal["runs", "condition is false", "an attempt fails", "fails", "falls back"]


class Coverage(Wire):
    """How much of the workflow its tests took."""

    branches: int
    taken: int
    percent: int
    untaken: list[Untaken]


class TestsReport(Wire):
    """The results of the tests of one workflow."""

    workflow: str
    version: str | None
    passed: int
    failed: int
    errors: int
    tests: list[TestResult]
    coverage: Coverage | None


class ExecutionTest(Wire):
    """An execution as a test of its workflow."""

    execution: str
    workflow: str
    version: str
    test: dict[str, Any] = Field(description="What a document holds in its list of tests.")
    passes: bool = Field(description="Whether the test passes on the version that ran.")
    differences: list[str] = Field(
        description="What of the history the test leaves out, since it cannot come out alike."
    )
