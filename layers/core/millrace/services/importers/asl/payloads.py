"""Payload templates: ``Parameters`` and ``ResultSelector``, whose keys end in ``.$`` where a path stands."""

from __future__ import annotations

import re
from typing import Any, Final

from millrace.services.importers.asl.data import Data, NoPath, followed, plain
from millrace.services.importers.draft import Draft
from millrace.services.importers.reading import larger
from millrace.services.importers.result import Path
from millrace.services.importers.scripts import filled
from millrace.services.importers.spelling import braced, literal, quoted

_CALL: Final = re.compile(r"(States\.\w+)\((.*)\)", re.DOTALL)
_PIECE: Final = re.compile(r"\{\}|\\([{}\\'])")
_FORMS: Final = {
    ("States.ArrayLength", 1): "size({0})",
    ("States.ArrayContains", 2): "{1} in {0}",
    ("States.ArrayGetItem", 2): "{0}[{1}]",
    ("States.MathAdd", 2): "{0} + {1}",
    ("States.StringSplit", 2): "{0}.split({1})",
}
"""Intrinsic functions by name and number of arguments."""
_DEEPEST: Final = 8
_LARGEST: Final = 5_000


class Reader:
    """Reads templates in one state. ``context`` maps paths of the context object to expressions."""

    def __init__(self, draft: Draft, context: dict[str, str]) -> None:
        self._draft, self._context = draft, context

    def payload(self, template: Any, data: Data, path: Path) -> Any:
        """The template of ours that gives the same."""
        if isinstance(template, dict):
            made: dict[str, Any] = {}
            for key, item in template.items():
                if key.endswith(".$"):
                    made[key[:-2]] = self.template(item, data, (*path, key))
                else:
                    made[key] = self.payload(item, data, (*path, key))
            return made
        if isinstance(template, list):
            return [self.payload(item, data, (*path, index)) for index, item in enumerate(template)]
        return plain(template)

    def template(self, source: Any, data: Data, path: Path) -> Any:
        """A path or intrinsic call as a template; null with a note where it cannot be mapped."""
        try:
            made = self._formatted(source, data) or self._data(source, data, path).template()
            if larger(made, _LARGEST):
                raise NoPath("the value is put together from too many parts")
            return made
        except NoPath as error:
            self._draft.unmapped(path, f"{str(source)[:80]!r} cannot be taken over: {error}")
            return None

    def expression(self, source: Any, data: Data, path: Path) -> str | None:
        """A path as an expression; None with a note."""
        try:
            return self._argument(str(source), data, 0)
        except NoPath as error:
            self._draft.unmapped(path, f"{str(source)[:80]!r} cannot be taken over: {error}")
            return None

    def data(self, source: Any, data: Data, path: Path) -> Data:
        """What InputPath or OutputPath selects; all of it, with a note, where that cannot be said."""
        if source is None:
            return Data(value={})
        try:
            return self._data(source, data, path)
        except NoPath as error:
            self._draft.unmapped(path, f"{str(source)[:80]!r} cannot be taken over: {error}")
            return data

    def _data(self, source: Any, data: Data, path: Path) -> Data:
        if not isinstance(source, str):
            raise NoPath("not a path")
        if source.startswith(("$$", "States.")):
            return Data(self._argument(source, data, 0))
        found = followed(data, source)
        if found.mixed:
            self._draft.unmapped(path, f"{source!r} is a document of which parts were replaced: only those are given")
        return found

    def _formatted(self, source: Any, data: Data) -> str | None:
        """``States.Format`` as a text with braces; None for anything else."""
        match = _CALL.fullmatch(source.strip()) if isinstance(source, str) else None
        if match is None or match[1] != "States.Format":
            return None
        form, *given = _arguments(match[2])
        if not form.startswith("'") or not given:
            raise NoPath("a computed format")
        values = [braced(self._argument(one, data, 1)) for one in given]
        out, position = "", 0
        for piece in _PIECE.finditer(form[1:-1]):
            out += literal(form[1:-1][position : piece.start()])
            if piece[1] is not None:
                out += piece[1]
            elif values:
                out += values.pop(0)
            else:
                raise NoPath("a format with more places than values")
            position = piece.end()
        return out + literal(form[1:-1][position:])

    def _argument(self, source: str, data: Data, depth: int) -> str:
        text = source.strip()
        if depth > _DEEPEST:
            raise NoPath("calls are nested too deeply")
        if text.startswith("$$"):
            for known, meaning in self._context.items():
                if text == known or text.startswith((f"{known}.", f"{known}[")):
                    return followed(Data(meaning), "$" + text[len(known) :]).expression()
            raise NoPath("this part of the context object has no counterpart")
        if text.startswith("$"):
            return followed(data, text).expression()
        match = _CALL.fullmatch(text)
        if match is not None:
            values = [self._argument(one, data, depth + 1) for one in _arguments(match[2])]
            if match[1] == "States.Array":
                return f"[{', '.join(values)}]"
            form = _FORMS.get((match[1], len(values)))
            if form is None:
                raise NoPath(f"{match[1]} has no counterpart")
            return filled(form, values[0], values[1:])
        if text.startswith("'") and text.endswith("'") and len(text) > 1:
            return quoted(text[1:-1].replace("\\'", "'"))
        if re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?|true|false|null", text):
            return text
        raise NoPath("it is neither a path nor a call")


def _arguments(text: str) -> list[str]:
    """The arguments of a call, split at the commas that stand in no text and no inner call."""
    found, start, depth, inside, position = [], 0, 0, False, 0
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 1
        elif char == "'":
            inside = not inside
        elif not inside and char in "([":
            depth += 1
        elif not inside and char in ")]":
            depth -= 1
        elif not inside and char == "," and depth == 0:
            found.append(text[start:position])
            start = position + 1
        position += 1
    rest = text[start:]
    return [one.strip() for one in [*found, rest]] if text.strip() else []
