"""Where a workflow leads: those that it starts, and those that every run of them starts, for whoever judges it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from millrace.base.limits import HOPS
from millrace.services.task_references import meant_among, resolve_workflows
from millrace.spec import Workflow, sure_calls, wanted_workflows
from millrace.store.definitions import Definitions

AHEAD: Final = 200
"""When so many workflows have been read to see where one leads, no further level is."""


def workflows_ahead(definitions: Definitions, workflow: Workflow) -> dict[str, Workflow]:
    """What the `workflowRef` texts of a workflow mean, and those of what every run starts then, and so on: level by
    level, as far as executions may stand above each other, and until AHEAD of them are known."""
    found = known = resolve_workflows(definitions, wanted_workflows(workflow))
    for _ in range(HOPS):
        wanted = {reference for one in known.values() for reference in sure_calls(one)} - found.keys()
        if not wanted or len(found) >= AHEAD:
            break
        known = resolve_workflows(definitions, wanted)
        found = found | known
    return found


def workflows_among(workflow: Workflow, documents: Iterable[Workflow]) -> dict[str, Workflow]:
    """The same among documents that nothing has published."""
    beside = list(documents)
    found: dict[str, Workflow] = {}
    wanted = list(wanted_workflows(workflow))
    while wanted:
        reference = wanted.pop()
        meant = meant_among(reference, beside)
        if meant is not None and reference not in found:
            found[reference] = meant
            wanted += sure_calls(meant)
    return found
