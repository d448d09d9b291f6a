"""What a reusable task is given: the defaults of its `inputSchema` filled in, and all of it judged by that schema.

Validation finds what literals and schemas tell beforehand; what an expression gives is known only here. A task that is
given something else than it asks for fails before it has had an effect, as another workflow would not be started. Null
stands for nothing where a schema lets an input be absent but not null: a mapping in a document cannot leave out a key
by an expression, so that ``{{input.size ?? null}}`` is how an optional input is handed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from millrace.engine.events import Failure
from millrace.engine.rendering import Rendered
from millrace.engine.state import State
from millrace.spec import validate_input
from millrace.spec.input_check import Judge

_SINCE: Final = 4
"""The semantics from which on inputs are filled in and judged when a task begins."""


def accepted(state: State, schema: Mapping[str, Any], value: Any, path: str) -> Rendered | Failure:
    """The input with what the schema fills in; a permanent failure of kind ``input`` where it does not fit. A task that
    is given nothing is given an empty mapping."""
    assert state.started is not None  # a log begins with it
    if state.started.semantics < _SINCE:
        return Rendered(value)
    found = validate_input(schema, {} if value is None else _without_nothing(schema, value))
    if found.valid:
        return Rendered(found.value)
    said = found.to_json()
    what = f"The input of task {path!r} does not fit the inputSchema of its reusable task."
    return Failure(
        kind="input",
        code="invalid-input",
        message=f"{what} {found.suggested_prompt}",
        hint="Look at what the expressions of its input gave.",
        details={name: said[name] for name in ("missingInputs", "invalidInputs") if said[name]},
    )


def _without_nothing(schema: Mapping[str, Any], value: Any) -> Any:
    if not isinstance(value, dict) or None not in value.values():
        return value
    declared, judge = schema.get("properties", {}), Judge(schema)
    loose = [name for name in declared if name not in schema.get("required", ())]
    absent = {name for name in loose if value.get(name, "") is None and not judge.fits(declared[name], None)}
    return {name: given for name, given in value.items() if name not in absent}
