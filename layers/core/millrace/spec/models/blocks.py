"""The part of a task that belongs to its type: `request` of http, `transform` of transform, and so on.

The models of tasks do not know the types; this mixin asks the registry which keys belong to the declared type and
which model they have, so that a new type is one new file.
"""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from millrace.spec.models.fields import Model, custom_error, refusal
from millrace.spec.registry import TaskType, all_types, find_type, known_types
from millrace.spec.suggest import asking, nearest

ModelType = type[BaseModel]


class BlockHolder(Model):
    """A model whose raw form holds the block of its type. ``block`` is the validated block, ``block_json`` its JSON."""

    _block: BaseModel | None = PrivateAttr(default=None)
    _block_json: Any = PrivateAttr(default=None)

    @property
    def block(self) -> BaseModel | None:
        return self._block

    @property
    def block_json(self) -> Any:
        """The block as the document wrote it, plain JSON: for http the request, for transform the list of steps, for a
        type with several keys, such as approval, a dict of those that are there."""
        return self._block_json

    @classmethod
    def inner_models(cls) -> dict[str, ModelType]:
        """Keys whose models hold tasks again: they are judged here, since a model that refers to itself would have its
        block taken twice."""
        return {}

    @model_validator(mode="wrap")
    @classmethod
    def _take_block(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict):
            return handler(data)
        refs = "taskRef" in keys_of(cls)
        if refs:
            data = with_type(data)
        kind = _kind(data)
        keys = kind.keys if kind else ()
        errors: list[InitErrorDetails] = list(_choice_errors(data, kind, refs))
        block: BaseModel | None = None
        raw: Any = None
        if kind is not None and kind.config is not None:
            if kind.key is None or kind.key in data:
                raw = {key: data[key] for key in keys if key in data} if kind.key is None else data[kind.key]
                try:
                    block = kind.config.model_validate(raw)
                except ValidationError as error:
                    errors += _details(error, *(() if kind.key is None else keys))
            else:
                said = f'a task of type {kind.name} needs "{kind.key}"'
                errors.append(_detail(refusal(said, f"Add {kind.key}.", "missing-key"), (), data))
        data = dict(data)
        for key, model in cls.inner_models().items():
            if data.get(key) is not None:
                try:
                    data[key] = model.model_validate(data[key])
                except ValidationError as error:
                    errors += _details(error, key)
                    del data[key]
        try:
            made = handler({k: v for k, v in data.items() if k not in keys})
        except ValidationError as error:
            errors += _details(error)
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        made._block = block
        made._block_json = raw
        return made


def with_type(task: dict[str, Any]) -> dict[str, Any]:
    """A task of a workflow with its type spelled out, where one of its keys alone names it."""
    if "type" in task or "taskRef" in task:
        return task
    named = (kind.name for kind in all_types() if kind.naming_key is not None and kind.naming_key in task)
    name = next(named, None)
    return task if name is None else {**task, "type": name}


def keys_of(cls: type[BaseModel]) -> set[str]:
    """The keys a model reads."""
    return {info.alias or name for name, info in cls.model_fields.items()}


def _kind(data: dict[str, Any]) -> TaskType | None:
    name = data.get("type")
    return find_type(name) if isinstance(name, str) else None


def _choice_errors(data: dict[str, Any], kind: TaskType | None, refs: bool) -> list[InitErrorDetails]:
    given = data.get("type")
    out = []
    if isinstance(given, str) and kind is None:
        message = f'"{given}" is not a type of task.{asking(nearest(given, known_types()))}'
        fix = f"Use one of {', '.join(known_types())}."
        out.append(_detail(refusal(message, fix, "unknown-type"), ("type",), given))
    if kind is not None and kind.composes and not refs:
        said = f"a reusable task cannot be of type {kind.name}"
        out.append(_detail(refusal(said, "Use it in a workflow."), ("type",), given))
    if refs and "type" in data and "taskRef" in data:
        out.append(_detail(refusal('a task has both "type" and "taskRef"', "Keep one of them."), ("taskRef",), data))
    if refs and "type" not in data and "taskRef" not in data:
        alone = ", ".join(kind.naming_key for kind in all_types() if kind.naming_key is not None)
        fix = f"Add type ({', '.join(known_types())}) or taskRef{f', or {alone}' if alone else ''}."
        out.append(_detail(refusal('the task has neither "type" nor "taskRef"', fix, "missing-key"), (), data))
    return out


def _detail(error: PydanticCustomError, loc: tuple[str | int, ...], data: Any) -> InitErrorDetails:
    return InitErrorDetails(type=error, loc=loc, input=data)


def _details(error: ValidationError, *prefix: str) -> list[InitErrorDetails]:
    """The errors of one validation as material for another, with the context that findings are made from."""
    return [
        _detail(
            custom_error(e["type"], {**e.get("ctx", {}), "message": e["msg"]}),
            (*prefix, *e["loc"]),
            e["input"],
        )
        for e in error.errors(include_url=False)
    ]
