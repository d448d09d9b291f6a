"""Which task types exist. One type is one file in `millrace.spec.tasks`, which calls `register_type`.

What a type declares here is everything that checks, plans and prices need without knowing the type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from msgspec import Struct
from pydantic import BaseModel

Effect = Literal["pure", "read", "write", "unknown"]
Price = Literal["none", "request"]


class InnerBody(Struct, frozen=True):
    """A list of tasks inside a task. ``name`` is its part of the task path (``0`` in ``route/0/pack``), empty for a
    body that runs once per item; ``path`` leads to it from the task, and to its only task where ``single``; ``roots``
    are the names that its expressions see beside those of their surroundings; ``named`` says that ``path`` leads to the
    name of what the only task runs, with its input beside that."""

    name: str
    path: tuple[str | int, ...]
    tasks: tuple[Any, ...]
    roots: tuple[str, ...] = ()
    single: bool = False
    named: bool = False


def _no_schema(_block: Any) -> dict[str, Any] | None:
    return None


def _no_bodies(_block: Any) -> tuple[InnerBody, ...]:
    return ()


def _no_conditions(_block: Any) -> tuple[tuple[tuple[str | int, ...], str | bool], ...]:
    return ()


def _whole(block_json: Any) -> Any:
    return block_json


class TaskType(Struct, frozen=True):
    """One task type.

    ``block`` is the key of its configuration, ``config`` the model of that (None for a type without one). A type may
    own several keys of the task instead: ``fields``, which ``config`` judges together; ``block`` is then no key, but
    what they are called when they are rendered into one block (None: they are not). ``named_by_key`` says that the
    block's key alone names the type. ``effect`` and ``output_schema`` are functions of the validated block;
    ``output_schema`` gives a JSON Schema, or None where the shape is not known.

    ``templated`` says that the block's strings are templates, as far as ``templates`` leaves them of the raw block;
    ``conditions`` lists its bare boolean expressions (path and source), which see ``condition_root`` as well; ``steps``
    says that the block is a list of transform steps.
    ``waits`` says that the type is never attempted, only waited for; ``edge`` that it can run at an edge location;
    ``price`` what its use is charged by.

    ``bodies`` lists the tasks inside a block. ``composes`` says that the type runs tasks or workflows of its own, so
    that it belongs into workflows only.
    """

    name: str
    effect: Callable[[Any], Effect]
    block: str | None = None
    config: type[BaseModel] | None = None
    output_schema: Callable[[Any], dict[str, Any] | None] = _no_schema
    templated: bool = True
    fields: tuple[str, ...] = ()
    named_by_key: bool = False
    steps: bool = False
    waits: bool = False
    edge: bool = False
    price: Price = "none"
    bodies: Callable[[Any], tuple[InnerBody, ...]] = _no_bodies
    conditions: Callable[[Any], tuple[tuple[tuple[str | int, ...], str | bool], ...]] = _no_conditions
    condition_root: str = ""
    templates: Callable[[Any], Any] = _whole
    composes: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a task that belong to this type."""
        return self.fields or (() if self.block is None else (self.block,))

    @property
    def key(self) -> str | None:
        """The one key that holds the configuration, None where there are several or none."""
        return None if self.fields else self.block

    @property
    def naming_key(self) -> str | None:
        """The key that names the type by itself, None for a type that has to be named."""
        return (self.fields[0] if self.fields else self.block) if self.named_by_key else None


_TYPES: Final[dict[str, TaskType]] = {}


def register_type(kind: TaskType) -> None:
    """Make a type known to this process. Raises ValueError if the name or a key is taken by another."""
    held = _TYPES.get(kind.name)
    if held is not None and held != kind:
        raise ValueError(f"the task type {kind.name} is registered already")
    for other in _TYPES.values():
        shared = sorted(set(kind.keys) & set(other.keys))
        if shared and other.name != kind.name:
            raise ValueError(f"the key {shared[0]} belongs to the task type {other.name}")
    _TYPES[kind.name] = kind


def unregister_type(name: str) -> None:
    """Forget a type, if it is known."""
    _TYPES.pop(name, None)


def find_type(name: str) -> TaskType | None:
    return _TYPES.get(name)


def key_owner(key: str) -> TaskType | None:
    """The type that a key of a task belongs to."""
    return next((kind for kind in all_types() if key in kind.keys), None)


def known_types() -> tuple[str, ...]:
    return tuple(sorted(_TYPES))


def all_types() -> tuple[TaskType, ...]:
    """Every registered type, by name."""
    return tuple(_TYPES[name] for name in known_types())
