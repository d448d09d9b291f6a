"""The third kind of document: tests of a workflow in a file of their own, so that who tests need not publish."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from millrace.spec.models.document import Metadata
from millrace.spec.models.fields import Many, Model, reference, refusal
from millrace.spec.models.testing import Case

_PATH: Final = re.compile(r".*\.(?:yaml|yml|json)")


def is_path(workflow: str) -> bool:
    """Whether a test document names its workflow by file."""
    return _PATH.fullmatch(workflow) is not None


def _workflow(value: str) -> str:
    if not is_path(value):
        reference(value)
    elif value.startswith("/") or "\\" in value or "://" in value:
        raise refusal(f'"{value[:80]}" is no path beside this file', "Write a relative path, such as ./order.yaml.")
    return value


class WorkflowTestSpec(Model):
    """Which workflow is tested, and how."""

    description: str | None = None
    """For people."""
    workflow: Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_workflow)]
    """The workflow: a file, from the folder of this one (./order.yaml), or name or name@range among the files given."""
    tests: Annotated[tuple[Case, ...], Many, Field(min_length=1)]
    """The tests, as the workflow itself could hold them."""


class WorkflowTest(Model):
    """Tests of a workflow that stand in a file of their own; `millrace test` runs them."""

    api_version: Literal["workflow.io/v1"]
    """The version of this format."""
    kind: Literal["WorkflowTest"]
    """The kind of document."""
    metadata: Metadata
    spec: WorkflowTestSpec
