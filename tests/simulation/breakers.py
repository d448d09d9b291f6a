"""Circuit breakers in simulated worlds: a service with outages, and what must be true of every change of state.

B1 in one half-open period no more probes hold a place than permitted: those under way on a living process whose lease
is not over, and those that succeeded;
B2 while a breaker is half-open, nothing but probes is performed, unless the store could not be read;
B3 it opens only after enough failures of attempts that began since it closed;
B4 it closes only after as many successes of attempts that began since it was half-open;
B5 the lease of a probe is over soon after its attempt must have ended.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from millrace.driver.breakers import LEASE_MS
from millrace.engine.plan import BreakerPolicy, Plan
from millrace.ports.documents import Op, Update
from millrace.store.breakers import read_breaker

from .faults import Process
from .invariants import SCOPE

if TYPE_CHECKING:
    from .world import Performed, World

NAME = "key~service"


@dataclass(frozen=True)
class Service:
    """What all tasks of a world call: ``outages`` are times (s) from and to which every call that begins
    comes to fail; a call takes up to ``attempt_s``."""

    policy: BreakerPolicy
    outages: tuple[tuple[float, float], ...]
    attempt_s: float

    def down(self, at: float) -> bool:
        return any(begin <= at < end for begin, end in self.outages)


def service(rng: random.Random) -> Service | None:
    """A service with a breaker for one world in three."""
    if rng.random() >= 0.33:
        return None
    policy = BreakerPolicy(
        NAME,
        threshold=rng.choice((1, 2, 3)),
        sampling_ms=rng.choice((3_000, 20_000)),
        break_ms=rng.choice((1_500, 3_000)),
        probes=rng.choice((1, 1, 2)),
        ramp_ms=rng.choice((0, 0, 2_000)),
    )
    begin = rng.random() * 3
    again = begin + 4 + rng.random() * 6
    return Service(
        policy, ((begin, begin + 1 + rng.random() * 3), (again, again + rng.random() * 2)), rng.choice((0.5, 15.0))
    )


def guarded(plan: Plan, service: Service) -> Plan:
    """The plan with the breaker around each of its calls; a refusal is waited for as any failure is."""
    nodes = tuple(
        replace(node, breaker=service.policy, retry=replace(node.retry, retry_on=("*",)))
        if node.compute is None and node.wait is None
        else node
        for node in plan.nodes
    )
    return replace(plan, nodes=nodes)


@dataclass
class _Probe:
    caller: str
    performed: Performed
    lease: int


class Watch:
    """Sees every attempt begin and every write of the breaker, and notes what must not be."""

    def __init__(self, world: World, service: Service) -> None:
        self._world = world
        self.service = service
        self._probes: dict[int, list[_Probe]] = {}
        self._state = "closed"
        self._since_s = 0.0

    @property
    def exact(self) -> bool:
        """Whether what a process does lies close to what it read: not where it stands still or the clock jumps."""
        return not self._world.options.clock_jumps and not self._world.faults.pause

    def begins(self, performed: Performed) -> None:
        """B1 and B2 at the moment a call is made."""
        world = self._world
        breaker = read_breaker(world.store, SCOPE, "default", NAME).breaker
        caller = f"{performed.execution}/{performed.path}#{performed.attempt}"
        place = next((probe for probe in breaker.probes if probe.id == caller and not probe.done), None)
        if breaker.state != "halfOpen" or not self.exact:
            return
        if place is None:
            if world.faults.before or world.faults.vanished:
                return
            self._violated(f"B2 {caller[-12:]} performed without a place")
            return
        others = self._probes.setdefault(breaker.generation, [])
        now = world.clock.now()
        done = {probe.id for probe in breaker.probes if probe.done}
        held = [one for one in others if one.caller in done or _holds(one, now)]
        if len(held) >= breaker.permitted:
            self._violated(f"B1 {caller[-12:]} is probe {len(held) + 1} of {breaker.permitted}")
        others.append(_Probe(caller, performed, place.lease))

    def written(self, _process: Process, ops: Sequence[Op]) -> None:
        """B3, B4 and B5 at every write."""
        for op in ops:
            if isinstance(op, Update) and op.key.partition[0] == "breaker" and "state" in op.set:
                self._changed(dict(op.set))

    def _changed(self, attrs: dict[str, Any]) -> None:
        world, policy = self._world, self.service.policy
        before, self._state = self._state, attrs["state"]
        ended = [one for one in world.record.performed if one.ended is not None and one.began >= self._since_s]
        if (before, self._state) == ("closed", "open"):
            # One whose time is over, as after a pause of its process, never ends by itself: that is a failure.
            late = sum(one.overdue for one in world.record.performed if one.began >= self._since_s)
            failures = late + sum(one.failed for one in ended)
            if failures < policy.threshold:
                self._violated(f"B3 opened after {failures} of {policy.threshold} failures")
        if (before, self._state) == ("halfOpen", "closed"):
            successes = sum(not one.failed for one in ended)
            if successes < policy.probes:
                self._violated(f"B4 closed after {successes} of {policy.probes} successes")
        if before != self._state:
            self._since_s = world.loop.time()
        longest = world.clock.now() + 60_000 + LEASE_MS
        if self.exact and any(probe["lease"] > longest for probe in attrs["probes"] if not probe["done"]):
            self._violated("B5 a lease without end")

    def _violated(self, what: str) -> None:
        self._world.record.violations.append(what)


def _holds(probe: _Probe, now: int) -> bool:
    """Whether its attempt may still come to something. A process that loses its execution stops what it performs."""
    performed = probe.performed
    over = performed.stopped or (performed.ended is not None and performed.failed)
    return not over and performed.process.alive and probe.lease > now
