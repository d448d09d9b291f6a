"""Settings come from the environment, are refused when they cannot be used, and are all documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from millrace.base.errors import InvalidRequest
from millrace.wiring.settings import SETTINGS, Settings, read_settings

ROOT = Path(__file__).resolve().parents[3]


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings() == read_settings({"PATH": "/bin", "MILLRACE_PORT": " "})


def test_every_variable_reaches_its_field() -> None:
    given = dict.fromkeys(SETTINGS, "x") | {
        "MILLRACE_PORT": "1", "MILLRACE_DEMO_PORT": "0", "MILLRACE_SYNC": "normal", "MILLRACE_LOG_LEVEL": "DEBUG",
        "MILLRACE_ALLOW_HOSTS": "a:1, [::1]:2 ,", "MILLRACE_ENV": "A=1",
        "MILLRACE_RETRY_BUDGET": "7",
        "MILLRACE_LAMBDA_FUNCTIONS": "f=m.n:h, g-1=./a b/c,h=/x/app.py:go",
    }  # fmt: skip
    settings = read_settings(given)
    assert (1, 0, "normal", "DEBUG") == (settings.port, settings.demo_port, settings.sync, settings.log_level)
    assert ("a:1", "[::1]:2") == settings.allow_hosts
    assert ({"A": "1"}, 7) == (settings.env, settings.retry_budget)
    assert {"f": "m.n:h", "g-1": "./a b/c", "h": "/x/app.py:go"} == settings.lambda_functions
    assert Path("x") == settings.data
    plain = {name for name, field in SETTINGS.items() if getattr(settings, field) == "x"}
    assert {name for name in SETTINGS if given[name] == "x"} - {"MILLRACE_DATA"} == plain
    assert settings.on_aws


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MILLRACE_PORT", "70000"),
        ("MILLRACE_PORT", "-1"),
        ("MILLRACE_PORT", "٣"),
        ("MILLRACE_SYNC", "off"),
        ("MILLRACE_RETRY_BUDGET", "20%"),
        ("MILLRACE_RETRY_BUDGET", "1000000"),
        ("MILLRACE_LOG_LEVEL", "debug"),
        ("MILLRACE_ALLOW_HOSTS", "localhost"),
        ("MILLRACE_ALLOW_HOSTS", "a:0"),
        ("MILLRACE_ALLOW_HOSTS", "a:1,:2"),
        ("MILLRACE_ALLOW_HOSTS", "a:99999"),
        ("MILLRACE_LAMBDA_FUNCTIONS", "f"),
        ("MILLRACE_LAMBDA_FUNCTIONS", "f=module"),
        ("MILLRACE_LAMBDA_FUNCTIONS", "f:live=./a"),
        ("MILLRACE_LAMBDA_FUNCTIONS", "=./a"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_settings({name: value})
    assert name == raised.value.facts["name"]


def test_a_misspelt_setting_is_never_ignored() -> None:
    with pytest.raises(InvalidRequest, match="MILLRACE_PROT is not a setting"):
        read_settings({"MILLRACE_PROT": "1"})


def test_every_field_has_a_variable_and_every_variable_is_documented() -> None:
    assert set(Settings.__struct_fields__) == set(SETTINGS.values())
    page = (ROOT / "docs/reference/settings.md").read_text()
    assert list(SETTINGS) == re.findall(r"^\| `(MILLRACE_\w+)`", page, re.MULTILINE)


def test_what_workflows_may_read_is_a_list_of_pairs() -> None:
    settings = read_settings({"MILLRACE_ENV": "API_URL=https://api.example.com/?a=b, STAGE=test,EMPTY="})
    assert {"API_URL": "https://api.example.com/?a=b", "STAGE": "test", "EMPTY": ""} == settings.env
    assert {} == read_settings({}).env


@pytest.mark.parametrize("text", ["API_URL", "=x", "1A=x", "A-B=x"])
def test_a_pair_that_cannot_be_read_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidRequest, match="MILLRACE_ENV"):
        read_settings({"MILLRACE_ENV": text})
