"""How an execution of a workflow is carried, where the platform leaves a choice."""

from __future__ import annotations

from typing import Literal

from millrace.spec.models.fields import Model


class Execution(Model):
    """How executions are run; what a workflow does is the same in every way."""

    mode: Literal["auto", "standard"] = "auto"
    """On AWS, `standard` begins on the Standard state machine at once, without the cheaper Express one in front."""
