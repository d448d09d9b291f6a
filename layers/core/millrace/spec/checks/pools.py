"""Checks of places that keys share: limits without effect, and one pool with two sizes."""

from __future__ import annotations

from collections.abc import Iterator

from millrace.spec.checks.report import Report
from millrace.spec.findings import Path
from millrace.spec.models import Workflow
from millrace.spec.models.concurrency import Concurrency
from millrace.spec.tree import Tree


def check_pools(report: Report, workflow: Workflow, tree: Tree) -> None:
    """Every pool that a workflow names. Other documents that name it are not known here."""
    sizes: dict[str, int] = {}
    for path, concurrency in _places(workflow, tree):
        pool = concurrency.pool
        if pool is None:
            continue
        if concurrency.limit > pool.limit:
            message = f"a key never holds {concurrency.limit} places: the pool has {pool.limit}"
            report.add("no-effect", message, (*path, "limit"), fix="Lower it, or make the pool larger.")
        size = sizes.setdefault(pool.name, pool.limit)
        if size != pool.limit:
            message = f'the pool "{pool.name}" has {size} places above and {pool.limit} here'
            report.add("bad-value", message, (*path, "pool", "limit"), fix="Give a pool one limit everywhere.")


def _places(workflow: Workflow, tree: Tree) -> Iterator[tuple[Path, Concurrency]]:
    if workflow.spec.concurrency is not None:
        yield ("spec", "concurrency"), workflow.spec.concurrency
    for placed in tree.tasks:
        if placed.task.concurrency is not None:
            yield (*placed.path, "concurrency"), placed.task.concurrency
