"""How the checks of documents reach the transforms, which the spec layer does not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millrace.engine.transforms import TransformPlan, compile_transform


def check_transform(steps: Sequence[dict[str, Any]]) -> TransformPlan:
    """The compiled steps, with the paths they read. Raises TransformError or ExpressionError."""
    return compile_transform(list(steps))
