"""The archive: one spelling going out, and nothing crafted coming in."""

from __future__ import annotations

import io
import random
import stat
import struct
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.base.errors import InvalidRequest, TooLarge, UserError
from millrace.base.limits import (
    DOCUMENT_BYTES,
    KIB,
    MIB,
    PACKAGE_BYTES,
    PACKAGE_FILES,
    PACKAGE_MANIFEST_BYTES,
    REQUEST_BYTES,
)
from millrace.services.packaging.archive import CENTRAL, END, LOCAL, write_archive
from millrace.services.packaging.entries import NAME_BYTES, entry_of
from millrace.services.packaging.unpacking import read_archive
from tests.unit.docs.snippets import ROOT

FILES = {"manifest.json": b"{}", "tasks/a/1.0.0.yaml": b"a: 1\n", "workflows/b/1.0.0.json": b"{}"}
GOOD = write_archive(FILES)


def with_end(data: bytes, **change: int) -> bytes:
    """The archive with other fields in its end record."""
    names = ("mark", "disk", "first", "here", "count", "size", "offset", "comment")
    fields: dict[str, Any] = dict(zip(names, END.unpack_from(data, len(data) - END.size), strict=True))
    return data[: -END.size] + END.pack(*{**fields, **change}.values())


def with_entry(index: int, value: Any, *, entry: int = 1) -> bytes:
    """The good archive with one field of one directory entry replaced."""
    at = GOOD.index(b"PK\x01\x02")
    for _ in range(entry):
        at = GOOD.index(b"PK\x01\x02", at + 4)
    fields: list[Any] = list(CENTRAL.unpack_from(GOOD, at))
    fields[index] = value
    return GOOD[:at] + CENTRAL.pack(*fields) + GOOD[at + CENTRAL.size :]


def zipped(*entries: tuple[str, bytes], method: int = zipfile.ZIP_STORED, mode: int = stat.S_IFREG | 0o644) -> bytes:
    """An archive as another program makes it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = mode << 16
            info.create_system = 3
            info.compress_type = method
            archive.writestr(info, content)
    return stream.getvalue()


def test_what_was_written_is_read_again() -> None:
    assert read_archive(GOOD) == FILES


def test_equal_content_has_equal_bytes_in_whatever_order_it_is_given() -> None:
    assert write_archive(dict(reversed(FILES.items()))) == GOOD


def test_an_ordinary_zip_reader_opens_it_and_sees_the_manifest_first() -> None:
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        assert archive.testzip() is None
        assert ["manifest.json", "tasks/a/1.0.0.yaml", "workflows/b/1.0.0.json"] == archive.namelist()
        assert {name: archive.read(name) for name in archive.namelist()} == FILES
        assert {0o100644} == {info.external_attr >> 16 for info in archive.infolist()}
        assert {(1980, 1, 1, 0, 0, 0)} == {info.date_time for info in archive.infolist()}


def test_the_same_archive_made_by_another_program_is_taken() -> None:
    assert read_archive(zipped(*FILES.items())) == FILES


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd", "absolute"),
        ("C:/x.yaml", "absolute"),
        ("../x.yaml", "not plain"),
        ("tasks/../../x.yaml", "not plain"),
        ("tasks/./x.yaml", "not plain"),
        ("tasks//x.yaml", "not plain"),
        ("tasks/a/", "not plain"),
        ("tasks\\a\\1.0.0.yaml", "backslash"),
        ("tasks/a/1.0.0\x00.yaml", "plain ASCII"),
        ("tasks/\x1b[2Ja/1.0.0.yaml", "plain ASCII"),
        ("", "plain ASCII"),
        ("tasks/B/1.0.0.yaml", "none that a package has"),
        ("post-install.sh", "none that a package has"),
        ("tasks/a/1.0.0.py", "none that a package has"),
        ("tasks/a/b/1.0.0.yaml", "none that a package has"),
    ],
)
def test_a_name_that_could_be_unpacked_elsewhere_is_refused(name: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        read_archive(write_archive({**FILES, name: b"x"}))


@pytest.mark.parametrize("raw", ["t\u00e4sks/a.yaml".encode(), "tasks/\u202ea".encode(), b"\xff\xfe"])
def test_a_name_outside_of_ascii_is_refused(raw: bytes) -> None:
    placeholder = b"x" * len(raw)
    data = write_archive({**FILES, placeholder.decode(): b""}).replace(placeholder, raw)
    with pytest.raises(InvalidRequest, match="plain ASCII"):
        read_archive(data)


def test_a_name_that_is_there_twice_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped(*FILES.items(), ("tasks/a/1.0.0.yaml", b"a: 2\n"))
    with pytest.raises(InvalidRequest, match="there twice"):
        read_archive(data)


def test_names_that_differ_in_case_only_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="in case only"):
        read_archive(write_archive({**FILES, "TASKS/a/1.0.0.yaml": b""}))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK, 0])
def test_a_link_a_folder_or_a_device_is_refused(kind: int) -> None:
    with pytest.raises(InvalidRequest, match="not a file"):
        read_archive(zipped(("manifest.json", b"/etc/passwd"), mode=kind | 0o777))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compressed_bomb_is_refused_before_anything_of_it_is_unpacked(method: int) -> None:
    bomb = zipped(("manifest.json", b"{}"), ("tasks/a/1.0.0.yaml", b" " * 50_000_000), method=method)
    assert len(bomb) < 100_000
    with pytest.raises(InvalidRequest, match="compressed"):
        read_archive(bomb)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a ZIP"),
        (b"PK", "not a ZIP"),
        (b"{}" * 50, "not a ZIP"),
        (GOOD + b"\n", "not a ZIP"),
        (b"#!/bin/sh\n" + GOOD, "contradicts"),
        (GOOD[:-1], "not a ZIP"),
        (with_end(GOOD, count=2, here=2), "more than it counts"),
        (with_end(GOOD, count=4, here=4), "cut off"),
        (with_end(GOOD, here=2), "contradicts"),
        (with_end(GOOD, disk=1), "contradicts"),
        (with_end(GOOD, comment=5), "contradicts"),
        (with_end(GOOD, offset=0), "contradicts"),
        (with_end(GOOD, size=0xFFFFFFFF), "contradicts"),
        (with_entry(3, 1), "encrypted"),
        (with_entry(3, 0x800), "one form"),
        (with_entry(7, 1), "one form"),
        (with_entry(8, 1), "compressed"),
        (with_entry(10, 60_000), "too long"),
        (with_entry(11, 0xFFFF), "cut off"),
        (with_entry(16, 0), "one form"),
        (with_entry(16, 0xFFFFFFF0), "cut off"),
        (zipped(*FILES.items(), mode=stat.S_IFREG | 0o755), "one form"),
    ],
)
def test_an_archive_whose_parts_contradict_each_other_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        read_archive(data)


def test_a_local_header_with_another_name_is_refused() -> None:
    data = GOOD.replace(b"tasks/a/1.0.0.yaml", b"tasks/b/1.0.0.yaml", 1)
    assert data != GOOD
    with pytest.raises(InvalidRequest, match="one form"):
        read_archive(data)


def test_entries_that_overlap_are_refused() -> None:
    first = LOCAL.size + len("manifest.json")
    data = with_entry(16, first)
    with pytest.raises(InvalidRequest, match="one form"):
        read_archive(data)


def test_data_between_the_entries_is_refused() -> None:
    start = GOOD.index(b"PK\x01\x02")
    hidden = GOOD[:start] + b"hidden" + GOOD[start:]
    with pytest.raises(InvalidRequest, match="one form"):
        read_archive(with_end(hidden, offset=start + 6))


def test_sizes_are_judged_by_their_headers_before_content_is_read() -> None:
    at = GOOD.index(b"PK\x01\x02", GOOD.index(b"PK\x01\x02") + 4)
    huge = GOOD[: at + 20] + struct.pack("<II", 0xFFFFFFFF, 0xFFFFFFFF) + GOOD[at + 28 :]
    with pytest.raises(TooLarge):
        read_archive(huge)


LARGE = {f"tasks/a{n}/1.0.0.yaml": b" " * DOCUMENT_BYTES for n in range(PACKAGE_BYTES // DOCUMENT_BYTES + 1)}


@pytest.mark.parametrize(
    "files",
    [
        {"manifest.json": b" " * (PACKAGE_MANIFEST_BYTES + 1)},
        {"signature.json": b" " * (PACKAGE_MANIFEST_BYTES + 1)},
        {"tasks/a/1.0.0.yaml": b" " * (DOCUMENT_BYTES + 1)},
        {f"tasks/a{n}/1.0.0.yaml": b"" for n in range(PACKAGE_FILES + 3)},
        LARGE,
    ],
    ids=["manifest", "signature", "document", "count", "total"],
)
def test_what_passes_a_limit_is_too_large(files: dict[str, bytes]) -> None:
    with pytest.raises(TooLarge) as caught:
        read_archive(write_archive(files))
    assert caught.value.facts["size"] > caught.value.facts["limit"]


def test_entries_that_claim_more_together_than_a_package_holds_are_too_large() -> None:
    files = {f"tasks/a{n}/1.0.0.yaml": b"" for n in range(PACKAGE_BYTES // DOCUMENT_BYTES + 1)}
    data = bytearray(write_archive(files))
    at = data.index(b"PK\x01\x02")
    while at >= 0:
        data[at + 20 : at + 28] = struct.pack("<II", DOCUMENT_BYTES, DOCUMENT_BYTES)
        at = data.find(b"PK\x01\x02", at + 4)
    with pytest.raises(TooLarge, match="entries"):
        read_archive(bytes(data))


def sound(data: bytes) -> bool:
    """Whether bytes are refused with a hint, or are just what is written of what was read."""
    try:
        files = read_archive(data)
    except UserError as error:
        return bool(error.hint)
    return data == write_archive(files)


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    assert sound(data)


@given(at=st.integers(0, len(GOOD) - 1), value=st.integers(0, 255))
def test_no_changed_byte_is_read_as_another_archive(at: int, value: int) -> None:
    assert sound(GOOD[:at] + bytes([value]) + GOOD[at + 1 :])


@given(first=st.integers(0, len(GOOD)), second=st.integers(0, len(GOOD)))
def test_no_part_that_is_cut_out_or_doubled_is_read_as_another_archive(first: int, second: int) -> None:
    low, high = sorted((first, second))
    assert sound(GOOD[:low] + GOOD[high:])
    assert sound(GOOD[:high] + GOOD[low:])


def test_labels_that_differ_in_case_only_lie_in_different_files() -> None:
    def place(label: str, digest: str) -> str:
        return entry_of("task", "a", label, media="yaml", content_hash=digest * 8)

    assert "tasks/a/1.0.0-rc.yaml" == place("1.0.0-rc", "01234567")
    assert "tasks/a/1.0.0-rc-89abcdef.yaml" == place("1.0.0-RC", "89abcdef")


def test_many_random_changes_at_once_are_refused() -> None:
    chance = random.Random(7)
    for _ in range(500):
        data = bytearray(GOOD)
        for _ in range(chance.randrange(1, 20)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        assert sound(bytes(data))


def test_the_limits_are_those_that_the_page_names() -> None:
    page = (ROOT / "docs" / "reference" / "packages.md").read_text()
    for row in (
        f"| a package, and any export | {PACKAGE_BYTES // MIB} MiB |",
        f"| definitions | {PACKAGE_FILES} |",
        f"| one source | {DOCUMENT_BYTES // KIB} KiB |",
        f"| manifest | {PACKAGE_MANIFEST_BYTES // MIB} MiB |",
        f"| name of an entry | {NAME_BYTES} bytes of ASCII |",
    ):
        assert row in page
    assert 4 * ((PACKAGE_BYTES + 2) // 3) < REQUEST_BYTES


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="too long"):
        read_archive(write_archive({"tasks/" + "a" * NAME_BYTES: b""}))
