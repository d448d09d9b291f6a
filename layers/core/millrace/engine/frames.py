"""Frames and scopes: where the tasks of inner bodies live while they run.

A frame is one running instance of a body: one case of a switch, one iteration of a loop. A scope is what a task has
opened: which frames it still has, and what became of those that are over. Tasks of a frame that is over are forgotten,
but for what the task around them needs, so that a loop of ten thousand items holds as many tasks as run at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from millrace.engine.events import Failure, LaneReport
from millrace.engine.values import Value

if TYPE_CHECKING:
    from millrace.engine.plan import Body


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one task of a body that is over."""

    status: str
    output: Value | None = None
    failure: Failure | None = None


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one frame. ``path`` and ``failure`` are those of the first task that failed and may not;
    ``tasks`` holds the leaves, or, of generated tasks, all."""

    tasks: dict[str, Ended] = {}
    path: str = ""
    failure: Failure | None = None


class LaneState(msgspec.Struct, omit_defaults=True):
    """What is known of one part of a large loop; ``status`` is running, succeeded, failed or cancelled."""

    status: str = "running"
    report: LaneReport = LaneReport()
    output: Value | None = None
    failure: Failure | None = None


class Frame:
    """``prefix`` begins the path of its tasks, ``base`` is the index of the first; ``owner`` is the index of the task
    around it, -1 for the workflow itself and for handlers; ``slot`` its position among the frames of its scope.
    ``open`` counts tasks that are not done, ``failed`` is the first that failed and may not. Expressions see ``env``,
    and under ``tasks`` the ``view``."""

    __slots__ = ("base", "body", "env", "failed", "open", "owner", "parent", "prefix", "slot", "view")

    def __init__(self, body: Body, *, prefix: str, owner: int, slot: int, base: int, parent: Frame | None) -> None:
        self.body = body
        self.prefix = prefix
        self.owner = owner
        self.slot = slot
        self.base = base
        self.parent = parent
        self.open = len(body.nodes)
        self.failed: int | None = None
        self.view: dict[str, dict[str, Any]] = {}
        self.env: dict[str, Any] = {}

    def within(self, owner: int) -> Frame | None:
        """The frame of ``owner`` that this one is, or stands in."""
        at: Frame | None = self
        while at is not None and at.owner != owner:
            at = at.parent
        return at


class Opened:
    """The scope of one task: ``kind``, ``branch`` and ``count`` are those of its event. ``next`` is the slot of the
    next frame, ``frames`` those that run, ``results`` what became of the others; ``failures`` counts failed ones, of
    which ``allowed`` may be. No further frame is opened when ``closing``, because too many have failed, or ``stopped``
    from outside. ``content`` are the items once they are at hand. The item of slot n is that at ``first + n * step``.

    A large loop has ``lanes`` instead of frames, whose logs begin at ``stream``: ``begun`` once they are there, each
    with ``window`` items at once; ``told`` is how they were told to go on, ``outer`` what they see of what
    is around."""

    __slots__ = (
        "allowed",
        "begun",
        "body",
        "branch",
        "closing",
        "content",
        "count",
        "failure",
        "failures",
        "first",
        "frames",
        "item",
        "items",
        "kind",
        "lanes",
        "next",
        "outer",
        "path",
        "position",
        "results",
        "step",
        "stopped",
        "stream",
        "tasks",
        "told",
        "window",
    )

    def __init__(self, kind: str, path: str, body: Body) -> None:
        self.kind = kind
        self.path = path
        self.body = body
        self.branch = ""
        self.count = 1
        self.window = 1
        self.allowed = 0
        self.item = ""
        self.position = ""
        self.items: Value | None = None
        self.tasks: Value | None = None
        self.failure: Failure | None = None
        self.content: list[Any] | None = None
        self.next = 0
        self.frames: dict[int, Frame] = {}
        self.results: dict[int, Result] = {}
        self.failures = 0
        self.closing = False
        self.stopped = False
        self.first = 0
        self.step = 1
        self.lanes: list[LaneState] = []
        self.stream = 0
        self.begun = False
        self.told = "run"
        self.outer: Value | None = None

    @property
    def ahead(self) -> int:
        """How many tasks of frames follow that are not opened yet."""
        return 0 if self.lanes else (self.count - self.next) * len(self.body.nodes)

    @property
    def over(self) -> bool:
        """Whether no frame or lane runs and none follows."""
        if self.lanes:
            return all(lane.status != "running" for lane in self.lanes)
        return not self.frames and (self.closing or self.stopped or self.next >= self.count)
