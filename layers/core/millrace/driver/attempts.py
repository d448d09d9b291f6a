"""Performing attempts: each one task on the loop, each result handed back to the one that drives the execution."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from millrace.base.ids import idempotency_key
from millrace.driver.guards import Guard
from millrace.driver.world import DriverWorld
from millrace.engine.commands import StartAttempt
from millrace.engine.plan import Node
from millrace.ports.runners import Attempt, Failure, Outcome, TaskFailed, Usage


class Result(Struct, frozen=True):
    """What came of one attempt; ``started_at`` is when it was really performed (ms), ``policy`` what was decided
    around it, ``no_retry`` why nothing may follow it."""

    path: str
    attempt: int
    started_at: int
    outcome: Outcome | TaskFailed
    policy: tuple[str, ...] = ()
    no_retry: str = ""


class Attempts:
    """The attempts of one execution that are under way, and the results not yet absorbed."""

    def __init__(self, world: DriverWorld, tenant: str, execution: str, on_result: Callable[[], None]) -> None:
        self._world = world
        self._tenant = tenant
        self._execution = execution
        self._on_result = on_result
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._overdue: set[asyncio.Task[None] | None] = set()
        self.results: list[Result] = []

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self,
        node: Node,
        command: StartAttempt,
        *,
        limit_ms: int,
        value: Any,
        config: Any,
        trace: str,
        namespace: str = "default",
    ) -> None:
        """Begin an attempt whose AttemptStarted event is durable; it may take ``limit_ms``."""
        attempt = Attempt(
            tenant=self._tenant,
            execution=self._execution,
            path=command.path,
            number=command.attempt,
            type=node.type,
            config=config,
            input=value,
            idempotency_key=idempotency_key(self._execution, command.path),
            deadline_ms=limit_ms,
            traceparent=trace,
        )
        guard = Guard(self._world, namespace, node, attempt)
        self._running[command.path] = asyncio.get_running_loop().create_task(self._perform(attempt, guard))

    async def _perform(self, attempt: Attempt, guard: Guard) -> None:
        async with self._world.room or nullcontext():
            try:
                result = await self._guarded(attempt, guard)
            except Exception as error:  # a task that just ended would leave its execution waiting for ever
                failure = Failure("task", "driver-error", f"What is around the attempt broke: {error!r}", False)
                result = Result(attempt.path, attempt.number, self._world.clock.now(), TaskFailed(failure))
        self._running.pop(attempt.path, None)
        self.results.append(result)
        self._on_result()

    async def _guarded(self, attempt: Attempt, guard: Guard) -> Result:
        refused = await guard.enter()
        if refused is not None:
            return Result(attempt.path, attempt.number, self._world.clock.now(), refused, tuple(guard.trail))
        try:
            result = await self._performed(attempt)
        except asyncio.CancelledError:
            await guard.interrupted(overdue=asyncio.current_task() in self._overdue)
            raise
        no_retry = await guard.leave(result.outcome)
        if not guard.trail and not no_retry:
            return result
        return replace(result, policy=tuple(guard.trail), no_retry=no_retry)

    async def _performed(self, attempt: Attempt) -> Result:
        started_at = self._world.clock.now()
        outcome: Outcome | TaskFailed
        try:
            async with asyncio.timeout(attempt.deadline_ms / 1000):
                outcome = await self._world.runners[attempt.type].run(attempt)
        except TaskFailed as failed:
            outcome = failed
        except TimeoutError:
            outcome = TaskFailed(
                Failure(
                    "timeout",
                    "attempt-timeout",
                    f"Attempt {attempt.number} of task {attempt.path!r} took longer than {attempt.deadline_ms} ms.",
                    retryable=True,
                ),
                usage=Usage(latency_ms=attempt.deadline_ms),
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a defect in a runner must fail its task, not the driver
            outcome = TaskFailed(
                Failure("task", "runner-error", f"The runner of {attempt.type!r} broke: {error!r}", retryable=False)
            )
        return Result(attempt.path, attempt.number, started_at, outcome)

    def stop(self, path: str, *, overdue: bool) -> None:
        """Cancel the attempt of a task that is done by now: ``overdue`` when its time is over, otherwise because the
        execution was cancelled."""
        task = self._running.pop(path, None)
        if task is not None:
            if overdue:
                self._overdue.add(task)
            self._stopping.add(task)
            task.add_done_callback(self._stopped)
            task.cancel()

    def _stopped(self, task: asyncio.Task[None]) -> None:
        self._stopping.discard(task)
        self._overdue.discard(task)

    async def stop_all(self) -> None:
        """Cancel everything and wait until it has ended, so that nothing outlives its driver."""
        tasks = [*self._running.values(), *self._stopping]
        for task in self._running.values():
            task.cancel()
        self._running.clear()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)


def without_output(result: Result, failure: Failure) -> Result:
    """The same result as a failure, for an output that cannot be stored."""
    usage = result.outcome.usage
    return replace(result, outcome=TaskFailed(failure, usage=usage, exchange=result.outcome.exchange))
