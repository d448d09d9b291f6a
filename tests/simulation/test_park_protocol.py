"""Send and park cannot miss each other: two senders and one parker, in every order, with a crash at every step.

The functions are those of production, each run in a thread that stops before every operation on the store until the
schedule says go on; the schedules are enumerated.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from millrace.adapters.memory import ManualClock, MemoryBlobs, MemoryDocuments, MemorySecrets, SeededRandom
from millrace.driver.park import park
from millrace.ports.documents import TenantScope
from millrace.services.caller import Caller
from millrace.services.platform import Platform
from millrace.services.reconcile import reconcile
from millrace.services.send_message import send_message
from millrace.store.executions import Message, new_actor, read_actor

SCOPE = TenantScope("acme")
CALLER = Caller(tenant="acme", principal="p")
EXECUTION = "e"


class Killed(BaseException):
    """The thread dies here."""


class Steps:
    """Documents whose every call waits for its turn; a killed thread never gets one."""

    def __init__(self, inner: MemoryDocuments, wrote: Callable[[], None]) -> None:
        self.inner = inner
        self.wrote = wrote
        self.go = threading.Semaphore(0)
        self.arrived = threading.Semaphore(0)
        self.killed = False
        self.finished = False

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.inner, name)

        def stepped(*args: Any, **kwargs: Any) -> Any:
            self.arrived.release()
            self.go.acquire()
            if self.killed:
                raise Killed
            answer = call(*args, **kwargs)
            if name == "write":
                self.wrote()
            return answer

        return stepped


class Tokens:
    """What Step Functions would know: the tokens that were completed."""

    def __init__(self) -> None:
        self.completed: set[str] = set()
        self.restarted = 0

    def start(self, scope: TenantScope, execution: str, generation: int, *, short: bool = True) -> None:
        self.restarted += 1

    def wake(self, scope: TenantScope, execution: str, token: str) -> None:
        self.completed.add(token)


class Scene:
    """Two senders and one parker over one store; `awake` is what the execution would be in the end."""

    def __init__(self) -> None:
        self.store = MemoryDocuments()
        self.store.write(SCOPE, [new_actor(EXECUTION, 0)])
        self.tokens = Tokens()
        self.refused = False
        self.parked = False
        self.counted: list[str] = []
        self.steps = [Steps(self.store, lambda name=name: self.counted.append(name)) for name in ("m0", "m1", "park")]
        acts: list[Callable[[], None]] = [lambda: self._send(0), lambda: self._send(1), self._park]
        self.threads = [
            threading.Thread(target=self._run, args=(steps, act), daemon=True)
            for steps, act in zip(self.steps, acts, strict=True)
        ]
        self.acknowledged: set[str] = set()
        for steps, thread in zip(self.steps, self.threads, strict=True):
            thread.start()
            steps.arrived.acquire()

    def _run(self, steps: Steps, act: Callable[[], None]) -> None:
        try:
            act()
        except Killed:
            pass
        finally:
            steps.finished = True
            steps.arrived.release()

    def platform(self, documents: Any) -> Platform:
        clock = ManualClock()
        return Platform(
            documents=documents,
            blobs=MemoryBlobs(),
            secrets=MemorySecrets(),
            orchestrator=self.tokens,
            clock=clock,
            ids=None,  # type: ignore[arg-type]
            random=SeededRandom(),
        )

    def _send(self, number: int) -> None:
        message = Message(id=f"m{number}", kind="signal", name="go")
        send_message(self.platform(self.steps[number]), CALLER, EXECUTION, message)
        self.acknowledged.add(message.id)

    def _park(self) -> None:
        documents: Any = self.steps[2]
        actor = read_actor(documents, SCOPE, EXECUTION)
        assert actor is not None
        self.seen = actor.inbox_seq
        stored = park(
            documents, SCOPE, EXECUTION, token="T", wake_at=None, seen_seq=actor.inbox_seq, position=0, owner="d", now=0
        )
        self.parked, self.refused = stored, not stored

    def step(self, who: int) -> None:
        self.steps[who].go.release()
        self.steps[who].arrived.acquire()

    def kill(self, who: int) -> None:
        self.steps[who].killed = True
        if not self.steps[who].finished:
            self.step(who)

    def close(self) -> None:
        for who in range(3):
            while not self.steps[who].finished:
                self.kill(who)
        for thread in self.threads:
            thread.join()


def _schedules(lengths: list[int]) -> Iterator[list[int]]:
    """Every order of so many steps of each thread."""
    if not any(lengths):
        yield []
        return
    for who, left in enumerate(lengths):
        if left:
            shorter = [*lengths]
            shorter[who] -= 1
            for rest in _schedules(shorter):
                yield [who, *rest]


def _play(schedule: list[int], *, victim: int | None, at: int) -> Scene:
    scene = Scene()
    taken = [0, 0, 0]
    for who in schedule:
        if scene.steps[who].finished:
            continue
        if who == victim and taken[who] == at:
            scene.kill(who)
            continue
        scene.step(who)
        taken[who] += 1
    for who in range(3):
        while not scene.steps[who].finished:
            scene.step(who)
    return scene


LENGTHS = [3, 3, 2]
"""Operations on the store: a sender reads, writes, and reads the token; the parker reads, and parks."""


def test_a_parked_execution_always_learns_of_every_acknowledged_message() -> None:
    schedules = list(_schedules(LENGTHS))
    assert 560 == len(schedules)
    woken = 0
    for schedule in schedules:
        for victim, at in [(None, 0), *((who, step) for who in (0, 1) for step in range(3))]:
            scene = _play(schedule, victim=victim, at=at)
            if scene.parked and _unseen(scene) & scene.acknowledged:
                assert "T" in scene.tokens.completed, f"{schedule}, sender {victim} dies at {at}"
                woken += 1
            scene.close()
    assert woken > 100


def test_the_reconciler_wakes_an_execution_whose_sender_died_before_it_could() -> None:
    healed = 0
    for schedule in _schedules(LENGTHS):
        scene = _play(schedule, victim=0, at=2)
        if scene.parked and _pending(scene) and "T" not in scene.tokens.completed:
            reconcile(scene.platform(scene.store), all_live=True)
            assert "T" in scene.tokens.completed
            healed += 1
        scene.close()
    assert healed > 0


def _unseen(scene: Scene) -> set[str]:
    """The messages that were counted after the parker had looked."""
    messages = [name for name in scene.counted if name != "park"]
    return set(messages[scene.seen :])


def _pending(scene: Scene) -> bool:
    """Whether a message was counted after the parker had looked."""
    actor = read_actor(scene.store, SCOPE, EXECUTION)
    assert actor is not None
    return actor.inbox_seq > scene.seen
