"""The judge of mocked HTTP answers. The runner and its client are imported when a test mocks one, not before."""

from __future__ import annotations

from millrace.ports.rehearsal import Canned
from millrace.ports.runners import Attempt, Outcome, TaskFailed


def rehearse(attempt: Attempt, canned: Canned) -> Outcome | TaskFailed:
    """`millrace.ports.rehearsal.Rehearse` by the runner of http tasks."""
    from millrace.adapters.http.rehearsal import rehearse as judged

    return judged(attempt, canned)
