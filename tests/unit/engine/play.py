"""A world for the engine alone: a number for the time, and a script for what attempts bring.

`graph` builds plans from a few words; `Play` decides, records, evolves and performs until nothing more follows, and
keeps every event, so that tests speak of histories.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from typing import Any

from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.commands import CancelChild, Effect, NotifyParent, StartChild
from millrace.engine.evolve import evolve, fold
from millrace.engine.plan import NO_RETRY, EdgeCondition, Node, Plan, RetryPolicy
from millrace.engine.settle import settle
from millrace.engine.state import State, next_due
from millrace.engine.values import Value
from millrace.expr import compile_expression, compile_template
from millrace.ports.documents import TenantScope

SCOPE = TenantScope("acme")
BEGIN = 1_000_000


def retry(**fields: Any) -> RetryPolicy:
    """A declared policy: three attempts, one second apart, without jitter, unless ``fields`` say otherwise."""
    base: dict[str, Any] = {"max_attempts": 3, "strategy": "constant", "jitter": "none", "declared": True}
    return RetryPolicy(**{**base, **fields})


def failure(kind: str = "network", code: str = "reset", *, retryable: bool = True, **more: Any) -> ev.Failure:
    return ev.Failure(kind=kind, code=code, message=f"{kind} {code}", retryable=retryable, **more)


def graph(tasks: Mapping[str, Mapping[str, Any]], **options: Any) -> Plan:
    """A plan. Per task: ``needs``, and any of ``condition``, ``edges`` ({need: condition}), ``input``, ``config``,
    ``output``, ``compute`` (a function of the input), ``retry``, ``timeout``, ``attempt_timeout``, ``priority``,
    ``go_on``, ``keyed``, ``own_scope``, ``wait`` (a WaitPlan), ``rule``. ``options``: ``parallel_limit``, ``timeout``,
    ``output``, ``output_reads``."""
    index = {name: position for position, name in enumerate(tasks)}
    below: dict[str, list[int]] = {name: [] for name in tasks}
    for name, task in tasks.items():
        for need in task.get("needs", ()):
            below[need].append(index[name])
    output = options.get("output")
    return Plan(
        nodes=tuple(_node(name, task, index, tuple(below[name])) for name, task in tasks.items()),
        index=index,
        workflow="flow",
        parallel_limit=options.get("parallel_limit"),
        timeout_ms=options.get("timeout"),
        output=None if output is None else compile_template(output),
        output_reads=options.get("output_reads", ()),
        config={"deep": True},
        leaves=tuple(name for name in tasks if not below[name]),
    )


def _node(name: str, task: Mapping[str, Any], index: Mapping[str, int], dependents: tuple[int, ...]) -> Node:
    compute = task.get("compute")
    return Node(
        index=index[name],
        id=name,
        label=name,
        type="pure" if compute else "work",
        effect="pure" if compute or "wait" in task else "write",
        wait=task.get("wait"),
        trigger_rule=task.get("rule", "all_success"),
        needs=tuple(index[need] for need in task.get("needs", ())),
        dependents=dependents,
        reads=tuple(task.get("reads", task.get("needs", ()))),
        priority=task.get("priority", 0),
        condition=_expression(task.get("condition")),
        edges=tuple(
            EdgeCondition(index[need], compile_expression(text)) for need, text in task.get("edges", {}).items()
        ),
        input=_template(task.get("input")),
        config=_template(task.get("config")),
        own_scope=task.get("own_scope", False),
        compute=None if compute is None else lambda value, _scope: compute(value),
        output=_template(task.get("output")),
        retry=task.get("retry", NO_RETRY),
        timeout_ms=task.get("timeout"),
        attempt_timeout_ms=task.get("attempt_timeout", 60_000),
        continue_on_error=task.get("go_on", False),
        keyed=task.get("keyed", True),
        task_hash=f"hash-{name}",
    )


def _expression(text: str | None) -> Any:
    return None if text is None else compile_expression(text)


def _template(value: Any) -> Any:
    return None if value is None else compile_template(value)


Answer = Any
"""What an attempt brings: a Failure, ``CRASH`` (no result), ``NEVER`` (still running at the end), or its output."""

CRASH = object()
NEVER = object()


class Play:
    """One execution. ``answers`` maps a task to what its attempts bring in order (the last one repeats); a task
    that it does not name succeeds with its own name. ``lasting`` maps a task to how long an attempt takes (ms).
    ``children`` says what the executions that tasks start come to: an output, a Failure (one of kind workflow: it is
    not even started), ``NEVER``, or ``CRASH`` (nothing comes of the order to start it); a list says it by try."""

    def __init__(
        self,
        plan: Plan,
        *,
        answers: Mapping[str, list[Answer]] | None = None,
        lasting: Mapping[str, int] | Callable[[str, int], int] | None = None,
        value: Any = None,
        seed: int = 7,
        begin: int = BEGIN,
        begun: bool = True,
        children: Mapping[str, Any] | None = None,
        parent: ev.Parent | None = None,
        semantics: int = ev.SEMANTICS,
    ) -> None:
        self.plan = plan
        self.state = State(plan)
        self.events: list[ev.Event] = []
        self.now = begin
        self.answers = answers or {}
        self.lasting = lasting or {}
        self.codec = ValueCodec("x1")
        self.flying: list[tuple[int, str, int]] = []
        self.most = 0
        self.settles = 0
        self.messages = 0
        self.fetched = 0
        self.children = children or {}
        self.effects: list[Effect] = []
        if begun:
            self.take(start_event(self.codec, value, seed=seed, at=begin, parent=parent, semantics=semantics))

    def take(self, event: ev.Event) -> None:
        self.events.append(event)
        evolve(self.state, event)

    def settle(self) -> None:
        """Everything that follows now; attempts that begin are put in flight."""
        while True:
            self.settles += 1
            settled = settle(self.plan, self.state, self.now, encode=self.codec.encode)
            self.events.extend(settled.events)
            for start in settled.starts:
                took = self.lasting(start.path, start.attempt) if callable(self.lasting) else None
                ends = self.now + (self.lasting.get(start.path, 10) if took is None else took)  # type: ignore[union-attr]
                heapq.heappush(self.flying, (ends, start.path, start.attempt))
            self.most = max(self.most, self.state.running)
            acted = [self.act(effect) for effect in _first(settled.effects)]
            if not settled.fetches and not any(acted):
                return
            for value in settled.fetches:
                self.fetched += 1
                self.state.resolve(value, _decoded(self.codec.blobs[value.blob]))

    def run(self) -> Play:
        """To the end, or until nothing can happen any more without a message."""
        self.settle()
        while self.state.finished is None:
            due = next_due(self.state)
            moments = [at for at in (due, self.flying[0][0] if self.flying else None) if at is not None]
            if not moments:
                return self
            self.now = max(self.now, min(moments))
            while self.flying and self.flying[0][0] <= self.now:
                self.land(*heapq.heappop(self.flying)[1:])
            self.settle()
        return self

    def land(self, path: str, attempt: int) -> None:
        """An attempt ends as the script says; number 0 stands for the execution that a task has started."""
        if not attempt:
            self.return_child(path)
            return
        answers = self.answers.get(path, [path])
        answer = answers[min(attempt, len(answers)) - 1]
        index = self.state.index.get(path)
        if index is None:  # the body it stood in is over
            return
        task = self.state.tasks[index]
        if answer is NEVER or (task.status, task.attempt) != ("running", attempt):
            return
        if answer is CRASH:
            self.take(ev.AttemptUnknown(at=self.now, path=path, attempt=attempt))
        elif isinstance(answer, ev.Failure):
            self.take(ev.AttemptFinished(at=self.now, path=path, attempt=attempt, failure=answer))
        else:
            value = self.codec.encode(answer)
            self.state.contents[value.sha256] = answer
            self.take(ev.AttemptFinished(at=self.now, path=path, attempt=attempt, output=value))

    def act(self, effect: Effect) -> bool:
        """Perform an effect as ``children`` says. Whether anything came of it."""
        self.effects.append(effect)
        if isinstance(effect, NotifyParent):
            self.take(ev.ParentNotified(at=self.now, status=effect.status))
        elif isinstance(effect, CancelChild):
            self.take(ev.ChildCancelled(at=self.now, path=effect.path, child=effect.child))
        elif not isinstance(effect, StartChild):
            return False  # places under concurrency keys are given by `tests.unit.engine.test_slots`
        else:
            answer = self._came_to(effect.path)
            if answer is CRASH:
                return False
            if isinstance(answer, ev.Failure) and answer.kind == "workflow":
                self.take(
                    ev.ChildFinished(at=self.now, path=effect.path, child=effect.child, status="failed", failure=answer)
                )
            else:
                self.take(ev.ChildStarted(at=self.now, path=effect.path, child=effect.child, workflow=effect.ref))
                lasting = 10 if callable(self.lasting) else self.lasting.get(effect.path, 10)
                heapq.heappush(self.flying, (self.now + lasting, effect.path, 0))
        return True

    def _came_to(self, path: str) -> Any:
        """What the execution comes to that a task starts now; by try, where that is a list."""
        answer = self.children.get(path, path)
        if not isinstance(answer, list):
            return answer
        index = self.state.index.get(path)
        attempt = 1 if index is None else max(self.state.tasks[index].attempt, 1)
        return answer[min(attempt, len(answer)) - 1]

    def return_child(self, path: str) -> None:
        """Another execution ends as the script says."""
        answer = self._came_to(path)
        index = self.state.index.get(path)
        wait = None if index is None else self.state.tasks[index].wait
        if answer is NEVER or wait is None:
            return
        failed = isinstance(answer, ev.Failure)
        self.take(
            ev.ChildFinished(
                at=self.now,
                path=path,
                child=wait.child,
                status="failed" if failed else "succeeded",
                message=f"child-{wait.child}",
                output=None if failed else self.codec.encode(answer),
                failure=answer if failed else None,
            )
        )

    def cancel(self, reason: str = "") -> None:
        self.messages += 1
        self.take(ev.CancelRequested(at=self.now, message=f"m{self.messages}", reason=reason))

    def signal(self, name: str, payload: Any = None) -> str:
        """Send a signal; answers its id."""
        self.messages += 1
        message = f"m{self.messages}"
        self.take(ev.SignalReceived(at=self.now, message=message, signal=name, payload=self.codec.encode(payload)))
        return message

    def decide(self, path: str, decision: str, *, by: str, form: Any = None, comment: str = "") -> None:
        self.messages += 1
        self.take(
            ev.DecisionReceived(
                at=self.now,
                message=f"m{self.messages}",
                path=path,
                decision=decision,
                comment=comment,
                form=None if form is None else self.codec.encode(form),
                principal=by,
            )
        )

    # what came of it

    def finished(self) -> ev.ExecutionFinished:
        assert self.state.finished is not None
        return self.state.finished

    def output(self) -> Any:
        value = self.finished().output
        assert value is not None
        return self.content(value)

    def content(self, value: Value) -> Any:
        return _decoded(self.codec.blobs[value.blob]) if value.blob else value.decoded()

    def statuses(self) -> dict[str, str]:
        return {path: self.state.tasks[index].status for path, index in self.state.index.items()}

    def skips(self) -> dict[str, tuple[str, str]]:
        tasks = [(path, self.state.tasks[index]) for path, index in self.state.index.items()]
        return {path: (task.skip.reason, task.skip.origin) for path, task in tasks if task.skip is not None}

    def failure(self, path: str) -> ev.Failure:
        found = self.state.tasks[self.state.index[path]].failure
        assert found is not None
        return found

    def attempts(self, path: str) -> int:
        return self.state.tasks[self.state.index[path]].attempt

    def of(self, kind: type, path: str | None = None) -> list[Any]:
        """The events of one type, perhaps of one task."""
        return [e for e in self.events if type(e) is kind and (path is None or getattr(e, "path", "") == path)]

    def delays(self, path: str) -> list[int]:
        return [event.delay_ms for event in self.of(ev.RetryScheduled, path)]

    def folded(self) -> State:
        return fold(self.plan, self.events)


def start_event(
    codec: ValueCodec,
    value: Any = None,
    *,
    seed: int = 7,
    at: int = BEGIN,
    parent: ev.Parent | None = None,
    semantics: int = ev.SEMANTICS,
) -> ev.ExecutionStarted:
    return ev.ExecutionStarted(
        at=at,
        tenant=SCOPE.tenant,
        namespace="default",
        execution="x1",
        workflow="flow",
        revision=1,
        version="1.0.0",
        content_hash="c",
        behaviour_hash="b",
        input=codec.encode(value),
        semantics=semantics,
        seed=seed,
        parent=parent,
    )


def _first(effects: list[Effect]) -> list[Effect]:
    """One per task, as the driver begins them."""
    places: dict[str, Effect] = {}
    for effect in effects:
        places.setdefault(getattr(effect, "path", ""), effect)
    return list(places.values())


def _decoded(data: bytes) -> Any:
    import msgspec

    return msgspec.json.decode(data)


def play(tasks: Mapping[str, Mapping[str, Any]], **more: Any) -> Play:
    """Build and run at once: ``options`` of `graph` and of `Play` in one call."""
    ours = {key: more.pop(key) for key in ("parallel_limit", "timeout", "output", "output_reads") if key in more}
    return Play(graph(tasks, **ours), **more).run()
