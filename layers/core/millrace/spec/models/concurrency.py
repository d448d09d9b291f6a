"""How many executions, or tasks of executions, may be at the same thing at once."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from millrace.base.limits import SLOTS
from millrace.spec.models.fields import Model

ON_LIMIT: Final = ("queue", "cancel", "fail")


class Concurrency(Model):
    """A limit that all executions of a namespace share, by key. Whoever holds a place shares it with what it runs."""

    key: str = Field(default="", max_length=512)
    """What is limited, as a template; left out, the workflow, or the task of this workflow."""
    limit: int = Field(ge=1, le=SLOTS)
    """How many may hold a place at once."""
    on_limit: Literal["queue", "cancel", "fail"] = "queue"
    """What happens when no place is free: wait in order of arrival, do not run, or fail."""
