"""S3 by moto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from millrace.adapters.s3 import S3Blobs
from tests.conformance.documents.cloud import REGION, mocked_aws

BUCKET = "millrace-blobs"


def s3_client():
    import boto3

    client = boto3.client("s3", region_name=REGION)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return client


@contextmanager
def s3_blobs() -> Iterator[S3Blobs]:
    with mocked_aws():
        yield S3Blobs(s3_client(), BUCKET)
