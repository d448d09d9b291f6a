"""The README says what works: its workflow validates and runs, its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from millrace.cli.main import parser
from tests.unit.cli.running import millrace

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\.venv/bin/millrace (.+)$", README, re.MULTILINE)


def test_the_first_workflow_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MILLRACE_SYNC", "normal")
    (text,) = re.findall(r"```yaml\n(.+?)```", README, re.DOTALL)
    Path("greet.yaml").write_text(text)
    assert 0 == millrace("validate", "greet.yaml").code
    ran = millrace("run", "greet.yaml", "--input", '{"userId": 3}')
    assert (0, True) == (ran.code, '"greeting": "Hello, Carla Montferrat!"' in ran.out)


def test_every_command_line_parses() -> None:
    assert 2 == len(COMMANDS)
    for command in COMMANDS:
        words = [word.strip("'") for word in re.findall(r"'[^']*'|\S+", command)]
        assert words[0] == parser().parse_args(words).verb


def test_every_target_that_is_named_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z0-9-]+)`|^make ([a-z0-9-]+)", README, re.MULTILINE))
    assert {name for pair in named for name in pair if name} <= targets


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).is_file()
