"""What an attempt used, as stored: what was not measured is nothing, never one."""

from __future__ import annotations

import msgspec
import pytest

from millrace.engine.measures import ExchangeRecord, UsageRecord
from millrace.ports.runners import Exchange, Usage


def test_a_use_of_which_nothing_is_stored_is_a_use_of_nothing() -> None:
    stored = msgspec.json.decode(b"{}", type=UsageRecord)
    assert msgspec.structs.asdict(Usage()) == msgspec.structs.asdict(stored)
    assert b"{}" == msgspec.json.encode(stored)


@pytest.mark.parametrize("record", [UsageRecord, ExchangeRecord])
def test_every_number_that_is_not_stored_is_zero(record: type[msgspec.Struct]) -> None:
    fields = [field for field in msgspec.structs.fields(record) if field.type is int]
    assert {0} == {field.default for field in fields}


def test_an_exchange_that_did_not_happen_has_no_status() -> None:
    assert 0 == Exchange("GET", "https://x").status
