"""What a state machine's one document holds at a point, as expressions over inputs and outputs of tasks.

A machine hands one document from state to state and each state may replace a part of it. Here nothing is handed on: a
path into the document is followed back to whatever put the value there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct, field

from millrace.services.importers.spelling import below, braced, literal, quoted

Segment = str | int
_STEP: Final = re.compile(r"""\.([A-Za-z_][\w-]*)|\[(\d{1,9})\]|\['([^'\\]*)'\]|\["([^"\\]*)"\]|(\[\*\]|\.\*)""")


class NoPath(Exception):
    """A path that cannot be followed here."""


class Data(Struct, frozen=True):
    """``base`` is the expression of the whole, None for nothing known; ``fields`` stand in the place of its fields.
    ``value`` is a literal or template that the whole is, where it is no expression."""

    base: str | None = None
    fields: dict[str, Data] = field(default_factory=dict)
    value: Any = None

    def at(self, path: Sequence[Segment]) -> Data:
        """What stands at a path. Raises NoPath."""
        here = self
        for place, segment in enumerate(path):
            if isinstance(segment, str) and segment in here.fields:
                here = here.fields[segment]
            elif here.base is not None:
                return Data(below(here.base, *path[place:]))
            elif isinstance(here.value, dict | list):
                here = _part(here.value, segment)
            else:
                raise NoPath(f"nothing is known of {segment!r} here")
        return here

    def put(self, path: Sequence[Segment], value: Data) -> Data:
        """The document with another value at a path. Raises NoPath when a position of a list is named."""
        if not path:
            return value
        head = path[0]
        if not isinstance(head, str):
            raise NoPath("a position of a list cannot be replaced")
        if isinstance(self.value, dict):
            spread = Data(fields={str(key): Data(value=item) for key, item in self.value.items()})
            return spread.put(path, value)
        below_it = self.fields.get(head, Data() if self.base is None else Data(below(self.base, head)))
        return Data(self.base, {**self.fields, head: below_it.put(path[1:], value)})

    def template(self) -> Any:
        """The whole as a template. A base whose fields were replaced cannot be copied: then only those are given."""
        if self.fields:
            return {name: inner.template() for name, inner in self.fields.items()}
        return self.value if self.base is None else braced(self.base)

    def expression(self) -> str:
        """The whole as an expression. Raises NoPath where only a template would do."""
        if self.base is not None and not self.fields:
            return self.base
        if self.mixed:
            raise NoPath("a document of which parts were replaced")
        if self.fields:
            return _mapped({name: inner.expression() for name, inner in self.fields.items()})
        return spelled(self.value)

    def weight(self) -> int:
        """How long its expressions are, in characters."""
        value = 0 if self.value is None else len(str(self.value))
        return value + len(self.base or "") + sum(len(name) + one.weight() for name, one in self.fields.items())

    @property
    def mixed(self) -> bool:
        """Whether fields of something else were replaced, so that the whole cannot be had."""
        return bool(self.fields) and self.base is not None


def spelled(value: Any) -> str:
    """A value as a literal of our expressions; a template of one expression is that expression. Raises NoPath for a
    text that is put together."""
    if isinstance(value, dict):
        return _mapped({str(key): spelled(item) for key, item in value.items()})
    if isinstance(value, list):
        return f"[{', '.join(map(spelled, value))}]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if not isinstance(value, str):
        return str(value)
    if _single(value):
        return value[2:-2].strip()
    if "{{" in value:
        raise NoPath("a text that is put together")
    return quoted(value)


def _mapped(items: dict[str, str]) -> str:
    return "{" + ", ".join(f"{quoted(name)}: {item}" for name, item in items.items()) + "}"


def _single(text: str) -> bool:
    """Whether a template is one expression and nothing else."""
    return text.startswith("{{") and text.endswith("}}") and text.count("{{") == 1


def _part(value: Any, segment: Segment) -> Data:
    if isinstance(value, dict) and segment in value:
        found = value[str(segment)]
    elif isinstance(value, list) and isinstance(segment, int) and segment < len(value):
        found = value[segment]
    else:
        raise NoPath(f"nothing stands at {segment!r}")
    if isinstance(found, str) and _single(found):
        return Data(found[2:-2].strip())
    return Data(value=found)


def either(several: Iterable[Data]) -> Data:
    """One of several documents, whichever branch was taken: an output of a task that was skipped is not there, and
    what every branch has stands last."""
    known = list(several)
    if all(one == known[0] for one in known):
        return known[0]
    try:
        whole = list(dict.fromkeys(one.expression() for one in known if one != Data()))
    except NoPath:
        whole = []
    if whole:
        whole.sort(key=lambda base: "tasks." not in base)
        return Data(f"({' ?? '.join(whole)})" if len(whole) > 1 else whole[0])
    names = dict.fromkeys(name for one in known for name in one.fields)
    fields = {name: either(_field(one, name) for one in known) for name in names}
    bases = list(dict.fromkeys(one.base for one in known if one.base is not None))
    bases.sort(key=lambda base: "tasks." not in base)
    return Data(None if not bases else bases[0] if len(bases) == 1 else f"({' ?? '.join(bases)})", fields)


def _field(data: Data, name: str) -> Data:
    try:
        return data.at([name])
    except NoPath:
        return Data()


def path_of(text: str) -> tuple[list[Segment], list[Segment] | None]:
    """The segments of a path behind its ``$``; the second list is what stands behind one ``[*]``, None without it.
    Raises NoPath on filters, slices and the like."""
    if not text.startswith("$") or len(text) > 1024:
        raise NoPath("not a path")
    segments: list[Segment] = []
    first: list[Segment] | None = None
    position = 1
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise NoPath(f"{text[position : position + 20]!r} is not followed")
        name, index, single, double, wild = match.groups()
        if wild is not None:
            if first is not None:
                raise NoPath("a path with two wildcards")
            first, segments = segments, []
        else:
            segments.append(
                int(index) if index is not None else next(s for s in (name, single, double) if s is not None)
            )
        position = match.end()
    return (segments, None) if first is None else (first, segments)


def followed(data: Data, text: str) -> Data:
    """What a path leads to. Raises NoPath."""
    segments, behind = path_of(text)
    found = data.at(segments)
    if behind is None:
        return found
    base = found.expression()
    return Data(f"{base}.map(each, {below('each', *behind)})" if behind else base)


def plain(value: Any) -> Any:
    """A value of the source in which no text is a template."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return literal(value) if isinstance(value, str) else value
