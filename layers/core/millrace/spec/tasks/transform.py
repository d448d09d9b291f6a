"""The `transform` type: ordered steps over `input.items`, a pure function of its input.

What each step means belongs to the transforms of the engine; here a step is one key with a value.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, RootModel

from millrace.spec.models.fields import Many, refusal
from millrace.spec.registry import TaskType

MOST_STEPS: Final = 100


def _one_key(step: dict[str, Any]) -> dict[str, Any]:
    if len(step) != 1:
        raise refusal(f"a step has {len(step)} keys", "Give each step one key, such as filter, map or sort.")
    return step


Step = Annotated[dict[str, Any], AfterValidator(_one_key)]


class TransformSteps(RootModel[Annotated[tuple[Step, ...], Many, Field(min_length=1, max_length=MOST_STEPS)]]):
    """Steps that are applied in order; each is one key: filter, map, select, sort, limit, groupBy, aggregate,
    flatten, distinct or join."""


TRANSFORM: Final = TaskType(
    name="transform",
    effect=lambda _block: "pure",
    block="transform",
    config=TransformSteps,
    templated=False,
    steps=True,
    edge=True,
)
