"""Circuit breakers as one process sees them: what it read at most a second ago, and what it has not told yet.

In the good case an attempt costs no write, and a process reads each breaker at most once a second. Counts are written
at most once a second; changes of state and probes at once, on the version that was read, so that of many callers
exactly as many as permitted get through. Where the store does not answer, attempts go on as the breaker was last seen:
the guard of a service must not become the reason why nothing runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from millrace.base.errors import ConditionRefused, OutcomeUnknown, StoreUnavailable, Throttled
from millrace.driver.telling import FRESH_MS, Held, Telling
from millrace.engine.breaker import Admitted, Breaker, Counts, Refused, Verdict, admit, opened, probed, trips
from millrace.engine.plan import BreakerPolicy
from millrace.ports.documents import TenantScope
from millrace.store.breakers import Second, Stored, breaker_write, counts_write, read_breaker

if TYPE_CHECKING:
    from millrace.driver.world import DriverWorld

LEASE_MS: Final = 10_000
"""How long beyond the attempt's own limit a probe that was not heard of keeps its place."""
TRIES: Final = 32
"""Lost races after which an attempt counts as refused: each of them is a success of somebody else."""
CHUNK: Final = 20
"""Seconds counted by one write."""
AWAY = (StoreUnavailable, OutcomeUnknown, Throttled)


class BreakerKey(Struct, frozen=True):
    scope: TenantScope
    namespace: str
    name: str


class Permit(Struct, frozen=True):
    """An attempt that was let through. ``probe`` says that it holds a place; a negative ``generation`` that the
    breaker could not be read, so that the result counts nowhere."""

    key: BreakerKey
    policy: BreakerPolicy
    caller: str
    generation: int
    trail: str
    probe: bool = False


class _Held(Held):
    """``pending`` is what was counted and not written, ``keep_s`` how far back this process looks."""

    stored: Stored = field(default_factory=Stored)
    pending: dict[Second, tuple[int, int]] = field(default_factory=dict)
    keep_s: int = 0


class Breakers(Telling[BreakerKey, _Held]):
    """The breakers of one process."""

    async def admit(
        self, world: DriverWorld, key: BreakerKey, policy: BreakerPolicy, *, caller: str, limit_ms: int
    ) -> Permit | Refused:
        """Whether the attempt ``caller`` may be made, which is to take at most ``limit_ms``."""
        held = self._of(key)
        now = world.clock.now()
        if held.is_stale(now):
            async with held.lock:
                now = world.clock.now()
                if held.is_stale(now):
                    await self._read(world, key, held)
        if held.read_at is None:
            return Permit(key, policy, caller, -1, "breaker: not known, the store does not answer")
        lease_until = now + limit_ms + LEASE_MS
        verdict = admit(held.stored.breaker, caller=caller, now=now, lease_until=lease_until)
        if isinstance(verdict, Admitted) and verdict.following is not None:
            async with held.lock:
                verdict = await self._probe(world, key, held, caller=caller, lease_until=lease_until)
        if isinstance(verdict, Refused):
            return verdict
        return Permit(key, policy, caller, verdict.generation, verdict.trail, verdict.probe)

    async def _probe(
        self, world: DriverWorld, key: BreakerKey, held: _Held, *, caller: str, lease_until: int
    ) -> Admitted | Refused:
        """A place for a probe, or why there is none. Others may be faster, in this process or in another."""
        for _ in range(TRIES):
            now = world.clock.now()
            verdict = admit(held.stored.breaker, caller=caller, now=now, lease_until=lease_until)
            if isinstance(verdict, Refused) or verdict.following is None:
                return verdict
            if await self._write(world, key, held, verdict.following):
                return verdict
            if not await self._read(world, key, held):
                break
        return Refused(world.clock.now() + FRESH_MS, "breaker: half-open, no place for a probe")

    async def report(self, world: DriverWorld, permit: Permit, verdict: Verdict | None) -> None:
        """What an attempt came to; None for what says nothing about the service, such as a cancelled attempt."""
        held = self._of(permit.key)
        if permit.probe:
            async with held.lock:
                await self._end_probe(world, permit, held, verdict)
        elif verdict is not None and permit.generation >= 0:
            await self._count(world, permit, held, verdict)

    async def _end_probe(self, world: DriverWorld, permit: Permit, held: _Held, verdict: Verdict | None) -> None:
        for _ in range(TRIES):
            following = probed(
                held.stored.breaker,
                caller=permit.caller,
                generation=permit.generation,
                verdict=verdict,
                now=world.clock.now(),
            )
            if following is None and held.read_at is not None:
                return
            if following is not None and await self._write(world, permit.key, held, following):
                return
            if not await self._read(world, permit.key, held):
                return  # the lease frees the place

    async def _count(self, world: DriverWorld, permit: Permit, held: _Held, verdict: Verdict) -> None:
        policy, failed = permit.policy, verdict == "failure"
        if not failed and policy.threshold and policy.minimum <= policy.threshold:
            return  # only failures decide
        now = world.clock.now()
        place = (permit.generation, now // 1000)
        before = held.pending.get(place, (0, 0))
        held.pending[place] = (before[0] + (not failed), before[1] + failed)
        held.keep_s = max(held.keep_s, policy.sampling_ms // 1000 + 1)
        if failed:
            await self._judge(world, permit, held)
        self._tell_later(world, permit.key, held)

    async def _judge(self, world: DriverWorld, permit: Permit, held: _Held) -> None:
        """Open the breaker when the counts say so. Of many that come to this, one is first."""
        if not self._tripped(world, permit, held):
            return
        async with held.lock:
            for _ in range(TRIES):
                if not self._tripped(world, permit, held):
                    return
                now = world.clock.now()
                following = opened(held.stored.breaker, permit.policy, now=now, counts=self._counts(held, permit, now))
                if await self._write(world, permit.key, held, following):
                    return
                if not await self._read(world, permit.key, held):
                    return  # the next failure comes here again

    def _tripped(self, world: DriverWorld, permit: Permit, held: _Held) -> bool:
        breaker = held.stored.breaker
        if breaker.state != "closed" or breaker.generation != permit.generation:
            return False
        return trips(permit.policy, self._counts(held, permit, world.clock.now()))

    @staticmethod
    def _counts(held: _Held, permit: Permit, now: int) -> Counts:
        stored = Stored(counts=dict(held.stored.counts))
        for place, counted in held.pending.items():
            stored.add(place, *counted)
        return stored.within(permit.generation, now - permit.policy.sampling_ms)

    # the store

    async def _read(self, world: DriverWorld, key: BreakerKey, held: _Held) -> bool:
        try:
            held.stored = await world.io.call(read_breaker, world.documents, key.scope, key.namespace, key.name)
        except AWAY:
            return False
        held.read_at = world.clock.now()
        return True

    async def _write(self, world: DriverWorld, key: BreakerKey, held: _Held, following: Breaker) -> bool:
        """Whether ``following`` is stored. What cannot be told counts as not stored: reading tells."""
        try:
            await world.io.commit(key.scope, [breaker_write(key.namespace, key.name, held.stored, following)])
        except (ConditionRefused, *AWAY):
            return False
        if following.generation != held.stored.breaker.generation:
            held.stored.counts = {}
        held.stored.breaker = following
        held.read_at = world.clock.now()
        return True

    async def _tell(self, world: DriverWorld, key: BreakerKey, held: _Held) -> None:
        """Write what was counted since the last time."""
        async with held.lock:
            held.told = world.clock.now()
            now_s = held.told // 1000
            keep_s = max(held.keep_s, held.stored.keep_s)
            while held.pending:
                counted = dict(list(held.pending.items())[:CHUNK])
                write = counts_write(
                    key.namespace, key.name, counted, known=held.stored.counts, now_s=now_s, keep_s=keep_s
                )
                try:
                    await world.io.commit(key.scope, [write])
                except (StoreUnavailable, Throttled):
                    break
                except OutcomeUnknown:
                    pass  # it may have been counted: once too few opens a breaker later, once too often wrongly
                for place, values in counted.items():
                    left = tuple(a - b for a, b in zip(held.pending[place], values, strict=True))
                    if any(left):
                        held.pending[place] = (left[0], left[1])
                    else:
                        del held.pending[place]
                    held.stored.add(place, *values)
            oldest = now_s - keep_s
            held.stored.counts = {place: one for place, one in held.stored.counts.items() if place[1] >= oldest}
            held.pending = {place: one for place, one in held.pending.items() if place[1] >= oldest}
        self._tell_later(world, key, held)

    def _new(self) -> _Held:
        return _Held()

    def _is_due(self, held: _Held) -> bool:
        return bool(held.pending)

    def _is_urgent(self, held: _Held) -> bool:
        return any(failures for _, failures in held.pending.values())
