"""Patterns of users, matched by RE2: time linear in the text, whatever the pattern."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> Any:
    """A compiled RE2 pattern. Raises ValueError with a sentence on what RE2 does not support."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        said = error.args[0] if error.args else "not a pattern"
        raise ValueError(said.decode() if isinstance(said, bytes) else str(said)) from None


def found(pattern: str, text: str) -> bool:
    """Whether the pattern occurs in the text."""
    return compile_pattern(pattern).search(text) is not None
