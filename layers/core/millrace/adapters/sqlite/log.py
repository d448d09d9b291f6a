"""Finding damage in the middle of the write-ahead log, which SQLite itself takes for its end.

On opening, SQLite replays the log up to the first frame whose checksum is wrong and silently drops the rest. After a
crash that is right: the rest is a transaction that was never acknowledged. With ``synchronous=FULL`` each commit is
synced before the next begins, so at most one commit can follow the first bad frame. Two or more mean that
acknowledged commits lie behind damage, and dropping them must not pass in silence.

Layout and checksum follow "WAL-mode File Format" in SQLite's file format description: a header of 32 bytes, then per
frame 24 bytes (page, size of the database after a commit or 0, two salts, two checksums) and one page.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

MAGIC: Final = 0x377F0682
"""Its lowest bit is set when checksums read the data as big-endian words."""
HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24
CHECKED_FRAMES: Final = 4096
"""Keeps the time to open within bounds; SQLite checkpoints long before that unless a reader holds it up."""

PAGE_BYTES: Final = 65536
"""SQLite's largest page."""

_WORD: Final = 0xFFFFFFFF


def checksum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    """SQLite's running checksum over ``data`` (a multiple of 8 bytes); ``order`` is ``<`` or ``>``."""
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & _WORD
        second = (second + odd + first) & _WORD
    return first, second


def lost_commits(path: Path) -> int:
    """How many commits of the log at ``path`` lie at or behind its first bad frame; 0 when there is no log.

    1 is what a crash may leave. A log with frames and a damaged header counts its commits too, since all are lost.
    Raises OSError."""
    try:
        with path.open("rb") as file:
            data = file.read(HEADER_BYTES)
            page_bytes = int.from_bytes(data[8:12]) if len(data) == HEADER_BYTES else 0
            data += file.read(CHECKED_FRAMES * (FRAME_HEADER_BYTES + min(page_bytes, PAGE_BYTES)))
    except FileNotFoundError:
        return 0
    header = data[:HEADER_BYTES]
    if len(header) < HEADER_BYTES or not any(header):
        return 0
    magic, _, _, _, _, _, *stored = struct.unpack(">8I", header)
    order = ">" if magic & 1 else "<"
    running = checksum(header[:24], (0, 0), order)
    whole = magic & ~1 == MAGIC and running == tuple(stored) and 512 <= page_bytes <= PAGE_BYTES
    if not whole:
        return 2 if len(data) > HEADER_BYTES else 0
    salts = header[16:24]
    frame_bytes = FRAME_HEADER_BYTES + page_bytes
    starts = range(HEADER_BYTES, len(data) - frame_bytes + 1, frame_bytes)
    for number, start in enumerate(starts):
        frame = data[start : start + frame_bytes]
        running = checksum(frame[:8], running, order)
        running = checksum(frame[FRAME_HEADER_BYTES:], running, order)
        if frame[8:16] != salts or struct.unpack(">2I", frame[16:24]) != running:
            return sum(_is_commit(data, later, salts) for later in starts[number:])
    return 0


def _is_commit(data: bytes, start: int, salts: bytes) -> bool:
    """Whether a frame ends a commit of this generation of the log; frames of an older one have other salts."""
    return data[start + 8 : start + 16] == salts and any(data[start + 4 : start + 8])
