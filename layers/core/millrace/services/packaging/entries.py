"""The names that a package's archive may hold, and nothing else.

No entry is ever written to a folder by us; the grammar is for every other reader of the same archive, who might.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from millrace.services.packaging.refusals import refused, shown
from millrace.store.definitions import Kind

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "signature.json"
NAME_BYTES: Final = 255
_ENTRY: Final = re.compile(
    r"(?:tasks|workflows)/[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?/[0-9a-z.+-]{1,160}\.(?:yaml|json)"
)
_DRIVE: Final = re.compile(r"[A-Za-z]:")


def entry_of(kind: Kind, name: str, label: str, *, media: str, content_hash: str) -> str:
    """Where the source of a definition lies. A label with capitals gets part of the hash, so that two labels that
    differ in case only are two names on every file system."""
    lowered = label if label == label.lower() else f"{label.lower()}-{content_hash[:8]}"
    return f"{kind}s/{name}/{lowered}.{'json' if media == 'json' else 'yaml'}"


def checked_entries(names: Iterable[str]) -> list[str]:
    """The names, when each is one of ours and no two are the same file anywhere. Raises InvalidRequest."""
    found: list[str] = []
    seen: dict[str, str] = {}
    for name in names:
        if why := _fault(name):
            raise refused(f"the entry {shown(name)} {why}", entry=name[:80])
        twin = seen.setdefault(name.casefold(), name)
        if twin in found:
            same = "is there twice" if twin == name else f"differs from {shown(twin)} in case only"
            raise refused(f"the entry {shown(name)} {same}", entry=name[:80])
        found.append(name)
    for name in found:
        if name not in (MANIFEST, SIGNATURE) and not _ENTRY.fullmatch(name):
            raise refused(f"the entry {shown(name)} is none that a package has", entry=name[:80])
    return found


def _fault(name: str) -> str:
    """What makes a name dangerous to unpack, or nothing."""
    if not name or any(char < " " or char > "~" for char in name):
        return "has a name that is not plain ASCII"
    if name.startswith("/") or _DRIVE.match(name):
        return "has an absolute path"
    if "\\" in name:
        return "has a backslash in its name"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "has a path that is not plain"
    return ""
