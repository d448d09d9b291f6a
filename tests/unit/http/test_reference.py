"""The reference page names everything a task may write and every failure it may meet."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from millrace.adapters import http
from millrace.adapters.http.policy import HTTP_PORTS
from millrace.adapters.http.requests import KEYS, Defaults, build, check_config
from millrace.base.headers import RESERVED_HEADERS
from millrace.spec.tasks.http import HttpRequest

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "http-task.md").read_text()
SOURCES = "".join(path.read_text() for path in Path(http.__file__).parent.glob("*.py"))
CODE = re.compile(
    r"""(?<![_a-z])(?:blocked|invalid|unreadable|network|timed_out|too_large)\(\s*"([a-z-]+)"|Failure\(\s*"[a-z-]+",\s*"([a-z-]+)\""""
)


def test_every_failure_code_is_documented() -> None:
    codes = {first or second for first, second in CODE.findall(SOURCES)}
    assert 25 < len(codes)
    assert [] == sorted(code for code in codes if f"`{code}`" not in PAGE)


def test_every_field_of_a_request_is_documented_and_known_to_the_runner() -> None:
    fields = {field.alias or name for name, field in HttpRequest.model_fields.items()}
    assert KEYS == fields
    assert [] == sorted(key for key in KEYS if f"`{key}`" not in PAGE)


def test_every_header_the_platform_keeps_is_documented() -> None:
    assert [] == sorted(name for name in RESERVED_HEADERS if f"`{name}`" not in PAGE)


def test_every_open_port_is_documented() -> None:
    assert [] == sorted(port for port in HTTP_PORTS if str(port) not in PAGE)


def test_the_example_can_be_built() -> None:
    example = yaml.safe_load(PAGE.split("```yaml")[1].split("```")[0])[0]
    HttpRequest.model_validate(example["request"])
    config = {**check_config(example["request"]), "auth": {"bearer": "token"}}
    request, carriers = build(config, Defaults("millrace", "key", ""))
    assert "https://api.example.com/users?page=1&tag=a&tag=b" == str(request.url)
    assert {"authorization"} == carriers


def test_the_model_s_own_dump_is_what_the_runner_takes() -> None:
    model = HttpRequest.model_validate(
        {"url": "https://a.test/", "auth": {"basic": {"username": "u", "password": "p"}}}
    )
    request, _ = build(check_config(model.model_dump(by_alias=True)), Defaults("millrace", "key", ""))
    assert ("GET", "https://a.test/") == (request.method, str(request.url))
    assert "key" == dict(request.headers)["Idempotency-Key"]
