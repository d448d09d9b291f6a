"""The two hashes of a definition: what it says, and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millrace.base import canonical
from millrace.spec.models.blocks import with_type

_ONLY_WORDS: Final = frozenset({"description", "tags", "categories", "category", "examples", "version", "tests"})
_SIDE_ITEMS: Final = frozenset(
    [
        "breakingChanges",
        "budget",
        "compliance",
        "costConfig",
        "deployment",
        "deprecated",
        "exposure",
        "migrations",
        "slo",
    ]
)


def content_hash(value: Mapping[str, Any]) -> str:
    """Hex SHA-256 of a document's value: equal whatever its comments, spelling of scalars and order of keys."""
    return canonical.content_hash(value)


def behaviour_hash(value: Mapping[str, Any]) -> str:
    """Hex SHA-256 of what changes the plan.

    Left out: description, tags, categories, examples, tests and version; labels, annotations and owner; blocks that
    live beside the definition, such as budget and slo.
    """
    metadata = {key: value["metadata"][key] for key in ("name", "namespace") if key in value["metadata"]}
    spec = {key: item for key, item in value["spec"].items() if key not in _ONLY_WORDS | _SIDE_ITEMS}
    if isinstance(spec.get("tasks"), list):
        spec["tasks"] = [
            {k: v for k, v in with_type(task).items() if k not in _ONLY_WORDS | _SIDE_ITEMS} for task in spec["tasks"]
        ]
    head = {"apiVersion": value["apiVersion"], "kind": value["kind"], "metadata": metadata}
    return canonical.content_hash({**head, "spec": spec})
