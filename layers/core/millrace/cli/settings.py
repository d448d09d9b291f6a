"""Settings of a command: the environment, and what its flags say on top."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from msgspec.structs import replace

from millrace.wiring.settings import Settings, read_settings


def take_data(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """Add the flag that every verb with a server takes; ``again`` to an action of a verb that takes it already."""
    parser.add_argument(
        "--data",
        type=Path,
        default=argparse.SUPPRESS if again else None,
        help="data folder (default: MILLRACE_DATA, else .millrace)",
    )


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Raises InvalidRequest naming the variable that cannot be used."""
    settings = read_settings(os.environ)
    given = {
        name: value for name in ("data", "port", "demo_port") if (value := getattr(arguments, name, None)) is not None
    }
    return replace(settings, **given)
