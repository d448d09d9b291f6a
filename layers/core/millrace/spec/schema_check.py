"""Which JSON Schemas (2020-12) a document may hold: valid ones that refer to themselves only.

A reference to another address would be a request to a place the author chose; a pattern that is not linear would
be a way to stop the platform, so patterns are compiled by RE2, which refuses those.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from millrace.base.canonical import dumps, parse_json
from millrace.spec.findings import Path
from millrace.spec.plain_schema import is_plain

_REFERENCES: Final = ("$ref", "$dynamicRef")
_REFUSED: Final = ("$recursiveRef", "$vocabulary", "unevaluatedItems", "unevaluatedProperties")
_DATA: Final = frozenset({"const", "default", "enum", "examples"})
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_DIALECTS: Final = ("https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2020-12/schema#")
Problem = tuple[Path, str, str]


def schema_problems(schema: Any) -> list[Problem]:
    """What is wrong with a schema: (path inside it, message, fix). Empty for a schema that may be used."""
    problems = list(_walk(schema, (), schema))
    if problems:
        return problems
    shared = schema.get("$defs") if isinstance(schema, dict) else None
    if not isinstance(shared, dict):
        return _faults(schema)
    problems = _faults({key: item for key, item in schema.items() if key != "$defs"})
    for name, item in shared.items():
        problems += [(("$defs", name, *path), said, fix) for path, said, fix in _shared_faults(dumps(item))]
    return problems


@lru_cache(maxsize=2048)
def _shared_faults(text: bytes) -> tuple[Problem, ...]:
    """The faults of one shared schema, from its canonical JSON: documents made from one source repeat theirs."""
    return tuple(_faults(parse_json(text)))


def _faults(schema: Any) -> list[Problem]:
    if is_plain(schema):
        return []
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return [(tuple(error.absolute_path), _short(error.message), "Write a JSON Schema (2020-12).")]
    return []


def _walk(schema: Any, path: Path, root: Any) -> Iterator[Problem]:
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _walk(item, (*path, index), root)
    if not isinstance(schema, dict):
        return
    for key, item in schema.items():
        here = (*path, key)
        if key in _REFERENCES and isinstance(item, str):
            yield from _reference(item, here, root)
        elif key in _REFUSED:
            yield here, f'"{key}" is not supported', f"Take {key} out."
        elif key == "$schema" and item not in _DIALECTS:
            yield here, f"the dialect {item} is not supported", f"Write {_DIALECTS[0]}, or leave it out."
        elif key == "pattern":
            yield from _pattern(item, here)
        elif key in _NAMED and isinstance(item, dict):
            for name, below in item.items():
                if key == "patternProperties":
                    yield from _pattern(name, here)
                yield from _walk(below, (*here, name), root)
        elif key not in _DATA:
            yield from _walk(item, here, root)


def _reference(target: str, here: Path, root: Any) -> Iterator[Problem]:
    if not target.startswith("#"):
        yield here, f"the reference {target} leads out of the document", "Refer to #/$defs/name, and define it there."
        return
    seen = {target}
    while True:  # a chain of bare references that ends where it began would never end
        found = _follow(target, root)
        if found is None:
            yield here, f"the reference {target} leads to nothing", "Define what it refers to."
            return
        target = found.get("$ref", "") if isinstance(found, dict) else ""
        if not isinstance(target, str) or not target.startswith("#"):
            return
        if target in seen:
            yield here, f"the reference {target} leads to itself", "Define what it refers to."
            return
        seen.add(target)


def _follow(target: str, root: Any) -> Any:
    found = root
    for part in target.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict) and name in found:
            found = found[name]
        else:
            return None
    return found if target == "#" or target.startswith("#/") else None


def _pattern(pattern: Any, here: Path) -> Iterator[Problem]:
    if not isinstance(pattern, str):
        return
    from millrace.spec.patterns import compile_pattern

    try:
        compile_pattern(pattern)
    except ValueError as error:
        yield (
            here,
            f"the pattern {_short(pattern)} cannot be used: {error}",
            "Write it without look-around and back-references.",
        )


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:197] + "..."
