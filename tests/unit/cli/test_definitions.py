"""`millrace publish`, `workflows` and `tasks` against a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.local.server import LocalServer
from millrace.wiring.settings import Settings
from tests.unit.cli.running import Ran, millrace

WORKFLOW = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: NAME}
spec:
  version: "VERSION"
  description: Cuts a list  # kept
  tasks:
    - {id: cut, taskRef: TASK, input: {items: [1, 2]}}
"""
TASK = """\
apiVersion: workflow.io/v1
kind: WorkflowTask
metadata: {name: TASK}
spec: {type: transform, transform: [{limit: 1}]}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    with LocalServer(Settings(data=folder, port=0, demo_port=0, sync="normal")):
        yield folder


def on(data: Path, verb: str, *arguments: str) -> Ran:
    return millrace(verb, "--data", str(data), *arguments)


def written(folder: Path, name: str, *, version: str = "1.0.0") -> Path:
    """A folder with a workflow ``name``, the task ``name``-cut that it uses, and something that is not ours."""
    folder.mkdir(exist_ok=True)
    text = WORKFLOW.replace("NAME", name).replace("VERSION", version).replace("TASK", f"{name}-cut")
    (folder / "a.yaml").write_text(text)
    (folder / "b.yaml").write_text(TASK.replace("TASK", f"{name}-cut"))
    (folder / "other.yaml").write_text("kind: Deployment\napiVersion: apps/v1\n")
    return folder


def test_a_folder_is_published_tasks_first_and_again_changes_nothing(data: Path, tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "first")
    for _ in range(2):
        ran = on(data, "publish", str(folder))
        assert (0, "published 2 of 2 documents") == (ran.code, ran.out.splitlines()[-1])
    assert 1 == len(on(data, "workflows", "versions", "first", "--json").json["items"])
    assert "first-cut" in on(data, "tasks").out
    listed = on(data, "workflows")
    assert ["NAME", "ACTIVE", "LATEST", "UPDATED", "BY", "DESCRIPTION"] == listed.out.splitlines()[0].split()
    assert "Cuts a list" in listed.out


def test_what_is_not_activated_waits_for_it(data: Path, tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "later")
    on(data, "publish", str(folder))
    written(folder, "later", version="2.0.0")
    ran = on(data, "publish", str(folder / "a.yaml"), "--no-activate", "--message", "for monday")
    assert (0, "published later 2.0.0 from ") == (ran.code, ran.out[:27])
    shown = on(data, "workflows", "versions", "later")
    assert "for monday" in shown.out
    assert [["2.0.0", False], ["1.0.0", True]] == [
        [one["version"], one["active"]] for one in on(data, "workflows", "versions", "later", "--json").json["items"]
    ]
    assert "later: new starts get 2.0.0\n" == on(data, "workflows", "activate", "later", "--version", "latest").out
    assert "2.0.0" == on(data, "workflows", "show", "later", "--json").json["version"]


def test_a_document_is_shown_as_it_was_sent(data: Path, tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "kept")
    on(data, "publish", str(folder))
    assert (folder / "a.yaml").read_text() == on(data, "workflows", "show", "kept").out
    assert (folder / "b.yaml").read_text() == on(data, "tasks", "show", "kept-cut", "--version", "r1").out


def test_what_cannot_be_published_is_told_and_the_rest_is_published(data: Path, tmp_path: Path) -> None:
    folder = written(tmp_path / "f", "half")
    (folder / "bad.yaml").write_text(WORKFLOW.replace("NAME", "bad").replace("cut,", "cut, colour: red,"))
    ran = on(data, "publish", str(folder))
    assert (1, "published 2 of 3 documents") == (ran.code, ran.out.splitlines()[-1])
    assert f"{folder / 'bad.yaml'}:8:" in ran.err
    told = on(data, "publish", str(folder / "bad.yaml"), "--json")
    assert ("refused", True) == (told.json["event"], bool(told.json["findings"]))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert (2, True) == ((none := on(data, "publish", str(empty))).code, "nothing to publish" in none.err)
    assert 2 == on(data, "publish", str(tmp_path / "gone.yaml")).code


def test_a_name_is_deleted_unless_others_refer_to_it(data: Path, tmp_path: Path) -> None:
    on(data, "publish", str(written(tmp_path / "f", "gone")))
    refused = on(data, "tasks", "delete", "gone-cut")
    assert (2, True) == (refused.code, "is used by the workflow gone" in refused.err)
    forced = on(data, "tasks", "delete", "gone-cut", "--force")
    assert (0, "the workflow gone refers to it\n") == (forced.code, forced.err)
    assert 0 == on(data, "workflows", "delete", "gone").code
    assert 4 == on(data, "workflows", "show", "gone").code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("list x", "takes no name"),
        ("show", "needs a name"),
        ("activate hello", "needs --version"),
    ],
)
def test_a_command_with_words_too_many_or_too_few_says_so(words: str, said: str) -> None:
    ran = millrace("workflows", *words.split(), "--json")
    assert (2, True) == (ran.code, said in json.loads(ran.err)["error"]["message"])


def test_without_definitions_the_list_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_SYNC", "normal")
    assert "No tasks yet. Publish one with `millrace publish FILE`.\n" == on(tmp_path, "tasks").out


def test_every_page_is_listed(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    path.write_text("---\n".join(TASK.replace("TASK", f"many-{number:03}") for number in range(101)))
    assert 0 == on(data, "publish", str(path)).code
    assert {f"many-{number:03}" for number in range(101)} <= set(on(data, "tasks", "list").out.split())
