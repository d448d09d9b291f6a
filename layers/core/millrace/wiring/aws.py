"""Wiring on AWS: DynamoDB, S3, Secrets Manager and Step Functions, named by the environment that the template fills.

Clients are made when they are first used: a function that never reads a secret never builds that client.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Literal

from millrace.adapters.dynamodb import DynamoDocuments
from millrace.adapters.s3 import S3Blobs
from millrace.adapters.secrets import ManagedSecrets
from millrace.adapters.stepfunctions import StepFunctionsOrchestrator
from millrace.adapters.system import SystemClock, SystemRandom, WorldIds
from millrace.base.errors import InvalidRequest
from millrace.base.limits import LAMBDA_PAYLOAD_BYTES
from millrace.ports.documents import Table
from millrace.services.platform import Platform
from millrace.wiring.settings import Settings

Service = Literal["lambda", "s3", "secretsmanager", "stepfunctions"]
_CONNECT_S: Final = 2
_READ_S: Final = 10
_ACTOR_S: Final = 4
"""Who starts an execution, or sends it a message, is answered though Step Functions stands still, before the gateway
gives up after 29 s: it is stored by then, and the reconciler does what is left."""


class Later:
    """Stands for a client until it is first asked for something."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._make()
        return getattr(self._made, name)


def open_aws(settings: Settings) -> Platform:
    """The platform of one Lambda sandbox. Raises InvalidRequest naming a setting that is missing."""
    needed = {
        "MILLRACE_TABLE_DEFINITIONS": settings.table_definitions,
        "MILLRACE_TABLE_HISTORY": settings.table_history,
        "MILLRACE_TABLE_STATISTICS": settings.table_statistics,
        "MILLRACE_BUCKET": settings.bucket,
    }
    for name, value in needed.items():
        if not value:
            raise InvalidRequest(f"{name} is not set", hint="Deploy with template.yaml, which sets it.")
    clock, random = SystemClock(), SystemRandom()
    endpoint = settings.endpoint or None
    return Platform(
        documents=DynamoDocuments(tables_of(settings), region=settings.region, random=random, endpoint=endpoint),
        blobs=S3Blobs(client_of("s3", settings), settings.bucket),
        secrets=ManagedSecrets(client_of("secretsmanager", settings), clock, prefix=settings.secrets_prefix),
        orchestrator=StepFunctionsOrchestrator(
            client_of("stepfunctions", settings, read_s=_ACTOR_S),
            standard=settings.state_machine,
            short=settings.short_state_machine,
            fan_out=settings.fan_out_state_machine,
        ),
        clock=clock,
        ids=WorldIds(clock, random, region=settings.region),
        random=random,
        region=settings.region,
        log_level=settings.log_level,
        env=settings.env,
        answer_bytes=LAMBDA_PAYLOAD_BYTES,
    )


def tables_of(settings: Settings) -> dict[Table, str]:
    """The name of each table."""
    return {
        Table.DEFINITIONS: settings.table_definitions,
        Table.HISTORY: settings.table_history,
        Table.STATISTICS: settings.table_statistics,
    }


def client_of(
    service: Service,
    settings: Settings,
    *,
    read_s: int = _READ_S,
    tries: int = 3,
    pool: int = 10,
    alive: bool = False,
) -> Any:
    """A client that is made when it is first asked for something. ``read_s`` bounds the wait for an answer, ``tries``
    how often a call is made in all, ``pool`` the connections kept; ``alive`` has them say so while nothing comes."""

    def make() -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=read_s,
            max_pool_connections=pool,
            tcp_keepalive=alive,
            retries={"mode": "standard", "total_max_attempts": tries},
        )
        return boto3.client(service, region_name=settings.region, endpoint_url=settings.endpoint or None, config=config)

    return Later(make)
