"""Sentences of the pages that can be checked: the log of one run, segments of a chain, the order of layers."""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Iterator

import pytest

from millrace.base import limits
from millrace.engine import events, state
from millrace.local.demo import create_app
from millrace.local.listener import HOST, Listener, bind, port_of
from millrace.services.caller import Caller
from millrace.services.list_executions import MONTHS_BACK
from millrace.services.platform import Platform
from millrace.services.publish_definition import Publication
from millrace.services.publish_workflow import publish_workflow
from millrace.services.start_execution import Start, start_execution
from millrace.services.wait_execution import wait_execution
from millrace.spec.known import KEPT_SPEC, UNAVAILABLE_TYPES
from millrace.store.executions import LIST_SHARDS, LIVE_SHARDS, Actor
from millrace.store.runlog import read_segments
from millrace.wiring.local import open_local
from millrace.wiring.settings import Settings
from tests.unit.docs.snippets import ROOT

ANYBODY = Caller(tenant="docs", principal="test")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform in this process, beside a demo service."""
    bound = bind(0, variable="MILLRACE_DEMO_PORT")
    shop = Listener(create_app(), bound, name="demo")
    settings = Settings(data=tmp_path_factory.mktemp("claims"), sync="normal")
    local = open_local(settings, demo_url=f"http://{HOST}:{port_of(bound)}")
    shop.start()
    try:
        yield local.platform
    finally:
        local.close()
        shop.stop()


def segments_of(platform: Platform, document: bytes, name: str) -> list[list[str]]:
    """The events of each segment of one run: type, and the task where there is one."""
    publish_workflow(platform, ANYBODY, Publication(document, "yaml"))
    started = start_execution(platform, ANYBODY, Start(workflow=name, input={}))
    assert "succeeded" == wait_execution(platform, ANYBODY, started["id"], wait_ms=30_000)["status"]
    return [
        [f"{type(event).__name__} {getattr(event, 'path', '')}".strip() for event in segment.events]
        for segment in read_segments(platform.documents, ANYBODY.scope, started["id"])
    ]


def test_the_log_of_the_first_example_is_the_one_that_is_shown(platform: Platform) -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)`(?: ([\w-]+))?[^|]*\| (\d) \|$", ARCHITECTURE, re.MULTILINE)
    shown = [(int(position), f"{kind} {path}".strip(), int(segment)) for position, kind, path, segment in rows]
    found = segments_of(platform, (ROOT / "docs/examples/hello/workflow.yaml").read_bytes(), "hello")
    places = [(event, number) for number, events in enumerate(found, 1) for event in events]
    assert shown == [(position, event, segment) for position, (event, segment) in enumerate(places)]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_chain_of_n_calls_takes_n_and_one_segments_after_the_first(platform: Platform, length: int) -> None:
    text = f"apiVersion: workflow.io/v1\nkind: Workflow\nmetadata: {{name: chain-{length}}}\nspec:\n  tasks:\n"
    for number in range(length):
        text += f"    - id: t{number}\n      type: http\n      dependsOn: [{f't{number - 1}' if number else ''}]\n"
        text += "      request: {url: '{{env.DEMO_URL}}/users/1'}\n"
    assert length + 1 == len(segments_of(platform, text.encode(), f"chain-{length}")) - 1


def test_the_layers_are_those_that_the_pages_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    order = " ← ".join(layer.replace("millrace.", "") for layer in reversed(layers))
    order = order.replace("adapters | api", "api | adapters")
    for page in ("docs/architecture.md", "docs/decisions/0001-layers.md", "README.md", "CONTRIBUTING.md"):
        assert order in (ROOT / page).read_text().replace(r"\|", "|"), page
    folders = {path.name for path in (ROOT / "layers/core/millrace").iterdir() if (path / "__init__.py").exists()}
    assert folders == set(re.findall(r"^\| `(\w+)` \| .* \| .* \|$", ARCHITECTURE, re.MULTILINE)) - {"generation"} - {
        "snapshot"
    }


def test_the_promise_stands_in_the_same_words_wherever_it_is_made() -> None:
    words = "A task is never started again once its result is committed; before that it may run more than once"
    page = " ".join((ROOT / "docs" / "why.md").read_text().replace("> ", "").split())
    assert words in page


def test_the_actor_item_holds_what_the_page_says() -> None:
    names = [stored_name(field) for field in Actor.__struct_fields__]
    section = ARCHITECTURE.partition("## The actor")[2].partition("\n## ")[0]
    named = {
        name for row in re.findall(r"^\| (`.*`) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert set(names) == named


def stored_name(name: str) -> str:
    """A field's name as the stored item spells it."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def test_there_are_as_many_kinds_of_event_as_the_page_says() -> None:
    assert 28 == len(typing.get_args(events.AnyEvent))
    assert "The events are twenty-eight" in ARCHITECTURE


@pytest.mark.parametrize(
    ("page", "words", "number"),
    [
        ("why.md", "after {:,} events", limits.SNAPSHOT_EVENTS),
        ("why.md", "or {} MiB", limits.SNAPSHOT_BYTES // limits.MIB),
        ("why.md", "ends within {} minutes", limits.ATTEMPT_TIMEOUT_MS // 60_000),
        ("why.md", "value is at most {} MiB", limits.VALUE_BYTES // limits.MIB),
        ("why.md", "a document {} KiB", limits.DOCUMENT_BYTES // limits.KIB),
        ("why.md", "limit of {:,} tasks", limits.TASKS_PER_WORKFLOW),
        ("why.md", "at most {} items in one transaction", limits.TRANSACTION_OPS),
        ("architecture.md", "item of at most {} KiB", limits.SEGMENT_BYTES // limits.KIB),
        ("architecture.md", "Up to {} KiB it stays inline", limits.INLINE_VALUE_BYTES // limits.KIB),
        ("architecture.md", "A loop of more than {} items", limits.SPREAD_ABOVE),
        ("architecture.md", "depth over {} are refused", limits.JSON_DEPTH),
        ("reference/control-flow.md", "| bodies inside bodies | {} |", limits.BODIES_DEEP),
        ("reference/control-flow.md", "| items of one `forEach` | {:,} |", limits.ITERATIONS),
        ("reference/control-flow.md", "together | {:,} |", limits.TASK_INSTANCES),
        ("reference/control-flow.md", "at most 500; {} KiB |", limits.GENERATED_BYTES // limits.KIB),
        ("reference/control-flow.md", "| executions above an execution | {} |", limits.HOPS),
        ("reference/control-flow.md", "no more than {} that are over", limits.TASKS_SHOWN),
        ("glossary.md", "value over {} KiB", limits.INLINE_VALUE_BYTES // limits.KIB),
        ("reference/api.md", "More than {} s is taken", limits.WAIT_CAP_S),
        ("decisions/0009-list-indexes.md", "shard 0 to {} |", LIST_SHARDS - 1),
        ("decisions/0009-list-indexes.md", "shard 0 to {}, over all tenants", LIVE_SHARDS - 1),
        ("decisions/0009-list-indexes.md", "goes back {} months", MONTHS_BACK),
        ("reference/api.md", "without a filter those of {} months", MONTHS_BACK),
    ],
)
def test_a_number_in_a_page_is_that_of_the_code(page: str, words: str, number: int) -> None:
    assert words.format(number) in " ".join((ROOT / "docs" / page).read_text().split())


def test_what_a_release_is_said_to_lack_is_what_it_refuses_and_keeps() -> None:
    why = (ROOT / "docs" / "why.md").read_text()
    (lacks,) = re.findall(r"\*\*This release has no triggers\.\*\*(.*?)\n- ", why, re.DOTALL)
    assert UNAVAILABLE_TYPES - {"workflow"} | {"triggers"} == set(re.findall(r"`([\w-]+)`", lacks))
    assert "triggers" in KEPT_SPEC


def test_every_state_machine_is_drawn() -> None:
    drawn = set(re.findall(r"^(?:start ──► )?([\w-]+\.asl\.json)", ARCHITECTURE, re.MULTILINE))
    assert {path.name for path in (ROOT / "statemachines").iterdir()} == drawn


def test_the_third_crash_of_a_task_without_retry_is_its_last() -> None:
    words = {3: "third"}[limits.UNKNOWN_ATTEMPTS]
    assert f"The {words} unknown attempt fails it" in (ROOT / "docs/decisions/0007-crash-attempts.md").read_text()


def test_a_function_reads_the_stream_of_the_history_where_the_page_says_so() -> None:
    assert "the stream of the history table calls the projector function" in " ".join(ARCHITECTURE.split())
    assert re.search(r"^ {10}Type: DynamoDB$", (ROOT / "template.yaml").read_text(), re.MULTILINE)


def test_the_states_of_a_task_are_those_of_the_diagram() -> None:
    drawn = set(re.findall(r"^    (\w+) --> |--> (\w+)", ARCHITECTURE, re.MULTILINE))
    states = {getattr(state, name) for name in dir(state) if name.isupper() and name.lower() == getattr(state, name)}
    assert states == {name for pair in drawn for name in pair if name}


def test_every_runtime_dependency_is_accounted_for() -> None:
    lines = [
        line.strip()
        for name in ("runtime", "local")
        for line in (ROOT / "requirements" / f"{name}.in").read_text().splitlines()
    ]
    wanted = {line.partition("[")[0] for line in lines if line and line[0].isalpha()} - {"hatchling", "editables"}
    page = (ROOT / "docs" / "decisions" / "0006-dependencies.md").read_text()
    assert [] == sorted(name for name in wanted if not re.search(rf"\b{re.escape(name)}\b", page))


def test_the_sample_events_that_are_named_are_there() -> None:
    named = re.findall(r"events/[\w-]+\.json", (ROOT / "README.md").read_text())
    assert ["events/health-read.json"] == named
    assert [True] == [(ROOT / name).is_file() for name in named]
