"""Importers of workflows that were written for other engines: pure functions from their document to ours.

Nothing of a foreign document is executed, and nothing in it makes an importer raise anything but `TooManyTasks`.
"""

from millrace.services.importers.draft import TooManyTasks
from millrace.services.importers.result import Imported, Note
from millrace.services.importers.sources import SOURCES, convert

__all__ = ["SOURCES", "Imported", "Note", "TooManyTasks", "convert"]
