from __future__ import annotations

from collections.abc import Iterator

import pytest

from millrace import wiring
from millrace.services.platform import Platform
from tests.functions.world import platform


@pytest.fixture()
def world() -> Iterator[Platform]:
    """A fresh platform, in use by every function until the test ends."""
    made = platform()
    wiring.use(made)
    try:
        yield made
    finally:
        wiring.use(None)
