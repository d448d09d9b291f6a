"""Signatures: by the key that is trusted, over the manifest that is there, or the package is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from millrace.base.canonical import dumps
from millrace.base.errors import InvalidRequest
from millrace.services.packaging import open_package, public_key, sign
from millrace.services.packaging.archive import write_archive
from millrace.services.packaging.unpacking import read_archive
from tests.unit.packaging.builders import package_of, remade, stocked

GOOD = package_of(stocked())


def pem(seed: int = 1, *, password: bytes | None = None) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def public_pem(seed: int = 1) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_of(tmp_path: Path, data: bytes) -> str:
    file = tmp_path / "key.pem"
    file.write_bytes(data)
    return public_key(file)


def with_signature(data: bytes, **changes: Any) -> bytes:
    files = read_archive(data)
    return write_archive({**files, "signature.json": dumps(json.loads(files["signature.json"]) | changes)})


def test_a_signed_package_is_taken_with_the_key_that_signed_it(tmp_path: Path) -> None:
    trusted = key_of(tmp_path, public_pem())
    assert trusted == key_of(tmp_path, pem())
    opened = open_package(sign(GOOD, pem()), trusted=trusted, signed=True)
    assert opened.signature is not None
    assert (trusted, 16) == (opened.signature.public_key, len(opened.signature.key_id))


def test_signing_is_deterministic_and_replaces_an_earlier_signature() -> None:
    assert sign(GOOD, pem()) == sign(sign(GOOD, pem(2)), pem())


def test_an_unsigned_package_is_taken_only_while_no_key_is_named(tmp_path: Path) -> None:
    assert open_package(GOOD).signature is None
    with pytest.raises(InvalidRequest, match="not signed"):
        open_package(GOOD, trusted=key_of(tmp_path, public_pem()))


def test_a_signature_by_another_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="not by the one that is trusted"):
        open_package(sign(GOOD, pem(2)), trusted=key_of(tmp_path, public_pem(1)))


def test_to_claim_the_trusted_key_is_not_enough(tmp_path: Path) -> None:
    trusted = key_of(tmp_path, public_pem(1))
    forged = with_signature(sign(GOOD, pem(2)), publicKey=trusted)
    with pytest.raises(InvalidRequest, match="does not fit its manifest"):
        open_package(forged, trusted=trusted)


def test_a_changed_manifest_is_seen_even_without_a_key() -> None:
    changed = remade(sign(GOOD, pem()), lambda manifest, files: manifest["package"].update(version="9.0.0"))
    with pytest.raises(InvalidRequest, match="does not fit its manifest"):
        open_package(changed)


def test_a_changed_source_is_seen_through_its_digest(tmp_path: Path) -> None:
    def change(manifest: dict[str, Any], files: dict[str, bytes]) -> None:
        files["tasks/shorten/1.2.0.yaml"] += b"# more\n"

    with pytest.raises(InvalidRequest, match="digest"):
        open_package(remade(sign(GOOD, pem()), change, digests=False), trusted=key_of(tmp_path, public_pem()))


def test_a_signature_of_the_same_manifest_for_another_purpose_does_not_fit() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
    value = base64.b64encode(key.sign(read_archive(GOOD)["manifest.json"])).decode()
    with pytest.raises(InvalidRequest, match="does not fit its manifest"):
        open_package(with_signature(sign(GOOD, pem()), value=value))


def test_a_required_signature_needs_the_name_of_a_key() -> None:
    with pytest.raises(InvalidRequest, match="no key is named"):
        open_package(sign(GOOD, pem()), signed=True)


@pytest.mark.parametrize("trusted", ["", "xyz", "0" * 63, "A" * 64, "\n" + "0" * 63])
def test_a_trusted_key_that_is_none_is_refused(trusted: str) -> None:
    with pytest.raises(InvalidRequest, match="64 hex digits"):
        open_package(sign(GOOD, pem()), trusted=trusted)


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "none"},
        {"algorithm": "hmac"},
        {"publicKey": "zz"},
        {"publicKey": "0" * 64},
        {"value": ""},
        {"value": "!"},
        {"value": "\u00e4"},
        {"value": base64.b64encode(b"\0" * 64).decode()},
        {"more": 1},
        {"value": None},
    ],
)
def test_a_signature_of_another_shape_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        open_package(with_signature(sign(GOOD, pem()), **changes))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b" {}"])
def test_a_signature_that_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        open_package(write_archive({**read_archive(GOOD), "signature.json": raw}))


ELLIPTIC = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@pytest.mark.parametrize("key", [b"", b"x", public_pem(), ELLIPTIC, pem(password=b"x")])
def test_only_an_ed25519_private_key_without_a_password_signs(key: bytes) -> None:
    with pytest.raises(InvalidRequest, match="Ed25519"):
        sign(GOOD, key)


@pytest.mark.parametrize("key", [b"", b"x", ELLIPTIC, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_only_an_ed25519_key_verifies(key: bytes, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="Ed25519"):
        key_of(tmp_path, key)


@pytest.mark.parametrize("data", [b"", b"x" * 100, write_archive({})])
def test_what_is_no_package_is_not_signed(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        sign(data, pem())


@pytest.mark.parametrize("kind", ["ec", "locked"])
def test_a_private_key_that_cannot_be_trusted_is_not_asked_to_be_private(tmp_path: Path, kind: str) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    data = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(InvalidRequest, match=r"^the file holds no Ed25519 key in PEM$"):
        key_of(tmp_path, data if kind == "ec" else pem(password=b"word"))
