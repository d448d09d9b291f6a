"""Faults of the file adapters: full disks, wrong permissions, tampered and missing files."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from millrace.adapters.files import DirectoryBlobs, FileSecrets, durable
from millrace.base.errors import BlobMissing, Conflict, Corrupt, StoreUnavailable
from millrace.ports.documents import TenantScope
from millrace.ports.secrets import Secret

SCOPE, OTHER = TenantScope("t"), TenantScope("u")
CANARY = "canary-7f3a"


def test_a_temporary_file_left_by_a_crash_is_no_blob_and_goes_with_its_folder(tmp_path: Path) -> None:
    blobs = DirectoryBlobs(tmp_path)
    blobs.put(SCOPE, ("run", "a"), b"1")
    (tmp_path / "t" / "run" / f"{durable.TEMPORARY}1-1").write_bytes(b"half")
    assert [("run", "a")] == list(blobs.keys(SCOPE, ()))
    assert 1 == blobs.delete_prefix(SCOPE, ("run",))
    assert [] == list((tmp_path / "t").iterdir())


def test_a_write_that_fails_leaves_the_old_content_and_no_temporary_file(tmp_path: Path) -> None:
    target = tmp_path / "name"
    target.mkdir()
    with pytest.raises(OSError):
        durable.write(target, b"x")
    assert ["name"] == [path.name for path in tmp_path.iterdir()]


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    durable.make_folder(tmp_path / "a" / "b", sync=False)
    durable.write(tmp_path / "a" / "b" / "c", b"x", sync=False)
    assert 0o700 == (tmp_path / "a").stat().st_mode & 0o777
    assert 0o600 == (tmp_path / "a" / "b" / "c").stat().st_mode & 0o777


def test_a_blob_store_in_the_place_of_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    blobs = DirectoryBlobs(tmp_path / "file", sync=False)
    with pytest.raises(StoreUnavailable):
        blobs.put(SCOPE, ("a",), b"x")
    with pytest.raises(StoreUnavailable):
        blobs.get(SCOPE, ("a",))


def test_a_blob_that_became_a_folder_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "t" / "a~").mkdir(parents=True)
    blobs = DirectoryBlobs(tmp_path)
    with pytest.raises(StoreUnavailable):
        blobs.get(SCOPE, ("a",))
    with pytest.raises(StoreUnavailable):
        blobs.put(SCOPE, ("a",), b"x")


def test_a_blob_store_below_a_dangling_link_is_unavailable_and_not_endless(tmp_path: Path) -> None:
    (tmp_path / "t").symlink_to(tmp_path / "nowhere" / "below")
    with pytest.raises(StoreUnavailable):
        DirectoryBlobs(tmp_path).put(SCOPE, ("a",), b"x")
    with pytest.raises(BlobMissing):
        DirectoryBlobs(tmp_path).get(SCOPE, ("a",))


def test_a_put_beside_a_delete_of_the_same_folder_always_succeeds(tmp_path: Path) -> None:
    blobs = DirectoryBlobs(tmp_path, sync=False)
    done = threading.Event()

    def delete() -> None:
        while not done.is_set():
            blobs.delete_prefix(SCOPE, ())

    deleter = threading.Thread(target=delete)
    deleter.start()
    try:
        for number in range(300):
            blobs.put(SCOPE, ("run", str(number % 3), "a"), b"x")
    finally:
        done.set()
        deleter.join()
    blobs.put(SCOPE, ("run", "last"), b"x")
    assert b"x" == blobs.get(SCOPE, ("run", "last"))


@pytest.fixture
def secrets(tmp_path: Path) -> FileSecrets:
    store = FileSecrets(tmp_path)
    store.put(SCOPE, "a", Secret(CANARY, ("h.example",)))
    store.put(SCOPE, "b", Secret("other"))
    return store


def test_no_file_shows_a_secret_and_both_are_their_owners_alone(secrets: FileSecrets, tmp_path: Path) -> None:
    files = sorted(tmp_path.iterdir())
    assert ["secrets.json", "secrets.key"] == [path.name for path in files]
    assert not any(CANARY.encode() in path.read_bytes() or b"h.example" in path.read_bytes() for path in files)
    assert [0o600, 0o600] == [path.stat().st_mode & 0o777 for path in files]


def test_the_same_value_is_sealed_differently_each_time(secrets: FileSecrets, tmp_path: Path) -> None:
    first = json.loads((tmp_path / "secrets.json").read_text())["secrets"]["t"]["a"]
    secrets.put(SCOPE, "a", Secret(CANARY, ("h.example",)))
    assert first != json.loads((tmp_path / "secrets.json").read_text())["secrets"]["t"]["a"]


def _edited(tmp_path: Path, edit) -> None:
    path = tmp_path / "secrets.json"
    held = json.loads(path.read_text())
    edit(held["secrets"])
    path.write_text(json.dumps(held))


EDITS = {
    "swapped names": lambda held: held["t"].update(a=held["t"]["b"], b=held["t"]["a"]),
    "another tenant": lambda held: held.update(t={"a": held["t"]["b"]}),
    "cut off": lambda held: held["t"].update(a=held["t"]["a"][:8]),
    "no base 64": lambda held: held["t"].update(a="***"),
    "flipped": lambda held: held["t"].update(a=held["t"]["a"][:-8] + "AAAAAAA="),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_entry_that_was_moved_or_changed_does_not_open(secrets: FileSecrets, tmp_path: Path, edit) -> None:
    _edited(tmp_path, edit)
    with pytest.raises(Corrupt) as caught:
        secrets.get(SCOPE, "a")
    assert CANARY not in str(caught.value) + caught.value.hint + repr(caught.value.facts)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"secrets": []}'])
def test_a_damaged_file_is_named(secrets: FileSecrets, tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(Corrupt) as caught:
        secrets.names(SCOPE)
    assert "secrets.json" in caught.value.message


def test_a_missing_key_is_never_replaced_while_secrets_need_it(secrets: FileSecrets, tmp_path: Path) -> None:
    (tmp_path / "secrets.key").unlink()
    with pytest.raises(Corrupt):
        secrets.get(SCOPE, "a")
    with pytest.raises(Corrupt):
        secrets.put(SCOPE, "c", Secret("x"))
    assert not (tmp_path / "secrets.key").exists()


def test_another_key_or_a_short_one_opens_nothing(secrets: FileSecrets, tmp_path: Path) -> None:
    for key in (b"k" * 32, b"short"):
        (tmp_path / "secrets.key").write_bytes(key)
        with pytest.raises(Corrupt):
            secrets.get(SCOPE, "a")


def test_a_key_that_others_may_read_is_refused_with_the_command_that_mends_it(
    secrets: FileSecrets, tmp_path: Path
) -> None:
    os.chmod(tmp_path / "secrets.key", 0o640)
    with pytest.raises(Conflict) as caught:
        secrets.get(SCOPE, "a")
    assert f"run: chmod 600 {tmp_path / 'secrets.key'}" == caught.value.hint


def test_a_folder_that_cannot_be_used_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailable):
        FileSecrets(tmp_path / "file").names(SCOPE)
    (tmp_path / "data" / "secrets.key").mkdir(parents=True)
    with pytest.raises(StoreUnavailable):
        FileSecrets(tmp_path / "data").put(SCOPE, "a", Secret("x"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secrets.json").symlink_to(tmp_path / "other" / "secrets.json" / "x")
    with pytest.raises(StoreUnavailable):
        FileSecrets(tmp_path / "other").put(SCOPE, "a", Secret("x"))


def test_a_secret_survives_a_new_object_over_the_same_folder(secrets: FileSecrets, tmp_path: Path) -> None:
    assert Secret(CANARY, ("h.example",)) == FileSecrets(tmp_path).get(SCOPE, "a")
