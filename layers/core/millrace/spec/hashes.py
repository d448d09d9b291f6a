"""The two hashes of a definition: what it says, and what it does."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from millrace.base import canonical
from millrace.spec.models.blocks import with_type
from millrace.spec.nesting import task_paths

_ONLY_WORDS: Final = frozenset({"description", "tags", "categories", "category", "examples", "version", "tests"})
_WHERE: Final = frozenset({"execution"})
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

    Left out: description, tags, categories, examples, tests and version; labels, annotations and owner; where
    and on what executions run; blocks that live beside the definition, such as budget and slo.
    """
    metadata = {key: value["metadata"][key] for key in ("name", "namespace") if key in value["metadata"]}
    head = {"apiVersion": value["apiVersion"], "kind": value["kind"], "metadata": metadata}
    spec = {key: item for key, item in value["spec"].items() if key not in _ONLY_WORDS | _WHERE | _SIDE_ITEMS}
    spec = dict(_behaviour({**head, "spec": spec})["spec"])
    return canonical.content_hash({**head, "spec": spec})


def _behaviour(value: dict[str, Any]) -> dict[str, Any]:
    """The document without what tasks only say, and with every task's type spelled out, however deep it stands."""
    value = copy.deepcopy(value)
    for path in list(task_paths(value)):
        *above, last = path
        holder: Any = value
        for part in above:
            holder = holder[part]
        task = with_type(holder[last])
        kept = {key: item for key, item in task.items() if key not in _ONLY_WORDS | _SIDE_ITEMS}
        holder[last].clear()
        holder[last].update(kept)
    return value
