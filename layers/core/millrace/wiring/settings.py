"""Every setting of the platform, in one record, read from the environment once and by nobody else.

The table ``SETTINGS`` is what `docs/reference/settings.md` is compared with, so that no setting goes undocumented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, cast, get_args

from msgspec import Struct, field

from millrace.base.errors import InvalidRequest
from millrace.base.limits import RETRY_TOKENS
from millrace.services.platform import LogLevel

Sync = Literal["full", "normal"]
LOCAL_PORT: Final = 8321


class Settings(Struct, frozen=True):
    """``data`` is the folder of local mode. Tables, bucket and state machines are names or ARNs, and empty locally.

    ``port`` and ``demo_port`` 0 mean any free port; without
    ``demo_port`` the demo service takes the port that follows the server's, the same at every start.
    """

    data: Path = Path(".millrace")
    port: int = LOCAL_PORT
    demo_port: int | None = None
    allow_hosts: tuple[str, ...] = ()
    sync: Sync = "full"
    region: str = "local"
    log_level: LogLevel = "WARNING"
    env: Mapping[str, str] = field(default_factory=dict)
    table_definitions: str = ""
    table_history: str = ""
    table_statistics: str = ""
    bucket: str = ""
    secrets_prefix: str = "millrace"
    state_machine: str = ""
    short_state_machine: str = ""
    fan_out_state_machine: str = ""
    endpoint: str = ""
    retry_budget: int = RETRY_TOKENS
    lambda_functions: Mapping[str, str] = field(default_factory=dict)

    @property
    def on_aws(self) -> bool:
        """Whether the adapters of AWS are meant: a table name is set by the template and by nothing else."""
        return bool(self.table_history)


SETTINGS: Final[Mapping[str, str]] = {
    "MILLRACE_DATA": "data",
    "MILLRACE_PORT": "port",
    "MILLRACE_DEMO_PORT": "demo_port",
    "MILLRACE_ALLOW_HOSTS": "allow_hosts",
    "MILLRACE_SYNC": "sync",
    "MILLRACE_REGION": "region",
    "MILLRACE_LOG_LEVEL": "log_level",
    "MILLRACE_ENV": "env",
    "MILLRACE_TABLE_DEFINITIONS": "table_definitions",
    "MILLRACE_TABLE_HISTORY": "table_history",
    "MILLRACE_TABLE_STATISTICS": "table_statistics",
    "MILLRACE_BUCKET": "bucket",
    "MILLRACE_SECRETS_PREFIX": "secrets_prefix",
    "MILLRACE_STATE_MACHINE": "state_machine",
    "MILLRACE_SHORT_STATE_MACHINE": "short_state_machine",
    "MILLRACE_FAN_OUT_STATE_MACHINE": "fan_out_state_machine",
    "MILLRACE_ENDPOINT": "endpoint",
    "MILLRACE_RETRY_BUDGET": "retry_budget",
    "MILLRACE_LAMBDA_FUNCTIONS": "lambda_functions",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_FUNCTION: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TARGET: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*|[^:]*/[^:]*(?::[A-Za-z_][A-Za-z0-9_]*)?")
_LEVELS: Final = get_args(LogLevel)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment gives; an empty variable counts as absent.

    Raises InvalidRequest naming the variable when a value cannot be used, or when a name begins with MILLRACE_ and
    is none of ours (a misspelt setting must not be ignored).
    """
    unknown = sorted(name for name in environment if name.startswith("MILLRACE_") and name not in SETTINGS)
    if unknown:
        raise InvalidRequest(
            f"{unknown[0]} is not a setting",
            hint=f"The settings are {', '.join(SETTINGS)}.",
            facts={"name": unknown[0]},
        )
    given = {name: value for name in SETTINGS if (value := environment.get(name, "").strip())}
    text = {field: given[name] for name, field in SETTINGS.items() if name in given}
    return Settings(
        data=Path(text.get("data", ".millrace")).expanduser(),
        port=_port(text, "port", LOCAL_PORT),
        demo_port=_port(text, "demo_port", 0) if "demo_port" in text else None,
        allow_hosts=_hosts(text.get("allow_hosts", "")),
        sync=cast(Sync, _one_of(text, "sync", ("full", "normal"), "full")),
        region=text.get("region", "local"),
        env=_pairs(text.get("env", "")),
        log_level=cast(LogLevel, _one_of(text, "log_level", _LEVELS, "WARNING")),
        table_definitions=text.get("table_definitions", ""),
        table_history=text.get("table_history", ""),
        table_statistics=text.get("table_statistics", ""),
        bucket=text.get("bucket", ""),
        secrets_prefix=text.get("secrets_prefix", "millrace"),
        state_machine=text.get("state_machine", ""),
        short_state_machine=text.get("short_state_machine", ""),
        fan_out_state_machine=text.get("fan_out_state_machine", ""),
        endpoint=text.get("endpoint", ""),
        retry_budget=_tokens(text),
        lambda_functions=_functions(text.get("lambda_functions", "")),
    )


def _variable(field: str) -> str:
    return next(name for name, known in SETTINGS.items() if known == field)


def _port(text: Mapping[str, str], field: str, default: int) -> int:
    value = text.get(field, str(default))
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and int(value) <= 65535):
        raise _unusable(field, value, "a port: 0 to 65535, where 0 means any free one")
    return int(value)


def _tokens(text: Mapping[str, str]) -> int:
    value = text.get("retry_budget", str(RETRY_TOKENS))
    if not (value.isascii() and value.isdigit() and len(value) <= 6):
        raise _unusable("retry_budget", value, "a number of tokens, 0 to 999999, where 0 means no budget")
    return int(value)


def _one_of(text: Mapping[str, str], field: str, allowed: tuple[str, ...], default: str) -> str:
    value = text.get(field, default)
    if value not in allowed:
        raise _unusable(field, value, f"one of {', '.join(allowed)}")
    return value


def _pairs(value: str) -> dict[str, str]:
    """``NAME=value`` pairs separated by commas: what workflows may read as ``env.NAME``."""
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in value.split(","))):
        name, equals, text = part.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise _unusable(
                "env", part, "NAME=value pairs separated by commas, such as API_URL=https://api.example.com"
            )
        found[name] = text
    return found


def _functions(value: str) -> dict[str, str]:
    """``NAME=module:handler`` or ``NAME=folder`` pairs separated by commas."""
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in value.split(","))):
        name, _, target = part.partition("=")
        if not _FUNCTION.fullmatch(name) or not _TARGET.fullmatch(target):
            raise _unusable("lambda_functions", part, "name=module:handler and name=./folder pairs separated by commas")
        found[name] = target
    return found


def _hosts(value: str) -> tuple[str, ...]:
    hosts = tuple(part.strip() for part in value.split(",") if part.strip())
    for host in hosts:
        name, _, port = host.rpartition(":")
        if not name or not (port.isascii() and port.isdigit() and 1 <= len(port) <= 5 and 0 < int(port) <= 65535):
            raise _unusable("allow_hosts", host, "host:port pairs separated by commas, such as localhost:9000")
    return hosts


def _unusable(field: str, value: str, wanted: str) -> InvalidRequest:
    name = _variable(field)
    return InvalidRequest(
        f"{name} is {value[:80]!r}", hint=f"{name} takes {wanted}.", facts={"name": name, "value": value[:80]}
    )
