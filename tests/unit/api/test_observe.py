from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from millrace.api.current import Request
from millrace.api.observe import logger, observe, use_level
from millrace.base.errors import Corrupt, NotFound
from millrace.services.caller import Caller


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture()
def lines() -> Iterator[list[str]]:
    use_level("INFO")
    log = logger("observe-test")
    kept = Kept()
    kept.setFormatter(log.registered_formatter)
    log.addHandler(kept)
    try:
        yield kept.lines
    finally:
        log._logger.removeHandler(kept)
        use_level("WARNING")


CANARY = "canary-7f3a"
REQUEST = Request(
    method="POST",
    path=f"/api/v1/workflows/{CANARY}",
    request_id="r-1",
    event={"body": CANARY},
    query={"message": CANARY},
    headers={"authorization": CANARY},
    raw=CANARY.encode(),
    body={"input": CANARY},
    template="/api/v1/workflows/<name>",
    caller=Caller(tenant="acme", principal="ann"),
)


def test_a_line_names_the_request_and_nothing_that_it_carried(lines: list[str]) -> None:
    observe("observe-test", REQUEST, status=404, seconds=0.25, error=NotFound(CANARY))
    line = json.loads(lines[0])
    expected = {"requestId": "r-1", "status": 404, "milliseconds": 250.0, "tenant": "acme", "code": "not-found"}
    assert expected.items() <= line.items()
    assert CANARY not in lines[0]


def test_damage_is_a_warning_and_a_defect_an_error_with_its_trace(lines: list[str]) -> None:
    observe("observe-test", REQUEST, status=500, seconds=0, error=Corrupt("x"))
    observe("observe-test", REQUEST, status=500, seconds=0, error=ValueError("x"))
    assert ["WARNING", "ERROR"] == [json.loads(line)["level"] for line in lines]
    assert "ValueError" == json.loads(lines[1])["exception_name"]


def test_at_the_usual_level_a_request_that_went_well_writes_nothing(lines: list[str]) -> None:
    use_level("WARNING")
    observe("observe-test", REQUEST, status=200, seconds=0, error=None)
    assert [] == lines


def test_a_stranger_and_an_unmatched_path_have_a_line_too(lines: list[str]) -> None:
    observe("observe-test", Request("GET", "/\n", "r-2", {}), status=401, seconds=0, error=None)
    line = json.loads(lines[0])
    assert ("unmatched", "", "") == (line["route"], line["tenant"], line["principal"])
