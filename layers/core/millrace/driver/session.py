"""One driver's hold on one execution, from take-up to release: the state it folds and the writes it makes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from functools import partial

import msgspec

from millrace.base.errors import ConditionRefused, Corrupt, FenceLost
from millrace.base.ids import Millis, root_of
from millrace.driver.alarm import Alarm
from millrace.driver.attempts import Attempts, Result
from millrace.driver.effects import Effects
from millrace.driver.journal import ExtraRefused, Journal, Unheard
from millrace.driver.limits import is_over, limit_ms
from millrace.driver.loading import Loaded, load_messages, recorded, take_over
from millrace.driver.messages import event_of, message_deletes, whole
from millrace.driver.patience import Patience
from millrace.driver.results import finished_event
from millrace.driver.snapshots import Snapshots
from millrace.driver.terminal import terminal_ops
from millrace.driver.values import ValueCodec, load_value
from millrace.driver.world import DriverWorld, Poke
from millrace.engine import events as ev
from millrace.engine.commands import Effect, StartAttempt
from millrace.engine.evolve import evolve
from millrace.engine.settle import settle
from millrace.engine.state import next_due
from millrace.engine.values import Value
from millrace.ports.documents import Check, Condition, Index, Op, TenantScope, Update
from millrace.ports.runners import TaskFailed
from millrace.store.executions import CHECK_GRACE_MS, actor_key, lease_condition, live_index, read_actor

MARGIN_MS = 5_000
"""What is kept back of a deadline for the last commits."""
GRACE_MS = 1_000
"""What an attempt is given beyond the deadline of its task or workflow, which stops it."""


class Session:
    """``held`` says that attempts were not started because the time left is too short for them; ``poke`` that the inbox
    is known to have something new."""

    def __init__(self, world: DriverWorld, scope: TenantScope, execution: str, loaded: Loaded, poke: Poke) -> None:
        state, actor = loaded.state, loaded.actor
        self.world = world
        self.scope = scope
        self.execution = execution
        self.state = state
        self.plan = state.plan
        self.held = False
        self.seen_seq = actor.seen_seq
        self._actor = actor
        self._journal = Journal(world, scope, execution)
        self._journal.position = state.position
        self._codec = ValueCodec(root_of(execution))
        self._writing: dict[tuple[str, ...], bytes] = {}
        self._wake = asyncio.Event()
        self._alarm = Alarm(self._wake.set)
        self.patience = Patience(world)
        self.poke = poke
        poke.listener = self._wake.set
        if poke.is_set:  # before anybody listened
            self._wake.set()
        self._attempts = Attempts(world, scope.tenant, root_of(execution), self._wake.set)
        assert state.started is not None  # a log begins with it
        self._effects = Effects(world, scope, state.started, self._wake.set)
        self._wanted: list[Effect] = []
        self._pending: list[ev.Event] = []
        self._starts: list[StartAttempt] = []
        self._commands: dict[str, StartAttempt] = {}
        self._committing: asyncio.Task[None] | None = None
        self._claimed = loaded.fresh and world.exclusive  # who looks for it finds it soon, until the first renewal
        self._lease_until = 0
        self._actor_sets: dict[str, int] = {}
        self._to_delete: list[str] = []
        self._polled_at: Millis = world.clock.now()
        self._decided_at = self._polled_at
        self._snapshots = Snapshots(world, scope, execution, actor.snapshot, self._note_snapshot)

    def _note_snapshot(self, position: int) -> None:
        self._actor_sets["snapshot"] = position

    async def take_up(self) -> None:
        """Record what the last driver left without a result, and take in the inbox."""
        for event in take_over(self.state, self.world.clock.now()):
            self._fold(event)
        await self._take_messages(self._actor.inbox_seq)

    def _fold(self, event: ev.Event) -> None:
        evolve(self.state, event)
        self._pending.append(event)

    async def settle(self, deadline: int | None) -> None:
        """Absorb results, decide what follows, fetch what that needs."""
        while True:
            for result in self._take_results():
                self._absorb(result)
            for event in self._effects.take():
                if self.state.finished is None:  # another may have told what it would have, and nothing follows the end
                    self._fold(event)
                if self.state.wanted and type(event) is ev.SlotReleased:
                    self.poke.set()  # this execution may have been given what it gave up
            now = self._decided_at = self.world.clock.now()
            allow = None if deadline is None else partial(self._fits, now=now, deadline=deadline)
            settled = settle(self.plan, self.state, now, encode=self._codec.encode, allow=allow)
            self.held = settled.held
            self._pending.extend(settled.events)
            self._starts.extend(settled.starts)
            self._wanted = settled.effects
            for event in settled.events:
                if isinstance(event, ev.TaskFinished | ev.ScopeOpened):
                    overdue = event.failure is not None and event.failure.code == "task-timeout"
                    self._attempts.stop(event.path, overdue=overdue)
                    self._commands.pop(event.path, None)
            if not settled.fetches:
                return
            for value in settled.fetches:
                try:
                    content = await self._content(value)
                except Corrupt:
                    await self._keep()
                    raise
                self.state.resolve(value, content)

    async def _content(self, value: Value) -> object:
        """The content of a blob, which may not have been written yet."""
        data = self._codec.blobs.get(value.blob) or self._writing.get(value.blob)
        if data is not None:
            return msgspec.json.decode(data)
        return await self.world.io.call(load_value, self.world.blobs, self.scope, value)

    async def _keep(self) -> None:
        """Make durable what has been folded, and start nothing more: results outlive a driver that must give up."""
        self._starts = []
        if self._committing is not None:
            await asyncio.wait([self._committing])
            self._reap()
        await self.commit()
        if self._committing is not None:
            await self._committing

    def _take_results(self) -> list[Result]:
        results, self._attempts.results = self._attempts.results, []
        return results

    def _absorb(self, result: Result) -> None:
        now = self.world.clock.now()
        index = self.state.index.get(result.path)
        task = None if index is None else self.state.tasks[index]
        if task is None or task.attempt != result.attempt or task.status != "running":
            return
        late = isinstance(result.outcome, TaskFailed) and result.outcome.failure.kind == "timeout"
        if late and is_over(self.state, StartAttempt(result.path, result.attempt), now):
            return  # after a pause of the process: the deadline of the task or workflow ends it, as it would have
        event, content = finished_event(result, now, self._codec)
        if event.output is not None:
            self.state.contents[event.output.sha256] = content
        self._fold(event)

    def _fits(self, command: StartAttempt, *, now: int, deadline: int) -> bool:
        return now + limit_ms(self.state, command, now) <= deadline - MARGIN_MS

    async def commit(self) -> None:
        """Make the pending events durable, unless a commit is in flight already: here when nothing else is under
        way, otherwise beside it."""
        effects = self._effects.new(self._wanted)
        if self._committing is not None or not (self._pending or self._to_delete or effects):
            return
        self.patience.end()
        events, self._pending = self._pending, []
        starts, self._starts = self._starts, []
        blobs, self._codec.blobs = self._codec.blobs, {}
        self._writing = blobs
        extra = self._extra_ops(events) if events or effects else []
        deletes, self._to_delete = self._to_delete, []
        commit = self._commit(events, starts, blobs, extra, deletes, effects)
        if len(self._attempts) or self._attempts.results:
            self._committing = asyncio.get_running_loop().create_task(self._tell(commit))
        else:
            await commit

    async def _commit(
        self,
        events: list[ev.Event],
        starts: list[StartAttempt],
        blobs: dict[tuple[str, ...], bytes],
        extra: list[Op],
        deletes: list[str],
        effects: list[Effect],
    ) -> None:
        if events:
            await self._append(events, blobs, extra)
        elif extra:
            await self._claim(extra)
        for command in starts:
            await self._perform(command)
        self._effects.begin(effects)
        for ops in message_deletes(self.execution, deletes):
            await self.world.io.commit(self.scope, ops)

    async def _tell(self, commit: Coroutine[None, None, None]) -> None:
        try:
            await commit
        finally:
            self._wake.set()

    async def _append(self, events: list[ev.Event], blobs: dict[tuple[str, ...], bytes], extra: list[Op]) -> None:
        try:
            await self._journal.append(events, blobs=blobs, extra=extra)
        except ExtraRefused as refused:
            if not _is_terminal(events):
                raise FenceLost(refused.message) from refused
            await self._close_inbox(events[:-1])
            raise Unheard(refused.message) from refused

    async def _claim(self, extra: list[Op]) -> None:
        """Hold the lease before anything is done outside, so that the reconciler looks here if this driver dies."""
        try:
            await self.world.io.commit(self.scope, extra)
        except ConditionRefused as refused:
            raise FenceLost(f"The lease of {self.execution} belongs to another driver now.") from refused

    async def _close_inbox(self, events: list[ev.Event]) -> None:
        """A message came in after the last look. Keep what happened, and take no more messages from now on, so that
        a stream of them cannot put off the end, which comes again after those that are there have been read."""
        claim = Update(
            actor_key(self.execution), set={"closing": True}, when=self._lease_condition(self.world.clock.now())
        )
        if events:
            await self._journal.append(events, blobs={}, extra=[claim])
            return
        with contextlib.suppress(ConditionRefused):  # somebody else holds the lease, and will come to this point
            await self.world.io.commit(self.scope, [claim])

    def _extra_ops(self, events: list[ev.Event]) -> list[Op]:
        """What else the segment's transaction writes: the claim of the lease, and the end of the execution.

        An execution ends only if its inbox holds nothing that is not history, so that no acknowledged message is
        lost."""
        now = self.world.clock.now()
        if events and _is_terminal(events):
            position = self._journal.position + len(events)
            guard = (*self._lease_condition(now), Check("eq", "inboxSeq", self.seen_seq))
            return terminal_ops(self.state, self._actor_sets, position=position, when=guard)
        if now >= self._lease_until and not self.world.exclusive:
            self._claimed = False  # somebody else may have parked it meanwhile, and the reconciler would not look here
        if self._claimed and not self._actor_sets:
            return []
        sets: dict[str, str | int] = {**self._actor_sets}
        self._actor_sets = {}
        when: tuple[Condition, ...] = ()
        indexes = {}
        if not self._claimed:
            when = self._lease_condition(now)
            self._lease_until = now + self.world.lease_ms
            sets |= {"owner": self.world.owner, "leaseUntil": self._lease_until}
            indexes = {Index.LIVE: live_index(self.execution, self._lease_until + CHECK_GRACE_MS)}
            self._claimed = True
        gone = (*(["stalled"] if self._actor.stalled else []), *(["restarts"] if self._actor.restarts else []))
        return [Update(actor_key(self.execution), set=dict(sets), remove=gone, indexes=dict(indexes), when=when)]

    def _lease_condition(self, now: int) -> tuple[Condition, ...]:
        return lease_condition(self.world.owner, now, exclusive=self.world.exclusive)

    async def _perform(self, command: StartAttempt) -> None:
        index = self.state.index.get(command.path)
        if index is None:
            return
        node, task = self.state.nodes[index], self.state.tasks[index]
        if task.status != "running" or task.attempt != command.attempt:
            return
        first = self._commands.setdefault(command.path, command) if node.retry.declared else command
        value, config = first.input, first.config
        if first.attempt > 1:
            value, config = await recorded(self.world, self.scope, task)
        assert self.state.started is not None  # a log begins with it
        limit = limit_ms(self.state, command, self.world.clock.now())
        if limit < node.attempt_timeout_ms:
            limit += GRACE_MS  # the deadline of the task or workflow is to end it, not a race between two timers
        self._attempts.start(
            node,
            command,
            limit_ms=limit,
            value=value,
            config=config,
            trace=self.state.started.traceparent,
            namespace=self.state.started.namespace,
        )

    def busy(self) -> bool:
        return bool(
            self._committing
            or self._pending
            or self._to_delete
            or len(self._attempts)
            or self._attempts.results
            or len(self._effects)
        )

    @property
    def position(self) -> int:
        """How many events are durable."""
        return self._journal.position

    async def wait(self, deadline: int | None) -> None:
        """Until something happens: a result, an acknowledgement, a timer, a message, a renewal of the lease."""
        await self._sleep(deadline)
        self._reap()
        self._wake.clear()
        now = self.world.clock.now()
        if self.poke.is_set or now >= self.patience.next_look(self._polled_at):
            self.poke.is_set = False
            await self._look_around(now)
        if self._committing is None and not self._pending and self.state.finished is None:
            self._snapshots.consider(self.state, self._journal)  # everything folded is durable

    def _reap(self) -> None:
        """Let go of the commit in flight if it has ended; raises its error."""
        if self._committing is not None and self._committing.done():
            task, self._committing = self._committing, None
            task.result()

    async def _sleep(self, deadline: int | None) -> None:
        """Not at all where something has happened since the last time: whatever does, says so."""
        now = self.world.clock.now()
        until = self.patience.next_look(self._polled_at)
        due = next_due(self.state)
        if due is not None and due > self._decided_at and not self.held:
            until = min(until, due)  # what was due before waits for something that is under way
        if deadline is not None:
            until = min(until, deadline)
        self._alarm.set(until, now=now)
        await self._wake.wait()

    async def _look_around(self, now: Millis) -> None:
        """Read the actor item: new messages, a lost lease, a lease to renew."""
        self._polled_at = now
        actor = await self.world.io.call(read_actor, self.world.documents, self.scope, self.execution)
        if actor is None or actor.done:
            if self.state.finished is None:
                raise FenceLost(f"The execution {self.execution} was ended elsewhere.")
            return
        if self._claimed and self._committing is None and actor.owner not in ("", self.world.owner):
            raise FenceLost(f"The lease of {self.execution} belongs to {actor.owner} now.")
        if actor.inbox_seq > self.seen_seq:
            await self._take_messages(actor.inbox_seq)
        if self._claimed and self._lease_until - now < self.world.lease_ms // 2:
            self._lease_until = now + self.world.lease_ms
            renewal = Update(
                actor_key(self.execution),
                set={"owner": self.world.owner, "leaseUntil": self._lease_until},
                indexes={Index.LIVE: live_index(self.execution, self._lease_until + CHECK_GRACE_MS)},
                when=(*self._lease_condition(now), Check("missing", "done")),
            )
            await self.world.io.commit(self.scope, [renewal])

    async def _take_messages(self, inbox_seq: int) -> None:
        """Fold what is in the inbox; ``inbox_seq`` was read before, so nothing up to it can be missed."""
        if inbox_seq <= self.seen_seq or self.state.finished is not None:
            return
        now = self.world.clock.now()
        messages = await self.world.io.call(load_messages, self.world, self.scope, self.execution)
        for message in messages:
            if message.id not in self.state.seen:
                self._fold(event_of(await whole(self.world, self.scope, message), now, self._codec))
            self._to_delete.append(message.id)
        self.seen_seq = inbox_seq
        self._actor_sets["seenSeq"] = inbox_seq

    async def release(self) -> None:
        """Give the lease up, so that whoever is next need not wait for it to expire."""
        if not self._claimed:
            return
        update = Update(
            actor_key(self.execution),
            set=dict(self._actor_sets),
            remove=("owner", "leaseUntil"),
            when=(Check("eq", "owner", self.world.owner),),
        )
        self._actor_sets = {}
        self._claimed = False
        with contextlib.suppress(ConditionRefused):  # somebody else holds it by now
            await self.world.io.commit(self.scope, [update])

    async def close(self) -> None:
        """Stop what is under way. A commit in flight is awaited, since it cannot be taken back."""
        self._alarm.cancel()
        await self._attempts.stop_all()
        await self._effects.close()
        for task in (self._committing, self._snapshots.writing):
            if task is not None:
                await asyncio.gather(task, return_exceptions=True)


def _is_terminal(events: list[ev.Event]) -> bool:
    return type(events[-1]) is ev.ExecutionFinished
