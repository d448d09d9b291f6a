"""A watched folder is published when it changes, and a broken file leaves the last good version in force."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from millrace.base.errors import Unavailable
from millrace.local.client import Client
from millrace.local.listener import bind, port_of
from millrace.local.server import LocalServer
from millrace.local.watch import Change, Watcher
from millrace.wiring.settings import Settings
from tests.unit.local.publishing import WORKFLOW, publishing

TASK = WORKFLOW.replace("kind: Workflow", "kind: WorkflowTask")
ONE_TASK = """\
apiVersion: workflow.io/v1
kind: WorkflowTask
metadata: {name: first}
spec:
  version: 1.0.0
  type: transform
  transform: [{limit: 1}]
"""
USES = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: uses}
spec:
  tasks:
    - {id: shape, taskRef: first@^1, input: {items: [1]}}
"""


@contextmanager
def platform(data: Path) -> Iterator[Client]:
    with LocalServer(Settings(data=data, port=0, demo_port=0, sync="normal")) as server:
        yield server.client


class Watched:
    def __init__(self, client: Client, kept: list[str], folder: Path) -> None:
        self.folder = folder
        self.kept = kept
        self.changes: list[Change] = []
        self.heard = threading.Event()
        self.watcher = Watcher(client, folder, self.hear)

    def hear(self, change: Change) -> None:
        self.changes.append(change)
        self.heard.set()

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def said(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = [(change.what, change.file.name) for change in self.changes]
        self.changes.clear()
        return found


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with publishing() as (client, kept):
        yield Watched(client, kept, tmp_path)


def test_files_that_are_there_at_the_start_are_published_tasks_first(watched: Watched) -> None:
    watched.write("a.yaml", WORKFLOW)
    watched.write("b.yaml", TASK)
    watched.write("other.yaml", "kind: Deployment")
    assert 3 == watched.watcher.look()
    assert [("published", "b.yaml"), ("published", "a.yaml")] == watched.said()
    assert [TASK, WORKFLOW] == watched.kept


def test_nothing_is_said_when_nothing_changed(watched: Watched) -> None:
    watched.write("a.yaml", WORKFLOW)
    watched.watcher.look()
    watched.said()
    assert (0, []) == (watched.watcher.look(), watched.said())


def test_a_change_is_published_and_a_touch_is_not_mentioned(watched: Watched) -> None:
    path = watched.write("a.yaml", WORKFLOW)
    watched.watcher.look()
    watched.said()
    os.utime(path, ns=(1, 1))
    assert (1, []) == (watched.watcher.look(), watched.said())
    watched.write("a.yaml", WORKFLOW + "# more\n")
    assert (1, [("published", "a.yaml")]) == (watched.watcher.look(), watched.said())


def test_a_broken_file_keeps_the_last_good_version_and_says_why(watched: Watched) -> None:
    watched.write("a.yaml", WORKFLOW)
    watched.watcher.look()
    watched.write("a.yaml", WORKFLOW + "# broken\n")
    watched.watcher.look()
    assert [WORKFLOW] == watched.kept
    published = watched.changes[-1].published
    assert published is not None
    assert (422, "mend") == (published.status, published.answer["hint"])
    assert [("published", "a.yaml"), ("refused", "a.yaml")] == watched.said()


@pytest.mark.parametrize("data", [b"", b"broken: [", b"broken \xff", b"kind: Workfow # broken", b"{}"])
def test_a_file_that_was_published_is_judged_whatever_it_has_become(tmp_path: Path, data: bytes) -> None:
    with platform(tmp_path / ".data") as client:
        changes: list[Change] = []
        watcher = Watcher(client, tmp_path, changes.append)
        path = tmp_path / "a.yaml"
        path.write_text(WORKFLOW)
        watcher.look()
        path.write_bytes(data)
        watcher.look()
    assert ["published", "refused"] == [change.what for change in changes]


def test_what_stood_beside_a_document_of_ours_stays_ignored(watched: Watched) -> None:
    watched.write("a.yaml", f"{WORKFLOW}---\nkind: Deployment\n")
    watched.watcher.look()
    watched.write("a.yaml", f"{WORKFLOW}# more\n---\nkind: Deployment\n")
    watched.watcher.look()
    assert [("published", "a.yaml")] * 2 == watched.said()
    assert [WORKFLOW, f"{WORKFLOW}# more\n"] == watched.kept


def test_a_refused_workflow_is_published_once_its_task_is_there(tmp_path: Path) -> None:
    with platform(tmp_path / ".data") as client:
        changes: list[Change] = []
        watcher = Watcher(client, tmp_path, changes.append)
        for name, text in {"a": USES, "b": f"{WORKFLOW}bad: 1\n", "c": WORKFLOW, "t": ONE_TASK}.items():
            (tmp_path / f"{name}.yaml").write_text(text)
            watcher.look()
        assert 0 == watcher.look()
        (tmp_path / "b.yaml").unlink()
        watcher.look()
    assert [
        ("refused", "a.yaml"),
        ("refused", "b.yaml"),
        ("published", "c.yaml"),
        ("published", "t.yaml"),
        ("published", "a.yaml"),
        ("deleted", "b.yaml"),
    ] == [(change.what, change.file.name) for change in changes]


def test_a_refusal_for_another_reason_is_told_when_it_is_tried_again(tmp_path: Path) -> None:
    with platform(tmp_path / ".data") as client:
        changes: list[Change] = []
        watcher = Watcher(client, tmp_path, changes.append)
        both = USES + "    - {id: other, taskRef: second@^1, input: {}}\n"
        for name, text in {"a": both, "t": ONE_TASK}.items():
            (tmp_path / f"{name}.yaml").write_text(text)
            watcher.look()
    told = [(change.what, len(change.published.findings)) for change in changes if change.published]
    assert [("refused", 2), ("published", 0), ("refused", 1)] == told


def test_a_deleted_file_is_said_once_and_comes_back_as_new(watched: Watched) -> None:
    path = watched.write("a.yaml", WORKFLOW)
    watched.watcher.look()
    path.unlink()
    for _ in range(2):
        watched.watcher.look()
    assert [("published", "a.yaml"), ("deleted", "a.yaml")] == watched.said()
    watched.write("a.yaml", WORKFLOW + "# again\n")
    watched.watcher.look()
    assert [("published", "a.yaml")] == watched.said()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_file_that_cannot_be_read_is_said(watched: Watched) -> None:
    watched.write("a.yaml", WORKFLOW).chmod(0)
    watched.watcher.look()
    assert [("unreadable", "a.yaml")] == watched.said()


def test_a_link_that_leads_nowhere_is_no_file(watched: Watched) -> None:
    (watched.folder / "a.yaml").symlink_to(watched.folder / "gone")
    assert 0 == watched.watcher.look()


def test_without_a_server_the_files_still_count_as_changed(tmp_path: Path) -> None:
    bound = bind(0, variable="MILLRACE_PORT")
    port = port_of(bound)
    bound.close()
    (tmp_path / "a.yaml").write_text(WORKFLOW)
    changes: list[Change] = []
    watcher = Watcher(Client(port), tmp_path, changes.append)
    for _ in range(2):
        with pytest.raises(Unavailable):
            watcher.look()


def test_the_thread_hears_of_a_new_file_by_itself(watched: Watched) -> None:
    watched.watcher.start()
    watched.write("a.yaml", WORKFLOW)
    assert watched.heard.wait(30)
    watched.watcher.stop()
    assert ("published", "a.yaml") == watched.said()[-1]


def test_the_thread_says_when_no_server_answers_and_goes_on(tmp_path: Path) -> None:
    bound = bind(0, variable="MILLRACE_PORT")
    port = port_of(bound)
    bound.close()
    (tmp_path / "a.yaml").write_text(WORKFLOW)
    twice = threading.Barrier(2)
    told: list[Change] = []

    def tell(change: Change) -> None:
        told.append(change)
        twice.wait(30)

    watcher = Watcher(Client(port), tmp_path, tell)
    watcher.start()
    for _ in range(2):
        twice.wait(30)
    watcher.stop()
    assert [("unreadable", tmp_path)] * 2 == [(change.what, change.file) for change in told[:2]]


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("odd"), OSError("disk")])
def test_whatever_a_look_meets_the_next_one_comes(
    error: Exception, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    again = threading.Event()

    class Failing(Watcher):
        looks = 0

        def look(self) -> int:
            self.looks += 1
            if self.looks == 1:
                raise error
            again.set()
            return 0

    watcher = Failing(Client(1), tmp_path, lambda _: None)
    watcher.start()
    assert again.wait(30)
    watcher.stop()
    assert "failed; it is tried again" in caplog.text
