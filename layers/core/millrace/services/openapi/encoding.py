"""The expressions that spell an input as part of a request.

There is no function of the language that percent-encodes, so reserved characters (RFC 3986, section 2.2) are replaced
one by one; characters that may never stand in a URL are encoded by the http task itself. The percent sign comes
first, since it is what the others become.
"""

from __future__ import annotations

import re
from typing import Final

RESERVED: Final = "% !#$&'()*+,/:;=?@[\\]|"
"""Every ASCII character that the http task would send in a URL as it is, though it is not unreserved."""
OTHERS: Final = '"<>^`{}'
"""ASCII characters that may never stand in a URL: the http task encodes them there, and nobody does elsewhere."""
KEPT_RESERVED: Final = "% #&+\\"
"""What is encoded where ``allowReserved`` asks for the rest to be kept: these would end or change the value."""
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS: Final = frozenset({"true", "false", "null", "in", "and", "or", "not", "has"})


def literal(text: str) -> str:
    """A text of printable characters as a literal of the expression language."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def field(base: str, name: str, *, safe: bool) -> str:
    """``base.name``, or with brackets where the name needs them; ``safe`` gives null where it is not there."""
    if _PLAIN.fullmatch(name) and name not in _WORDS:
        return f"{base}{'?' if safe else ''}.{name}"
    return f"{base}{'?.' if safe else ''}[{literal(name)}]"


def encoded(expression: str) -> str:
    """The value as text for a URL, percent-encoded (RFC 6570, simple expansion)."""
    return _replaced(expression, RESERVED)


def kept(expression: str) -> str:
    """The value as text for a URL, its reserved characters kept as far as they can be."""
    return _replaced(expression, KEPT_RESERVED)


def encoded_text(expression: str) -> str:
    """The value percent-encoded outside of a URL, in a cookie or a form; what is not ASCII stays as it is."""
    return _replaced(expression, RESERVED + OTHERS)


def plain(expression: str) -> str:
    """The value as text, without any encoding: headers, and what the http task encodes itself."""
    return f"string({expression})"


def _replaced(expression: str, chars: str) -> str:
    return f"string({expression})" + "".join(f".replace({literal(char)}, '%{ord(char):02X}')" for char in chars)


def percent(text: str) -> str:
    """A constant as percent-encoded text."""
    from urllib.parse import quote

    return quote(text, safe="")


def whole(expression: str) -> str:
    """A text that is one expression and keeps its type."""
    return "{{" + expression + "}}"
