"""Reading an archive that somebody else may have crafted: into memory, within limits, and never onto a disk.

Each way of crafting one is refused by name where that helps its sender. What decides is the last line: an archive is
taken only when it is, byte for byte, what `write_archive` makes of what was read. So no two readers can disagree
about one (overlapping entries, a second directory, data between entries, headers that contradict each other).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from millrace.base.limits import DOCUMENT_BYTES, PACKAGE_BYTES, PACKAGE_FILES, PACKAGE_MANIFEST_BYTES
from millrace.services.packaging.archive import CENTRAL, CENTRAL_MARK, END, END_MARK, LOCAL, REGULAR, write_archive
from millrace.services.packaging.entries import MANIFEST, NAME_BYTES, SIGNATURE, checked_entries
from millrace.services.packaging.refusals import refused, shown, too_large

_OWN: Final = 2  # manifest and signature
_KIND_OF_FILE: Final = 0o170000
_ENCRYPTED: Final = 0x1
_HINT: Final = "Send the file that `millrace export --format package` wrote."


class _Entry(Struct, frozen=True):
    name: str
    flags: int
    method: int
    packed: int
    size: int
    kind: int
    offset: int


def read_archive(data: bytes) -> dict[str, bytes]:
    """The files of a package's archive by name. Raises InvalidRequest, and TooLarge past a limit; memory stays within
    three times the archive."""
    if len(data) > PACKAGE_BYTES:
        raise too_large("the package is too large", limit=PACKAGE_BYTES, size=len(data))
    entries = _directory(data)
    checked_entries(entry.name for entry in entries)
    for entry in entries:
        _judge(entry)
    total = sum(entry.size for entry in entries)
    if total > PACKAGE_BYTES:
        raise too_large("the entries of the package are too large", limit=PACKAGE_BYTES, size=total)
    files = {entry.name: _content(data, entry) for entry in entries}
    if write_archive(files) != data:
        raise refused("its archive is not in the one form that packages have", hint=_HINT)
    return files


def _directory(data: bytes) -> list[_Entry]:
    at = len(data) - END.size
    if at < 0 or data[at : at + 4] != END_MARK:
        raise refused("it is not a ZIP archive that ends where the file ends", hint=_HINT)
    _, disk, first_disk, here, count, size, offset, comment = END.unpack_from(data, at)
    if count > PACKAGE_FILES + _OWN:
        raise too_large("the package holds too many files", limit=PACKAGE_FILES, size=count, unit="files")
    if disk or first_disk or comment or here != count or offset + size != at:
        raise refused("the end of its archive contradicts the file", hint=_HINT)
    found = []
    for _ in range(count):
        entry, offset = _entry(data, offset, at)
        found.append(entry)
    if offset != at:
        raise refused("its directory holds more than it counts", hint=_HINT)
    return found


def _entry(data: bytes, offset: int, end: int) -> tuple[_Entry, int]:
    if offset + CENTRAL.size > end or data[offset : offset + 4] != CENTRAL_MARK:
        raise refused("its directory is cut off", hint=_HINT)
    header = CENTRAL.unpack_from(data, offset)
    flags, method, packed, size = header[3], header[4], header[8], header[9]
    name_size, extra, comment, attributes, place = header[10], header[11], header[12], header[15], header[16]
    start = offset + CENTRAL.size
    after = start + name_size + extra + comment
    if after > end or name_size > NAME_BYTES:
        raise refused("its directory is cut off, or holds a name that is too long", hint=_HINT)
    name = data[start : start + name_size].decode("latin-1")
    return _Entry(name, flags, method, packed, size, attributes >> 16 & _KIND_OF_FILE, place), after


def _judge(entry: _Entry) -> None:
    """Raises unless the entry is a plain stored file within its limit; reads nothing of its content."""
    named = f"the entry {shown(entry.name)}"
    if entry.kind != REGULAR:
        raise refused(f"{named} is a link, a folder or a device, not a file", entry=entry.name)
    if entry.flags & _ENCRYPTED:
        raise refused(f"{named} is encrypted", entry=entry.name)
    if entry.method or entry.packed != entry.size:
        raise refused(f"{named} is compressed; packages are stored as they are", entry=entry.name)
    limit = PACKAGE_MANIFEST_BYTES if entry.name in (MANIFEST, SIGNATURE) else DOCUMENT_BYTES
    if entry.size > limit:
        raise too_large(f"{named} is too large", limit=limit, size=entry.size)


def _content(data: bytes, entry: _Entry) -> bytes:
    start = entry.offset + LOCAL.size + len(entry.name)
    content = data[start : start + entry.size]
    if len(content) != entry.size:
        raise refused(f"the entry {shown(entry.name)} is cut off", entry=entry.name)
    return content
