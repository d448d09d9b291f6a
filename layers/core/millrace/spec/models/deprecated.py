"""How a workflow or reusable task says that it should not be used any more."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from millrace.spec.models.fields import Model, TaskRef, Version


class Deprecation(Model):
    """Since when, and what to use instead. Whoever uses it is warned when they are checked; nothing stops running."""

    since: Version | None = None
    """The version that said so first."""
    replacement: TaskRef | None = None
    """What to use instead: name, or name@range."""
    message: str | None = Field(default=None, max_length=500)
    """For people: why, and what to mind."""

    @property
    def sentence(self) -> str:
        """Since when and why, as the end of a sentence."""
        since = f" since {self.since}" if self.since else ""
        return f"deprecated{since}{f': {self.message}' if self.message else ''}"


def _said(value: Any) -> Any:
    return {} if value is True else None if value is False else value


def _or_true(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"type": "boolean"}, *schema["anyOf"]]


Deprecated = Annotated[Deprecation | None, BeforeValidator(_said), Field(json_schema_extra=_or_true)]
"""``true``, or more about it."""
