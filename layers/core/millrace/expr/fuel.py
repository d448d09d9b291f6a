"""What bounds an evaluation: a count of steps and a count of bytes made.

Fuel is charged before work is done or memory is taken, by amounts that depend on the expression and its data
alone, so the same evaluation runs out at the same place on every machine.
"""

from __future__ import annotations

from millrace.base.limits import EXPRESSION_FUEL, EXPRESSION_OUTPUT_BYTES
from millrace.expr.faults import Site


class Fuel:
    """``steps`` and ``output`` (bytes) are what is left. One counter may serve many evaluations in a row."""

    __slots__ = ("output", "steps")

    def __init__(self, steps: int = EXPRESSION_FUEL, output: int = EXPRESSION_OUTPUT_BYTES) -> None:
        self.steps = steps
        self.output = output

    def __repr__(self) -> str:
        return f"Fuel(steps={self.steps}, output={self.output})"

    def spend(self, steps: int, site: Site) -> None:
        """Raises ExpressionError with reason ``fuel`` when fewer than ``steps`` are left."""
        self.steps -= steps
        if self.steps < 0:
            raise site.fault(
                "fuel",
                "this expression takes more evaluation steps than are allowed",
                hint="do the work on fewer items, or split it over several tasks",
            )

    def grow(self, size: int, site: Site) -> None:
        """Raises ExpressionError with reason ``size`` when fewer than ``size`` bytes are left."""
        self.output -= size
        if self.output < 0:
            raise site.fault(
                "size",
                "this expression makes more data than is allowed",
                hint="pass the data on by a whole-value expression instead of building text from it",
            )


def text_bytes(text: str) -> int:
    """An upper bound of the UTF-8 size of a text, in constant time: four bytes a character unless it is ASCII."""
    return len(text) if text.isascii() else 4 * len(text)
