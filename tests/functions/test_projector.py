"""The projector function counts what a stream delivers, once, however often it is delivered."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from millrace import wiring
from millrace.wiring.projecting import Projecting
from tests.conformance.documents.cloud import REGION, TABLES, make_tables, mocked_aws

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "MILLRACE_REGION": REGION,
    "MILLRACE_TABLE_DEFINITIONS": TABLES["definitions"],  # type: ignore[index]
    "MILLRACE_TABLE_HISTORY": TABLES["history"],  # type: ignore[index]
    "MILLRACE_TABLE_STATISTICS": TABLES["statistics"],  # type: ignore[index]
    "MILLRACE_BUCKET": "b",
}


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    wiring.use(None)
    with mocked_aws():
        make_tables()
        yield
    wiring.use(None)


def batch() -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / "projector-stream.json").read_text())
    return event


def counts() -> list[dict[str, Any]]:
    found = boto3.client("dynamodb", region_name=REGION).scan(TableName=SETTINGS["MILLRACE_TABLE_STATISTICS"])["Items"]
    return sorted(found, key=lambda item: (item["_pk"]["S"], item["_sk"]["S"]))


def test_a_batch_is_counted() -> None:
    assert 1 == Projecting()(batch())
    assert [] != counts()


def test_a_batch_that_comes_again_changes_nothing() -> None:
    Projecting()(batch())
    before = counts()
    Projecting()(batch())
    assert before == counts()


def test_what_is_not_marked_for_the_feed_is_left_alone() -> None:
    event = batch()
    for record in event["Records"]:
        record["dynamodb"]["NewImage"].pop("_feed")
    assert 0 == Projecting()(event)
    assert [] == counts()


def test_the_sample_holds_a_segment_as_the_store_writes_it() -> None:
    (image,) = (record["dynamodb"]["NewImage"] for record in batch()["Records"])
    assert "ExecutionStarted" in base64.b64decode(image["body"]["B"]).decode()
