"""Messages of an inbox as the history has them, and how they are taken out of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from millrace.driver.messages import event_of, message_deletes
from millrace.driver.values import ValueCodec
from millrace.engine import events as ev
from millrace.engine.values import inline_value
from millrace.ports.documents import Delete, Key, Table
from millrace.store.executions import Message

AT = 1_767_225_600_000
FORM = inline_value({"ok": True})
TOLD = ev.LaneReported(at=1, message="", path="loop", lane=2, stream=3, status="running")


def told(**more: Any) -> dict[str, Any]:
    return {"child": "01c", "status": "failed", **more}


def failed(code: str, said: str, *, kind: str = "workflow", retryable: bool = False, status: str = "failed") -> Any:
    return ev.Failure(
        kind=kind,
        code=code,
        message=f"The execution 01c {said}",
        hint="GET /api/v1/executions/01c shows why.",
        retryable=retryable,
        details={"execution": "01c", "status": status},
    )


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (
            Message("m", "cancel", reason="enough", principal="ann"),
            ev.CancelRequested(at=AT, message="m", reason="enough", principal="ann"),
        ),
        (
            Message("m", "cancel", payload={"failure": {"kind": "timeout", "code": "task-timeout", "message": "late"}}),
            ev.CancelRequested(
                at=AT, message="m", failure=ev.Failure(kind="timeout", code="task-timeout", message="late")
            ),
        ),
        (Message("m", "pause", principal="ann"), ev.PauseRequested(at=AT, message="m", principal="ann")),
        (Message("m", "resume", principal="ann"), ev.ResumeRequested(at=AT, message="m", principal="ann")),
        (Message("m", "close"), ev.CloseRequested(at=AT, message="m")),
        (
            Message("m", "decision", name="sign", decision="approved", reason="fine", principal="ann"),
            ev.DecisionReceived(at=AT, message="m", path="sign", decision="approved", comment="fine", principal="ann"),
        ),
        (
            Message("m", "decision", name="sign", decision="rejected", payload={"ok": True}),
            ev.DecisionReceived(at=AT, message="m", path="sign", decision="rejected", form=FORM),
        ),
        (
            Message("m", "slot", name="a", payload={"key": "k"}),
            ev.SlotGranted(at=AT, path="a", key="k", message="m"),
        ),
        (
            Message("m", "lane", payload={"told": msgspec.json.encode(TOLD).decode()}),
            msgspec.structs.replace(TOLD, at=AT, message="m"),
        ),
        (
            Message("m", "signal", name="go", payload={"ok": True}, principal="ann"),
            ev.SignalReceived(at=AT, message="m", signal="go", payload=FORM, principal="ann"),
        ),
    ],
    ids=[
        "cancel",
        "cancel of a lane",
        "pause",
        "resume",
        "close",
        "decision",
        "decision with a form",
        "slot",
        "lane",
        "signal",
    ],
)
def test_a_message_is_the_event_of_its_kind_and_carries_its_id(message: Message, event: ev.Event) -> None:
    assert event == event_of(message, AT, ValueCodec("x"))


@pytest.mark.parametrize(
    ("payload", "failure"),
    [
        (told(), failed("failed", "failed: no reason given")),
        (
            told(failure={"kind": "http", "code": "503", "message": "it broke", "retryable": True}),
            failed("503", "failed: it broke", kind="http", retryable=True),
        ),
        (
            told(status="timedOut", failure={"message": "late"}),
            failed("timedOut", "ran out of time: late", retryable=True, status="timedOut"),
        ),
        (told(status="cancelled"), failed("cancelled", "was cancelled: no reason given", status="cancelled")),
    ],
    ids=["failed", "with a reason", "timed out", "cancelled"],
)
def test_the_end_of_another_execution_is_a_failure_unless_it_succeeded(payload: Any, failure: ev.Failure) -> None:
    expected = ev.ChildFinished(
        at=AT, path="c", child="01c", status=payload["status"], message="m", output=None, failure=failure
    )
    assert expected == event_of(Message("m", "child", name="c", payload=payload), AT, ValueCodec("x"))
    good = {"child": "01c", "status": "succeeded", "output": {"ok": True}}
    found = event_of(Message("m", "child", name="c", payload=good), AT, ValueCodec("x"))
    assert ev.ChildFinished(at=AT, path="c", child="01c", status="succeeded", message="m", output=FORM) == found


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (25, [25]), (26, [25, 1]), (75, [25, 25, 25])])
def test_messages_are_taken_out_in_as_few_writes_as_their_limit_allows(count: int, sizes: list[int]) -> None:
    found = message_deletes("x", [f"m{number}" for number in range(count)])
    assert sizes == [len(ops) for ops in found]
    assert [Delete(Key(Table.HISTORY, ("inbox", "x"), f"m{number}")) for number in range(count)] == [
        op for ops in found for op in ops
    ]
