"""Exporters of workflows to other engines: pure functions from a document to theirs, or a list of what they lack."""

from millrace.services.exporters.machine import TABLE, asl_of
from millrace.services.exporters.portable import NotPortable, Reason

__all__ = ["TABLE", "NotPortable", "Reason", "asl_of"]
