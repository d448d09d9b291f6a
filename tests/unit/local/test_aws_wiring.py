"""On AWS the platform comes from the environment alone, and builds no client before it is used."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Final

import pytest
from msgspec.structs import replace

from millrace import wiring
from millrace.base.errors import InvalidRequest
from millrace.wiring.aws import Later, open_aws
from millrace.wiring.driving import open_driving
from millrace.wiring.settings import Settings

ENVIRONMENT = {
    "MILLRACE_REGION": "eu-central-1",
    "MILLRACE_TABLE_DEFINITIONS": "d",
    "MILLRACE_TABLE_HISTORY": "h",
    "MILLRACE_TABLE_STATISTICS": "s",
    "MILLRACE_BUCKET": "b",
    "MILLRACE_STATE_MACHINE": "arn:aws:states:eu-central-1:000000000000:stateMachine:m",
}
FILLED: Final[dict[str, Any]] = {
    "region": "eu-central-1",
    "table_definitions": "d",
    "table_history": "h",
    "table_statistics": "s",
    "bucket": "b",
}


@pytest.fixture(autouse=True)
def _nothing_open() -> None:
    wiring.use(None)


def test_the_environment_of_the_template_gives_a_platform_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    platform = wiring.current()
    assert "eu-central-1" == platform.region
    assert platform is wiring.current()
    wiring.use(None)


def test_without_tables_there_is_no_platform() -> None:
    with pytest.raises(InvalidRequest, match="no platform is open"):
        wiring.current()


def test_a_missing_name_is_said() -> None:
    with pytest.raises(InvalidRequest, match="MILLRACE_BUCKET"):
        open_aws(Settings(table_definitions="d", table_history="h", table_statistics="s"))
    assert not replace(Settings(), bucket="b").on_aws


def test_opening_imports_noclient_of() -> None:
    script = "import sys, os; from millrace import wiring; wiring.current(); print('boto3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert ("False", "") == (done.stdout.strip(), done.stderr)


def test_a_client_is_made_once_and_only_when_needed() -> None:
    made: list[str] = []

    def make() -> str:
        made.append("made")
        return "text"

    later = Later(make)
    assert [] == made
    assert ("TEXT", "Text") == (later.upper(), later.title())
    assert ["made"] == made


def test_clients_use_the_region_and_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    from millrace.wiring.aws import client_of

    client = client_of("s3", Settings(region="eu-central-1", endpoint="http://127.0.0.1:1"))
    assert ("http://127.0.0.1:1", "eu-central-1") == (client.meta.endpoint_url, client.meta.region_name)


def test_functions_that_are_silent_for_long_keep_their_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    settings = Settings(**FILLED)
    driving = open_driving(open_aws(settings), settings)
    runner: Any = driving.world.runners["lambda"]
    config = runner._functions._client.meta.config
    assert (True, 840, 1) == (config.tcp_keepalive, config.read_timeout, config.retries["total_max_attempts"])
    driving.close()
