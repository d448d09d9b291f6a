"""Rendered values as people may see them: plain JSON, with secrets by their names."""

from __future__ import annotations

from typing import Any

from millrace.expr import SecretRef, SecretText


def shown(value: Any) -> Any:
    """A copy of ``value`` in which every secret stands as ``{{secrets.name}}``."""
    if isinstance(value, SecretText):
        return "".join(f"{{{{secrets.{part.name}}}}}" if isinstance(part, SecretRef) else part for part in value.parts)
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return value
