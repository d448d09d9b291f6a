"""What an import would do to a tenant, worked out from reads alone; the import itself follows the same plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from millrace.base.errors import InvalidRequest
from millrace.services.packaging.opening import Package, Part
from millrace.services.packaging.outlook import Outlook
from millrace.services.packaging.relabel import relabelled, unlabelled_hash
from millrace.services.reserved_names import RESERVED
from millrace.services.transform_check import check_transform
from millrace.services.version_range import next_patch
from millrace.spec import Finding, Workflow, WorkflowTask, check_task, check_workflow, in_order
from millrace.store.definitions import Definitions, Head, Version

OnConflict = Literal["fail", "new-version", "skip"]
Action = Literal["create", "update", "unchanged", "conflict", "skip"]
_PAGE: Final = 100


class Step(Struct, frozen=True):
    """What happens to one part. ``create`` is a new name, ``update`` a new version of a known one, ``unchanged``
    content that is there already, ``conflict`` a label that names other content, ``skip`` such a one that is left
    as it is. ``label`` is the version label afterwards, ``source`` what is published, ``conflicting`` whether the
    part's own label is taken. ``findings`` are those of what is to be published."""

    part: Part
    action: Action
    label: str
    source: bytes
    activates: bool
    conflicting: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def publishes(self) -> bool:
        return self.action in ("create", "update") or (self.action == "unchanged" and self.activates)


class Plan(Struct, frozen=True):
    """``differences`` are references that would mean another version than the package pins."""

    steps: tuple[Step, ...]
    differences: tuple[dict[str, Any], ...]


def plan_import(definitions: Definitions, package: Package, on_conflict: OnConflict) -> Plan:
    """Reads only. Raises InvalidRequest when a name is a word of the API."""
    pinned: dict[tuple[str, str, str], Part] = {
        (part.definition.kind, part.definition.name, part.definition.version): part for part in package.parts
    }
    ahead = {
        pin.ref: found
        for part in package.parts
        for pin in part.definition.refers_to
        if isinstance(found := pinned[pin.kind, pin.name, pin.version].document, Workflow)
    }
    steps = []
    outlook = Outlook(definitions)
    for part in package.parts:
        step = _step(definitions, outlook, part, on_conflict)
        if step.action not in ("unchanged", "skip"):  # what is here already was checked when it was published
            step = replace(step, findings=_findings(part, pinned, ahead))
        if step.action in ("create", "update", "unchanged"):
            outlook.expect(
                part.kind,
                part.definition.name,
                step.label,
                content_hash=part.definition.content_hash,
                published=step.action != "unchanged",
                activated=step.activates,
            )
        steps.append(step)
    return Plan(tuple(steps), tuple(_differences(outlook, package.parts)))


def _step(definitions: Definitions, outlook: Outlook, part: Part, on_conflict: OnConflict) -> Step:
    one = part.definition
    if one.name in RESERVED:
        raise InvalidRequest(f"{one.name!r} is a word of the API and cannot be a name", hint="Rename the definition.")
    head = definitions.head(part.kind, one.name)
    same = definitions.revision_of_content(part.kind, one.name, one.content_hash)
    if head is not None and same is not None:
        return _there(definitions, part, head, same)
    taken = definitions.revision_of_label(part.kind, one.name, one.version)
    if taken is None:
        action: Action = "create" if outlook.is_new(part.kind, one.name) else "update"
        return Step(part, action, one.version, part.source, one.activate)
    if on_conflict == "fail" or head is None:
        return Step(part, "conflict", one.version, part.source, False, conflicting=True)
    if on_conflict == "skip":
        return Step(part, "skip", one.version, part.source, False, conflicting=True)
    if (earlier := _earlier(definitions, part)) is not None:
        return _there(definitions, part, head, earlier.revision, conflicting=True)
    label = next_patch(
        one.version, definitions.labels(part.kind, one.name).keys() | outlook.labels(part.kind, one.name)
    )
    return Step(part, "update", label, relabelled(part, label), one.activate, conflicting=True)


def _there(definitions: Definitions, part: Part, head: Head, revision: int, *, conflicting: bool = False) -> Step:
    """The content is published already, perhaps under another label."""
    version = definitions.version(part.kind, part.definition.name, revision)
    label = part.definition.version if version is None else version.label
    source = part.source if version is None else relabelled(part, label) if conflicting else part.source
    activates = (part.definition.activate or head.deleted) and head.active != revision  # which brings it back
    return Step(part, "unchanged", label, source, activates, conflicting)


def _earlier(definitions: Definitions, part: Part) -> Version | None:
    """The version that an earlier import made of this part under another label; newest first."""
    wanted = unlabelled_hash(part.loaded.value)
    cursor: str | None = None
    while True:
        page, cursor = definitions.versions(part.kind, part.definition.name, limit=_PAGE, cursor=cursor)
        for version in page:
            if version.behaviour_hash == part.definition.behaviour_hash:
                document = definitions.document(version)
                if unlabelled_hash(document) == wanted:
                    return version
        if cursor is None:
            return None


def _findings(part: Part, pinned: dict[tuple[str, str, str], Part], ahead: dict[str, Workflow]) -> tuple[Finding, ...]:
    """Every static check, with references resolved inside the package; ``ahead`` are all those to workflows in it."""
    more: tuple[Finding, ...]
    if isinstance(part.document, Workflow):
        meant = [(pin.ref, pinned[pin.kind, pin.name, pin.version].document) for pin in part.definition.refers_to]
        more = check_workflow(
            part.document,
            part.loaded.source,
            tasks={ref: one for ref, one in meant if isinstance(one, WorkflowTask)},
            workflows={**ahead, **{ref: one for ref, one in meant if isinstance(one, Workflow)}},
            check_transform=check_transform,
        )
    else:
        more = check_task(part.document, part.loaded.source, check_transform=check_transform)
    return in_order([*part.loaded.findings, *more])


def _differences(outlook: Outlook, parts: tuple[Part, ...]) -> Iterator[dict[str, Any]]:
    for part in parts:
        for pin in part.definition.refers_to:
            label, content = outlook.meaning(pin.kind, pin.name, pin.ref)
            if content != pin.content_hash:
                yield {
                    "kind": part.kind,
                    "name": part.definition.name,
                    "version": part.definition.version,
                    "reference": pin.ref,
                    "pinned": pin.version,
                    "resolves": label or None,
                }
