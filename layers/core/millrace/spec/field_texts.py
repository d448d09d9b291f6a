"""What the source says about the fields of models: the text below each, read when a JSON Schema is made.

Pydantic can read it too, when a model is made (`use_attribute_docstrings`). That parses the source of every model at
each start of a process, of which few ever make a schema.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from typing import Any

from pydantic import BaseModel


def describe(schema: dict[str, Any], model: type[BaseModel], root: type[BaseModel]) -> None:
    """Put the texts into the JSON Schema of ``model``, and of every model below ``root`` among its definitions."""
    models = {one.__name__: one for one in _below(root)}
    _put(schema, model)
    for name, shape in schema.get("$defs", {}).items():
        if name in models:
            _put(shape, models[name])


def _below(model: type[BaseModel]) -> list[type[BaseModel]]:
    return [one for below in model.__subclasses__() for one in (*_below(below), below)]


def _put(shape: dict[str, Any], model: type[BaseModel]) -> None:
    properties = shape.get("properties", {})
    for name, text in field_texts(model).items():
        field = model.model_fields[name]
        if field.description is None and (field.alias or name) in properties:
            properties[field.alias or name]["description"] = text


def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """The text of each field, inherited ones included; nothing for a field without one."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one is not BaseModel:
            found |= _in_module(one.__module__).get(one.__name__, {})
    return {name: text for name, text in found.items() if name in model.model_fields}


@cache
def _in_module(module: str) -> dict[str, dict[str, str]]:
    """The texts of all classes of a module; nothing where its source is not at hand."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):
        return {}
    return {one.name: _in_class(one) for one in ast.walk(tree) if isinstance(one, ast.ClassDef)}


def _in_class(tree: ast.ClassDef) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        text = below.value if isinstance(below, ast.Expr) else None
        name = field.target if isinstance(field, ast.AnnAssign) else None
        if isinstance(name, ast.Name) and isinstance(text, ast.Constant) and isinstance(text.value, str):
            found[name.id] = inspect.cleandoc(text.value)
    return found
