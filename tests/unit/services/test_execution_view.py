"""What is shown of loops: everything when asked for, otherwise what is under way and the latest of the rest."""

from __future__ import annotations

from typing import Any

from millrace.base.limits import TASKS_SHOWN
from millrace.cli.shapes import LOOP_ROWS, task_rows
from millrace.engine import events as ev
from millrace.engine.values import Value
from millrace.services.execution_view import view
from tests.unit.engine.play import Play, failure
from tests.unit.engine.test_nested_ends import plan_of

COUNT = TASKS_SHOWN + 100
LOOP = {
    "id": "loop",
    "forEach": {"items": "{{input.rows}}", "maxParallel": 3, "tolerate": {"failures": "100%"}, "mode": "inline"},
    "tasks": [{"id": "one", "type": "http", "request": {"url": "https://x.example/"}}],
}


def played() -> Play:
    answers = {f"loop[{at}]/one": [failure()] for at in range(0, COUNT, 50)}
    return Play(plan_of([LOOP]), value={"rows": list(range(COUNT))}, answers=answers).run()


def shown(events: list[ev.Event], *, whole: bool, play: Play) -> dict[str, Any]:
    def content(value: Value) -> Any:
        import msgspec

        return msgspec.json.decode(play.codec.blobs[value.blob]) if value.blob else value.decoded()

    return view(events, content, whole=whole)


def test_every_task_of_a_long_loop_is_shown_when_all_are_asked_for() -> None:
    play = played()
    body = shown(play.events, whole=True, play=play)
    assert COUNT + 1 == len(body["tasks"])
    assert "tasksLeftOut" not in body


def test_a_long_loop_shows_its_failures_its_latest_tasks_and_how_many_there_were() -> None:
    play = played()
    body = shown(play.events, whole=False, play=play)
    failed = [path for path, task in body["tasks"].items() if task["status"] == "failed"]
    assert TASKS_SHOWN + 1 == len(body["tasks"])
    assert COUNT // 50 == len(failed)
    assert f"loop[{COUNT - 1}]/one" in body["tasks"]
    assert COUNT - TASKS_SHOWN == body["tasksLeftOut"]["count"]
    assert {"failed": COUNT // 50, "succeeded": COUNT - COUNT // 50} == body["tasks"]["loop"]["inside"]


def test_what_is_not_over_is_never_left_out() -> None:
    play = played()
    position = next(n for n, e in enumerate(play.events) if getattr(e, "path", "") == f"loop[{COUNT - 3}]/one")
    body = shown(play.events[: position + 1], whole=False, play=play)
    assert "running" == body["tasks"][f"loop[{COUNT - 3}]/one"]["status"]


def test_a_person_sees_one_line_per_loop_and_a_few_of_its_failures() -> None:
    play = played()
    rows = task_rows(shown(play.events, whole=True, play=play))
    assert LOOP_ROWS + 1 == len(rows)
    assert f"succeeded (inside: {COUNT // 50} failed, {COUNT - COUNT // 50} succeeded)" == rows[0][1]
    assert "loop[0]/one" == rows[1][0]
