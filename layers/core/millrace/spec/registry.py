"""Which task types exist. One type is one file in `millrace.spec.tasks`, which calls `register_type`.

What a type declares here is everything that checks, plans and prices need without knowing the type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel

Effect = Literal["pure", "read", "write", "unknown"]
Price = Literal["none", "request"]


def _no_schema(_block: Any) -> dict[str, Any] | None:
    return None


@dataclass(frozen=True, slots=True)
class TaskType:
    """One task type.

    ``block`` is the key of its configuration, ``config`` the model of that (None for a type without one);
    ``effect`` and ``output_schema`` are functions of the validated block. ``output_schema`` gives a JSON Schema,
    or None where the shape is not known. ``templated`` says that the block's strings are templates, ``edge`` that
    the type can run at an edge location, ``price`` what its use is charged by.
    """

    name: str
    effect: Callable[[Any], Effect]
    block: str | None = None
    config: type[BaseModel] | None = None
    output_schema: Callable[[Any], dict[str, Any] | None] = _no_schema
    templated: bool = True
    edge: bool = False
    price: Price = "none"


_TYPES: Final[dict[str, TaskType]] = {}


def register_type(kind: TaskType) -> None:
    """Make a type known to this process. Raises ValueError if the name or the block's key is taken by another."""
    held = _TYPES.get(kind.name)
    if held is not None and held != kind:
        raise ValueError(f"the task type {kind.name} is registered already")
    for other in _TYPES.values():
        if kind.block is not None and other.block == kind.block and other.name != kind.name:
            raise ValueError(f"the key {kind.block} belongs to the task type {other.name}")
    _TYPES[kind.name] = kind


def unregister_type(name: str) -> None:
    """Forget a type, if it is known."""
    _TYPES.pop(name, None)


def find_type(name: str) -> TaskType | None:
    return _TYPES.get(name)


def known_types() -> tuple[str, ...]:
    return tuple(sorted(_TYPES))


def all_types() -> tuple[TaskType, ...]:
    """Every registered type, by name."""
    return tuple(_TYPES[name] for name in known_types())
