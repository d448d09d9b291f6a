"""Response bodies checked against the schema a task declares, without surprises in time or on the network.

Patterns run on RE2, which is linear in the text (a server chooses the text), and a reference to another document
is an error instead of a download.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from millrace.adapters.http.refusals import unreadable
from millrace.base.canonical import dumps, parse_json

MISMATCHES: Final = 10  # reported at most
_DATA: Final = frozenset({"const", "enum", "default", "examples"})  # keywords that hold values, not schemas


def check_schema(body: Any, schema: Any) -> None:
    """Raises Refused, ``schema``/``response-schema`` with ``mismatches`` ({path, message}) in its details, or
    ``bad-schema`` when the schema itself cannot be used."""
    import re2
    from jsonschema.exceptions import SchemaError
    from referencing.exceptions import Unresolvable

    try:
        errors = list(_first(_validator(dumps(schema)).iter_errors(body)))
    except (SchemaError, re2.error, Unresolvable, RecursionError) as error:
        raise unreadable(
            "bad-schema", f"responseSchema cannot be used: {str(error)[:200]}", "Correct the schema."
        ) from None
    if errors:
        raise unreadable(
            "response-schema",
            f"the response does not fit responseSchema: {errors[0]['message']} at {errors[0]['path'] or '/'}",
            "Correct the schema, or handle this answer with successCodes.",
            mismatches=errors,
        )


def _first(errors: Iterator[Any]) -> Iterator[dict[str, str]]:
    for _, error in zip(range(MISMATCHES), errors, strict=False):
        path = "".join(f"/{part}" for part in error.absolute_path)
        yield {"path": path, "message": error.message[:200]}


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Any:
    import re2
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry

    declared = parse_json(schema, depth=256)
    Draft202012Validator.check_schema(declared)
    if b'"patternProperties"' in schema and b'"unevaluatedProperties"' in schema:
        # The library matches names with a backtracking engine there, and offers no way to replace it.
        raise re2.error("patternProperties and unevaluatedProperties cannot be combined")
    linear = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    }
    for pattern in _patterns(declared):
        _compiled(pattern)
    extended: Any = extend
    return extended(Draft202012Validator, linear)(declared, registry=Registry())


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        if isinstance(schema.get("patternProperties"), dict):
            yield from schema["patternProperties"]
        schema = [value for key, value in schema.items() if key not in _DATA]
    if isinstance(schema, list):
        for item in schema:
            yield from _patterns(item)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False  # the error is in the finding; the library would also write it to stderr
    return re2.compile(pattern, options)


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{instance[:80]!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: dict[str, Any], instance: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(instance, dict):
        for pattern, inner in patterns.items():
            for name, value in instance.items():
                if _matches(pattern, name):
                    yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    patterns = schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in schema.get("properties", {}) or any(_matches(pattern, name) for pattern in patterns):
            continue
        if rule is False:
            yield ValidationError(f"the property {name[:80]!r} is not expected")
        elif rule is not True:
            yield from validator.descend(value, rule, path=name)
