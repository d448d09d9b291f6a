"""The tokens of an expression, read one at a time.

Reading on demand is what lets a template find the end of ``{{ … }}``: the parser stops asking when the expression
is complete, so text behind it is never looked at. Letters and digits are ASCII only; anything else outside a string
literal is refused, which leaves no look-alike characters to hide behind.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from millrace.base.errors import ExpressionError
from millrace.expr.faults import Site


class Token(NamedTuple):
    """``kind`` is ``name``, ``int``, ``double``, ``string``, ``end`` or the operator itself."""

    kind: str
    value: Any
    start: int
    end: int


_SPACE: Final = re.compile(r"[ \t\n\r\f]*")
_TOKEN: Final = re.compile(
    r"""
      (?P<double> (?:[0-9]+\.[0-9]+|\.[0-9]+)(?:[eE][+-]?[0-9]+)? | [0-9]+[eE][+-]?[0-9]+ )
    | (?P<int>    (?:0[xX][0-9a-fA-F]+|[0-9]+)[uU]? )
    | (?P<quote>  (?:[rR][bB]?|[bB][rR]?)? (?:'''|\"\"\"|'|") )
    | (?P<name>   [A-Za-z_][A-Za-z0-9_]* )
    | (?P<op>     \?\?|\?\.(?![0-9])|&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}] )
    """,
    re.VERBOSE,
)
_BODY: Final = {
    "'": re.compile(r"((?:[^'\\\n\r]|\\[^\n\r])*)'"),
    '"': re.compile(r'((?:[^"\\\n\r]|\\[^\n\r])*)"'),
    "'''": re.compile(r"((?:[^\\]|\\.)*?)'''", re.DOTALL),
    '"""': re.compile(r'((?:[^\\]|\\.)*?)"""', re.DOTALL),
}
_RAW: Final = {
    "'": re.compile(r"([^'\n\r]*)'"),
    '"': re.compile(r'([^"\n\r]*)"'),
    "'''": re.compile(r"(.*?)'''", re.DOTALL),
    '"""': re.compile(r'(.*?)"""', re.DOTALL),
}
_ESCAPE: Final = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|[xX]([0-9a-fA-F]{2})|([0-3][0-7]{2})|(.))", re.DOTALL
)
_SIMPLE: Final = dict(zip("\\?\"'`abfnrtv", "\\?\"'`\a\b\f\n\r\t\v", strict=True))
_FIELD: Final = re.compile(r"[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*|`([^`\n\r]+)`")
_WORD: Final = re.compile(r"[A-Za-z0-9_]")
_FOREIGN: Final = {
    "=": "compare with ==; an expression cannot assign",
    "&": "write && for and",
    "|": "write || for or; there are no filters with |",
    "$": "write the name without the $",
    "#": "an expression has no comments",
    ";": "an expression is one value, not a list of statements",
    "^": "there is no ^ operator",
    "~": "there is no ~ operator",
    "`": "write a text in ' or \"",
    "\\": "a backslash belongs inside a text",
}


def skip_space(source: str, position: int) -> int:
    match = _SPACE.match(source, position)
    return match.end() if match else position


def read_token(source: str, position: int, limit: int) -> Token:
    """The token at or after ``position``. Raises ExpressionError (``syntax``, ``overflow``)."""
    start = skip_space(source, position)
    if start >= limit:
        return Token("end", None, limit, limit)
    match = _TOKEN.match(source, start, limit)
    if match is None:
        raise _stray(source, start)
    kind, text, end = str(match.lastgroup), match.group(), match.end()
    if kind == "op":
        if text == "/" and source.startswith("/", end):
            hint = "/ divides, and between two ints it truncates"
            raise Site(source, start, 2).fault("syntax", "an expression has no // comments", hint=hint)
        return Token(text, text, start, end)
    if kind == "name":
        return Token("name", text, start, end)
    if kind == "quote":
        return _string(source, start, text, end, limit)
    if _WORD.match(source, end):
        if text[0] == ".":  # a dot before a name that begins with a digit, as in tasks.3d
            return Token(".", ".", start, start + 1)
        raise Site(source, start, end + 1 - start).fault("syntax", "a number runs into a name here")
    if kind == "int":
        digits = text.rstrip("uU")
        site = Site(source, start, end - start)
        if len(digits) > 25:
            raise site.fault("overflow", "this integer does not fit 64 bits")
        return Token("int", int(digits, 16 if digits[:2] in {"0x", "0X"} else 10), start, end)
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise Site(source, start, end - start).fault("overflow", "this number does not fit a double")
    return Token("double", number, start, end)


def read_field(source: str, position: int, limit: int) -> Token:
    """A field name after a dot: hyphens between name characters belong to it; backticks hold any other name."""
    start = skip_space(source, position)
    match = _FIELD.match(source, start, limit)
    if match is None:
        hint = 'write a name that has other characters in brackets: value["a b"]'
        raise Site(source, min(start, limit), 1).fault("syntax", "expected a field name after the dot", hint=hint)
    return Token("field", match.group(1) or match.group(), start, match.end())


def _stray(source: str, start: int) -> ExpressionError:
    char = source[start]
    shown = char if char.isascii() and char.isprintable() else f"U+{ord(char):04X}"
    hint = _FOREIGN.get(char, "only ASCII letters, digits and operators may stand outside a text in quotes")
    return Site(source, start, 1).fault("syntax", f"the character {shown} cannot stand here", hint=hint)


def _string(source: str, start: int, opening: str, position: int, limit: int) -> Token:
    quote = opening.lstrip("rRbB")
    prefix = opening[: -len(quote)].lower()
    if "b" in prefix:
        hint = "write it as a text, without the b"
        raise Site(source, start, len(opening)).fault("syntax", "bytes are not JSON values", hint=hint)
    match = (_RAW if prefix else _BODY)[quote].match(source, position, limit)
    if match is None:
        raise Site(source, start, limit - start).fault(
            "syntax", "this text in quotes does not end", hint=f"add the closing {quote}"
        )
    body = match.group(1)
    if not prefix and "\\" in body:
        body = _unescape(source, body, position)
    if not body.isascii() and any("\ud800" <= char <= "\udfff" for char in body):
        raise Site(source, start, match.end() - start).fault("syntax", "half a surrogate pair is not a character")
    return Token("string", body, start, match.end())


def _unescape(source: str, body: str, position: int) -> str:
    def replaced(match: re.Match[str]) -> str:
        short, long, byte, octal, simple = match.groups()
        if simple is not None:
            if simple in _SIMPLE:
                return _SIMPLE[simple]
            site = Site(source, position + match.start(), 2)
            raise site.fault("syntax", "there is no such escape in a text", hint="write \\\\ for a backslash, or r'…'")
        number = int(octal, 8) if octal else int(short or long or byte, 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            site = Site(source, position + match.start(), match.end() - match.start())
            raise site.fault("syntax", "this escape is not a character")
        return chr(number)

    return _ESCAPE.sub(replaced, body)
