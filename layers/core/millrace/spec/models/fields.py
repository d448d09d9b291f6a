"""The fields that several models share: names, durations, free JSON, and how a refusal is worded."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from millrace.base.errors import InvalidRequest
from millrace.base.limits import TASK_ID_CHARS
from millrace.base.scalars import parse_duration

NAME_PATTERN: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
TASK_ID_PATTERN: Final = rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{TASK_ID_CHARS - 1}}}"
_TERM: Final = r"(?:\^|~|>=|<=|>|<|=)?[0-9]{1,9}(?:\.[0-9]{1,9}){0,2}"
RANGE_PATTERN: Final = rf"{_TERM}(?: +{_TERM}){{0,4}}|{_TERM}[-+][0-9A-Za-z.+-]{{1,64}}|latest|r[0-9]{{1,9}}"
_NUMBER: Final = r"(?:0|[1-9][0-9]{0,8})"
SEMVER_PATTERN: Final = (
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    r"(?:-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?"
)
_REF: Final = re.compile(
    rf"(?:marketplace/{NAME_PATTERN}@(?:{RANGE_PATTERN})/{NAME_PATTERN}|{NAME_PATTERN}(?:@(?:{RANGE_PATTERN}))?)"
)
_REF_FIX: Final = (
    "Write name, name@range (like get-order@^2 or get-order@>=1 <2.5), or marketplace/package@version/task."
)


class Model(BaseModel):
    """Base of all document models: frozen, camelCase, strict types, unknown keys refused.

    The text below a field is its description (`millrace.spec.field_texts`). What validates is built at the first use,
    and then once for a whole document instead of for each of its parts."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        defer_build=True,
    )


def refusal(message: str, fix: str, code: str = "bad-value") -> PydanticCustomError:
    """A validation error that becomes a finding with this code, message and fix."""
    return custom_error(code, {"message": message, "fix": fix})


def custom_error(code: str, context: dict[str, Any]) -> PydanticCustomError:
    """A validation error of any code; ``context['message']`` is its sentence."""
    make: Any = PydanticCustomError  # its signature wants literals, our codes come from a table
    error: PydanticCustomError = make(code, "{message}", context)
    return error


def _duration(value: Any) -> int:
    try:
        return parse_duration(value)
    except InvalidRequest as error:
        raise refusal(error.message, error.hint) from None


def _positive(value: int) -> int:
    if value <= 0:
        raise refusal("a time limit of zero", "Write a longer one, or leave the key out for none.")
    return value


def _pattern(pattern: str, what: str, fix: str) -> BeforeValidator:
    compiled = re.compile(pattern)

    def check(value: Any) -> Any:
        if isinstance(value, str) and not compiled.fullmatch(value):
            raise refusal(f"{_short(value)} is not {what}", fix)
        return value

    return BeforeValidator(check)


def reference(value: Any) -> Any:
    """A text as it is. Raises a refusal for one that is no reference to a task or workflow."""
    if isinstance(value, str) and not _REF.fullmatch(value):
        raise refusal(f"{_short(value)} is not a reference to a task or workflow", _REF_FIX)
    return value


def _short(value: str) -> str:
    return f'"{value}"' if len(value) <= 80 else f'"{value[:77]}..."'


DURATION_SCHEMA: Final = {
    "anyOf": [{"type": "string"}, {"type": "integer", "minimum": 0}],
    "examples": ["500ms", "30s", "5m", "PT10M", 30],
}

Duration = Annotated[int, BeforeValidator(_duration), WithJsonSchema(DURATION_SCHEMA)]
"""Milliseconds of a duration literal."""

Timeout = Annotated[int, BeforeValidator(lambda v: _positive(_duration(v))), WithJsonSchema(DURATION_SCHEMA)]
"""Milliseconds, more than zero."""

Name = Annotated[
    StrictStr,
    _pattern(
        NAME_PATTERN, "a name", "Use 1 to 63 of a-z, 0-9 and hyphen, beginning and ending with a letter or digit."
    ),
    Field(json_schema_extra={"pattern": f"^{NAME_PATTERN}$"}),
]
TaskId = Annotated[
    StrictStr,
    _pattern(
        TASK_ID_PATTERN,
        "a task id",
        f"Use 1 to {TASK_ID_CHARS} of letters, digits, dot, underscore and hyphen, beginning with a letter or digit.",
    ),
    Field(json_schema_extra={"pattern": f"^{TASK_ID_PATTERN}$"}),
]
Version = Annotated[
    StrictStr,
    _pattern(SEMVER_PATTERN, "a version", 'Write a semantic version in quotes, like "2.1.0".'),
    Field(json_schema_extra={"pattern": f"^{SEMVER_PATTERN}$"}),
]
TaskRef = Annotated[StrictStr, BeforeValidator(reference)]
Many = Field(strict=False)
"""For tuples: a list of the document becomes a tuple, its items stay strictly typed."""


def reference_name(reference: str) -> str:
    """The name a reference leads to, without its range: ``get-order@^2`` is ``get-order``."""
    return reference if reference.startswith("marketplace/") else reference.partition("@")[0]
