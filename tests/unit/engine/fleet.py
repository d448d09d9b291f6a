"""A large loop in one process: the execution, its lanes and the messages between them, over one number for the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heappop
from typing import Any

import msgspec

from millrace.base.ids import lane_name
from millrace.engine import events as ev
from millrace.engine.commands import Effect, NotifyParent, StartLanes, TellFailures, TellLanes
from millrace.engine.evolve import fold
from millrace.engine.plan import Plan
from millrace.engine.snapshot import equal, freeze, thaw
from millrace.engine.spreading import lane_plan
from millrace.engine.state import next_due
from millrace.services.loop_lanes import begun_lane

from .play import Play

ROOT = "x1"


class Part(Play):
    """A lane, which writes into the same store of values as its execution."""

    def __init__(self, fleet: Fleet, plan: Plan, begun: ev.ExecutionStarted) -> None:
        super().__init__(
            lane_plan(plan, begun), answers=fleet.answers, lasting=fleet.lasting, children=fleet.children, begun=False
        )
        self.fleet = fleet
        self.codec = fleet.codec
        self.now = fleet.now
        self.take(begun)

    def act(self, effect: Effect) -> bool:
        if not isinstance(effect, NotifyParent | TellFailures):
            return super().act(effect)
        lane = self.events[0].lane  # type: ignore[attr-defined]
        stream = int(self.events[0].execution.partition(".")[2])  # type: ignore[attr-defined]
        report = effect.report or ev.LaneReport()
        if isinstance(effect, TellFailures):
            self.fleet.hear(
                ev.LaneReported(
                    at=self.now,
                    path=lane.path,
                    lane=lane.first,
                    stream=stream,
                    status="running",
                    report=report,
                    message=f"lane-{stream}-{report.failures}",
                )
            )
            self.take(ev.FailuresReported(at=self.now, failures=report.failures))
        else:
            self.fleet.hear(
                ev.LaneReported(
                    at=self.now,
                    path=lane.path,
                    lane=lane.first,
                    stream=stream,
                    status=effect.status,
                    report=report,
                    output=effect.output,
                    failure=effect.failure,
                    message=f"lane-{stream}-end",
                )
            )
            self.take(ev.ParentNotified(at=self.now, status=effect.status))
        return True


class Fleet(Play):
    """The execution; ``parts`` are its lanes by stream. ``deaf`` lanes never get what they are told."""

    def __init__(self, plan: Plan, *, deaf: bool = False, starts: bool = True, **more: Any) -> None:
        self.parts: dict[int, Part] = {}
        self.told: list[tuple[str, tuple[int, ...]]] = []
        self.deaf = deaf
        self.starts = starts
        self.heard: list[ev.LaneReported] = []
        self.on_step: Callable[[], None] | None = None
        super().__init__(plan, **more)

    def hear(self, event: ev.LaneReported) -> None:
        self.heard.append(event)

    def act(self, effect: Effect) -> bool:
        if isinstance(effect, StartLanes):
            self.effects.append(effect)
            if not self.starts:
                return False
            items = self.content(effect.items)
            started = self.events[0]
            assert isinstance(started, ev.ExecutionStarted)
            for at in range(effect.lanes):
                begun, codec = begun_lane(started, effect, at, items, self.now)
                self.codec.blobs |= codec.blobs
                self.parts[effect.stream + at] = Part(self, self.plan, begun)
            self.take(ev.LanesStarted(at=self.now, path=effect.path))
            return True
        if isinstance(effect, TellLanes):
            self.told.append((effect.stance, effect.streams))
            for stream in effect.streams if not self.deaf else ():
                if stream in self.parts:
                    self.tell(self.parts[stream], effect.stance, effect.failure)
            void = tuple(stream for stream in effect.streams if stream not in self.parts)
            told = ev.LanesTold(at=self.now, path=effect.path, stance=effect.stance)
            self.take(msgspec.structs.replace(told, void=void if effect.stance == "cancel" else ()))
            return True
        return super().act(effect)

    def tell(self, part: Part, stance: str, failure: ev.Failure | None = None) -> None:
        part.messages += 1
        message = f"m{part.messages}"
        kinds: Mapping[str, type[ev.Event]] = {
            "cancel": ev.CancelRequested,
            "close": ev.CloseRequested,
            "pause": ev.PauseRequested,
            "run": ev.ResumeRequested,
        }
        more = {"failure": failure} if stance == "cancel" else {}
        if part.state.finished is None:
            part.take(kinds[stance](at=self.now, message=message, **more))  # type: ignore[call-arg]

    def everyone(self) -> list[Play]:
        return [self, *self.parts.values()]

    def run(self) -> Fleet:
        """To the end of everything, or until nothing can happen any more."""
        while True:
            for play in self.everyone():
                play.now = self.now
                if play.state.finished is None:
                    Play.settle(play)
            heard, self.heard = self.heard, []
            if heard or any(not part.settles for part in self.parts.values()):
                for event in heard:
                    if self.state.finished is None:
                        self.take(event)
                continue
            if self.on_step is not None:
                self.on_step()
            live = [play for play in self.everyone() if play.state.finished is None]
            moments = [due for play in live if (due := next_due(play.state)) is not None and due > self.now]
            moments += [play.flying[0][0] for play in live if play.flying]
            if not moments:
                return self
            self.now = max(self.now, min(moments))
            for play in live:
                play.now = self.now
                while play.flying and play.flying[0][0] <= self.now:
                    play.land(*heappop(play.flying)[1:])

    def running(self) -> int:
        return sum(part.state.running for part in self.parts.values())


def sound(fleet: Fleet) -> Fleet:
    """The same, after every prefix of every log was seen to be what its snapshot holds."""
    for play in fleet.everyone():
        for length in range(1, len(play.events) + 1):
            state = fold(play.plan, play.events[:length])
            thawed = thaw(play.plan, freeze(state))
            assert thawed is not None
            assert [] == equal(state, thawed), play.events[length - 1]
    return fleet


def name(stream: int) -> str:
    return lane_name(ROOT, stream)
