"""On AWS the platform comes from the environment alone, and builds no client before it is used."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Final

import pytest
from msgspec.structs import replace

from millrace import wiring
from millrace.adapters.http.transport import KEEP_ALIVE_S
from millrace.adapters.memory import ManualClock
from millrace.base.errors import InvalidRequest
from millrace.wiring.aws import Later, open_aws
from millrace.wiring.driving import STOOD_STILL_MS, open_driving
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


class Kept:
    """A runner that keeps connections."""

    type = "http"
    effect = "unknown"

    def __init__(self) -> None:
        self.closed = 0

    async def aclose(self) -> None:
        self.closed += 1


def test_connections_do_not_outlive_a_sandbox_that_stood_still() -> None:
    kept, clock = Kept(), ManualClock()
    platform = replace(open_aws(Settings(**FILLED)), clock=clock)
    opened = open_driving(platform, Settings(**FILLED))
    runners: Any = {"http": kept}
    driving = replace(opened, world=replace(opened.world, runners=runners))
    closed = []
    for gap in (1, STOOD_STILL_MS, STOOD_STILL_MS + 1):
        with driving.awake():
            clock.advance(60_000)
            with driving.awake():  # another one beside it, as tests have them
                clock.advance(60_000)
            closed.append(kept.closed)
        clock.advance(gap)
    with driving.awake():
        assert [1, 1, 1, 2] == [*closed, kept.closed]
    opened.close()
    driving.loop.close()


def test_what_counts_as_standing_still_is_how_long_the_pool_keeps_a_connection() -> None:
    assert KEEP_ALIVE_S * 1000 == STOOD_STILL_MS


def test_who_starts_an_execution_is_answered_though_step_functions_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    orchestrator: Any = open_aws(Settings(**FILLED)).orchestrator
    config = orchestrator._client.meta.config
    assert 20 > config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout)
