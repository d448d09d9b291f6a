"""Executions that start executions, all driven on one loop, and a process that dies at any step between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from millrace.base.errors import StoreUnavailable
from millrace.driver.advance import advance
from millrace.driver.world import Children, Done, Wait
from millrace.services.child_executions import ChildExecutions

from .runs import SCOPE, Local, Script, workflow


class Steps(Children):
    """The executions around one, with a count of the calls; ``on_step`` is asked before and after each."""

    def __init__(self, inner: Children) -> None:
        self.inner = inner
        self.calls: list[str] = []
        self.on_step: Callable[[], None] = lambda: None

    def _call(self, name: str, *given: Any) -> Any:
        self.on_step()
        self.calls.append(name)
        answer = getattr(self.inner, name)(*given)
        self.on_step()
        return answer

    def start(self, *given: Any) -> Any:
        return self._call("start", *given)

    def cancel(self, *given: Any) -> Any:
        return self._call("cancel", *given)

    def notify(self, *given: Any) -> Any:
        return self._call("notify", *given)


class Family(Local):
    """A platform whose driver runs every execution that was started, one after the other, until all are over."""

    def __init__(self, script: Script | None = None, **world: Any) -> None:
        super().__init__(script, **{"exclusive": True, **world})
        self.steps = Steps(ChildExecutions(lambda: self.platform))
        self.world = replace(self.world, children=self.steps)

    @staticmethod
    def unavailable() -> StoreUnavailable:
        return StoreUnavailable("The store does not answer.")

    def members(self) -> list[str]:
        return list(dict.fromkeys(execution for _, execution in self.orchestrator.started))

    def settle(self) -> None:
        """Drive all until each is over, or waits for what nobody here brings."""
        for _ in range(60):
            found = {execution: self.drive(execution) for execution in self.members()}
            if all(isinstance(one, Done) for one in found.values()) and len(found) == len(self.members()):
                return
            due = [one.wake_at for one in found.values() if isinstance(one, Wait) and one.wake_at is not None]
            self.run(asyncio.sleep(0.05 if not due else max(0.05, (min(due) - self.clock.now()) / 1000)))

    def die_at(self, step: int) -> bool:
        """Drive all, and stop dead at a step: before or after a commit or a call. False if there are not so many."""
        left = step

        async def driven(execution: str) -> bool:
            dead = asyncio.Event()

            def count() -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    dead.set()

            def called() -> None:
                count()
                if left < 0:
                    raise StoreUnavailable("The process has died.")

            def committed(_ops: Any) -> None:
                count()
                if left < 0:
                    raise asyncio.CancelledError

            self.steps.on_step = called
            self.io.before_commit = self.io.after_commit = committed
            ours = asyncio.ensure_future(advance(self.world, SCOPE, execution))
            ends = asyncio.ensure_future(dead.wait())
            await asyncio.wait([ours, ends], return_when=asyncio.FIRST_COMPLETED)
            ours.cancel()
            ends.cancel()
            await asyncio.gather(ours, ends, return_exceptions=True)
            return dead.is_set()

        try:
            for _ in range(12):
                for execution in self.members():
                    if self.run(driven(execution)):
                        return True
            return False
        finally:
            self.steps.on_step = lambda: None
            self.io.before_commit = self.io.after_commit = lambda _ops: None

    def family(self, parent: list[dict[str, Any]], child: list[dict[str, Any]], value: Any = None, **spec: Any) -> str:
        """Publish the workflow ``child``, and start one of ``parent`` tasks that runs it."""
        self.publish(workflow("child", child, **spec.pop("inner", {})))
        return self.begin(parent, value, **spec)
