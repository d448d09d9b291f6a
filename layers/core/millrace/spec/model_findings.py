"""What the models refuse, in the words of findings: by position, with the names that exist there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from millrace.spec.findings import CODES, Finding, Path
from millrace.spec.registry import key_owner, known_types
from millrace.spec.source import Source
from millrace.spec.suggest import asking, nearest

_EXPECTED: Final = {
    "string_type": "text",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
}
MOST_MISTAKES: Final = 200
"""Mistakes that are reported at once: each costs a search for similar names, and nobody reads more."""
_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*)'")


def model_findings(
    error: ValidationError, source: Source, schema: Mapping[str, Any], unavailable: Iterable[Path]
) -> list[Finding]:
    """One finding per mistake. ``schema`` is the exported JSON Schema of the kind, from which names are suggested;
    what concerns a path of ``unavailable`` has been said already."""
    said = set(unavailable)
    details = [
        (_path(source.value, detail["loc"], missing=detail["type"] == "missing"), detail)
        for detail in error.errors(include_url=False)
    ]
    inner = {path[:length] for path, _ in details for length in range(len(path))}
    details = [(path, detail) for path, detail in details if not _covered(path, said)][:MOST_MISTAKES]
    wrong: dict[Path, list[str]] = {}
    findings: list[Finding] = []
    for path, detail in details:
        code = detail["type"]
        below = path in inner
        if code in _EXPECTED:
            if not below:
                wrong.setdefault(path, []).append(_EXPECTED[code])
        elif not (below and code == "too_short"):
            findings.append(_finding(path, detail, source, schema))
    for path, expected in wrong.items():
        names = " or ".join(dict.fromkeys(expected))
        message = f"{_label(path)} is {described(_value(source.value, path))}, expected {names}"
        findings.append(Finding("wrong-type", "error", message, path, *source.position(path), f"Write {names}."))
    return findings


def _finding(path: Path, detail: Any, source: Source, schema: Mapping[str, Any]) -> Finding:
    code, context = detail["type"], detail.get("ctx", {})
    message = detail["msg"]
    if code == "extra_forbidden":
        return unknown_key(path, source, keys_at(schema, path[:-1]))
    if code == "missing":
        at = source.key_position(path[:-1]) if len(path) > 1 else source.position(())
        return Finding("missing-key", "error", f'"{path[-1]}" is required', path, *at, f"Add {path[-1]}.")
    at = source.position(path)
    if code in CODES:
        hint = context["fix"]
        if code == "unknown-type":
            types = known_types()
            near = nearest(str(_value(source.value, path)), types)
            return Finding(code, "error", message, path, *at, hint, near or types)
        at = source.key_position(path) if code == "missing-key" else at
        return Finding(code, "error", message, path, *at, hint)
    if code == "literal_error":
        known = _QUOTED.findall(context["expected"])
        value = _value(source.value, path)
        names = nearest(str(value), known)
        said = f"{_label(path)} is {value!r}, which it cannot be.{asking(names)}"
        return Finding("bad-value", "error", said, path, *at, f"Use one of {', '.join(known)}.", names)
    said, fix = _bounded(code, context, path, message)
    return Finding("bad-value", "error", said, path, *at, fix)


def _bounded(code: str, context: Mapping[str, Any], path: Path, message: str) -> tuple[str, str]:
    """What is wrong with a value of the right type, and what to write."""
    label = _label(path)
    if code in ("too_short", "too_long"):
        least = code == "too_short"
        bound = context["min_length" if least else "max_length"]
        held = "too many" if context.get("actual_length") is None else context["actual_length"]
        return f"{label} has {held} entries", f"Give it at {'least' if least else 'most'} {bound}."
    if code in ("string_too_short", "string_too_long"):
        least = code == "string_too_short"
        bound = context["min_length" if least else "max_length"]
        word = "fewer" if least else "more"
        return f"{label} has {word} than {bound} characters", f"Write at {'least' if least else 'most'} {bound}."
    bounds = {"greater_than_equal": "ge", "greater_than": "gt", "less_than_equal": "le", "less_than": "lt"}
    if code in bounds:
        bound = context[bounds[code]]
        words = {"ge": "{} or more", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}
        wanted = words[bounds[code]].format(bound)
        return f"{label} is out of range: it takes {wanted}", f"Write {wanted}."
    return f"{label}: {message[:1].lower()}{message[1:]}", f"See docs/reference/workflow.md for what {label} takes."


def unknown_key(path: Path, source: Source, known: Iterable[str]) -> Finding:
    """The finding for a key that does not exist where it stands."""
    key = str(path[-1])
    owner = key_owner(key)
    if owner is not None:
        message = f'"{key}" belongs to tasks of type {owner.name}'
        fix = f"Give the task type: {owner.name}, or take {key} out."
        return Finding("unknown-key", "error", message, path, *source.key_position(path), fix)
    names = nearest(key, known)
    message = f'"{key}" is not a key of {_holder(path[:-1])}.{asking(names)}'
    fix = f'Write "{names[0]}", or take it out.' if names else f"Use one of {', '.join(sorted(known))}."
    return Finding("unknown-key", "error", message, path, *source.key_position(path), fix, names)


def keys_at(schema: Mapping[str, Any], path: Path) -> set[str]:
    """The keys that a JSON Schema declares for the object at ``path``."""
    places = [schema]
    for part in path:
        places = [below for place in places for below in _below(schema, place, part)]
    return {key for place in places for shape in _shapes(schema, place) for key in shape.get("properties", {})}


def _below(schema: Mapping[str, Any], place: Mapping[str, Any], part: str | int) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for shape in _shapes(schema, place):
        named = shape.get("properties", {}).get(part, shape.get("additionalProperties"))
        below = shape.get("items") if isinstance(part, int) else named
        if isinstance(below, dict):
            found.append(below)
    return found


def _shapes(schema: Mapping[str, Any], place: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The plain schemas behind references and choices. Our own schemas never refer to themselves."""
    if "$ref" in place:
        return _shapes(schema, schema["$defs"][place["$ref"].rpartition("/")[2]])
    choices = [*place.get("anyOf", ()), *place.get("oneOf", ()), *place.get("allOf", ())]
    return [place, *(shape for choice in choices for shape in _shapes(schema, choice))]


def described(value: Any) -> str:
    """A value in a few words."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{value}"' if len(value) <= 40 else f'the text "{value[:37]}..."'
    return "a list" if isinstance(value, list) else "a mapping"


def _path(value: Any, loc: tuple[str | int, ...], *, missing: bool) -> Path:
    """The path in the document of a location in the models: names of union members are left out."""
    out: list[str | int] = []
    for index, part in enumerate(loc):
        if _has(value, part):
            value = value[part]
        elif not (missing and index == len(loc) - 1):
            continue
        out.append(part)
    return tuple(out)


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _value(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _covered(path: Path, said: set[Path]) -> bool:
    return any(path[:length] in said for length in range(len(path) + 1))


def _label(path: Path) -> str:
    entry = "an entry of " if path and isinstance(path[-1], int) else ""
    return entry + _holder(path)


def _holder(path: Path) -> str:
    """The key at a path, or the one that an entry of a list stands under."""
    names = [part for part in path if isinstance(part, str)]
    return f'"{names[-1]}"' if names else "the document"
