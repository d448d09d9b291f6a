"""What only the S3, Secrets Manager and stream adapters do: encryption, faults, caching, conversion."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from millrace.adapters.dynamodb import feed_records
from millrace.adapters.dynamodb.marshal import plain, wire
from millrace.adapters.keys import Address
from millrace.adapters.memory import ManualClock
from millrace.adapters.s3 import S3Blobs
from millrace.adapters.secrets import ManagedSecrets
from millrace.base.errors import BlobMissing, Corrupt, NotFound, StoreUnavailable
from millrace.ports.documents import Index, IndexKey, Table, TenantScope
from millrace.ports.secrets import Secret
from tests.conformance.blobs.cloud import BUCKET, s3_client
from tests.conformance.documents.builders import item
from tests.conformance.documents.cloud import REGION, TABLES, mocked_aws

SCOPE = TenantScope("t")


@pytest.fixture
def aws() -> Iterator[None]:
    with mocked_aws():
        yield


def failing(client, *operations: str, code: str = "") -> None:
    """From now on these operations fail: with an answer of this code, or by a connection that closes."""

    def answer(**_: object):
        parsed = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return type("Answer", (), {"status_code": 400})(), parsed

    def close(request, **_: object) -> None:
        raise ConnectionClosedError(endpoint_url=request.url)

    for operation in operations:
        if code:
            client.meta.events.register(f"before-call.*.{operation}", answer)
        else:
            client.meta.events.register_first(f"before-send.*.{operation}", close)


@pytest.mark.usefixtures("aws")
def test_blobs_are_encrypted_by_the_bucket_or_by_a_key_that_is_named() -> None:
    client = s3_client()
    S3Blobs(client, BUCKET).put(SCOPE, ("a",), b"x")
    S3Blobs(client, BUCKET, kms_key="alias/own").put(SCOPE, ("b",), b"x")
    heads = [client.head_object(Bucket=BUCKET, Key=name) for name in ("t/a", "t/b")]
    assert ["AES256", "aws:kms"] == [head["ServerSideEncryption"] for head in heads]


@pytest.mark.usefixtures("aws")
def test_more_blobs_than_one_page_holds_are_listed_and_deleted() -> None:
    blobs = S3Blobs(s3_client(), BUCKET, page=4)
    for number in range(10):
        blobs.put(SCOPE, ("run", f"{number:04}"), b"")
    assert [("run", f"{number:04}") for number in range(10)] == list(blobs.keys(SCOPE, ("run",)))
    assert 10 == blobs.delete_prefix(SCOPE, ("run",))
    assert [] == list(blobs.keys(SCOPE, ()))


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("code", ["", "AccessDenied", "SlowDown", "NoSuchBucket"])
def test_a_failing_bucket_is_unavailable_and_never_a_missing_blob(code: str) -> None:
    client = s3_client()
    blobs = S3Blobs(client, BUCKET)
    blobs.put(SCOPE, ("a",), b"x")
    failing(client, "PutObject", "GetObject", "ListObjectsV2", code=code)
    for call in (
        lambda: blobs.put(SCOPE, ("a",), b"y"),
        lambda: blobs.get(SCOPE, ("a",)),
        lambda: blobs.delete_prefix(SCOPE, ()),
        lambda: list(blobs.keys(SCOPE, ())),
    ):
        with pytest.raises(StoreUnavailable):
            call()


@pytest.mark.usefixtures("aws")
def test_an_object_removed_behind_our_back_is_a_missing_blob() -> None:
    client = s3_client()
    blobs = S3Blobs(client, BUCKET)
    blobs.put(SCOPE, ("a",), b"x")
    client.delete_object(Bucket=BUCKET, Key="t/a")
    with pytest.raises(BlobMissing):
        blobs.get(SCOPE, ("a",))


@pytest.mark.usefixtures("aws")
def test_a_delete_that_leaves_objects_behind_says_so() -> None:
    client = s3_client()
    blobs = S3Blobs(client, BUCKET)
    blobs.put(SCOPE, ("a",), b"x")

    def refuse(**_: object):
        answer = {"Errors": [{"Key": "t/a", "Code": "AccessDenied"}], "ResponseMetadata": {"HTTPStatusCode": 200}}
        return type("Answer", (), {"status_code": 200})(), answer

    client.meta.events.register("before-call.s3.DeleteObjects", refuse)
    with pytest.raises(StoreUnavailable) as caught:
        blobs.delete_prefix(SCOPE, ())
    assert "AccessDenied" == caught.value.facts["code"]


class Vault:
    def __init__(self) -> None:
        self.client = boto3.client("secretsmanager", region_name=REGION)
        self.clock = ManualClock(0)
        self.secrets = ManagedSecrets(self.client, self.clock, prefix="millrace", ttl_ms=1000)


@pytest.fixture
def vault(aws: None) -> Vault:
    return Vault()


def test_a_secret_changed_elsewhere_is_seen_after_the_kept_time(vault: Vault) -> None:
    vault.secrets.put(SCOPE, "a", Secret("old"))
    assert "old" == vault.secrets.get(SCOPE, "a").value
    vault.client.put_secret_value(SecretId="millrace/t/a", SecretString='{"value": "new", "hosts": []}')
    vault.clock.advance(999)
    assert "old" == vault.secrets.get(SCOPE, "a").value
    vault.clock.advance(1)
    assert "new" == vault.secrets.get(SCOPE, "a").value


def test_a_secret_deleted_elsewhere_is_gone_after_the_kept_time(vault: Vault) -> None:
    vault.secrets.put(SCOPE, "a", Secret("old"))
    assert "old" == vault.secrets.get(SCOPE, "a").value
    vault.client.delete_secret(SecretId="millrace/t/a")
    assert not vault.secrets.has(SCOPE, "a")
    vault.clock.advance(1000)
    with pytest.raises(NotFound):
        vault.secrets.get(SCOPE, "a")


@pytest.mark.parametrize("text", ["canary", "[]", '{"value": "canary"}', '{"value": "canary", "hosts": 1}'])
def test_a_secret_in_another_form_is_refused_without_showing_it(vault: Vault, text: str) -> None:
    vault.client.create_secret(Name="millrace/t/a", SecretString=text)
    with pytest.raises(Corrupt) as caught:
        vault.secrets.get(SCOPE, "a")
    assert "canary" not in str(caught.value) + caught.value.hint + repr(caught.value.facts)
    assert caught.value.__suppress_context__


def test_a_secret_of_bytes_is_refused_too(vault: Vault) -> None:
    vault.client.create_secret(Name="millrace/t/a", SecretBinary=b'{"value": "v", "hosts": []}')
    with pytest.raises(Corrupt, match="not in our form"):
        vault.secrets.get(SCOPE, "a")


@pytest.mark.parametrize("code", ["", "AccessDeniedException", "ThrottlingException", "InternalServiceError"])
def test_a_failing_vault_is_unavailable_and_never_a_missing_secret(vault: Vault, code: str) -> None:
    failing(vault.client, "GetSecretValue", "CreateSecret", "DeleteSecret", "ListSecrets", "DescribeSecret", code=code)
    for call in (
        lambda: vault.secrets.get(SCOPE, "a"),
        lambda: vault.secrets.put(SCOPE, "a", Secret("canary")),
        lambda: vault.secrets.delete(SCOPE, "a"),
        lambda: vault.secrets.names(SCOPE),
        lambda: vault.secrets.has(SCOPE, "a"),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert "canary" not in str(caught.value) + repr(caught.value.facts)


def _stream_event(*records: tuple[str, str, dict]) -> dict:
    """An event as Lambda gets it: binary values as base 64 text."""
    out = []
    for number, (name, table, image) in enumerate(records):
        told = {k: {"B": base64.b64encode(v["B"]).decode()} if "B" in v else v for k, v in image.items()}
        dynamodb = {"SequenceNumber": f"{10**38 + number}", "StreamViewType": "NEW_IMAGE"}
        arn = f"arn:aws:dynamodb:eu-central-1:1:table/{table}/stream/2026-01-01T00:00:00.000"
        change = dynamodb | ({} if name == "REMOVE" else {"NewImage": told})
        out.append({"eventName": name, "eventSource": "aws:dynamodb", "eventSourceARN": arn, "dynamodb": change})
    return {"Records": out}


def test_stream_records_become_feed_records_of_marked_items_in_order() -> None:
    marked = item(
        "a", {"n": 1, "body": b"\0\xff", "m": {"B": "x"}}, indexes={Index.LIVE: IndexKey(("3",), "s")}, feed=True
    )
    plain_item = item("b", {"n": 2})

    def image(one):
        return wire(SCOPE, Address(Table.HISTORY, "t#thing", one.key.sort), one)

    event = _stream_event(
        ("INSERT", TABLES[Table.HISTORY], image(marked)),
        ("INSERT", TABLES[Table.HISTORY], image(plain_item)),
        ("REMOVE", TABLES[Table.HISTORY], {}),
        ("MODIFY", "another-table", image(marked)),
        ("MODIFY", TABLES[Table.HISTORY], image(marked)),
    )
    found = feed_records(event, TABLES)
    assert [(10**38, "t", marked), (10**38 + 4, "t", marked)] == [(one.sequence, one.tenant, one.item) for one in found]


def test_an_attribute_of_a_kind_that_is_never_written_is_corrupt() -> None:
    with pytest.raises(Corrupt):
        plain({"SS": ["a"]})


def test_a_secret_made_between_two_steps_of_a_put_is_replaced(vault: Vault) -> None:
    vault.client.create_secret(Name="millrace/t/a", SecretString="{}")
    vault.secrets.put(SCOPE, "a", Secret("mine"))
    assert "mine" == vault.secrets.get(SCOPE, "a").value
    with pytest.raises(ClientError):
        vault.client.create_secret(Name="millrace/t/a", SecretString="{}")
