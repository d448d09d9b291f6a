"""Import a package: judge all of it, say what would happen, and only then publish. Nothing in it is executed.

Each definition goes through the publish use case like any other, what is referred to first. An import that was cut
off is repeated: what was published by it is unchanged the second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from millrace.base.errors import Conflict, InvalidDocument, InvalidRequest, Unavailable
from millrace.services.caller import Caller
from millrace.services.find_version import definitions_of
from millrace.services.packaging import OnConflict, Package, Plan, Step, open_package, plan_import
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication, publish_definition
from millrace.spec import has_errors

SECRETS_ASKED: Final = 500
"""Secrets that are looked for, one after the other, within the time that a request has."""


class Order(Struct, frozen=True):
    """How to import. ``trusted`` is the public key (64 hex digits) that must have signed the package; ``signed``
    refuses to go on without such a key."""

    dry_run: bool = False
    on_conflict: OnConflict = "fail"
    trusted: str | None = None
    signed: bool = False


def import_package(platform: Platform, caller: Caller, data: bytes, order: Order = Order()) -> dict[str, Any]:
    """What was done, or would be done: ``{package, dryRun, applied, signature, counts, definitions, differences,
    missingSecrets, missingEnv, findings}``.

    Raises InvalidRequest and TooLarge for what is no package of ours, InvalidDocument when a document has errors,
    Conflict when a label names other content and ``on_conflict`` is ``fail``; a dry run lists those two instead.
    """
    package = open_package(data, trusted=order.trusted, signed=order.signed)
    caller = _in_namespace(caller, package)
    plan = plan_import(definitions_of(platform, caller), package, order.on_conflict)
    revisions: dict[int, int] = {}
    if not order.dry_run:
        _check(plan)
        for index, step in enumerate(plan.steps):
            if step.publishes:
                revisions[index] = _publish(platform, caller, package, step)
    return _report(platform, caller, package, plan, order) | {
        "definitions": [_step_json(step, revisions.get(index)) for index, step in enumerate(plan.steps)]
    }


def _in_namespace(caller: Caller, package: Package) -> Caller:
    """The namespace that the documents name, where they do. Raises InvalidRequest when they do not agree."""
    metadata = [part.document.metadata for part in package.parts]
    named = {one.namespace for one in metadata if "namespace" in one.model_fields_set}
    if caller.namespace != "default":
        named |= {caller.namespace}
    if len(named) > 1:
        raise InvalidRequest(
            f"the documents and the request name several namespaces: {', '.join(sorted(named))}",
            hint="Leave metadata.namespace out of the documents, or import into the one that they name.",
        )
    return replace(caller, namespace=named.pop()) if named else caller


def _check(plan: Plan) -> None:
    for step in plan.steps:
        errors = [finding for finding in step.findings if finding.severity == "error"]
        if errors:
            raise InvalidDocument(
                f"{step.part.title}, line {errors[0].line}: {errors[0].message}",
                hint=errors[0].fix,
                facts={"findings": [finding.to_json() for finding in step.findings]},
            )
    conflicts = [step.part.title for step in plan.steps if step.action == "conflict"]
    if conflicts:
        raise Conflict(
            f"{conflicts[0]} is published already, with other content, and nothing was imported",
            hint="Import with on-conflict new-version or skip, or raise the version and export again.",
            facts={"conflicts": conflicts},
        )


def _publish(platform: Platform, caller: Caller, package: Package, step: Step) -> int:
    """The revision that the part has now."""
    root = package.manifest.package
    publication = Publication(
        source=step.source,
        media=step.part.media,
        name=step.part.definition.name,
        activate=step.activates,
        message=f"Imported with the package {root.name} {root.version}",
        label=step.label,
    )
    return int(publish_definition(platform, caller, step.part.kind, publication).body["revision"])


def _report(platform: Platform, caller: Caller, package: Package, plan: Plan, order: Order) -> dict[str, Any]:
    manifest, signature = package.manifest, package.signature
    missing = _missing(platform, caller, [one.name for one in manifest.requires.secrets])
    counts: Mapping[str, int] = {
        action: sum(step.action == action for step in plan.steps)
        for action in ("create", "update", "unchanged", "conflict", "skip")
    }
    return {
        "package": {"name": manifest.package.name, "version": manifest.package.version, "format": manifest.format},
        "namespace": caller.namespace,
        "dryRun": order.dry_run,
        "applied": not order.dry_run,
        "valid": not any(has_errors(step.findings) for step in plan.steps) and not counts["conflict"],
        "signature": None if signature is None else {"keyId": signature.key_id, "trusted": order.trusted is not None},
        "counts": dict(counts),
        "differences": list(plan.differences),
        "secretsKnown": missing is not None,
        "missingSecrets": [
            {"name": one.name, "hosts": list(one.hosts), "hostsComputed": one.hosts_computed}
            for one in manifest.requires.secrets
            if missing is None or one.name in missing
        ],
        "missingEnv": [key for key in manifest.requires.env if key not in platform.env and key != "*"],
        "findings": [
            {"definition": step.part.title, **finding.to_json()} for step in plan.steps for finding in step.findings
        ],
    }


def _missing(platform: Platform, caller: Caller, names: Sequence[str]) -> frozenset[str] | None:
    """Those of ``names`` that are not stored; None where the store does not tell, or there are too many to ask for."""
    if len(names) > SECRETS_ASKED:
        return None
    try:
        return frozenset(name for name in names if not _has(platform, caller, name))
    except Unavailable:
        return None


def _has(platform: Platform, caller: Caller, name: str) -> bool:
    try:
        return platform.secrets.has(caller.scope, name)
    except InvalidRequest:  # no secret can be called that
        return False


def _step_json(step: Step, revision: int | None) -> dict[str, Any]:
    one = step.part.definition
    return {
        "kind": one.kind,
        "name": one.name,
        "version": one.version,
        "contentHash": one.content_hash,
        "action": step.action,
        "conflicting": step.conflicting,
        "publishedAs": step.label if step.action in ("create", "update", "unchanged") else None,
        "activates": step.activates,
        "revision": revision,
    }
