"""Every built function answers its sample event with nothing on its path but its own folder and the layers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from millrace.local.template import load_document
from tests.conformance.documents.cloud import REGION, TABLES, make_tables, mocked_aws
from tests.functions.runtime import Sandbox, invoke, sandbox

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / ".aws-sam" / "host"
BUCKET = "millrace-values"
SAMPLES = {
    "workflows-publish": "WorkflowsFunction",
    "workflows-start": "WorkflowsFunction",
    "tasks-list": "TasksFunction",
    "executions-read": "ExecutionsFunction",
    "breakers-list": "BreakersFunction",
    "health-read": "HealthFunction",
    "driver-advance": "DriverFunction",
    "driver-park": "DriverFunction",
    "driver-prepare": "DriverFunction",
    "driver-stall": "DriverFunction",
    "reconciler-schedule": "ReconcilerFunction",
    "projector-stream": "ProjectorFunction",
}
ROLE = "arn:aws:iam::123456789012:role/states"
MACHINE = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event


class Sent:
    """The functions of the build, over one AWS."""

    def __init__(self, here: Sandbox) -> None:
        self._here = here
        states = boto3.client("stepfunctions", region_name=REGION)
        machine = states.create_state_machine(name="m", definition=MACHINE, roleArn=ROLE)["stateMachineArn"]
        self._environment = {
            "MILLRACE_REGION": REGION,
            "MILLRACE_TABLE_DEFINITIONS": TABLES["definitions"],  # type: ignore[index]
            "MILLRACE_TABLE_HISTORY": TABLES["history"],  # type: ignore[index]
            "MILLRACE_TABLE_STATISTICS": TABLES["statistics"],  # type: ignore[index]
            "MILLRACE_BUCKET": BUCKET,
            "MILLRACE_STATE_MACHINE": machine,
            "MILLRACE_SHORT_STATE_MACHINE": machine,
            "MILLRACE_ENDPOINT": f"http://127.0.0.1:{here.port}",
        }

    def __call__(self, name: str) -> Any:
        kind, body = invoke(BUILT, SAMPLES[name], sample(name), self._environment, self._here)
        assert "response" == kind, body
        return body


@pytest.fixture(scope="module")
def sent() -> Iterator[Sent]:
    # Builds when there is no build of what the tree holds now.
    subprocess.run([sys.executable, ROOT / "tools" / "build_host.py"], cwd=ROOT, check=True, capture_output=True)
    with mocked_aws():
        make_tables()
        boto3.client("s3", region_name=REGION).create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        with sandbox() as here:
            yield Sent(here)


def test_every_function_has_a_sample() -> None:
    resources = load_document((ROOT / "template.yaml").read_text())["Resources"]
    functions = {name for name, one in resources.items() if one["Type"] == "AWS::Serverless::Function"}
    assert functions == set(SAMPLES.values())


def test_every_sample_is_sent() -> None:
    assert {path.stem for path in (ROOT / "events").glob("*.json")} == set(SAMPLES)


def test_a_workflow_is_published_and_started(sent: Sent) -> None:
    published = sent("workflows-publish")
    assert (201, "hello") == (published["statusCode"], json.loads(published["body"])["name"])
    started = sent("workflows-start")
    assert (202, "running") == (started["statusCode"], json.loads(started["body"])["status"])


def test_the_tasks_are_listed(sent: Sent) -> None:
    answer = sent("tasks-list")
    assert (200, []) == (answer["statusCode"], json.loads(answer["body"])["items"])


def test_an_unknown_execution_is_not_found(sent: Sent) -> None:
    assert 404 == sent("executions-read")["statusCode"]


def test_the_health_is_told(sent: Sent) -> None:
    assert 200 == sent("health-read")["statusCode"]


def test_an_execution_that_is_gone_is_done(sent: Sent) -> None:
    answer = sent("driver-advance")
    assert ("done", 1) == (answer["next"], answer["turn"])


def test_an_execution_that_is_gone_is_not_parked(sent: Sent) -> None:
    assert {"parked": False} == sent("driver-park")


def test_the_list_of_lanes_is_written_where_the_map_reads_it(sent: Sent) -> None:
    told = sent("driver-prepare")
    execution = sample("driver-prepare")["order"]["execution"]
    held = boto3.client("s3", region_name=REGION).get_object(Bucket=told["bucket"], Key=told["key"])["Body"].read()
    assert [f"{execution}.{stream}" for stream in range(1, 8)] == [one["execution"] for one in json.loads(held)]


def test_a_failure_is_told_in_one_line(sent: Sent) -> None:
    assert {"cause": "BlobCorrupt: the value is damaged"} == sent("driver-stall")


def test_the_reconciler_looks_around(sent: Sent) -> None:
    assert {"looked_at": 0, "woken": 0, "restarted": 0, "failed": 0} == sent("reconciler-schedule")


def test_the_stream_is_counted(sent: Sent) -> None:
    assert {"records": 1} == sent("projector-stream")


def test_the_layers_hold_bytecode_that_is_never_checked(sent: Sent) -> None:
    compiled = next((BUILT / "CoreLayer" / "python" / "millrace").rglob("*.pyc"))
    assert 0b01 == compiled.read_bytes()[4]  # PEP 552: hash-based, unchecked
