"""infra/storage.yaml and the DynamoDB adapter name the same keys, indexes and streams; moto accepts the template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from millrace.adapters.dynamodb.schema import EXPIRES, STREAMED, table_definition
from millrace.ports.documents import Table

TEMPLATE = Path(__file__).parents[3] / "infra" / "storage.yaml"
TABLES = {table: f"{str(table).capitalize()}Table" for table in Table}


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as ``{"!Name": argument}``."""


Loader.add_multi_constructor("!", lambda loader, tag, node: {f"!{tag}": node.value})


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    return yaml.load(TEMPLATE.read_text(), Loader)["Resources"]


@pytest.mark.parametrize("table", Table)
def test_a_table_has_the_keys_and_indexes_of_the_adapter(resources: dict[str, Any], table: Table) -> None:
    properties = resources[TABLES[table]]["Properties"]
    definition = table_definition(table)
    for part in ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"):
        assert definition[part] == properties[part]
    expected = {"StreamViewType": "NEW_IMAGE"} if table in STREAMED else None
    assert expected == properties.get("StreamSpecification")
    assert (expected is not None) == ("StreamSpecification" in definition)


@pytest.mark.parametrize("table", Table)
def test_a_table_is_encrypted_restorable_expiring_and_outlives_its_stack(resources: dict, table: Table) -> None:
    resource = resources[TABLES[table]]
    properties = resource["Properties"]
    assert ("Retain", "Retain") == (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
    assert {"SSEEnabled": True} == properties["SSESpecification"]
    assert {"PointInTimeRecoveryEnabled": True} == properties["PointInTimeRecoverySpecification"]
    assert {"AttributeName": EXPIRES, "Enabled": True} == properties["TimeToLiveSpecification"]


def test_tables_with_indexes_are_made_one_after_the_other(resources: dict[str, Any]) -> None:
    tables = {name: one for name, one in resources.items() if one["Type"] == "AWS::DynamoDB::Table"}
    order = [name for name in tables if "DependsOn" not in tables[name]]
    while following := [name for name, one in tables.items() if one.get("DependsOn") == order[-1]]:
        order += following
    assert ["DefinitionsTable", "HistoryTable", "StatisticsTable"] == order


def test_the_bucket_is_private_versioned_encrypted_and_forgets_old_versions(resources: dict[str, Any]) -> None:
    properties = resources["BlobBucket"]["Properties"]
    assert {"Status": "Enabled"} == properties["VersioningConfiguration"]
    assert {True} == set(properties["PublicAccessBlockConfiguration"].values())
    assert 4 == len(properties["PublicAccessBlockConfiguration"])
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert any("NoncurrentVersionExpiration" in rule for rule in properties["LifecycleConfiguration"]["Rules"])
