"""Export a workflow to Step Functions: its state machine, or everything in it that has no counterpart there."""

from __future__ import annotations

import json

from millrace.base.errors import InvalidRequest
from millrace.services.caller import Caller
from millrace.services.export_workflow import Exported
from millrace.services.exporters import asl_of
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.parsed_documents import workflow_of
from millrace.services.platform import Platform


def export_asl(platform: Platform, caller: Caller, name: str, *, version: str | None = None) -> Exported:
    """The state machine of the version that ``version`` names, else of the active one, in JSONPath.

    Raises NotFound; Conflict when nothing is active; InvalidRequest, whose ``facts['reasons']`` say what is not
    portable, each with a path into the document.
    """
    definitions = definitions_of(platform, caller)
    found = find_version(definitions, find_head(definitions, "workflow", name), version)
    machine, reasons = asl_of(workflow_of(definitions, found))
    if reasons:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise InvalidRequest(
            f"{name} cannot be exported to Step Functions: {reasons[0].to_json()['path']}: {reasons[0].message}{more}",
            hint="Take out what has no counterpart, or export it as yaml, json or a package.",
            facts={"reasons": [reason.to_json() for reason in reasons]},
        )
    data = (json.dumps(machine, indent=2, ensure_ascii=False) + "\n").encode()
    return Exported(data, "application/json", f"{found.name}-{found.label}.asl.json")
