"""Keys to group by are as deep as values may be, through lists and through maps alike."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.base.errors import ExpressionError
from millrace.engine.transforms.keys import group_key
from millrace.expr.fuel import Fuel
from millrace.expr.values import DEPTH_MAX


@pytest.mark.parametrize("shape", ["list", "map"])
@pytest.mark.parametrize("deeper", [0, 1])
def test_a_key_may_be_nested_so_deep_and_no_deeper(shape: str, deeper: int) -> None:
    value: Any = 1
    for _ in range(DEPTH_MAX + 1 + deeper):
        value = [value] if shape == "list" else {"a": value}
    if deeper:
        with pytest.raises(ExpressionError, match="nested deeper"):
            group_key(value, Fuel())
    else:
        assert group_key(value, Fuel()) == group_key(value, Fuel())
