"""What the validation layer found, in our words: where, what is wrong, and what would be right."""

from __future__ import annotations

from typing import Any, Final

from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from millrace.base.errors import InvalidRequest


def as_request_error(error: RequestValidationError) -> InvalidRequest:
    """``facts['errors']`` lists at most 20 of ``{in, at, problem}``; ``at`` is a dotted path within ``in``."""
    found = [_entry(item) for item in error.errors()[:20]]
    first = found[0]
    where = f"{first['in']} {first['at']}".strip()
    return InvalidRequest(
        f"{where}: {first['problem']}",
        hint="Correct the request; docs/openapi.json has the shape.",
        facts={"errors": found},
    )


_EXECUTION: Final = "an execution id has 26 characters, as `millrace executions list` shows them"


def _problem(item: dict[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "unknown field"
    if item["type"] == "string_pattern_mismatch" and item["loc"][-1] == "execution":
        return _EXECUTION
    if item["type"] == "string_pattern_mismatch":
        return "it holds characters that it may not, or has the wrong length"
    return str(item["msg"])[:300]


def _entry(item: dict[str, Any]) -> dict[str, str]:
    place, *rest = [str(part)[:80] for part in item["loc"]]
    problem = _problem(item)
    return {"in": place, "at": ".".join(rest), "problem": problem[:1].lower() + problem[1:]}
