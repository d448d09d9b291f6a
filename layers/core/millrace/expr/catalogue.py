"""The closed list of functions, methods and macros, with how many arguments each takes.

A name that is not here is an error when the expression is compiled. There is no other way to call anything.
"""

from __future__ import annotations

from typing import Final

from millrace.expr.faults import Site, nearest

MACROS: Final = {
    "all": "all",
    "exists": "exists",
    "exists_one": "exists_one",
    "existsOne": "exists_one",
    "map": "map",
    "filter": "filter",
}
"""Accepted spelling of a macro → its canonical name."""

FUNCTIONS: Final = {
    "bool": (1, 1),
    "double": (1, 1),
    "dyn": (1, 1),
    "has": (1, 1),
    "int": (1, 1),
    "matches": (2, 2),
    "size": (1, 1),
    "string": (1, 1),
    "type": (1, 1),
}
"""Name → fewest and most arguments."""

METHODS: Final = {
    "charAt": (1, 1),
    "contains": (1, 1),
    "endsWith": (1, 1),
    "includes": (1, 1),
    "indexOf": (1, 2),
    "join": (0, 1),
    "lastIndexOf": (1, 2),
    "lowerAscii": (0, 0),
    "matches": (1, 1),
    "replace": (2, 3),
    "size": (0, 0),
    "split": (1, 2),
    "startsWith": (1, 1),
    "substring": (1, 2),
    "trim": (0, 0),
    "upperAscii": (0, 0),
}
"""Name → fewest and most arguments, the receiver not counted."""

_ELSEWHERE: Final = {
    "len": "size",
    "length": "size",
    "count": "size",
    "lower": "lowerAscii",
    "toLowerCase": "lowerAscii",
    "upper": "upperAscii",
    "toUpperCase": "upperAscii",
    "strip": "trim",
    "some": "exists",
    "any": "exists",
    "every": "all",
    "startswith": "startsWith",
    "endswith": "endsWith",
    "toString": "string",
    "str": "string",
    "float": "double",
    "number": "double",
    "find": "filter",
    "substr": "substring",
    "slice": "substring",
    "typeof": "type",
    "uint": "int",
}
_ABSENT: Final = {
    "timestamp": "values are JSON, which has no timestamps; compare RFC 3339 texts in one time zone",
    "duration": "values are JSON, which has no durations; count in ms or s",
    "now": "an expression gives the same result whenever it runs; take the time from the trigger",
    "bytes": "values are JSON, which has no bytes",
}


def check_call(site: Site, name: str, count: int, *, method: bool = False) -> None:
    """Raises ExpressionError (``no-such-function``, ``argument-count``)."""
    table = METHODS if method else FUNCTIONS
    if name not in table:
        raise site.fault(
            "no-such-function", f"there is no {'method' if method else 'function'} {name}", hint=_hint(name)
        )
    fewest, most = table[name]
    if not fewest <= count <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise site.fault(
            "argument-count", f"{name} takes {wanted} arguments, not {count}", hint="see the function list"
        )


def _hint(name: str) -> str:
    if name in _ABSENT:
        return _ABSENT[name]
    known = {*FUNCTIONS, *METHODS, *MACROS}
    close = _ELSEWHERE.get(name) or (name if name in known else nearest(name, known))
    if close is None:
        return f"functions are {', '.join(sorted(FUNCTIONS))}; methods are {', '.join(sorted({*METHODS, *MACROS}))}"
    return f"did you mean {close}(value)?" if close in FUNCTIONS else f"did you mean value.{close}(…)?"
