"""What the fields of a package's records hold where nothing else is said."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import msgspec


def initial(package: str) -> dict[str, object]:
    """By module, record and field, the texts, numbers and truths that are defaults and not empty."""
    return {
        f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}.{name}": default
        for kind in _records(package)
        for name, default in zip(reversed(kind.__struct_fields__), reversed(kind.__struct_defaults__), strict=False)
        if isinstance(default, str | int | float) and default
    }


def _records(package: str) -> Iterator[type[msgspec.Struct]]:
    root = importlib.import_module(package)
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        module = importlib.import_module(found.name)
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, msgspec.Struct) and kind.__module__ == found.name:
                yield kind
