"""Judging an input against a JSON Schema, in a form that a person, a form or a model can act on."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from msgspec import Struct

from millrace.spec.findings import pointer
from millrace.spec.model_findings import described
from millrace.spec.suggest import asking, nearest


class MissingInput(Struct, frozen=True):
    """A required input that is not there. ``name`` is dotted below the top level."""

    name: str
    type: str
    description: str

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "type": self.type, "description": self.description}


class InvalidInput(Struct, frozen=True):
    """An input that is there and does not fit. ``path`` is a JSON Pointer; ``got`` never holds long values."""

    name: str
    path: str
    message: str
    expected: str
    got: str

    def to_json(self) -> dict[str, Any]:
        keys = ("name", "path", "message", "expected", "got")
        return {key: getattr(self, key) for key in keys}


class InputCheck(Struct, frozen=True):
    """The result of `validate_input`. ``value`` is the input with the schema's defaults filled in."""

    valid: bool
    value: Any
    missing_inputs: tuple[MissingInput, ...] = ()
    invalid_inputs: tuple[InvalidInput, ...] = ()
    suggested_prompt: str = ""

    def to_json(self) -> dict[str, Any]:
        """``{valid, missingInputs, invalidInputs, suggestedPrompt}``."""
        return {
            "valid": self.valid,
            "missingInputs": [item.to_json() for item in self.missing_inputs],
            "invalidInputs": [item.to_json() for item in self.invalid_inputs],
            "suggestedPrompt": self.suggested_prompt,
        }


def validate_input(schema: Mapping[str, Any], value: Any) -> InputCheck:
    """Judge a JSON value by a schema that `schema_problems` finds nothing in. Does not change ``value``."""
    return _judged(_validator()(schema), _filled(schema, value, 0))


def validate_part(schema: Mapping[str, Any], name: str, part: Any, value: Any) -> tuple[InvalidInput, ...]:
    """What does not fit where ``part``, which stands somewhere in ``schema``, judges ``value``, called ``name``: its
    references lead into the whole schema."""
    narrow = _validator()(schema).evolve(schema={"properties": {name: part}})
    return _judged(narrow, {name: value}).invalid_inputs


class Judge:
    """Holds values that no workflow declares against one schema, or parts of it."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._validator = _validator()(schema)

    def fits(self, part: Any, value: Any) -> bool:
        """Whether ``value`` fits ``part``, whose references lead into the schema. False where judging has no end."""
        try:
            return bool(self._validator.evolve(schema=part).is_valid(value))
        except RecursionError:
            return False

    def faults(self, value: Any) -> list[tuple[str, str]]:
        """What does not fit the schema: where, as a JSON Pointer into the value, and what, as the end of a sentence."""
        found: list[tuple[str, str]] = []
        try:
            for error in self._validator.iter_errors(value):
                path = tuple(error.absolute_path)
                if error.validator == "required" and isinstance(error.instance, dict):
                    lost = [name for name in error.validator_value if name not in error.instance]
                    found += [(pointer((*path, name)), "is required") for name in lost]
                elif error.validator == "additionalProperties":
                    found.append((pointer(path), f"is not expected: {error.message}"))
                else:
                    found.append((pointer(path), f"is {described(error.instance)}, expected {_expected(error)}"))
        except RecursionError:
            found.append(("", "leads through the schema without end"))
        return list(dict.fromkeys(found))


def _judged(validator: Any, filled: Any) -> InputCheck:
    missing: list[MissingInput] = []
    invalid: list[InvalidInput] = []
    try:
        for error in validator.iter_errors(filled):
            if error.validator == "required" and isinstance(error.instance, dict):
                missing += _missing(error)
            else:
                invalid.append(_invalid(error))
    except RecursionError:
        said = "the schema refers to itself without end for this input"
        invalid.append(InvalidInput("input", "", said, "a value of finite depth", described(filled)))
    lost = tuple(dict.fromkeys(missing))
    wrong = tuple(sorted(set(invalid), key=lambda item: (item.path, item.message)))
    return InputCheck(not lost and not wrong, filled, lost, wrong, _prompt(lost, wrong))


def _filled(schema: Any, value: Any, depth: int) -> Any:
    """The value with the defaults of declared properties where they are absent."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not isinstance(value, dict):
        return value
    out = dict(value)
    for name, shape in properties.items():
        if name in out:
            out[name] = _filled(shape, out[name], depth + 1)
        elif isinstance(shape, dict) and "default" in shape:
            out[name] = copy.deepcopy(shape["default"])
    return out


@cache
def _validator() -> Any:
    """Draft 2020-12 with RE2 patterns, and without a way to fetch anything."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend
    from referencing import Registry

    from millrace.spec.patterns import found

    def pattern(_validator: Any, wanted: str, text: Any, _schema: Any) -> Iterator[Any]:
        if isinstance(text, str) and not found(wanted, text):
            yield ValidationError(f"does not match the pattern {wanted}")

    def pattern_properties(validator: Any, shapes: dict[str, Any], value: Any, _schema: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            for wanted, shape in shapes.items():
                for name, item in value.items():
                    if found(wanted, name):
                        yield from validator.descend(item, shape, path=name, schema_path=wanted)

    def additional(validator: Any, shape: Any, value: Any, schema: dict[str, Any]) -> Iterator[Any]:
        if not isinstance(value, dict):
            return
        declared, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, item in value.items():
            if name in declared or any(found(wanted, name) for wanted in patterns):
                continue
            if shape is False:
                yield ValidationError(f'"{name}" is not declared.{asking(nearest(name, declared))}', path=(name,))
            else:
                yield from validator.descend(item, shape, path=name)

    widen: Any = extend
    base = widen(
        Draft202012Validator,
        {"pattern": pattern, "patternProperties": pattern_properties, "additionalProperties": additional},
    )
    return lambda schema: base(schema, registry=Registry())


def _missing(error: Any) -> list[MissingInput]:
    """The input that one error is about; the library reports one name at a time, in its message only."""
    declared = error.schema.get("properties", {})
    out = []
    for name in error.validator_value:
        if name not in error.instance:
            shape = declared.get(name, {})
            shape = shape if isinstance(shape, dict) else {}
            dotted = ".".join(str(part) for part in (*error.absolute_path, name))
            out.append(MissingInput(dotted, _type(shape), str(shape.get("description", ""))))
    return out


def _invalid(error: Any) -> InvalidInput:
    path = tuple(error.absolute_path)
    name = str(path[0]) if path else "input"
    expected = _expected(error)
    got = described(error.instance)
    if error.validator == "additionalProperties":
        return InvalidInput(name, pointer(path), error.message, "only declared inputs", "another name")
    return InvalidInput(name, pointer(path), f"{name} is {got}, expected {expected}", expected, got)


def _expected(error: Any) -> str:
    rule, wanted = error.validator, error.validator_value
    if rule == "type":
        return " or ".join(wanted) if isinstance(wanted, list) else str(wanted)
    if rule == "enum":
        return "one of " + ", ".join(str(item) for item in wanted[:20])
    if rule == "pattern":
        return f"text that matches {wanted}"
    if rule in ("anyOf", "oneOf"):
        return "exactly one of the allowed shapes" if rule == "oneOf" else "one of the allowed shapes"
    return "a value of another kind" if rule is None else f"{rule} {described(wanted)}"


def _type(shape: Mapping[str, Any]) -> str:
    kind = shape.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _prompt(missing: tuple[MissingInput, ...], invalid: tuple[InvalidInput, ...]) -> str:
    lines = []
    if missing:
        wanted = [
            f"{i.name} ({i.type})" + (f": {i.description.rstrip('. ')}" if i.description else "") for i in missing
        ]
        lines.append("Please provide " + "; ".join(wanted) + ".")
    if invalid:
        said = "; ".join(item.message.rstrip(".") for item in invalid)
        lines.append(f"Please correct: {said}" + ("" if said.endswith("?") else "."))
    return " ".join(lines)
