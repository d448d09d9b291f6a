"""OpenAPI documents as reusable tasks, and what changed from one edition of a document to the next. Pure: the use
case `millrace.services.import_openapi` reads and publishes."""

from millrace.services.openapi.drift import compare
from millrace.services.openapi.notes import Note
from millrace.services.openapi.reading import read_openapi
from millrace.services.openapi.references import Document
from millrace.services.openapi.schema_drift import Change
from millrace.services.openapi.tasks import Conversion, Generated, Options, operation_hash

__all__ = [
    "Change",
    "Conversion",
    "Document",
    "Generated",
    "Note",
    "Options",
    "compare",
    "operation_hash",
    "read_openapi",
]
