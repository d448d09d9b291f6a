"""The Orchestrator on Step Functions: the short Express machine first, the Standard one from the second actor on.

Names make a repeated start harmless: one execution and generation is one name, and Step Functions refuses the second
of equal names on the Standard machine. Tokens of waits that are over are no error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from millrace.adapters.aws import judge, unavailable
from millrace.base.ids import actor_name, lane_name
from millrace.ports.documents import TenantScope

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from millrace.engine.events import ExecutionStarted

FIRST_GENERATION: Final = 1
_STARTED: Final = frozenset({"ExecutionAlreadyExists"})
_OVER: Final = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class StepFunctionsOrchestrator:
    """``standard``, ``short`` and ``fan_out`` are ARNs; without ``short`` every actor runs on the Standard machine, and
    without ``fan_out`` every lane is started by itself."""

    def __init__(self, client: SFNClient, *, standard: str, short: str = "", fan_out: str = "") -> None:
        self._client = client
        self._standard = standard
        self._short = short
        self._fan_out = fan_out

    def begin(self, scope: TenantScope, started: ExecutionStarted, *, short: bool = True) -> None:
        """`start`: the actor is another process, which reads what it begins with."""
        self.start(scope, started.execution, FIRST_GENERATION, short=short)

    def start(self, scope: TenantScope, execution: str, generation: int, *, short: bool = True) -> None:
        """Raises StoreUnavailable; the reconciler then starts the execution later."""
        from botocore.exceptions import BotoCoreError, ClientError

        machine = self._standard
        if short and self._short and generation <= FIRST_GENERATION:
            machine = self._short
        actor = actor_name(execution)
        payload = {"tenant": scope.tenant, "execution": execution, "actor": actor, "generation": generation}
        try:
            self._client.start_execution(
                stateMachineArn=machine, name=f"{actor}-{generation}", input=json.dumps(payload)
            )
        except (BotoCoreError, ClientError) as error:
            _unless(error, _STARTED, "starting the state machine")

    def spread(self, scope: TenantScope, execution: str, first: int, count: int) -> None:
        """Raises StoreUnavailable; the reconciler then starts the lanes later."""
        from botocore.exceptions import BotoCoreError, ClientError

        if not self._fan_out:
            for stream in range(first, first + count):
                self.start(scope, lane_name(execution, stream), FIRST_GENERATION)
            return
        payload = {"tenant": scope.tenant, "execution": execution, "first": first, "count": count}
        try:
            self._client.start_execution(
                stateMachineArn=self._fan_out, name=f"{actor_name(execution)}-{first}", input=json.dumps(payload)
            )
        except (BotoCoreError, ClientError) as error:
            _unless(error, _STARTED, "starting the lanes of a loop")

    def wake(self, scope: TenantScope, execution: str, token: str) -> None:
        """Raises StoreUnavailable; the reconciler then wakes the execution later. An execution that has never parked
        has no token, and nobody to wake: whoever drives it looks at its inbox."""
        from botocore.exceptions import BotoCoreError, ClientError

        del scope, execution  # the token says which wait it is
        if not token:
            return
        try:
            self._client.send_task_success(taskToken=token, output="{}")
        except (BotoCoreError, ClientError) as error:
            _unless(error, _OVER, "waking the state machine")


def _unless(error: Exception, expected: frozenset[str], what: str) -> None:
    judged = judge(error)
    if judged is None or judged.code not in expected:
        raise unavailable(error, what) from error
