"""A client that never stops sending does not keep an execution from ending."""

from __future__ import annotations

import random

from millrace.store.executions import Message

from .faults import Faults
from .graphs import SMALL, make_plan
from .invariants import judge_end
from .world import Options, World


class Flooded(World):
    """After each start, signals go out without a pause until the execution takes no more."""

    async def client(self, plan, number):  # type: ignore[no-untyped-def]
        await super().client(plan, number)
        execution = self.record.started[-1]
        for signal in range(3_000):
            if not await self._send(execution, Message(id=f"f{signal}", kind="signal", name="go")):
                return
        raise AssertionError("the execution never ended")


def test_an_execution_ends_under_a_stream_of_signals_and_keeps_every_acknowledged_one() -> None:
    for seed in range(5):
        options = Options(plans=[make_plan(SMALL["chain3"])], exclusive=seed % 2 == 0, attempt_s=0.05)
        world = Flooded(seed, options, Faults(random.Random(seed), latency_s=0.02))
        world.run()
        assert [] == judge_end(world)
        assert 10 < len(world.record.sent) < 3_000
