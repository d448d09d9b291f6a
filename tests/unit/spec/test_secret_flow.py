"""No value that a workflow holds has a secret in it: wherever a document has a text, a secret is refused there or sent
behind the outbound gate, and what is passed on from there can only be the text itself."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

import pytest

from millrace.cli.validate import judge
from millrace.local.documents import Document, read_file
from millrace.spec import load
from millrace.spec.findings import Path

pytestmark = pytest.mark.repeats

BASES = File(__file__).parent / "mistakes" / "bases"
READ = "{{secrets.key}}"
SENT = ("headers", "auth", "query", "body", "form", "bodyText")
REFUSED = frozenset({"secret-misplaced", "bad-expression"})
TAKEN = frozenset(
    {"bad-transform", "bad-value", "no-effect", "unknown-task", "unknown-task-ref", "unknown-type"}
    | {"unknown-workflow-ref", "unreachable-case"}
)
"""What is said of a text that is no template: that it is none, or is not what it has to be."""
NEVER_READ = frozenset(
    {"deprecated", "description", "examples", "form", "input", "inputSchema", "outputSchema", "responseSchema"}
    | {"tags", "tests"}
)
"""Words and schemas, which nothing renders; the input of a task is rendered, that of a workflow is a schema."""


def texts(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, str):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from texts(item, (*path, key))


def is_read(path: Path) -> bool:
    """Whether a text of the spec can become part of a value."""
    if path[1] in NEVER_READ:
        return False
    return not {"description", "responseSchema"} & set(path) and not ("form" in path and "request" not in path)


def sent(path: Path) -> bool:
    """Whether a text is part of a request that the gate sends."""
    return "request" in path and path[path.index("request") + 1] in SENT


def bases() -> list[Any]:
    return [load(file.read_bytes(), media="yaml").value for file in sorted(BASES.glob("*.yaml"))]


def with_read(base: Any, path: Path) -> Document:
    value = copy.deepcopy(base)
    *above, last = path
    holder: Any = value
    for part in above:
        holder = holder[part]
    holder[last] = READ
    return Document(File("x.json"), json.dumps(value).encode(), "json", 0)


@pytest.mark.parametrize("base", bases(), ids=lambda base: base["metadata"]["name"])
def test_a_secret_is_refused_wherever_its_value_could_be_stored_or_shown(base: Any) -> None:
    beside = [one for file in sorted(BASES.glob("*.yaml")) for one in read_file(file)]
    slipped, refused, allowed = [], 0, 0
    for path in texts(base):
        if path[0] != "spec" or not is_read(path):
            continue
        found = judge([*beside, with_read(base, path)])[-1][1]
        said = {one.code for one in found if one.path[: len(path)] == path or path[: len(one.path)] == one.path}
        if said & REFUSED:
            refused += 1
            assert not sent(path), path
        elif sent(path):
            allowed += 1
        elif not said & TAKEN:
            slipped.append((path, said))
    assert [] == slipped
    assert refused > 0
    assert allowed > 0


def test_a_default_is_data_and_never_rendered() -> None:
    from millrace.spec import validate_input

    schema = {"properties": {"key": {"default": READ}}}
    assert {"key": READ} == validate_input(schema, {}).value
