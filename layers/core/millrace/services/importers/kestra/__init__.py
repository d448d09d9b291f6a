"""Flows of Kestra as workflows."""

from millrace.services.importers.kestra.flow import TABLE, import_kestra

__all__ = ["TABLE", "import_kestra"]
