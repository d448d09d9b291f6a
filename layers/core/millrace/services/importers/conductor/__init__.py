"""Workflow definitions of Conductor as workflows."""

from millrace.services.importers.conductor.workflow import TABLE, import_conductor

__all__ = ["TABLE", "import_conductor"]
