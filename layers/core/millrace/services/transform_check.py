"""How the checks of documents reach the transforms, which the spec layer does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millrace.engine.transforms import TransformPlan, compile_transform
from millrace.expr import Scope


def check_transform(steps: Sequence[dict[str, Any]], scope: Scope) -> TransformPlan:
    """The compiled steps, with the paths they read. Raises TransformError or ExpressionError."""
    return compile_transform(list(steps), scope=scope)
