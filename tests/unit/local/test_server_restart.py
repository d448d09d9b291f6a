"""Starting and stopping the local server: nothing stays behind, and nothing is lost.

Apart from the tests that share one server: the platform of a process is one, and each start here replaces it.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from millrace import wiring
from millrace.base.errors import InvalidRequest, NotFound
from millrace.local.root import find_root
from millrace.local.server import LocalServer
from millrace.wiring.folder import holder
from tests.unit.local.test_server import HELLO, settings


def test_a_template_that_names_no_code_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(
        "Resources: {F: {Type: 'AWS::Serverless::Function', Properties: {CodeUri: gone, Handler: app.handler}}}"
    )
    before = threading.active_count()
    with pytest.raises(InvalidRequest, match="has no file"):
        LocalServer(settings(tmp_path / "data"), root=tmp_path).start()
    assert holder(tmp_path / "data") is None
    assert before == threading.active_count()


def test_what_was_published_is_there_after_a_restart(tmp_path: Path) -> None:
    with LocalServer(settings(tmp_path)) as first:
        first.client.publish("Workflow", HELLO, media="yaml")
    with LocalServer(settings(tmp_path)) as second:
        assert wiring.current().env
        assert "hello" == second.client.call("GET", "/workflows/hello")[1]["name"]


def test_nothing_is_open_when_the_server_is_stopped(tmp_path: Path) -> None:
    with LocalServer(settings(tmp_path)) as server:
        port = server.port
        assert port
    assert holder(tmp_path) is None
    with pytest.raises(InvalidRequest, match="no platform is open"):
        wiring.current()


def test_a_server_that_stops_gives_the_process_back_to_the_one_before(tmp_path: Path) -> None:
    with LocalServer(settings(tmp_path / "outer")) as outer:
        before = wiring.current()
        with LocalServer(settings(tmp_path / "inner")):
            assert before is not wiring.current()
        assert before is wiring.current()
        assert 200 == outer.client.call("GET", "/workflows")[0]


def test_the_root_is_the_nearest_folder_with_a_template_and_functions(tmp_path: Path) -> None:
    (tmp_path / "a" / "functions").mkdir(parents=True)
    (tmp_path / "a" / "template.yaml").touch()
    (tmp_path / "a" / "b").mkdir()
    assert tmp_path / "a" == find_root(tmp_path / "a" / "b")
    with pytest.raises(NotFound, match=r"no template\.yaml"):
        find_root(tmp_path)
