"""The command line, its exit codes, and what it reads as input."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from millrace import __version__
from millrace.base.errors import Conflict, Corrupt, InvalidRequest, MillraceError, NotFound, Unavailable
from millrace.cli.codes import MEANING, Exit
from millrace.cli.inputs import read_input
from millrace.cli.main import VERBS, code_of, parser
from millrace.local.client import Refused
from tests.unit.cli.running import millrace

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/cli.md").read_text()


def test_version_prints_the_version() -> None:
    assert f"millrace {__version__} " in millrace("version").out
    assert __version__ == millrace("version", "--json").json["version"]


@pytest.mark.parametrize(
    "words",
    [
        "import openapi nowhere --json",
        "import --json openapi nowhere",
        "import --from asl nowhere --json",
        "--json import package nowhere",
    ],
)
def test_json_may_stand_anywhere_on_the_command_line(words: str) -> None:
    ran = millrace(*words.split())
    assert Exit.USAGE == ran.code
    assert "No such file or directory" in json.loads(ran.err)["error"]["message"]


def test_json_behind_a_double_dash_is_a_word_like_any_other() -> None:
    ran = millrace("validate", "--", "--json")
    assert "millrace: --json: No such file or directory\n" in ran.err


def test_every_verb_is_documented_and_nothing_else() -> None:
    assert set(VERBS) == set(re.findall(r"^\| `millrace (\w+)", PAGE, re.MULTILINE))


def test_every_flag_that_is_documented_exists() -> None:
    helps = "".join(millrace(verb, "--help").out for verb in VERBS) + millrace("secrets", "put", "--help").out
    helps += millrace("import", "package", "--help").out + millrace("import", "openapi", "--help").out
    for flag in set(re.findall(r"--[a-z][a-z-]*", PAGE)):
        assert flag in helps


def test_every_exit_code_is_documented_in_the_same_words() -> None:
    documented = re.findall(r"^\| `(\d+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert [(str(code.value), meaning) for code, meaning in MEANING.items()] == documented
    assert set(Exit) == set(MEANING)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["validate"],
        ["run"],
        ["version", "--what"],
        ["dev", "--port", "x"],
        ["dev", "--watch", "/nowhere"],
    ],
)
def test_a_wrong_command_line_is_code_2(arguments: list[str]) -> None:
    assert 2 == millrace(*arguments).code


def test_help_lists_verbs_and_exit_codes() -> None:
    text = millrace("--help").out
    assert all(verb in text for verb in VERBS)
    assert all(meaning in text for meaning in MEANING.values())


def test_the_whole_parser_can_be_built() -> None:
    assert "run" == parser().parse_args(["run", "x"]).verb


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound("x"), Exit.NOT_FOUND),
        (Unavailable("x"), Exit.UNREACHABLE),
        (Conflict("x", facts={"pid": 1}), Exit.UNREACHABLE),
        (Conflict("x"), Exit.USAGE),
        (InvalidRequest("x"), Exit.USAGE),
        (Corrupt("x"), Exit.USAGE),
        (Refused(404, {}), Exit.NOT_FOUND),
        (Refused(503, {}), Exit.UNREACHABLE),
        (Refused(422, {"findings": [1]}), Exit.FAILED),
        (Refused(422, {}), Exit.USAGE),
    ],
)
def test_each_error_has_its_exit_code(error: MillraceError, code: Exit) -> None:
    assert code == code_of(error)


def test_a_setting_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_PORT", "x")
    ran = millrace("executions")
    assert 2 == ran.code
    assert "MILLRACE_PORT takes a port" in ran.err


def test_input_is_json_a_file_or_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in.json").write_text('{"a": 2}')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"[3]")))
    assert [{"a": 1}, {"a": 2}, [3]] == [read_input(text) for text in ('{"a": 1}', f"@{tmp_path}/in.json", "@-")]


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"a": 1, "a": 2}', "[" * 100_000, "\udcff"])
def test_input_that_is_no_json_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^--input: "):
        read_input(text)


def test_input_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(b" " * (6 * 1024 * 1024 + 1))
    with pytest.raises(InvalidRequest, match="exceeds"):
        read_input(f"@{path}")


def test_a_reader_that_goes_away_is_no_failure() -> None:
    script = f"{sys.executable} -m millrace.cli --help | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (0, "") == (done.returncode, done.stderr)


def test_the_data_folder_cannot_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = millrace("executions", "--data", str(tmp_path / "file"))
    assert 2 == ran.code
    assert "Check the path" in ran.err
