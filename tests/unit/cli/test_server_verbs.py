"""`millrace run`, `executions` and `dev` against a server, found or started."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.base.errors import Unavailable
from millrace.base.limits import VALUES_SHOWN_BYTES
from millrace.cli.session import connect
from millrace.local.client import Client
from millrace.local.root import find_root
from millrace.local.server import LocalServer
from millrace.wiring.folder import hold, holder
from millrace.wiring.settings import Settings
from tests.unit.cli.running import Ran, millrace

EXAMPLE = find_root() / "docs/examples/hello/workflow.yaml"
WAITS = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: waits}
spec:
  tasks:
    - id: slow
      type: http
      request: {method: GET, url: "{{env.DEMO_URL}}/slow?ms=20000"}
"""
FAILS = WAITS.replace("waits", "fails").replace("/slow?ms=20000", "/users/99")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    with LocalServer(Settings(data=folder, port=0, demo_port=0, sync="normal")) as server:
        server.client.publish("Workflow", EXAMPLE.read_bytes(), media="yaml")
        yield folder


@pytest.fixture
def waits(tmp_path: Path) -> Path:
    path = tmp_path / "waits.yaml"
    path.write_text(WAITS)
    return path


def on(data: Path, *arguments: str) -> Ran:
    return millrace(arguments[0], "--data", str(data), *arguments[1:])


LARGE = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: grows}
spec:
  input: {type: object, properties: {text: {type: string}}}
  tasks:
    - {id: twice, type: transform, input: {items: "{{[input.text, input.text]}}"}, transform: [{limit: 2}]}
  output: "{{tasks.twice.output}}"
"""


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["people", "json"])
def test_an_output_too_large_for_one_answer_is_printed_whole(data: Path, tmp_path: Path, flags: list[str]) -> None:
    path, given = tmp_path / "grows.yaml", tmp_path / "input.json"
    path.write_text(LARGE)
    text = "x" * VALUES_SHOWN_BYTES
    given.write_text(json.dumps({"text": text}))
    ran = on(data, "run", str(path), "--input", f"@{given}", *flags)
    assert (0, 7 if flags else 2) == (ran.code, ran.out.count(text))


def test_a_run_is_followed_to_its_output(data: Path) -> None:
    ran = on(data, "run", "hello", "--input", '{"userId": 3}')
    assert 0 == ran.code
    assert ran.out.startswith("hello: started ")
    assert "  get-user: succeeded" in ran.out
    assert '"greeting": "Hello, Carla Montferrat!"' in ran.out


PLANNED = """\
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: planned}
spec:
  tasks:
    - {id: get, type: http, request: {url: "https://api.example.com/{{input.id}}"}}
    - {id: post, dependsOn: [get], type: http, request: {method: POST, url: "https://api.example.com/{{tasks.get.output.body.x}}"}}
    - {id: maybe, condition: "tasks.get.output.status == 201", type: http, request: {url: "https://api.example.com/m"}}
    - {id: never, condition: "false", wait: {for: 1s}}
    - {id: nap, wait: {for: 1h}}
    - {id: paid, event: {type: payment.settled, timeout: 1h}}
    - {id: bad, type: transform, input: {items: [x]}, transform: [{map: "{{int(item)}}"}]}
    - {id: choose, switch: {value: "{{input.id}}", cases: [{match: 7, tasks: [{id: seven, wait: {for: 1s}}]}]}}
    - {id: each, forEach: {items: [1, 2]}, tasks: [{id: sub, workflowRef: planned-sub}]}
"""


def test_a_dry_run_shows_what_each_task_would_do_and_starts_nothing(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "planned.yaml"
    sub = PLANNED.partition("  tasks:")[0].replace("planned", "planned-sub")
    path.write_text(f"{sub}  tasks: [{{id: a, wait: {{for: 1s}}}}]\n---\n{PLANNED}")
    ran = on(data, "run", str(path), "--input", '{"id": 7}', "--dry-run")
    assert 0 == ran.code, ran.err
    rows = {line.split()[0]: " ".join(line.split()[2:]) for line in ran.out.splitlines() if "  " in line}
    assert {
        "TASK": "STATUS WHAT",
        "get": "would-run GET https://api.example.com/7",
        "post": "depends POST https://api.example.com/{{tasks.get.output.body.x}}; after get",
        "maybe": "depends GET https://api.example.com/m; after get; if tasks.get.output.status == 201",
        "never": "skipped condition_false",
        "nap": "would-wait time",
        "paid": "would-wait event payment.settled",
        "choose": "would-run case 0",
        "choose/0/seven": "would-wait time",
        "each": "would-run 2 iterations",
        "each[0]/sub": "would-run workflow planned-sub",
        "each[1]/sub": "would-run workflow planned-sub",
    } == {name: row for name, row in rows.items() if name != "bad"}
    assert rows["bad"].startswith("failed ")
    assert "planned" == on(data, "run", "planned", "--input", '{"id": 7}', "--dry-run", "--json").json["status"]
    assert [] == on(data, "executions", "list", "--workflow", "planned", "--json").json["items"]


def test_a_run_answers_json_for_programs(data: Path) -> None:
    ran = on(data, "run", "hello", "--json")
    assert ("succeeded", "hello") == (ran.json["status"], ran.json["workflow"])


def test_programs_are_told_the_code_of_the_servers_problem_and_every_line_is_json(data: Path, tmp_path: Path) -> None:
    missing = on(data, "run", "nope", "--json")
    assert (4, "not-found") == (missing.code, json.loads(missing.err)["error"]["code"])
    broken = tmp_path / "broken.yaml"
    broken.write_text("kind: Workflow")
    ran = on(data, "run", str(broken), "--json")
    assert 1 == ran.code
    assert [["warning"]] * len(ran.json["findings"]) <= [list(json.loads(line)) for line in ran.err.splitlines()]


def test_a_run_of_something_else_than_expected_is_refused(data: Path) -> None:
    ran = on(data, "run", "hello", "--input", '{"userId": 3}', "--expect-hash", "0" * 64)
    assert (2, True) == (ran.code, "has another content hash" in ran.err)


@pytest.mark.parametrize("option", ["--expect-hash", "--version"])
def test_what_is_given_empty_is_refused_not_left_out(data: Path, option: str) -> None:
    ran = on(data, "run", "hello", "--input", '{"userId": 3}', option, "")
    assert (2, True) == (ran.code, "expectHash" in ran.err or "version" in ran.err)
    assert "started" not in ran.out


def test_a_run_takes_a_range_behind_the_name(data: Path) -> None:
    ran = on(data, "run", "hello@^1", "--input", '{"userId": 3}', "--json")
    assert ("succeeded", "hello") == (ran.json["status"], ran.json["workflow"])
    missing = on(data, "run", "hello@^9")
    assert (4, True) == (missing.code, "has no version '^9'" in missing.err)
    twice = on(data, "run", "hello@^1", "--version", "r1")
    assert (2, True) == (twice.code, "both name a version" in twice.err)
    empty = on(data, "run", "hello@")
    assert (2, False) == (empty.code, "started" in empty.out)


def test_a_file_is_published_and_run(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(EXAMPLE.read_text().replace("name: hello", "name: mine"))
    ran = on(data, "run", str(path))
    assert 0 == ran.code
    assert "published mine 1.0.0+dev." in ran.out


def test_a_file_that_cannot_be_published_shows_its_findings(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(EXAMPLE.read_text().replace("type: http", "type: htpp"))
    ran = on(data, "run", str(path))
    assert 1 == ran.code
    assert f"{path}:17:13: error unknown-type" in ran.err
    assert path.name in on(data, "run", str(path), "--json").out


def test_a_file_without_a_workflow_is_refused(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("apiVersion: workflow.io/v1\nkind: WorkflowTask\nmetadata: {name: only}\n"
                    "spec: {type: transform, transform: [{limit: 1}]}\n")  # fmt: skip
    ran = on(data, "run", str(path))
    assert (2, True) == (ran.code, "holds no workflow" in ran.err)


def test_a_failed_execution_is_code_1_and_says_which_task(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "fails.yaml"
    path.write_text(FAILS)
    ran = on(data, "run", str(path))
    assert 1 == ran.code
    assert "  slow: " in ran.out


def test_an_execution_that_runs_out_of_time_is_followed_to_its_end(data: Path, waits: Path) -> None:
    text = waits.read_text()
    assert "spec:\n" in text
    waits.write_text(text.replace("spec:\n", "spec:\n  timeout: 50ms\n"))
    ran = on(data, "run", str(waits), "--timeout", "20s", "--json")
    assert (1, "timedOut") == (ran.code, ran.json["status"])


def test_an_unknown_workflow_is_code_4(data: Path) -> None:
    ran = on(data, "run", "nobody", "--json")
    assert 4 == ran.code
    assert "nobody" in json.loads(ran.err)["error"]["message"]


def test_an_input_that_does_not_fit_is_code_2(data: Path) -> None:
    assert 2 == on(data, "run", "hello", "--input", '{"userId": "x"}').code


def test_a_key_makes_a_repeated_start_harmless(data: Path) -> None:
    first, second = (on(data, "run", "hello", "--key", "k1", "--json").json["id"] for _ in range(2))
    assert first == second


def test_following_ends_at_the_timeout_and_a_cancel_ends_the_execution(data: Path, waits: Path) -> None:
    ran = on(data, "run", str(waits), "--timeout", "200ms", "--json")
    identifier = ran.json["id"]
    assert (5, "running") == (ran.code, ran.json["status"])
    assert 0 == on(data, "executions", "cancel", identifier, "--reason", "enough").code
    deadline = time.monotonic() + 30
    while on(data, "executions", "show", identifier, "--json").json["status"] == "running":
        assert time.monotonic() < deadline
    assert "cancelled" in on(data, "executions", "show", identifier).out
    again = on(data, "executions", "cancel", identifier)
    assert (0, f"{identifier} is cancelled\n") == (again.code, again.out)


def test_an_execution_that_has_ended_is_not_said_to_be_cancelled(data: Path) -> None:
    identifier = on(data, "run", "hello", "--json").json["id"]
    ran = on(data, "executions", "cancel", identifier)
    assert 0 != ran.code
    assert "has ended already" in ran.err
    assert "succeeded" in ran.err
    assert "" == ran.out


def test_the_list_takes_the_filters_of_the_api(data: Path) -> None:
    identifier = on(data, "run", "hello", "--json").json["id"]
    version = on(data, "executions", "show", identifier, "--json").json["version"]

    def listed(*arguments: str) -> list[str]:
        ran = on(data, "executions", "list", *arguments, "--json")
        return [item["id"] for item in ran.json["items"]]

    assert identifier in listed("--workflow", "hello")
    assert identifier in listed("--status", "succeeded")
    assert identifier in listed("--workflow", "hello", "--version", version, "--status", "succeeded")
    assert identifier in listed("--since", "2020-01-01T00:00:00Z", "--until", "2100-01-01T00:00:00Z")
    assert [] == listed("--until", "2020-01-01T00:00:00Z")
    for name in ("--label=a:b", "--subject=s", "--trigger=t", f"--replay-of={identifier}"):
        assert [] == listed(name)
    arguments = ("--label=a:b", "--label=c:d:e", "--subject=s")
    marked = on(data, "run", "hello", *arguments, "--json").json
    assert ({"a": "b", "c": "d:e"}, "s") == ({key: marked["labels"][key] for key in "ac"}, marked["subjectKey"])
    assert [marked["id"]] == listed("--label=c:d:e") == listed("--subject=s")
    assert 2 == on(data, "run", "hello", "--label=a").code
    assert "No execution is like that.\n" == on(data, "executions", "list", "--subject", "t").out
    on(data, "run", "hello")
    first = on(data, "executions", "list", "--limit", "1", "--json").json
    told = on(data, "executions", "list", "--limit", "1").out
    assert f"--cursor {first['cursor']}" in told
    assert (
        first["items"] != on(data, "executions", "--limit", "1", f"--cursor={first['cursor']}", "--json").json["items"]
    )
    assert "cannot be listed by version alone" in on(data, "executions", "list", "--version", "1.0.0").err


def test_a_folder_is_no_workflow(data: Path, tmp_path: Path) -> None:
    ran = on(data, "run", str(tmp_path))
    assert (2, True) == (ran.code, f"{tmp_path} is a folder" in ran.err)
    assert "dev --watch" in ran.err


def test_a_folder_of_the_same_name_does_not_hide_a_workflow(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "nobody").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "succeeded" == on(data, "run", "hello", "--input", '{"userId": 3}', "--json").json["status"]
    assert "nobody is a folder" in on(data, "run", "nobody").err


def test_what_is_no_id_is_told_what_an_id_looks_like(data: Path) -> None:
    ran = on(data, "executions", "show", "nope")
    assert 2 == ran.code
    assert "an execution id has 26 characters" in ran.err


def test_a_start_need_not_be_followed(data: Path) -> None:
    ran = on(data, "run", "hello", "--no-wait", "--json")
    assert (0, "id" in ran.json) == (ran.code, True)


def test_executions_are_listed_shown_and_told_event_by_event(data: Path) -> None:
    identifier = on(data, "run", "hello", "--json").json["id"]
    listed = on(data, "executions", "list", "--workflow", "hello", "--limit", "50")
    assert identifier in listed.out
    assert "STATUS" in listed.out.splitlines()[0]
    assert identifier in [one["id"] for one in on(data, "executions", "--json").json["items"]]
    assert "get-user" in on(data, "executions", "show", identifier).out
    events = [json.loads(line) for line in on(data, "executions", "events", identifier, "--json").out.splitlines()]
    assert sorted(event["position"] for event in events) == [event["position"] for event in events]
    assert len(events) == len(on(data, "executions", "events", identifier).out.splitlines())


def test_an_unknown_execution_is_code_4(data: Path) -> None:
    assert 4 == on(data, "executions", "show", "0" * 26).code


@pytest.mark.parametrize("arguments", [("show",), ("cancel",), ("list", "x")])
def test_an_id_is_given_where_it_is_needed_and_only_there(data: Path, arguments: tuple[str, ...]) -> None:
    assert 2 == on(data, "executions", *arguments).code


def test_without_a_server_one_is_started_for_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_SYNC", "normal")
    assert "No executions yet" in on(tmp_path, "executions").out
    assert 0 == on(tmp_path, "run", str(EXAMPLE)).code
    assert "hello" in on(tmp_path, "executions").out
    assert holder(tmp_path) is None


def test_a_holder_that_never_listens_is_said(tmp_path: Path) -> None:
    waiting = connect(Settings(data=tmp_path), patience=0.1)
    with hold(tmp_path), pytest.raises(Unavailable, match=f"process {os.getpid()} holds"):
        waiting.__enter__()


def test_dev_loads_watches_runs_once_and_stops_on_a_signal(tmp_path: Path) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "hello.yaml").write_text(EXAMPLE.read_text())
    (watched / "bad.yaml").write_text("kind: Workflow\n")
    data, published = tmp_path / "data", threading.Event()

    def change_then_stop() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not published.is_set():
            time.sleep(0.05)
            held = holder(data)
            if not held or not held.port or not Client(held.port).call("GET", "/executions")[1]["items"]:
                continue
            (watched / "hello.yaml").write_text(EXAMPLE.read_text().replace("Hello, ", "Good day, "))
            while time.monotonic() < deadline and not published.is_set():
                versions = Client(held.port).call("GET", "/workflows/hello/versions")[1]["items"]
                published.set() if len(versions) > 1 else time.sleep(0.05)
            (watched / "bad.yaml").unlink()
            time.sleep(0.6)  # two looks of the watcher
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    stopper = threading.Thread(target=change_then_stop)
    stopper.start()
    ran = on(data, "dev", "--port", "0", "--demo-port", "0", "--watch", str(watched), "--run", "hello")
    stopper.join()
    assert (0, True) == (ran.code, published.is_set())
    assert before is signal.getsignal(signal.SIGTERM)
    assert "published hello 1.0.0+dev." in ran.out
    assert '"greeting": "Hello, Carla Montferrat!"' in ran.out
    assert "bad.yaml: not published" in ran.err
    assert "bad.yaml: was deleted; its last version stays in force" in ran.err
    assert holder(data) is None


def test_dev_says_what_it_does_to_programs_and_goes_on_when_its_run_cannot_start(tmp_path: Path) -> None:
    loaded = tmp_path / "loaded"
    loaded.mkdir()
    (loaded / "bad.yaml").write_text("kind: Workflow\n")
    data = tmp_path / "data"

    def stop() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            held = holder(data)
            if held and held.port:
                break
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    stopper = threading.Thread(target=stop)
    stopper.start()
    ran = on(data, "dev", "--json", "--port", "0", "--demo-port", "0", "--load", str(loaded), "--run", "nobody")
    stopper.join()
    said = [json.loads(line) for line in ran.out.splitlines()]
    assert ["listening", "refused"] == [line["event"] for line in said]
    assert "nobody" in ran.err
    assert 0 == ran.code
