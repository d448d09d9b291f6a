"""Deciding approvals, pausing and resuming: who may, when it counts, and what a request gets that comes too late."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from millrace.base.errors import Conflict, Forbidden, InvalidInput, NotFound
from millrace.services.decide_approval import decide_approval
from millrace.services.get_execution import get_execution
from millrace.services.pause_execution import pause_execution
from millrace.services.start_execution import Start, start_execution
from tests.unit.driver.runs import CALLER, Local, call, workflow

FORM = {"type": "object", "required": ["limit"], "properties": {"limit": {"type": "integer"}}}


def approval(**more: Any) -> dict[str, Any]:
    return {"id": "sign", "type": "approval", "approvers": ["role:approver", "group:finance", "user:ann"], **more}


def waiting(**more: Any) -> tuple[Local, str]:
    """An execution that waits for a decision."""
    local = Local()
    local.publish(workflow("flow", [approval(**more)]))
    execution = start_execution(local.platform, CALLER, Start("flow", {}))["id"]
    local.drive(execution)
    return local, execution


def decide(local: Local, execution: str, path: str = "sign", **more: Any) -> dict[str, Any]:
    caller = replace(CALLER, **{key: more.pop(key) for key in ("principal", "roles", "groups") if key in more})
    given: dict[str, Any] = {"decision": "approved", "comment": "", "form": None, "message_id": "m1", **more}
    return decide_approval(local.platform, caller, execution, path, **given)


PEOPLE = {
    "named": ({"principal": "ann", "roles": frozenset()}, True),
    "of the role": ({"principal": "bob", "roles": frozenset(), "groups": frozenset({"approver"})}, True),
    "of the group": ({"principal": "bob", "roles": frozenset(), "groups": frozenset({"finance"})}, True),
    "administrator": ({"principal": "bob", "roles": frozenset({"admin"})}, True),
    "operator": ({"principal": "bob", "roles": frozenset({"operator"})}, False),
    "namesake": ({"principal": "role:approver", "roles": frozenset()}, False),
}


@pytest.mark.parametrize("who", PEOPLE)
def test_only_those_who_are_named_may_decide(who: str) -> None:
    local, execution = waiting()
    person, may = PEOPLE[who]
    if may:
        assert "approved" == decide(local, execution, **person)["decision"]
        local.drive(execution)
        body = get_execution(local.platform, CALLER, execution)
        assert "succeeded" == body["status"]
        assert person["principal"] == body["tasks"]["sign"]["output"]["decisions"][0]["principal"]
    else:
        with pytest.raises(Forbidden, match="none of the approvers"):
            decide(local, execution, **person)


def test_a_decision_that_comes_twice_counts_once_and_one_that_comes_late_is_refused() -> None:
    local, execution = waiting(required=2)
    for _ in range(2):
        decide(local, execution, principal="ann", roles=frozenset())
    local.drive(execution)
    shown = get_execution(local.platform, CALLER, execution)["tasks"]["sign"]
    assert ("waiting", ["ann"]) == (shown["status"], [one["principal"] for one in shown["waiting"]["decisions"]])
    decide(local, execution, principal="eve", roles=frozenset({"admin"}), message_id="m2")
    local.drive(execution)
    with pytest.raises(Conflict, match="waits for no decision: it is succeeded"):
        decide(local, execution, message_id="m3")


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_a_decision_that_was_taken_may_be_sent_again_after_it_has_decided(decision: str) -> None:
    local, execution = waiting()
    first = decide(local, execution, principal="ann", decision=decision)
    local.drive(execution)
    before = get_execution(local.platform, CALLER, execution)
    assert first == decide(local, execution, principal="ann", decision=decision)
    local.drive(execution)
    assert before == get_execution(local.platform, CALLER, execution)


def test_what_is_no_approval_of_the_execution_is_not_found_or_refused() -> None:
    local = Local()
    local.publish(workflow("flow", [call("a"), {"id": "e", "event": {"type": "paid", "timeout": "1h"}}]))
    execution = start_execution(local.platform, CALLER, Start("flow", {}))["id"]
    local.drive(execution)
    with pytest.raises(NotFound, match="no approval 'nothing'"):
        decide(local, execution, "nothing")
    with pytest.raises(Conflict):
        decide(local, execution, "e")
    with pytest.raises(NotFound):
        decide_approval(
            local.platform,
            replace(CALLER, tenant="evil"),
            execution,
            "e",
            decision="approved",
            comment="",
            form=None,
            message_id="m",
        )


def test_a_form_is_checked_and_kept() -> None:
    local, execution = waiting(form=FORM)
    for form in (None, {"limit": "much"}):
        with pytest.raises(InvalidInput, match="form does not fit"):
            decide(local, execution, principal="ann", form=form)
    decide(local, execution, principal="ann", form={"limit": 5})
    local.drive(execution)
    output = get_execution(local.platform, CALLER, execution)["tasks"]["sign"]["output"]
    assert {"limit": 5} == output["decisions"][0]["form"]


def test_a_rejection_is_the_failure_of_the_execution() -> None:
    local, execution = waiting()
    decide(local, execution, principal="ann", decision="rejected", comment="too much")
    local.drive(execution)
    body = get_execution(local.platform, CALLER, execution)
    assert ("failed", "sign", "rejected") == (body["status"], body["failedTask"], body["error"]["kind"])


def test_a_paused_execution_shows_it_and_goes_on_when_resumed() -> None:
    local = Local()
    local.publish(workflow("flow", [{"id": "w", "wait": {"for": "1h"}}, call("a", "w")]))
    execution = start_execution(local.platform, CALLER, Start("flow", {}))["id"]
    local.drive(execution)
    for action, paused in (("pause", True), ("resume", False)):
        pause_execution(local.platform, CALLER, execution, action=action, message_id=action)  # type: ignore[arg-type]
        local.drive(execution)
        assert paused is get_execution(local.platform, CALLER, execution)["paused"]
