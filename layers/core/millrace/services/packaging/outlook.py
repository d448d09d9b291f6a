"""What the names of a tenant will mean after an import, so that a reference that would mean something else is told."""

from __future__ import annotations

from msgspec import Struct, field

from millrace.services.packaging.selectors import split
from millrace.services.version_range import choose
from millrace.store.definitions import Definitions, Kind


class _Name(Struct):
    """``labels`` leads to revisions, real or to be; ``contents`` has the hashes of those that a step was about."""

    labels: dict[str, int]
    latest: int
    active: int
    known: bool
    contents: dict[int, str] = field(default_factory=dict)


class Outlook:
    """The definitions of a tenant with the steps taken so far."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._names: dict[tuple[Kind, str], _Name] = {}

    def is_new(self, kind: Kind, name: str) -> bool:
        return not self._name(kind, name).known

    def labels(self, kind: Kind, name: str) -> set[str]:
        return set(self._name(kind, name).labels)

    def expect(self, kind: Kind, name: str, label: str, *, content_hash: str, published: bool, activated: bool) -> None:
        """Take a step into account: ``label`` will stand for what the package calls ``content_hash``."""
        held = self._name(kind, name)
        if published:
            held.known = True
            held.latest += 1
            held.labels[label] = held.latest
        revision = held.labels.get(label, 0)
        held.contents[revision] = content_hash
        if activated:
            held.active = revision

    def meaning(self, kind: Kind, name: str, reference: str) -> tuple[str, str]:
        """Label and content hash of the version that a reference will lead to; both empty when it leads nowhere."""
        held = self._name(kind, name)
        selector = split(reference)[1]
        if selector == "":
            revision: int | None = held.active
        elif selector == "latest":
            revision = held.latest
        else:
            revision = choose(selector, held.labels)
        if not revision:
            return "", ""
        label = next((text for text, number in held.labels.items() if number == revision), "")
        if revision in held.contents:
            return label, held.contents[revision]
        version = self._definitions.version(kind, name, revision)
        return label, "" if version is None else version.content_hash

    def _name(self, kind: Kind, name: str) -> _Name:
        held = self._names.get((kind, name))
        if held is None:
            head = self._definitions.head(kind, name)
            labels = self._definitions.labels(kind, name) if head is not None else {}
            held = _Name(labels, head.latest if head else 0, head.active if head else 0, head is not None)
            self._names[kind, name] = held
        return held
