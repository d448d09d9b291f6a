"""`millrace validate` and `millrace fmt`."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from millrace.cli.dev import tell
from millrace.cli.output import Output
from millrace.local.documents import Document, Published
from millrace.local.watch import Change
from tests.unit.cli.running import millrace

ROOT = Path(__file__).resolve().parents[3]
GOOD = """\
# a comment
apiVersion: workflow.io/v1
kind: Workflow
metadata: {name: good}
spec:
  tasks:
    - id: shape
      type: transform
      input: {items: [1, 2]}
      transform: [{limit: 1}]
"""
TASK = """\
apiVersion: workflow.io/v1
kind: WorkflowTask
metadata: {name: first}
spec:
  type: transform
  transform: [{limit: 1}]
"""
USES = GOOD.replace("name: good", "name: uses").replace(
    "type: transform\n      input: {items: [1, 2]}\n      transform: [{limit: 1}]",
    "taskRef: first@^1\n      input: {items: [1]}",
)
BROKEN = GOOD.replace("id: shape", "id: shape\n      frobnicate: 1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"good": GOOD, "broken": BROKEN, "both": f"{TASK}---\n{USES}"}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_a_good_document_has_no_findings(folder: Path) -> None:
    ran = millrace("validate", str(folder / "good.yaml"))
    assert (0, f"{folder}/good.yaml: no findings\n") == (ran.code, ran.out)


OTHER = GOOD.replace("limit: 1", "limit: 2")


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        pytest.param(GOOD, OTHER, '"good" stands at a.yaml:1 already, as another document', id="no version"),
        pytest.param(GOOD, GOOD, "", id="the same document"),
        pytest.param(GOOD, TASK.replace("first", "good"), "", id="another kind"),
        pytest.param(
            GOOD.replace("spec:", "spec:\n  version: 1.0.0"),
            OTHER.replace("spec:", "spec:\n  version: 1.0.0"),
            'version 1.0.0 of "good" stands at a.yaml:1 already, as another document',
            id="one version",
        ),
        pytest.param(
            GOOD.replace("spec:", "spec:\n  version: 1.0.0"),
            OTHER.replace("spec:", "spec:\n  version: 1.1.0"),
            "",
            id="two versions",
        ),
    ],
)
@pytest.mark.parametrize("apart", [True, False], ids=["two files", "one file"])
def test_a_name_that_stands_for_two_documents_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str, said: str, apart: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {"a.yaml": first, "b.yaml": second} if apart else {"a.yaml": f"{first}---\n{second}"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    ran = millrace("validate", "--json", *texts)
    found = [one for file in ran.json for one in file["findings"] if one["code"] == "duplicate-name"]
    assert ([said] if said else []) == [one["message"] for one in found]
    assert 0 == ran.code


def test_workflows_that_start_each_other_are_found_among_the_files(tmp_path: Path) -> None:
    for name, below in (("one", "two"), ("two", "one")):
        text = GOOD.replace("name: good", f"name: {name}").partition("    - id")[0]
        (tmp_path / f"{name}.yaml").write_text(f"{text}    - {{id: go, workflowRef: {below}, timeout: 1m}}\n")
    ran = millrace("validate", str(tmp_path))
    assert (1, 2) == (ran.code, ran.out.count("[endless-recursion]"))


def test_a_file_that_is_missing_does_not_keep_the_others_from_being_judged(folder: Path) -> None:
    ran = millrace("validate", str(folder / "missing.yaml"), str(folder / "good.yaml"))
    assert (2, f"{folder}/good.yaml: no findings\n") == (ran.code, ran.out)
    assert "missing.yaml: No such file" in ran.err
    ran = millrace("validate", str(folder / "broken.yaml"), str(folder / "missing.yaml"))
    assert (1, True, True) == (ran.code, "frobnicate" in ran.out, "missing.yaml" in ran.err)
    assert 2 == millrace("validate", str(folder / "missing.yaml")).code


@pytest.mark.parametrize(
    ("reference", "versions", "code"),
    [
        ("first@^1", ["1.2.0"], 0),
        ("first@^1", ["2.0.0"], 1),
        ("first@^1", ["2.0.0", "1.0.0"], 0),
        ("first@~1.1", ["1.2.0"], 1),
        ("first@1.2.0", ["1.2.0"], 0),
        ("first@1.2.0", ["1.2.1"], 1),
        ("first@^1", [""], 0),
        ("first", ["2.0.0", "1.0.0"], 0),
        ("first@latest", ["2.0.0"], 0),
        ("first@r7", ["2.0.0"], 0),
        ("second@^1", ["1.0.0"], 1),
    ],
)
def test_a_range_is_judged_against_the_versions_beside_it(
    tmp_path: Path, reference: str, versions: list[str], code: int
) -> None:
    tasks = [TASK.replace("spec:\n", f"spec:\n  version: {label}\n") if label else TASK for label in versions]
    path = tmp_path / "both.yaml"
    path.write_text("---\n".join([*tasks, USES.replace("first@^1", reference)]))
    ran = millrace("validate", str(path))
    assert (code, code == 1) == (ran.code, "unknown-task-ref" in ran.out)


def test_a_broken_document_is_shown_with_line_and_caret(folder: Path) -> None:
    ran = millrace("validate", str(folder / "broken.yaml"))
    assert 1 == ran.code
    assert f"{folder}/broken.yaml:8:7: error:" in ran.out
    assert "          frobnicate: 1\n          ^\n" in ran.out


def test_lines_are_those_of_the_file_when_it_holds_several_documents(folder: Path) -> None:
    path = folder / "two.yaml"
    path.write_text(f"{GOOD}---\n{BROKEN}")
    findings = millrace("validate", "--json", str(path)).json[0]["findings"]
    assert [(8 + GOOD.count("\n") + 1, 7)] == [(one["line"], one["column"]) for one in findings]


def test_tasks_are_looked_up_among_the_files_given(folder: Path) -> None:
    (folder / "uses.yaml").write_text(USES)
    assert 0 == millrace("validate", str(folder / "both.yaml")).code
    assert 1 == millrace("validate", str(folder / "uses.yaml")).code


@pytest.mark.parametrize(
    ("version", "wanted", "code"),
    [
        ("1.4.0", "@^1", 0),
        ("1.4.0", "@>=1 <2", 0),
        ("1.4.0", "@~1.4", 0),
        ("1.4.0", "", 0),
        ("1.4.0", "@latest", 0),
        ("1.4.0", "@r7", 0),
        ("1.4.0", "@^2", 1),
        ("1.4.0", "@>=1 <1.4", 1),
        ("", "@>=1 <1.4", 0),
    ],
)
def test_a_range_is_held_against_the_versions_of_the_files(folder: Path, version: str, wanted: str, code: int) -> None:
    task = TASK.replace("spec:\n", f"spec:\n  version: {version}\n") if version else TASK
    (folder / "ranged.yaml").write_text(f"{task}---\n{USES.replace('first@^1', f'first@{wanted[1:]}'.rstrip('@'))}")
    ran = millrace("validate", "--json", str(folder / "ranged.yaml"))
    assert code == ran.code, ran.out
    assert ["unknown-task-ref"] * code == [one["code"] for one in ran.json[0]["findings"] if one["severity"] == "error"]


def test_the_newest_of_the_files_that_fits_is_meant(folder: Path) -> None:
    def task(version: str, name: str) -> str:
        schema = f"  inputSchema: {{type: object, required: [{name}], properties: {{{name}: {{}}}}}}\n"
        return TASK.replace("spec:\n", f"spec:\n  version: {version}\n{schema}")

    tasks = "---\n".join(task(*pair) for pair in (("1.0.0", "old"), ("1.9.0", "items"), ("2.0.0", "new")))
    (folder / "several.yaml").write_text(f"{tasks}---\n{USES}")
    assert 0 == millrace("validate", str(folder / "several.yaml")).code


def test_a_folder_stands_for_its_files(folder: Path) -> None:
    (folder / ".hidden.yaml").write_text("kind: Workflow")
    (folder / "input.json").write_text('{"userId": 3}')
    ran = millrace("validate", "--json", str(folder))
    assert ["both.yaml", "broken.yaml", "good.yaml"] == [Path(one["file"]).name for one in ran.json]


@pytest.mark.parametrize("line", ["kind: Workfow\n", ""])
def test_a_folder_shows_a_file_whose_kind_is_misspelt_or_missing(folder: Path, line: str) -> None:
    (folder / "broken.yaml").write_text(GOOD.replace("kind: Workflow\n", line))
    (folder / "compose.yaml").write_text("services: {}\n")
    ran = millrace("validate", "--json", str(folder))
    found = {Path(one["file"]).name: [f["path"] for f in one["findings"]] for one in ran.json}
    assert (1, {"both.yaml": [], "broken.yaml": ["/kind"], "good.yaml": []}) == (ran.code, found)


def test_sarif_names_the_file_and_the_rule(folder: Path) -> None:
    import json

    from tests.sarif import faults

    log = json.loads(millrace("validate", "--format", "sarif", str(folder / "broken.yaml")).out)
    result = log["runs"][0]["results"][0]
    assert [] == faults(log)
    place = result["locations"][0]["physicalLocation"]
    assert 8 == place["region"]["startLine"]
    assert place["artifactLocation"]["uri"].endswith("broken.yaml")


@pytest.mark.parametrize("name", ["gone.yaml", "empty"])
def test_what_cannot_be_read_is_a_usage_error(folder: Path, name: str) -> None:
    (folder / "empty").mkdir()
    ran = millrace("validate", str(folder / name))
    assert 2 == ran.code
    assert name in ran.err


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 100_000, b"a: &a [*a]", b"\x00"])
def test_hostile_bytes_become_findings(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(data)
    ran = millrace("validate", str(path))
    assert 1 == ran.code
    assert "error" in ran.out


def test_every_example_is_valid() -> None:
    assert 0 == millrace("validate", str(ROOT / "docs/examples")).code


def test_formatting_keeps_comments_permissions_and_a_second_run_changes_nothing(folder: Path) -> None:
    path = folder / "good.yaml"
    path.write_text(GOOD.replace("id: shape", "id: shape\n      if: 'true'"))
    path.chmod(0o640)
    assert 1 == millrace("fmt", "--check", str(path)).code
    first = millrace("fmt", "--json", str(path))
    assert (0, [str(path)]) == (first.code, first.json["changed"])
    text = path.read_text()
    assert text.startswith("# a comment\n")
    assert "condition:" in text
    assert 0o640 == stat.S_IMODE(path.stat().st_mode)
    assert (0, "") == (millrace("fmt", str(path)).code, millrace("fmt", "--check", str(path)).out)
    assert [] == [left for left in folder.iterdir() if left.name.startswith(".")]


def test_check_prints_the_difference_and_writes_nothing(folder: Path) -> None:
    path = folder / "good.yaml"
    before = GOOD.replace("id: shape", "id: shape\n      if: 'true'")
    path.write_text(before)
    assert "+      condition:" in millrace("fmt", "--check", str(path)).out
    assert before == path.read_text()


def test_several_documents_stay_several(folder: Path) -> None:
    path = folder / "both.yaml"
    millrace("fmt", str(path))
    assert 1 == path.read_text().count("\n---\n")
    assert 0 == millrace("validate", str(path)).code


def test_a_document_that_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: [")
    ran = millrace("fmt", str(path))
    assert (1, "a: [") == (ran.code, path.read_text())
    assert str(path) in ran.err


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: \xff")
    assert 2 == millrace("fmt", str(path)).code


def test_a_refusal_is_told_once_with_its_place() -> None:
    out, err = io.StringIO(), io.StringIO()
    finding = {"line": 3, "column": 7, "severity": "error", "code": "c", "message": "no such key", "fix": "mend it"}
    answer = {"detail": "line 3, column 7: no such key", "hint": "mend it"}
    document = Document(Path("a.yaml"), b"", "yaml", 2)
    for found in ([finding], []):
        refused = Published(document, 422, {**answer, "findings": found})
        tell(Change("refused", document.file, refused), Output(out=out, err=err))
    assert [
        "a.yaml: not published",
        "a.yaml:5:7: error c: no such key",
        "    mend it",
        "a.yaml: not published: line 3, column 7: no such key",
        "    mend it",
    ] == err.getvalue().splitlines()
