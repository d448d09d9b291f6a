"""Blobs on S3. The client comes from wiring, with its timeouts and retries; every call here may be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from millrace.adapters.aws import client_errors, judge, unavailable
from millrace.adapters.names import blob_parts, part, segment
from millrace.base.errors import BlobMissing, StoreUnavailable
from millrace.ports.documents import TenantScope

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


PAGE_KEYS: Final = 1000
"""What S3 lists, and deletes, in one request."""


class S3Blobs:
    """Objects ``<tenant>/<part>/<part>`` of one bucket. With ``kms_key`` they are encrypted under that key, without
    under the bucket's own. On a versioned bucket a delete leaves old versions to the bucket's lifecycle rule."""

    def __init__(self, client: S3Client, bucket: str, *, kms_key: str = "", page: int = PAGE_KEYS) -> None:
        self._client = client
        self._bucket = bucket
        self._page = page
        self._encryption: dict[str, Any] = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}
            if kms_key
            else {"ServerSideEncryption": "AES256"}
        )

    @staticmethod
    def _name(parts: tuple[str, ...]) -> str:
        return "/".join(segment(part) for part in parts)

    def where(self, scope: TenantScope, key: tuple[str, ...]) -> tuple[str, str]:
        return self._bucket, self._name(blob_parts(scope, key))

    def put(self, scope: TenantScope, key: tuple[str, ...], data: bytes) -> None:
        name = self._name(blob_parts(scope, key))
        try:
            self._client.put_object(Bucket=self._bucket, Key=name, Body=data, **self._encryption)
        except client_errors() as error:
            raise unavailable(error, "writing the blob") from error

    def get(self, scope: TenantScope, key: tuple[str, ...]) -> bytes:
        name = self._name(blob_parts(scope, key))
        try:
            return self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read()
        except client_errors() as error:
            judged = judge(error)
            if judged is not None and judged.verdict == "absent":
                raise BlobMissing("the blob is not in the store", facts={"key": list(key)}) from error
            raise unavailable(error, "reading the blob") from error

    def delete_prefix(self, scope: TenantScope, prefix: tuple[str, ...]) -> int:
        gone = 0
        try:
            for names in self._pages(blob_parts(scope, prefix, whole=False)):
                answer = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": [{"Key": name} for name in names], "Quiet": True}
                )
                if answer.get("Errors"):
                    code = answer["Errors"][0].get("Code", "")
                    raise StoreUnavailable(f"deleting blobs failed ({code})", facts={"code": code})
                gone += len(names)
        except client_errors() as error:
            raise unavailable(error, "deleting blobs") from error
        return gone

    def keys(self, scope: TenantScope, prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        try:
            for names in self._pages(blob_parts(scope, prefix, whole=False)):
                yield from (tuple([part(piece) for piece in name.split("/")[1:]]) for name in names)
        except client_errors() as error:
            raise unavailable(error, "listing blobs") from error

    def _pages(self, parts: tuple[str, ...]) -> Iterator[list[str]]:
        """Object names page by page: the exact key, if it is one, and everything below it."""
        start = self._name(parts)
        paginator = self._client.get_paginator("list_objects_v2")
        for prefix in (start, f"{start}/"):
            for page in paginator.paginate(
                Bucket=self._bucket, Prefix=prefix, PaginationConfig={"PageSize": 1 if prefix == start else self._page}
            ):
                names = [entry["Key"] for entry in page.get("Contents", [])]
                kept = [name for name in names if name == start] if prefix == start else names
                if kept:
                    yield kept
                if prefix == start:
                    break  # the exact name sorts first of all that begin with it
