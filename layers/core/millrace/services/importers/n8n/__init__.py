"""Workflows of n8n as workflows."""

from millrace.services.importers.n8n.canvas import TABLE, import_n8n

__all__ = ["TABLE", "import_n8n"]
