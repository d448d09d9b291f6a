"""Amazon States Language, in JSONPath, as a workflow."""

from millrace.services.importers.asl.machine import TABLE, import_asl

__all__ = ["TABLE", "import_asl"]
