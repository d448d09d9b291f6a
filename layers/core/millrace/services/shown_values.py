"""Which values of an execution one answer holds: an answer has to fit through a function, and into its memory."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from millrace.engine.values import Value

Content = Callable[[Value], Any]

_SHOWN: Final = ("input", "output")


def show_values(
    execution: dict[str, Any],
    tasks: Collection[dict[str, Any]],
    content: Content,
    *,
    room: int | None,
    twice: bool = False,
) -> int:
    """Put what ``content`` reads in the place of every Value that is the input or output of the execution or of a task,
    and answer how many did not fit.

    ``room`` is in bytes, None for no limit; with ``twice`` the outputs of tasks are shown in two places. The output of
    the execution comes first, then its input, then the values of tasks, small ones first, so that a large one hides no
    other. One without room stands with its size under ``leftOut`` of its holder instead, and is not read.
    """
    places = [(execution, name) for name in reversed(_SHOWN) if isinstance(execution.get(name), Value)]
    inside = [(task, name) for task in tasks for name in _SHOWN if isinstance(task.get(name), Value)]
    left_out = 0
    for holder, name in [*places, *sorted(inside, key=lambda place: place[0][place[1]].size)]:
        value: Value = holder[name]
        cost = value.size * (2 if twice and name == "output" and holder is not execution else 1)
        if room is not None and cost > room:
            holder.setdefault("leftOut", {})[name] = {"size": value.size}
            del holder[name]
            left_out += 1
            continue
        holder[name] = content(value)
        room = None if room is None else room - cost
    return left_out
