"""How many executions, or tasks of executions, may be at the same thing at once."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from millrace.base.limits import SLOTS, WEIGHT
from millrace.spec.models.fields import Model, Name, refusal

ON_LIMIT: Final = ("queue", "cancel", "fail")


def _between(least: int, most: int) -> AfterValidator:
    def check(value: int | str) -> int | str:
        if isinstance(value, str):
            if "{{" not in value:
                raise refusal(f'"{value[:80]}" is not a number', "Write a whole number, or a template of one.")
        elif not least <= value <= most:
            raise refusal(f"{value} is out of range", f"Write a whole number from {least} to {most}, or a template.")
        return value

    return AfterValidator(check)


def _either(least: int, most: int) -> WithJsonSchema:
    whole = {"type": "integer", "minimum": least, "maximum": most}
    return WithJsonSchema({"anyOf": [whole, {"type": "string"}]})


Least = Annotated[int | str, _between(0, SLOTS), _either(0, SLOTS)]
Weight = Annotated[int | str, _between(1, WEIGHT), _either(1, WEIGHT)]


class Pool(Model):
    """Places that all keys of a namespace that name it share."""

    name: Name
    """Its name."""
    limit: int = Field(ge=1, le=SLOTS)
    """How many places it has."""


class Concurrency(Model):
    """A limit that all executions of a namespace share, by key. Whoever holds a place shares it with what it runs."""

    key: str = Field(default="", max_length=512)
    """What is limited, as a template; left out, the workflow, or the task of this workflow."""
    limit: int = Field(ge=1, le=SLOTS)
    """How many may hold a place at once."""
    on_limit: Literal["queue", "cancel", "fail"] = "queue"
    """What happens when no place is free: wait in order of arrival, do not run, or fail."""
    pool: Pool | None = None
    """Places that keys share: one is needed beside that of the key."""
    min: Least | None = None
    """Holding fewer places of the pool, a key goes before every key that has its own min; a number or template."""
    weight: Weight | None = None
    """The part of the pool that the key has among those that wait, 1 by default; a number or template."""

    @model_validator(mode="after")
    def _of_one_pool(self) -> Self:
        for key, value in (("min", self.min), ("weight", self.weight)):
            if value is not None and self.pool is None:
                raise refusal(f'"{key}" needs a pool that keys share', f"Add pool: {{name, limit}}, or take {key} out.")
        if self.pool is not None and isinstance(self.min, int):
            most = min(self.limit, self.pool.limit)
            if self.min > most:
                raise refusal(f'"min" is {self.min}, but a key holds at most {most}', "Lower it, or raise the limit.")
        return self

    def templates(self) -> dict[str, str]:
        """What may hold expressions, by the key of the document."""
        found = {"key": self.key, "min": self.min, "weight": self.weight}
        return {key: value for key, value in found.items() if isinstance(value, str)}
