"""Texts that a regular expression matches, for the syntax that RE2 takes.

The expression is read into a tree of choices, and each text walks it once: the shortest way first, then with more
repetitions and other letters. What this reading does not know (a Unicode class, say) it guesses, so a caller has to
hold each text against the expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Final

from msgspec import Struct

_MOST_REPEATS: Final = 4_096
_LONGEST: Final = 64 * 1024
_DEEP: Final = 32
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = "0123456789"
_WORD: Final = _LETTERS + _LETTERS.upper() + _DIGITS + "_"
_PRINTABLE: Final = (
    _LETTERS + _LETTERS.upper() + _DIGITS + "".join(char for char in map(chr, range(32, 127)) if not char.isalnum())
)
_CLASSES: Final = {"d": _DIGITS, "w": _WORD, "s": " \t"}
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_NAMED: Final = {
    "alpha": _LETTERS + _LETTERS.upper(),
    "digit": _DIGITS,
    "alnum": _LETTERS + _LETTERS.upper() + _DIGITS,
    "lower": _LETTERS,
    "upper": _LETTERS.upper(),
    "space": " \t",
    "word": _WORD,
    "xdigit": _DIGITS + "abcdefABCDEF",
}
_COUNTS: Final = re.compile(r"\{([0-9]{1,4})(?:(,)([0-9]{0,4}))?\}")
_GROUP: Final = re.compile(r"\?(?:P?<[^>]*>|[a-zA-Z-]*:|[a-zA-Z-]*(?=\)))")


class _Letters(Struct, frozen=True):
    """One of these characters."""

    chars: str


class _Repeat(Struct, frozen=True):
    item: _Node
    least: int
    most: int


class _Series(Struct, frozen=True):
    items: tuple[_Node, ...]


class _Choice(Struct, frozen=True):
    ways: tuple[_Node, ...]


_Node = _Letters | _Repeat | _Series | _Choice


def texts_of(pattern: str, *, least: int = 0) -> Iterator[str]:
    """Texts without end that probably match, and are at least ``least`` long where repetitions allow it; none where
    the pattern cannot be read."""
    try:
        tree = _Reader(pattern).whole()
    except (IndexError, ValueError):
        return
    more = [0, 1, 2, 3, 5, 8, 12, 20]
    if least:
        more = [*dict.fromkeys([0, least, least - 1, *more, *range(least)])][:64]
    for turn in count():
        for extra in more:
            try:
                yield _Walk(extra, turn).text(tree)
            except ValueError:
                return


class _Walk:
    """One way through a tree. ``turn`` is divided by the number of ways at each choice, so that turns differ."""

    def __init__(self, extra: int, turn: int) -> None:
        self._extra, self._turn, self._left = extra, turn, _LONGEST

    def text(self, node: _Node) -> str:
        """Raises ValueError on a text that would be very long."""
        self._left -= 1
        if not self._left:
            raise ValueError
        if isinstance(node, _Letters):
            return node.chars[self._pick(len(node.chars))] if node.chars else ""
        if isinstance(node, _Series):
            return "".join(self.text(item) for item in node.items)
        if isinstance(node, _Choice):
            return self.text(node.ways[self._pick(len(node.ways))])
        times = min(node.most, node.least + self._extra)
        self._extra -= times - node.least
        return "".join(self.text(node.item) for _ in range(times))

    def _pick(self, ways: int) -> int:
        self._turn, chosen = divmod(self._turn, ways)
        return chosen


class _Reader:
    """Reads a pattern from left to right. Raises ValueError or IndexError where it does not understand."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at, self._depth = pattern, 0, 0

    def whole(self) -> _Node:
        found = self._choice()
        if self._at < len(self._text):
            raise ValueError
        return found

    def _choice(self) -> _Node:
        self._depth += 1
        if self._depth > _DEEP:
            raise ValueError
        ways = [self._series()]
        while self._peek() == "|":
            self._at += 1
            ways.append(self._series())
        self._depth -= 1
        return ways[0] if len(ways) == 1 else _Choice(tuple(ways))

    def _series(self) -> _Node:
        items: list[_Node] = []
        while self._peek() not in ("", "|", ")"):
            items.append(self._repeated(self._item()))
        return _Series(tuple(items))

    def _repeated(self, item: _Node) -> _Node:
        while True:
            counts = _COUNTS.match(self._text, self._at)
            sign = self._peek()
            if counts is not None:
                self._at = counts.end()
                least = int(counts[1])
                most = least if counts[2] is None else int(counts[3] or _MOST_REPEATS)
            elif sign and sign in "*+?":
                self._at += 1
                least, most = {"*": (0, _MOST_REPEATS), "+": (1, _MOST_REPEATS), "?": (0, 1)}[sign]
            else:
                return item
            if self._peek() == "?":
                self._at += 1
            item = _Repeat(item, least, most)

    def _item(self) -> _Node:
        char = self._next()
        if char == "(":
            group = _GROUP.match(self._text, self._at)
            if group is not None:
                self._at = group.end()
            inner = self._choice()
            if self._next() != ")":
                raise ValueError
            return inner
        if char == "[":
            return _Letters(self._set())
        if char in "^$":
            return _Series(())
        if char == ".":
            return _Letters(_PRINTABLE)
        if char == "\\":
            return _Letters(self._escape())
        return _Letters(char)

    def _set(self) -> str:
        other = self._peek() == "^"
        self._at += other
        chars: dict[str, None] = {}
        first = True
        while first or self._peek() != "]":
            first = False
            begun = self._one()
            if len(begun) == 1 and self._peek() == "-" and self._text[self._at + 1] != "]":
                self._at += 1
                end = self._one()
                if len(end) != 1 or ord(end) - ord(begun) > 0x10FFFF:
                    raise ValueError
                chars.update(dict.fromkeys(map(chr, range(ord(begun), min(ord(end), ord(begun) + 255) + 1))))
            else:
                chars.update(dict.fromkeys(begun))
        self._at += 1
        if other:
            return "".join(char for char in _PRINTABLE if char not in chars)
        # Letters and digits first: what people read and tools accept.
        return "".join(sorted(chars, key=lambda char: not char.isalnum()))

    def _one(self) -> str:
        """The characters that one member of a set stands for."""
        char = self._next()
        if char == "[" and self._peek() == ":":
            end = self._text.index(":]", self._at)
            name, self._at = self._text[self._at + 1 : end], end + 2
            return _NAMED.get(name, _LETTERS)
        return self._escape() if char == "\\" else char

    def _escape(self) -> str:
        char = self._next()
        if char in _CLASSES:
            return _CLASSES[char]
        if char.lower() in _CLASSES:
            return "".join(other for other in _PRINTABLE if other not in _CLASSES[char.lower()])
        if char in "AzbB":
            return ""
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char in "pP":
            name = self._next()
            if name == "{":
                end = self._text.index("}", self._at)
                name, self._at = self._text[self._at : end], end + 1
            chars = {"N": _DIGITS, "Nd": _DIGITS, "Lu": _LETTERS.upper(), "P": "-.,", "Z": " "}.get(name, _LETTERS)
            return chars if char == "p" else "".join(other for other in _PRINTABLE if other not in chars)
        if char == "x":
            braced = self._peek() == "{"
            end = self._text.index("}", self._at) if braced else self._at + 2
            digits = self._text[self._at + braced : end]
            self._at = end + braced
            return chr(int(digits, 16))
        return char

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._text[self._at]
        self._at += 1
        return char
