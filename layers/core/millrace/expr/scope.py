"""What names an expression may use in the place where it stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from millrace.expr.faults import Site, listed, nearest

ALIASES: Final = {"inputs": "input"}


@dataclass(frozen=True, eq=False)
class Scope:
    """``roots`` are the names that data is read from. ``bare`` names one of them whose fields may be written without
    it (``urgency`` for ``classification.urgency``). ``names`` gives further bare names and the path each stands for.

    ``declared`` tells, for a path such as ``("tasks",)`` or ``("tasks", "fetch", "output")``, the complete set of
    names known below it, as something with a hash; ``*`` as its last name stands for any. The hyphen rule stands on
    it. ``aliases`` maps other spellings of roots to ours.

    Scopes compare and hash by content, and the hash is taken once: make one scope per place and keep it.
    """

    roots: frozenset[str]
    bare: str | None = None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    declared: Mapping[tuple[str, ...], Collection[str]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=lambda: ALIASES)

    def __post_init__(self) -> None:
        key = (
            self.roots,
            self.bare,
            frozenset(self.names.items()),
            frozenset(self.declared.items()),
            frozenset(self.aliases.items()),
        )
        object.__setattr__(self, "_key", key)
        object.__setattr__(self, "_hash", hash(key))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Scope) and self._content == other._content)

    def __hash__(self) -> int:
        return int(self.__dict__["_hash"])

    @property
    def _content(self) -> object:
        return self.__dict__["_key"]

    def resolve(self, name: str, site: Site) -> tuple[str, ...]:
        """The path a leading name stands for. Raises ExpressionError (``unknown-root``)."""
        if name in self.roots:
            return (name,)
        if name in self.names:
            return self.names[name]
        alias = self.aliases.get(name)
        if alias in self.roots:
            return (alias,)
        if self.bare is not None:
            return (self.bare, name)
        known: Collection[str] = self.roots | frozenset(self.names)
        close = nearest(name, known)
        hint = f"did you mean {close}?" if close else f"names that can be used here: {listed(known) or 'none'}"
        raise site.fault("unknown-root", f"{name} is not a name that can be used here", hint=hint, read=name)


def declared_below(scope: Scope | None, prefix: tuple[str, ...] | None) -> Collection[str] | None:
    """The complete set of names below ``prefix``, None where it is not declared."""
    if scope is None or prefix is None:
        return None
    found = scope.declared.get(prefix)
    return scope.declared.get((*prefix[:-1], "*")) if found is None else found


def hyphen_state(scope: Scope | None, prefix: tuple[str, ...] | None, name: str) -> str | None:
    """How a hyphenated name after ``prefix`` reads: None when it is declared or certainly no subtraction,
    an empty text when nothing is declared there, else the declared name before one of its hyphens."""
    known = declared_below(scope, prefix)
    if known is None:
        return ""
    return None if name in known else declared_head(name, known)


def declared_head(name: str, known: Collection[str]) -> str | None:
    """The longest of the names ``known`` that stands before a hyphen of ``name``."""
    pieces = name.split("-")
    for count in range(len(pieces) - 1, 0, -1):
        head = "-".join(pieces[:count])
        if head in known:
            return head
    return None
