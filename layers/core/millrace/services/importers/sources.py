"""Which engines can be imported from. An importer is loaded when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, get_args

from millrace.services.importers.result import Imported

SourceName = Literal["asl", "kestra", "n8n", "conductor"]
SOURCES: Final[tuple[SourceName, ...]] = get_args(SourceName)


def convert(source: SourceName, document: Any) -> Imported:
    """The workflow for a document of another engine, given as plain JSON data. Raises TooManyTasks."""
    module = importlib.import_module(f"millrace.services.importers.{source}")
    make: Callable[[Any], Imported] = getattr(module, f"import_{source}")
    return make(document)


def table(source: SourceName) -> Mapping[str, str]:
    """What each construct of a source becomes, in words."""
    module = importlib.import_module(f"millrace.services.importers.{source}")
    found: Mapping[str, str] = module.TABLE
    return found
