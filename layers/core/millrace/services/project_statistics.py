"""Count what the feed brings: the first consumer of committed segments.

A record says no more than "this log reaches to here". What is counted is the log itself, from the stream's mark on and
in order, so a record that comes twice, late, out of order or not at all changes nothing in the end. Definition writes
come through the same feed and are left alone.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from operator import itemgetter
from typing import Final

from msgspec import Struct, field

from millrace.base.errors import ConditionRefused, Corrupt, OutcomeUnknown
from millrace.base.limits import TRANSACTION_OPS
from millrace.engine.events import AttemptStarted, ExecutionFinished, ExecutionStarted, TaskFinished
from millrace.ports.documents import Documents, Op, Table, TenantScope
from millrace.ports.feed import FeedRecord
from millrace.store.runlog import ROOT, Segment, decode_segment, read_segments
from millrace.store.statistics import MINUTE_MS, UPDATES, Cell, Mark, Tally, cell_updates, mark_key, mark_of, step

TRIES: Final = 5
REMEMBERED: Final = 256
"""Streams whose fold is kept between batches; a stream that was forgotten is read again from its beginning."""
_INDEX: Final = re.compile(r"\[\d+\]")
_logger = logging.getLogger("millrace.statistics")

Cells = list[tuple[Cell, Tally]]


class _Stream(Struct, frozen=True):
    scope: TenantScope
    execution: str
    stream: str


class _Fold(Struct):
    """What counting an event needs of those before it. ``position`` is that of the first event not folded."""

    started: ExecutionStarted | None = None
    position: int = 0
    begun: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    over: bool = False

    def take(self, segment: Segment) -> dict[Cell, Tally]:
        """What the next segment adds. Only executions in mode ``live`` count. Raises Corrupt without a start."""
        started = self.started = self.started or _start_of(segment)
        if started is None:
            raise Corrupt("The log does not begin with the start of an execution.")
        cells: dict[Cell, Tally] = {}

        def tally(at: int, task: str) -> Tally:
            cell = Cell(started.namespace, started.workflow, at // MINUTE_MS, started.version, task)
            return cells.setdefault(cell, Tally())

        for event in segment.events:
            # What comes after an end changes nothing, as in the engine's own fold.
            if isinstance(event, AttemptStarted) and event.path not in self.ended:
                self.begun.setdefault(event.path, event.at)
                tally(event.at, task_of(event.path)).attempts += 1
            elif isinstance(event, TaskFinished) and event.path not in self.ended:
                self.ended.add(event.path)
                begun = self.begun.pop(event.path, event.ready_at or event.at)
                tally(event.at, task_of(event.path)).end(event.status, event.at - begun)
            elif isinstance(event, ExecutionFinished) and not self.over and segment.stream == ROOT:
                self.over = True
                tally(event.at, "").end(event.status, event.at - started.at)
        self.position = segment.first + len(segment.events)
        return cells if started.mode == "live" else {}


class _Step(Struct):
    before: Mark
    after: Mark
    cells: Cells


_Batch = list[tuple[_Stream, _Step]]


def task_of(path: str) -> str:
    """The task that an instance belongs to: its path without indices, ``loop[3]/ship`` as ``loop[]/ship``."""
    return _INDEX.sub("[]", path)


class StatisticsProjector:
    """Counts records into `millrace.store.statistics`. Not for several threads at once; several processes are no
    danger, since the mark of a stream admits one of them."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._folds: OrderedDict[_Stream, _Fold] = OrderedDict()

    def __call__(self, records: Sequence[FeedRecord]) -> None:
        """Returns when everything the records tell of is counted and durable. Raises StoreUnavailable or
        OutcomeUnknown; giving the same records again is then right. A log that cannot be read is logged and left."""
        waiting = self._delivered(records)
        for last in range(TRIES - 1, -1, -1):
            waiting = self._count(waiting, together=last == TRIES - 1, last=not last)
            if not waiting:
                return

    def _delivered(self, records: Sequence[FeedRecord]) -> dict[_Stream, dict[int, Segment]]:
        found: dict[_Stream, dict[int, Segment]] = {}
        for record in records:
            key = record.item.key
            if key.table is not Table.HISTORY or key.partition[0] != "log":
                continue
            _, execution, stream = key.partition
            try:
                segment = decode_segment(record.item)
            except Corrupt:
                _logger.exception("a segment of %s cannot be counted", execution)
                continue
            found.setdefault(_Stream(TenantScope(record.tenant), execution, stream), {})[segment.first] = segment
        return found

    def _count(
        self, waiting: dict[_Stream, dict[int, Segment]], *, together: bool, last: bool
    ) -> dict[_Stream, dict[int, Segment]]:
        """One try at each stream, several of them in one transaction if ``together``; answers those whose mark somebody
        else has moved, or may have, and those that shared a transaction with one."""
        plans: dict[_Stream, deque[_Step]] = {}
        for stream, mark in self._marks(list(waiting)):
            try:
                plans[stream] = deque(self._steps(stream, mark, waiting[stream]))
            except Corrupt:
                self._folds.pop(stream, None)
                _logger.exception("the log of %s cannot be counted", stream.execution)
        refused: dict[_Stream, dict[int, Segment]] = {}
        while plans := {stream: plan for stream, plan in plans.items() if plan}:
            # One step of every stream at a time: they share a commit where the store groups them.
            steps = [(stream, plan.popleft()) for stream, plan in plans.items()]
            sent: list[tuple[_Batch, Future[None]]] = [
                (batch, self._documents.submit(batch[0][0].scope, _ops(batch)))
                for batch in (_batches(steps) if together else [[one] for one in steps])
            ]
            for batch, future in sent:
                try:
                    future.result()
                except (ConditionRefused, OutcomeUnknown):
                    if last:
                        raise
                    for stream, _ in batch:
                        plans.pop(stream, None)
                        refused[stream] = waiting[stream]
        return refused

    def _marks(self, streams: list[_Stream]) -> Iterator[tuple[_Stream, Mark]]:
        by_scope: dict[TenantScope, list[_Stream]] = {}
        for stream in streams:
            by_scope.setdefault(stream.scope, []).append(stream)
        for scope, mine in by_scope.items():
            items = self._documents.batch_get(scope, [mark_key(one.execution, one.stream) for one in mine])
            yield from zip(mine, map(mark_of, items), strict=True)

    def _steps(self, stream: _Stream, mark: Mark, delivered: dict[int, Segment]) -> list[_Step]:
        """What takes the mark to the end of the last delivered segment: segments together while their cells fit one
        transaction, and a larger one in parts."""
        end = max(segment.first + len(segment.events) for segment in delivered.values())
        if end <= mark.position:
            return []
        fold = self._fold(stream, mark)
        out: list[_Step] = []
        before, position, held = mark, mark.position, dict[Cell, Tally]()
        for segment in self._segments(stream, fold.position, end, delivered):
            cells = fold.take(segment)
            if segment.first < mark.position:
                continue
            position = segment.first + len(segment.events)
            if before.part or len(held.keys() | cells.keys()) > UPDATES:
                if before.position < segment.first:
                    out.append(_Step(before, Mark(segment.first), sorted(held.items())))
                    before, held = Mark(segment.first), {}
                if before.part or len(cells) > UPDATES:
                    out += _parts(before, Mark(position), sorted(cells.items()))
                    before, cells = Mark(position), {}
            for cell, tally in cells.items():
                held.setdefault(cell, Tally()).merge(tally)
        if before.position < position:
            out.append(_Step(before, Mark(position), sorted(held.items())))
        if fold.over:
            self._folds.pop(stream, None)
        return out

    def _fold(self, stream: _Stream, mark: Mark) -> _Fold:
        fold = self._folds.pop(stream, None)
        if fold is None or fold.position > mark.position:  # ahead of what became durable: an earlier try failed
            fold = _Fold()
        self._folds[stream] = fold
        if len(self._folds) > REMEMBERED:
            self._folds.popitem(last=False)
        if fold.started is None and stream.stream != ROOT:
            # A stream of its own has no start event; the root's first segment has.
            root = next(read_segments(self._documents, stream.scope, stream.execution), None)
            fold.started = _start_of(root)
        return fold

    def _segments(self, stream: _Stream, first: int, end: int, delivered: dict[int, Segment]) -> Iterator[Segment]:
        """The log from position ``first`` to ``end``: delivered segments where they follow on, else as stored."""
        position = first
        while position < end and position in delivered:
            yield delivered[position]
            position += len(delivered[position].events)
        if position < end:
            for segment in read_segments(
                self._documents, stream.scope, stream.execution, first=position, stream=stream.stream
            ):
                if segment.first >= end:
                    return
                if segment.first != position:
                    raise Corrupt(f"The log of {stream.execution} has a gap: position {position} is missing.")
                yield segment
                position = segment.first + len(segment.events)


def _start_of(segment: Segment | None) -> ExecutionStarted | None:
    first = segment.events[0] if segment is not None and segment.events else None
    return first if isinstance(first, ExecutionStarted) else None


def _batches(steps: _Batch) -> Iterator[_Batch]:
    """Steps of one tenant that fit one transaction together: executions of one workflow mostly grow the same cells,
    which are written once then."""
    held: _Batch = []
    grown: set[Cell] = set()
    for stream, what in steps:
        cells = {cell for cell, _ in what.cells}
        if held and (stream.scope != held[0][0].scope or len(held) + 1 + len(grown | cells) > TRANSACTION_OPS):
            yield held
            held, grown = [], set()
        held.append((stream, what))
        grown |= cells
    if held:
        yield held


def _ops(batch: _Batch) -> list[Op]:
    ops: list[Op] = []
    cells: dict[Cell, Tally] = {}
    for stream, what in batch:
        ops += step(stream.execution, stream.stream, what.before, what.after, ())
        for cell, tally in what.cells:
            cells.setdefault(cell, Tally()).merge(tally)
    return [*ops, *cell_updates(sorted(cells.items(), key=itemgetter(0)))]


def _parts(before: Mark, after: Mark, cells: Cells) -> list[_Step]:
    out = []
    for begin in range(before.part, max(len(cells), 1), UPDATES):
        stop = begin + UPDATES
        mark = after if stop >= len(cells) else Mark(before.position, stop)
        out.append(_Step(before, mark, cells[begin:stop]))
        before = mark
    return out
