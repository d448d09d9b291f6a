"""The archive of a package: a ZIP with one spelling, so that equal content has equal bytes on every machine.

Entries are stored, not compressed: what a compressor writes depends on its version, and what is not compressed
cannot be a bomb. Every header field is fixed (1 January 1980, mode 0644, no extra fields, no comments); the manifest
comes first, the others follow by name. The layout is that of APPNOTE.TXT 6.3.3, so any ZIP tool opens it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Final

from millrace.services.packaging.entries import MANIFEST

LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
END: Final = struct.Struct("<4sHHHHIIH")
LOCAL_MARK: Final = b"PK\x03\x04"
CENTRAL_MARK: Final = b"PK\x01\x02"
END_MARK: Final = b"PK\x05\x06"
REGULAR: Final = 0o100000
_NEEDED: Final = 20
_MADE_BY: Final = 3 << 8 | _NEEDED  # Unix, so that the mode counts
_DAY: Final = 0x21  # 1 January 1980, the first day that the format knows
_MODE: Final = (REGULAR | 0o644) << 16


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """The archive of files by name. Names are ASCII; sizes and offsets stay below 4 GiB."""
    body, directory = bytearray(), bytearray()
    for name in sorted(files, key=lambda one: (one != MANIFEST, one)):
        data, raw = files[name], name.encode("ascii")
        offset, size, check = len(body), len(data), zlib.crc32(data)
        body += LOCAL.pack(LOCAL_MARK, _NEEDED, 0, 0, 0, _DAY, check, size, size, len(raw), 0) + raw + data
        directory += CENTRAL.pack(
            CENTRAL_MARK, _MADE_BY, _NEEDED, 0, 0, 0, _DAY, check, size, size, len(raw), 0, 0, 0, 0, _MODE, offset
        )
        directory += raw
    return bytes(body + directory + END.pack(END_MARK, 0, 0, len(files), len(files), len(directory), len(body), 0))
