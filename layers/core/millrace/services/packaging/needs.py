"""What a document needs around it, read from the document alone: references, secrets with their hosts, env keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from millrace.services.packaging.manifest import NeededSecret
from millrace.services.transform_check import check_transform
from millrace.spec import Workflow, WorkflowTask, references
from millrace.store.definitions import Kind

LEADS_TO: Final[Mapping[str, Kind]] = {"taskRef": "task", "workflowRef": "workflow"}
"""The kinds of reference that lead to another definition."""
_HOST: Final = re.compile(r"https?://(?:[^/?#@\s]*@)?([^/?#\s]+)", re.IGNORECASE)
_READ: Final = re.compile(r"""\bsecrets(?:\??\.([\w-]+)|\??\[\s*['"]([^'"]{1,256})['"]\s*\])""")
_ADDRESSES: Final = frozenset({"url", "tokenUrl"})


class Needs(Struct, frozen=True):
    """``refs`` are (kind of definition, reference as written); all are sorted."""

    refs: tuple[tuple[Kind, str], ...]
    secrets: tuple[str, ...]
    env: tuple[str, ...]


def needs_of(document: Workflow | WorkflowTask) -> Needs:
    """What a checked document refers to beyond itself."""
    found = references(document, check_transform=check_transform)

    def names(kind: str) -> tuple[str, ...]:
        return tuple(sorted({one.name for one in found if one.kind == kind}))

    refs = {(LEADS_TO[one.kind], one.name) for one in found if one.kind in LEADS_TO}
    return Needs(tuple(sorted(refs)), names("secret"), names("env"))


def needed_secrets(documents: Mapping[int, tuple[Any, tuple[str, ...]]]) -> tuple[NeededSecret, ...]:
    """Every secret of documents (value and names), with the hosts of the calls that mention it. Linear in the text."""
    hosts: dict[str, set[str]] = {name: set() for _, names in documents.values() for name in names}
    computed: set[str] = set()
    for value, names in documents.values():
        for call in _calls(value):
            addresses = [_literal_host(text) for key, text in _texts(call) if key in _ADDRESSES]
            for name in _mentioned(call) & set(names):
                hosts[name] |= {host for host in addresses if host}
                computed |= {name} if "" in addresses else set()
    return tuple(NeededSecret(name, tuple(sorted(hosts[name])), name in computed) for name in sorted(hosts))


def _calls(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every `request` block, however deep."""
    if isinstance(value, dict):
        request = value.get("request")
        if isinstance(request, dict) and "url" in request:
            yield request
        for inner in value.values():
            yield from _calls(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _calls(inner)


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text with the nearest key above it."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, key)


def _mentioned(call: Mapping[str, Any]) -> set[str]:
    """Names that may be secrets; the caller keeps those that are."""
    found: set[str] = set()
    for key, text in _texts(call):
        found |= {text} if key == "secretRef" else set()
        found |= {plain or quoted for plain, quoted in _READ.findall(text)}
    return found


def _literal_host(address: str) -> str:
    """The host of an address, without port and in lower case; empty when it is only known at run time."""
    match = _HOST.match(address)
    if match is None or "{{" in match[0]:
        return ""
    host = match[1].lower()
    return host if host.endswith("]") else re.sub(r":[0-9]*$", "", host)
