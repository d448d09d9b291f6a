"""An execution whose loop runs in lanes, all driven on one loop, and a process that dies at any step between them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from millrace.services.loop_lanes import LoopLanes

from .families import Family, Steps
from .runs import Script


class LaneSteps(Steps):
    """The lanes of an execution, with a count of the calls."""

    def tell(self, *given: Any) -> Any:
        return self._call("tell", *given)

    def report(self, *given: Any) -> Any:
        return self._call("report", *given)


class Spread(Family):
    """A platform whose driver runs every execution and every lane."""

    def __init__(self, script: Script | None = None, **world: Any) -> None:
        super().__init__(script, **world)
        self.steps = LaneSteps(LoopLanes(lambda: self.platform))  # type: ignore[arg-type]
        self.world = replace(self.world, lanes=self.steps)

    def each(self, tasks: list[dict[str, Any]], items: Any, **block: Any) -> str:
        """Start a workflow of one loop in lanes; ``block`` belongs to the forEach, but for ``after`` and ``spec``."""
        after, spec = block.pop("after", []), block.pop("spec", {})
        each = {"items": items, "mode": "distributed", **block}
        return self.begin([{"id": "loop", "forEach": each, "tasks": tasks}, *after], **spec)
