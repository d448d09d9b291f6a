"""Local wiring: one process, one data folder, nothing from outside.

SQLite for documents and feed, a directory for values, an encrypted file for secrets, and an in-process loop in the
place of Step Functions.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from millrace.adapters.feed_loop import FeedLoop
from millrace.adapters.files import DirectoryBlobs, FileSecrets
from millrace.adapters.functions import LambdaRunner, LocalFunctions
from millrace.adapters.inprocess import InProcessOrchestrator
from millrace.adapters.sqlite import SqliteDocuments, SqliteFeed
from millrace.adapters.system import SystemClock, SystemRandom, WorldIds
from millrace.driver.pool import PoolIO
from millrace.driver.world import DriverWorld
from millrace.ports.runners import Runner
from millrace.services.child_executions import ChildExecutions
from millrace.services.loop_lanes import LoopLanes
from millrace.services.plan_source import PlanSource
from millrace.services.platform import Platform
from millrace.services.project_statistics import StatisticsProjector
from millrace.services.reconcile import reconcile
from millrace.services.slot_leases import SlotLeases
from millrace.wiring.settings import Settings

BLOBS: Final = "blobs"
ATTEMPTS: Final = 256
"""Under way at once in one process: as many as the http transport has connections, so that none of them spends its
time on waiting for one."""


class LocalPlatform(Struct, frozen=True):
    """``resume`` takes up every unfinished execution and answers how many; ``close`` stops running, then closes the
    store. ``documents`` is the store with its commit counter."""

    platform: Platform
    documents: SqliteDocuments
    orchestrator: InProcessOrchestrator
    resume: Callable[[], int]
    close: Callable[[], None]


def open_local(settings: Settings, *, demo_url: str = "", follow_feed: bool = True) -> LocalPlatform:
    """Open the platform of a data folder that this process holds.

    ``demo_url`` is the address of the demo service: workflows read it as ``env.DEMO_URL`` and may call it. Without
    ``follow_feed`` nothing is counted for statistics until a process that follows the feed opens the folder. Raises
    Corrupt when the store is damaged, StoreUnavailable when it cannot be opened.
    """
    documents = SqliteDocuments(settings.data, synchronous="FULL" if settings.sync == "full" else "NORMAL")
    blobs = DirectoryBlobs(settings.data / BLOBS, sync=settings.sync == "full")
    kept_secrets = FileSecrets(settings.data)
    clock, random = SystemClock(), SystemRandom()
    ids = WorldIds(clock, random, region=settings.region)
    functions = LocalFunctions(settings.lambda_functions)

    def world() -> DriverWorld:
        from millrace.adapters.http import Gate, HttpRunner, Policy, Transport, parse_allow_hosts

        allow = parse_allow_hosts(",".join([*settings.allow_hosts, *([urlsplit(demo_url).netloc] if demo_url else [])]))
        http = HttpRunner(Transport(Gate(Policy(allow=allow))), secrets=kept_secrets, clock=clock)
        runners: list[Runner] = [http, LambdaRunner(functions)]
        return DriverWorld(
            documents=documents,
            blobs=blobs,
            clock=clock,
            ids=ids,
            io=PoolIO(documents),
            plans=PlanSource(documents),
            runners={runner.type: runner for runner in runners},
            owner=f"local-{secrets.token_hex(8)}",
            exclusive=True,
            room=asyncio.Semaphore(ATTEMPTS),
            retry_budget=settings.retry_budget,
            children=ChildExecutions(lambda: platform),
            slots=SlotLeases(lambda: platform),
            lanes=LoopLanes(lambda: platform),
        )

    orchestrator = InProcessOrchestrator(world)
    feed_loop = FeedLoop(SqliteFeed(documents), documents, StatisticsProjector(documents), name="statistics")
    platform = Platform(
        documents=documents,
        blobs=blobs,
        secrets=kept_secrets,
        orchestrator=orchestrator,
        clock=clock,
        ids=ids,
        random=random,
        region=settings.region,
        log_level=settings.log_level,
        env={**(demo_environment(demo_url) if demo_url else {}), **settings.env},
        wait_end=orchestrator.wait_end,
    )
    orchestrator.open()
    if follow_feed:
        feed_loop.start()

    def close() -> None:
        orchestrator.close()
        feed_loop.stop()
        documents.close()

    return LocalPlatform(
        platform=platform,
        documents=documents,
        orchestrator=orchestrator,
        resume=lambda: reconcile(platform, all_live=True).restarted,
        close=close,
    )


def demo_environment(url: str) -> dict[str, str]:
    """What the examples read as ``env``: the demo service, and the services by name that it stands in for."""
    return {"DEMO_URL": url, "DEPLOYMENT_API_URL": f"{url}/services/deployment_api", "API_TOKEN": "demo"}
