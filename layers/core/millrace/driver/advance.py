"""`advance`: run one execution until it is done, must wait, or the time given is nearly over.

    load actor and log ─► take over ─► ┌ settle ─► commit ─► perform ┐ ─► done | again | wait
                                       └──────── results ◄───────────┘

True DAG semantics: a task starts the moment its own dependencies are done. An attempt is performed only after the
segment with its AttemptStarted is acknowledged. Results that arrive while a commit is in flight form the next one.
"""

from __future__ import annotations

from millrace.base.errors import FenceLost
from millrace.driver.journal import Unheard
from millrace.driver.loading import Loaded, load_actor, load_state
from millrace.driver.session import MARGIN_MS, Session
from millrace.driver.world import Advanced, Again, Done, DriverWorld, Poke, Wait
from millrace.engine.state import next_due
from millrace.ports.documents import TenantScope

ENDS = 3
"""How often one turn tries to end an execution: the inbox takes no more after the first time, so two are enough."""


async def advance(
    world: DriverWorld,
    scope: TenantScope,
    execution: str,
    *,
    deadline: int | None = None,
    poke: Poke | None = None,
    fresh: Loaded | None = None,
) -> Advanced:
    """Drive one execution; ``deadline`` in ms since the epoch, ``poke`` set when the inbox has something new, ``fresh``
    what there is to drive where that is known already: if it is known no longer, the log's fence refuses it.

    Answers `Done`, `Again` (call again; another driver may hold the lease until ``not_before``) or `Wait` (park).
    Raises StoreUnavailable, Corrupt and NotFound as the ports do; nothing is lost by that.
    """
    poke = poke or Poke()
    found: Loaded | Done | Again | None = fresh
    for _ in range(ENDS):
        if found is None:
            poke.is_set = False  # what it announced is read now
            found = await world.io.call(_load, world, scope, execution)
        if not isinstance(found, Loaded):
            return found
        session = Session(world, scope, execution, found, poke)
        try:
            return await _drive(session, deadline)
        except Unheard as put_off:  # the lease is still held here, so that another driver would have to wait for it
            found, why = None, str(put_off)
        except FenceLost as lost:
            return Again(why=str(lost))
        finally:
            await session.close()
            if deadline is not None:  # where there is one, the process may stand still afterwards
                await world.guards.settle(world)
    return Again(why=why)


def _load(world: DriverWorld, scope: TenantScope, execution: str) -> Loaded | Done | Again:
    """What there is to drive, or why there is nothing. Blocking; in one call, since each costs two hops of threads."""
    actor = load_actor(world, scope, execution)
    if actor is None:
        return Done("unknown")
    if actor.done:
        return Done("done")
    if not world.exclusive and actor.owner not in ("", world.owner) and actor.lease_until > world.clock.now():
        return Again(actor.lease_until, "leased")
    return Loaded(actor, load_state(world, scope, execution, actor))


async def _drive(session: Session, deadline: int | None) -> Advanced:
    await session.take_up()
    while True:
        await session.settle(deadline)
        await session.commit()
        if not session.busy():
            if session.state.finished is not None:
                return Done(session.state.finished.status)
            outcome = _idle(session, deadline)
            if outcome is not None:
                if isinstance(outcome, Again):
                    await session.release()
                return outcome
        await session.wait(deadline)


def _idle(session: Session, deadline: int | None) -> Advanced | None:
    """What to answer when nothing runs and nothing is to be written; None to sleep here for a moment."""
    now = session.world.clock.now()
    due = next_due(session.state)
    if session.held:
        return Again(why="deadline")
    last = None if deadline is None else deadline - MARGIN_MS
    if session.poke.is_set or session.patience.lasts(session.state, now, last):
        return None
    if due is None:
        return Wait(None, session.seen_seq, session.position)
    if due - now > session.world.sleep_ms:
        return Wait(due, session.seen_seq, session.position)
    if deadline is not None and due > deadline - MARGIN_MS:
        return Again(why="deadline")
    return None
