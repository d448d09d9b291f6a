"""`make e2e-deploy`: the whole corpus through a stack on the emulator."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

os.environ["DEPLOY_CORPUS"] = "all"
sys.exit(pytest.main([str(Path(__file__).parent), "-m", "e2e", "-p", "no:randomly"]))
