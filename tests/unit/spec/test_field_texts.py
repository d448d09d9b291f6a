"""The texts below the fields of models, read from their source."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from millrace.spec import Task, document_schema
from millrace.spec.field_texts import describe, field_texts
from millrace.spec.models.fields import Model


class Parent(Model):
    first: int = 0
    """What comes first.

    In two paragraphs."""
    bare: int = 0


class Child(Parent):
    first_of_all: int = 1
    """Its own."""
    said: int = Field(default=2, description="Said by the field.")
    """Not this."""
    inner: Parent = Field(default_factory=Parent)
    """Another one."""
    _hidden: int = 3
    """No field."""


def schema_of(model: type[Model]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True)
    describe(schema, model, Model)
    return schema


def test_a_text_is_that_of_the_field_above_it_and_is_inherited() -> None:
    assert {"first": "What comes first.\n\nIn two paragraphs."} == field_texts(Parent)
    assert {"first", "first_of_all", "said", "inner"} == field_texts(Child).keys()


def test_a_schema_shows_them_by_alias_wherever_the_model_stands() -> None:
    schema = schema_of(Child)
    properties = schema["properties"]
    assert "Its own." == properties["firstOfAll"]["description"]
    assert "Said by the field." == properties["said"]["description"]
    assert "Another one." == properties["inner"]["description"]
    assert "description" not in properties["bare"]
    inner = schema["$defs"]["Parent"]["properties"]
    assert ("What comes first.\n\nIn two paragraphs.", False) == (
        inner["first"]["description"],
        "description" in inner["bare"],
    )


def test_a_definition_that_is_no_model_is_left_alone() -> None:
    schema: dict[str, Any] = {"$defs": {"Elsewhere": {"properties": {"first": {}}}}}
    describe(schema, Parent, Model)
    assert {"$defs": {"Elsewhere": {"properties": {"first": {}}}}} == schema


def test_a_model_without_source_has_no_texts() -> None:
    made = type("Made", (Model,), {"__module__": "sys", "__annotations__": {"a": int}})
    assert {} == field_texts(made)


def test_every_key_of_a_task_is_described() -> None:
    properties = document_schema("Workflow")["$defs"]["Task"]["properties"]
    texts = field_texts(Task)
    assert [] == [name for name in texts if name.replace("_", "") in properties and not texts[name]]
    assert texts["condition"] == properties["condition"]["description"]
