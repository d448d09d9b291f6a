"""Regular expressions in linear time: RE2, loaded the first time an expression needs one.

What RE2 does not support (look-around, back references) is refused, when the pattern is a literal already at compile
time. There is no fallback to another engine.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from millrace.expr.faults import Site

PATTERN_CHARS: Final = 1_000
PROGRAM_BYTES: Final = 1 << 20


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = PROGRAM_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def compiled(pattern: str, site: Site) -> Any:
    """An object with ``search``. Raises ExpressionError (``regex``)."""
    if len(pattern) > PATTERN_CHARS:
        raise site.fault("regex", f"the pattern is longer than {PATTERN_CHARS} characters")
    if not pattern.isascii() and any("\ud800" <= char <= "\udfff" for char in pattern):
        raise site.fault("regex", "the pattern holds half a surrogate pair")
    found = _compiled(pattern)
    if isinstance(found, str):
        hint = "patterns are RE2: no look-around and no back references"
        raise site.fault("regex", f"the pattern is not a regular expression: {found}", hint=hint)
    return found


def found_in(text: str, pattern: str, site: Site) -> bool:
    """Whether the pattern matches anywhere in the text."""
    program = compiled(pattern, site)
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise site.fault("regex", "the text holds half a surrogate pair")
    return program.search(text) is not None
