"""The hyphen rule where names are known by shape alone: inside loops, behind positions, deep in schemas.

Where an expression is compiled, only the ids and fields near a root are known, and a hyphenated name elsewhere is noted
as one that may have been meant as a subtraction. Shapes reach further, and settle what they know.
"""

from __future__ import annotations

from typing import Final

from millrace.expr import ReadPath, declared_head
from millrace.spec.environment import Environment
from millrace.spec.shapes import Shape, Verdict
from millrace.spec.sites import Site

_NOBODYS: Final = "\0"
"""A name that no schema declares."""


def is_settled(name: str, site: Site, environment: Environment, own_output: Shape) -> bool:
    """Whether shapes tell, of every place where the site reads ``name``, that it is declared there or is not."""
    places = [
        ReadPath(path.root, path.segments[:index])
        for path in (read.path for read in site.expression.reads)
        for index, segment in enumerate(path.segments)
        if segment == name
    ]
    return bool(places) and all(_told(name, above, environment, own_output) for above in places)


def _told(name: str, above: ReadPath, environment: Environment, own_output: Shape) -> bool:
    named, unnamed = (
        environment.follow(ReadPath(above.root, (*above.segments, segment)), own_output) for segment in (name, _NOBODYS)
    )
    return named.shape is None or named != unnamed


def meant_as_difference(path: ReadPath, verdict: Verdict) -> tuple[str, str] | None:
    """Message and fix where a path leads nowhere because a hyphen was read as a part of a name; None otherwise."""
    name = path.segments[verdict.index]
    head = declared_head(name, verdict.known) if isinstance(name, str) else None
    if head is None:
        return None
    tail = str(name)[len(head) + 1 :]
    message = f"{path}: {name} is not declared, but {head} is: a hyphen between two names belongs to the name"
    return message, f"For a subtraction write {head} - {tail}."
