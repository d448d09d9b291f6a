"""What each operator, function and method takes and gives, by kind: the table that inference stands on.

Kinds are those of `millrace.expr.values.kind`. The behaviour itself is in `operators` and `functions`; a test holds
this table to it.
"""

from __future__ import annotations

from typing import Final

Kinds = frozenset[str]

BOOL: Final[Kinds] = frozenset({"bool"})
INT: Final[Kinds] = frozenset({"int"})
DOUBLE: Final[Kinds] = frozenset({"double"})
NUMBER: Final[Kinds] = INT | DOUBLE
TEXT: Final[Kinds] = frozenset({"string"})
LIST: Final[Kinds] = frozenset({"list"})
MAP: Final[Kinds] = frozenset({"map"})
NULL: Final[Kinds] = frozenset({"null"})
HELD: Final[Kinds] = LIST | MAP
ANY: Final[Kinds] = NUMBER | BOOL | TEXT | HELD | NULL

SAME: Final[dict[str, tuple[Kinds, ...]]] = {
    "+": (NUMBER, TEXT, LIST),
    "-": (NUMBER,),
    "*": (NUMBER,),
    "/": (NUMBER,),
    "%": (INT,),
    "<": (NUMBER, TEXT, BOOL),
    "<=": (NUMBER, TEXT, BOOL),
    ">": (NUMBER, TEXT, BOOL),
    ">=": (NUMBER, TEXT, BOOL),
}
"""Operators whose sides must both be of one of these families."""

FUNCTIONS: Final[dict[str, tuple[tuple[Kinds, ...], Kinds]]] = {
    "bool": ((BOOL | TEXT,), BOOL),
    "double": ((NUMBER | TEXT,), DOUBLE),
    "int": ((NUMBER | TEXT,), INT),
    "matches": ((TEXT, TEXT), BOOL),
    "size": ((TEXT | HELD,), INT),
    "string": ((NUMBER | TEXT | BOOL,), TEXT),
    "type": ((ANY,), TEXT),
}
"""Name → what the arguments may be, what comes out. ``dyn`` gives whatever it takes, and is not here."""

METHODS: Final[dict[str, tuple[tuple[Kinds, ...], Kinds]]] = {
    "charAt": ((TEXT, INT), TEXT),
    "contains": ((TEXT, TEXT), BOOL),
    "endsWith": ((TEXT, TEXT), BOOL),
    "includes": ((TEXT | LIST, ANY), BOOL),
    "indexOf": ((TEXT, TEXT, INT), INT),
    "join": ((LIST, TEXT), TEXT),
    "lastIndexOf": ((TEXT, TEXT, INT | NULL), INT),
    "lowerAscii": ((TEXT,), TEXT),
    "matches": ((TEXT, TEXT), BOOL),
    "replace": ((TEXT, TEXT, TEXT, INT), TEXT),
    "size": ((TEXT | HELD,), INT),
    "split": ((TEXT, TEXT, INT), LIST),
    "startsWith": ((TEXT, TEXT), BOOL),
    "substring": ((TEXT, INT, INT | NULL), TEXT),
    "trim": ((TEXT,), TEXT),
    "upperAscii": ((TEXT,), TEXT),
}
"""Name → what the receiver and the arguments may be, what comes out."""

_WORDS: Final = {
    "bool": "true or false",
    "double": "a double",
    "int": "an int",
    "list": "a list",
    "map": "a map",
    "null": "null",
    "string": "a text",
}


def worded(kinds: Kinds) -> str:
    """Kinds in words: ``a number``, ``a list, a map or a text``."""
    names = [_WORDS[kind] for kind in sorted(kinds - NUMBER)]
    if kinds >= NUMBER:
        names.append("a number")
    else:
        names += [_WORDS[kind] for kind in sorted(kinds & NUMBER)]
    return " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
