"""The circuit breaker as a state machine: plain data in, plain data out, nothing read and nothing written.

    closed     ─ enough failures ─────────────────► open
    open       ─ the break is over, first probe ──► halfOpen
    halfOpen   ─ every probe succeeded ───────────► closed
    halfOpen   ─ one probe failed ────────────────► open
    any        ─ an operator ─────────────────────► forcedOpen, closed

Every change of state begins a new generation. What an attempt comes to counts only in the generation that let it
through, so a call that was made before a breaker opened cannot close it, nor open it again. In halfOpen a probe holds
one of ``permitted`` places until it ends or its lease does. After closing, a rising share of attempts is let through.

The three states are those of M. Nygard, "Release It!" (2007); the sampling window, minimum throughput and permitted
probes are named as in Polly and resilience4j.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:  # whoever only looks at a breaker needs no plans
    from millrace.engine.plan import BreakerPolicy

State = Literal["closed", "open", "halfOpen", "forcedOpen"]
Verdict = Literal["success", "failure"]
CHANGES: Final = 20
"""How many changes of state are remembered."""
RAMP: Final = (10, 50)
"""Percent of attempts let through in each equal part of the ramp; all of them after it."""
AUTOMATIC: Final = "millrace"


class Probe(Struct, frozen=True):
    """An attempt that was let through in halfOpen. ``lease`` is when its place is free again if nothing is heard."""

    id: str
    lease: int
    done: bool = False


class Change(Struct, frozen=True):
    """One change of state: when (ms), to what, by whom and why."""

    at: int
    state: State
    by: str
    why: str


class Breaker(Struct, frozen=True):
    """``version`` grows with every write of this record, ``generation`` with every change of state; times are ms since
    the epoch. ``permitted``, ``break_ms`` and ``ramp_ms`` are those of the policy that opened it."""

    state: State = "closed"
    version: int = 0
    generation: int = 0
    since: int = 0
    open_until: int = 0
    permitted: int = 1
    break_ms: int = 30_000
    ramp_ms: int = 0
    probes: tuple[Probe, ...] = ()
    changes: tuple[Change, ...] = ()


class Counts(Struct, frozen=True):
    successes: int = 0
    failures: int = 0


class Admitted(Struct, frozen=True):
    """The attempt may be made. ``following`` is what has to be stored first, on the version that was read."""

    generation: int
    trail: str
    probe: bool = False
    following: Breaker | None = None


class Refused(Struct, frozen=True):
    """The attempt may not be made; ``retry_at`` (ms) is when it is worth asking again, None if nobody knows."""

    retry_at: int | None
    trail: str


def admit(breaker: Breaker, *, caller: str, now: int, lease_until: int) -> Admitted | Refused:
    """Whether the attempt ``caller`` (its id) may be made at ``now``; as a probe it holds its place until
    ``lease_until``. The same question gets the same answer until the record changes."""
    if breaker.state == "forcedOpen":
        return Refused(None, "breaker: forced open")
    if breaker.state == "closed":
        return _closed(breaker, caller, now)
    if breaker.state == "open":
        if now < breaker.open_until and breaker.since - now <= breaker.break_ms:
            return Refused(breaker.open_until, "breaker: open")
        first = _changed(breaker, "halfOpen", now, AUTOMATIC, "the break is over")
        return _probe(replace(first, probes=(Probe(caller, lease_until),)), first.generation, 1)
    held = [probe for probe in breaker.probes if probe.done or probe.lease > now]
    if any(probe.id == caller and not probe.done for probe in held):
        return Admitted(breaker.generation, "breaker: half-open, probe", probe=True)
    if len(held) >= breaker.permitted:
        leases = [probe.lease for probe in held if not probe.done]
        return Refused(min([*leases, now + breaker.break_ms]), "breaker: half-open, no place for a probe")
    probes = (*held, Probe(caller, lease_until))
    return _probe(_written(breaker, probes=probes), breaker.generation, len(probes))


def _probe(following: Breaker, generation: int, number: int) -> Admitted:
    trail = f"breaker: half-open, probe {number} of {following.permitted}"
    return Admitted(generation, trail, probe=True, following=following)


def _closed(breaker: Breaker, caller: str, now: int) -> Admitted | Refused:
    gone = now - breaker.since
    if breaker.generation == 0 or not -breaker.ramp_ms < gone < breaker.ramp_ms:
        return Admitted(breaker.generation, "breaker: closed")
    step = max(gone, 0) * len(RAMP) // breaker.ramp_ms
    if _share(caller, breaker.generation) < RAMP[step]:
        return Admitted(breaker.generation, f"breaker: closed, {RAMP[step]} % let through")
    end = breaker.since - (-breaker.ramp_ms * (step + 1) // len(RAMP))
    return Refused(end, f"breaker: closed, {RAMP[step]} % let through")


def _share(caller: str, generation: int) -> int:
    """0 to 99, the same for one attempt and generation wherever it is drawn."""
    digest = hashlib.sha256(f"{generation}\n{caller}".encode()).digest()
    return int.from_bytes(digest[:4], "big") * 100 >> 32


def trips(policy: BreakerPolicy, counts: Counts) -> bool:
    """Whether these counts of the window open a closed breaker."""
    total = counts.successes + counts.failures
    if not counts.failures or total < policy.minimum:
        return False
    if policy.threshold:
        return counts.failures >= policy.threshold
    return counts.failures >= policy.rate * total


def opened(breaker: Breaker, policy: BreakerPolicy, *, now: int, counts: Counts) -> Breaker:
    """A closed breaker that has tripped, open until the policy's break is over."""
    why = f"{counts.failures} failures within {policy.sampling_ms} ms"
    if not policy.threshold:
        why = (
            f"{counts.failures} of {counts.failures + counts.successes} attempts failed within {policy.sampling_ms} ms"
        )
    following = _changed(breaker, "open", now, AUTOMATIC, why)
    return replace(
        following,
        open_until=now + policy.break_ms,
        permitted=policy.probes,
        break_ms=policy.break_ms,
        ramp_ms=policy.ramp_ms,
    )


def probed(breaker: Breaker, *, caller: str, generation: int, verdict: Verdict | None, now: int) -> Breaker | None:
    """What follows from the end of a probe; without ``verdict`` its place is free. None for what came too late: the
    breaker is in another generation, or the place was given to somebody else."""
    if breaker.generation != generation or breaker.state != "halfOpen":
        return None
    if not any(probe.id == caller and not probe.done for probe in breaker.probes):
        return None
    if verdict == "failure":
        following = _changed(breaker, "open", now, AUTOMATIC, "a probe failed")
        return replace(following, open_until=now + breaker.break_ms)
    others = tuple(probe for probe in breaker.probes if probe.id != caller)
    if verdict is None:
        return _written(breaker, probes=others)
    probes = (*others, Probe(caller, now, done=True))
    if sum(probe.done for probe in probes) < breaker.permitted:
        return _written(breaker, probes=probes)
    return _changed(breaker, "closed", now, AUTOMATIC, f"{breaker.permitted} of {breaker.permitted} probes succeeded")


def force_open(breaker: Breaker, *, by: str, why: str, now: int) -> Breaker:
    """Open until an operator closes or resets it."""
    return _changed(breaker, "forcedOpen", now, by, why)


def force_closed(breaker: Breaker, *, by: str, why: str, now: int) -> Breaker:
    """Closed by an operator; attempts are taken up with the ramp of the policy that opened it."""
    return _changed(breaker, "closed", now, by, why)


def reset(breaker: Breaker, *, by: str, why: str, now: int) -> Breaker:
    """As if it had never opened: nothing counted, no ramp. Who did it stays known."""
    return replace(_changed(breaker, "closed", now, by, why), ramp_ms=0)


def _changed(breaker: Breaker, state: State, now: int, by: str, why: str) -> Breaker:
    return replace(
        breaker,
        state=state,
        version=breaker.version + 1,
        generation=breaker.generation + 1,
        since=now,
        open_until=0,
        probes=(),
        changes=(*breaker.changes, Change(now, state, by, why))[-CHANGES:],
    )


def _written(breaker: Breaker, *, probes: tuple[Probe, ...]) -> Breaker:
    return replace(breaker, version=breaker.version + 1, probes=probes)
