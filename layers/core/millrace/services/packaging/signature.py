"""Ed25519 signatures over a package's manifest, which names every file by its digest.

A signature carries its public key, so a changed manifest is seen without any key; who signed is known only to a
caller that brings the key it trusts. The signed bytes begin with the purpose, so a signature made for something
else never fits (RFC 8032; the signature is deterministic, and so is the signed package).
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from millrace.base.canonical import dumps, parse_json, sha256
from millrace.base.errors import InvalidRequest
from millrace.services.packaging.archive import write_archive
from millrace.services.packaging.entries import MANIFEST, SIGNATURE
from millrace.services.packaging.manifest import FORMAT
from millrace.services.packaging.refusals import refused
from millrace.services.packaging.unpacking import read_archive

_PURPOSE: Final = f"{FORMAT} manifest\n".encode()
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_KEY_HINT: Final = "Make a pair: openssl genpkey -algorithm ed25519 -out key.pem; openssl pkey -in key.pem -pubout"


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """``public_key`` is 64 hex digits, ``value`` base64 of 64 bytes."""

    algorithm: Literal["ed25519"]
    public_key: str
    value: str

    @property
    def key_id(self) -> str:
        """16 hex digits by which people tell keys apart."""
        return sha256(bytes.fromhex(self.public_key))[:16]


def sign(package: bytes, private_key: bytes) -> bytes:
    """The package with a signature in it, in place of any it had; ``private_key`` is PEM.

    Raises InvalidRequest on a key that is no Ed25519 private key and on what is no package.
    """
    from cryptography.hazmat.primitives import serialization

    key = _private(private_key)
    files = read_archive(package)
    if MANIFEST not in files:
        raise refused("it has no manifest")
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    value = base64.b64encode(key.sign(_PURPOSE + files[MANIFEST])).decode()
    signature = Signature("ed25519", raw.hex(), value)
    return write_archive({**files, SIGNATURE: dumps(msgspec.to_builtins(signature))})


def check_signature(files: dict[str, bytes], *, trusted: str | None, required: bool) -> Signature | None:
    """The signature of a package's files, None when it has none. ``trusted`` is the public key (hex) that must have
    signed. Raises InvalidRequest when it is wrong, by another key, or missing while a key is named."""
    if required and trusted is None:
        raise InvalidRequest(
            "a signature is required and no key is named: one by an unknown key proves nothing",
            hint="Name the public key that you trust.",
        )
    if trusted is not None and not _HEX.fullmatch(trusted):
        raise InvalidRequest("the trusted key is not 64 hex digits", hint=_KEY_HINT)
    if SIGNATURE not in files:
        if trusted is not None:
            raise refused("it is not signed", hint="Ask for a signed package, or import it without a key.")
        return None
    signature = _read(files[SIGNATURE])
    if trusted is not None and signature.public_key != trusted:
        raise refused(f"it is signed by the key {signature.key_id}, not by the one that is trusted")
    if not _fits(signature, files[MANIFEST]):
        raise refused("its signature does not fit its manifest")
    return signature


def public_key(file: Path) -> str:
    """The public key (hex) in a PEM file, of a public or a private key. Raises InvalidRequest, OSError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    data = file.read_bytes()
    try:
        if b"PRIVATE KEY" in data:
            key: Any = serialization.load_pem_private_key(data, password=None).public_key()
        else:
            key = serialization.load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidRequest("the file holds no Ed25519 key in PEM", hint=_KEY_HINT)
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()


def _private(data: bytes) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidRequest("the file holds no Ed25519 private key in PEM without a password", hint=_KEY_HINT)
    return key


def _read(data: bytes) -> Signature:
    try:
        signature = msgspec.convert(parse_json(data), Signature, strict=True)
    except msgspec.ValidationError as error:
        raise refused(f"its signature does not fit: {str(error)[:200]}") from None
    if dumps(msgspec.to_builtins(signature)) != data or not _HEX.fullmatch(signature.public_key):
        raise refused("its signature is not in the one form that signatures have")
    return signature


def _fits(signature: Signature, manifest: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        value = base64.b64decode(signature.value, validate=True)
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.public_key)).verify(value, _PURPOSE + manifest)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True
