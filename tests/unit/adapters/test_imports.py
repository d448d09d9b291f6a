"""Importing and making an adapter is cheap: heavy packages are loaded by the first call that needs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LIBRARY = str(Path(__file__).parents[3] / "layers" / "core")
HEAVY = ["boto3", "botocore", "pynamodb", "cryptography", "yaml", "httpx", "pydantic", "jsonschema"]

SCRIPT = f"""
import json, sys
from pathlib import Path
from millrace.adapters import dynamodb, files, memory, s3, secrets, sqlite, system
from millrace.ports.documents import Table
dynamodb.DynamoDocuments(dict.fromkeys(Table, "x"), region="eu-central-1", random=system.SystemRandom())
files.DirectoryBlobs(Path("x")), files.FileSecrets(Path("x"))
s3.S3Blobs(None, "x"), secrets.ManagedSecrets(None, system.SystemClock(), prefix="x")
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""


def test_no_heavy_package_is_imported_before_a_call_needs_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env={"PYTHONPATH": LIBRARY}
    )
    assert [] == json.loads(done.stdout)
