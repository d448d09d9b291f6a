"""A workflow with everything it depends on, found through the reference index and pinned to what it means now."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from millrace.base.errors import Conflict
from millrace.base.limits import PACKAGE_FILES
from millrace.services.caller import Caller
from millrace.services.find_version import definitions_of, find_head, find_version
from millrace.services.packaging.needs import LEADS_TO
from millrace.services.packaging.refusals import too_large
from millrace.services.platform import Platform
from millrace.services.task_references import revision_of
from millrace.store.definitions import Definitions, Kind, Version
from millrace.store.references import Use, uses_of

Place = tuple[Kind, str, int]
"""Kind, name and revision: one version of a tenant and namespace."""
Reference = tuple[str, Kind]
"""A reference as it is written, and the kind of definition that it leads to."""


class Member(Struct, frozen=True):
    """One version with its text. ``refers_to`` are the references as written, sorted, with what each leads to;
    ``needed`` is whether something refers to it without a version, or it is the root."""

    version: Version
    source: bytes
    document: Any
    refers_to: tuple[tuple[Reference, Version], ...]
    secrets: tuple[str, ...]
    env: tuple[str, ...]
    needed: bool


class Closure(Struct, frozen=True):
    """``members`` are in an order in which each can be published: tasks by name and revision, then workflows after
    the workflows they refer to. ``root`` is one of them."""

    root: Version
    members: tuple[Member, ...]


def closure_of(platform: Platform, caller: Caller, name: str, *, version: str | None = None) -> Closure:
    """The closure of the version that ``version`` names, else of the active one.

    Raises NotFound; Conflict when a reference leads nowhere; TooLarge past PACKAGE_FILES definitions.
    """
    definitions = definitions_of(platform, caller)
    root = find_version(definitions, find_head(definitions, "workflow", name), version)
    walk = _Walk(definitions)
    walk.visit(root)
    order = sorted(walk.versions, key=lambda place: (place[0] != "task", place[1:] if place[0] == "task" else ()))
    return Closure(root, tuple(walk.member(place, root) for place in order))


class _Walk:
    """Depth first without recursion; a version is entered once, so a ring of workflows ends too."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._uses: dict[Place, list[Use]] = {}
        self._targets: dict[Place, dict[Reference, Version]] = {}
        self._active: set[Place] = set()
        self.versions: dict[Place, Version] = {}
        """In post-order: a version stands after those that it refers to."""

    def visit(self, root: Version) -> None:
        ahead = [(root, False)]
        entered: set[Place] = set()
        while ahead:
            version, left = ahead.pop()
            place = _place(version)
            if left:
                self.versions[place] = version
            elif place not in entered:
                entered.add(place)
                if len(entered) > PACKAGE_FILES:
                    raise too_large(
                        "the workflow depends on too many definitions",
                        limit=PACKAGE_FILES,
                        size=len(entered),
                        unit="definitions",
                    )
                ahead.append((version, True))
                ahead += [(target, False) for _, target in sorted(self._resolve(version).items(), reverse=True)]

    def member(self, place: Place, root: Version) -> Member:
        version, uses = self.versions[place], self._uses[place]
        return Member(
            version=version,
            source=self._definitions.source(version).encode(),
            document=self._definitions.document(version),
            refers_to=tuple(sorted(self._targets[place].items())),
            secrets=tuple(sorted({use.target for use in uses if use.kind == "secret"})),
            env=tuple(sorted({use.target for use in uses if use.kind == "env"})),
            needed=place in self._active or place == _place(root),
        )

    def _resolve(self, version: Version) -> dict[Reference, Version]:
        place = _place(version)
        uses = self._uses[place] = uses_of(self._definitions.documents, self._definitions.scope, version)
        targets = self._targets[place] = {}
        for use in uses:
            if use.kind in LEADS_TO:
                name, _, inner = use.target.partition("@")
                selector = use.selector or inner
                reference = (f"{name}@{selector}" if selector else name, LEADS_TO[use.kind])
                if reference not in targets:
                    targets[reference] = self._target(version, LEADS_TO[use.kind], name, selector)
                    if not selector:
                        self._active.add(_place(targets[reference]))
        return targets

    def _target(self, holder: Version, kind: Kind, name: str, selector: str) -> Version:
        head = self._definitions.head(kind, name)
        head = None if head is None or head.deleted else head
        revision = head and (revision_of(self._definitions, head, selector) if selector else head.active)
        found = self._definitions.version(kind, name, revision) if revision else None
        if found is None:
            reference = f"{name}@{selector}" if selector else name
            raise Conflict(
                f"the {holder.kind} {holder.name} {holder.label} refers to the {kind} {reference}, which leads nowhere",
                hint=f"Publish or activate the {kind}, then export again.",
                facts={"missing": [reference]},
            )
        return found


def _place(version: Version) -> Place:
    return version.kind, version.name, version.revision
