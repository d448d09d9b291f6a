"""Texts of a source that hold expressions, as templates of ours."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from millrace.services.importers.draft import Draft
from millrace.services.importers.result import Path
from millrace.services.importers.scripts import Unknown
from millrace.services.importers.spelling import braced, literal

Translate = Callable[[str], str]
"""From the source's expression to ours. Raises Unknown."""


class Templates:
    """``pattern`` finds the expressions in a text; its first group is what stands between the braces."""

    def __init__(self, draft: Draft, pattern: re.Pattern[str], translate: Translate) -> None:
        self._draft, self._pattern, self._translate = draft, pattern, translate

    def value(self, value: Any, path: Path) -> Any:
        """Any value, with all texts in it as templates; an expression that cannot be mapped becomes null, or nothing
        in a longer text, and is noted."""
        if isinstance(value, dict):
            return {str(key): self.value(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(value)]
        return self.text(value, path) if isinstance(value, str) else value

    def text(self, text: str, path: Path) -> Any:
        whole = self._pattern.fullmatch(text.strip())
        if whole is not None:
            made = self.expression(whole[1], path)
            return None if made is None else braced(made)
        out, position = "", 0
        for match in self._pattern.finditer(text):
            made = self.expression(match[1], path)
            out += _ending(literal(text[position : match.start()])) + (braced(made) if made is not None else "")
            position = match.end()
        return out + literal(text[position:])

    def expression(self, source: str, path: Path) -> str | None:
        """Our expression, or None with a note."""
        try:
            return self._translate(source.strip())
        except Unknown as error:
            self._draft.unmapped(path, f"the expression {source.strip()[:80]!r} cannot be taken over: {error}")
            return None


def _ending(text: str) -> str:
    """A text that may stand right before braces: one at its end would be taken for a part of them."""
    return f"{text[:-1]}{{{{'{{'}}}}" if text.endswith("{") else text
