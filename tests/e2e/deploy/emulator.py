"""The emulator as a process of its own, and the stack deployed to it: what `sam deploy` would do on AWS."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).resolve().parents[3]
VENV = ROOT / ".venv-emulator"
SAM = ROOT / ".venv-sam" / "bin" / "sam"
REGION = "us-east-1"
STACK = "millrace"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
PATIENCE_S = 60


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any


@dataclass(frozen=True)
class Deployed:
    """A deployed stack; ``send`` signs each request, as the API's authorizer asks."""

    endpoint: str
    api: str

    def send(self, method: str, path: str, body: bytes | None = None, media: str = "application/json") -> Answer:
        request = AWSRequest(method, f"{self.api}{path}", {"Content-Type": media}, data=body or b"")
        SigV4Auth(Credentials("test", "test"), "execute-api", REGION).add_auth(request)
        ready = request.prepare()
        headers = {name: value for name, value in ready.headers.items() if name.lower() != "content-length"}
        sent = urllib.request.Request(ready.url, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(sent, timeout=PATIENCE_S) as answer:
                return Answer(answer.status, json.loads(answer.read() or b"null"))
        except urllib.error.HTTPError as error:
            return Answer(error.code, json.loads(error.read() or b"null"))

    def client(self, service: str) -> Any:
        import boto3

        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """The address of a fresh emulator, stopped at the end. Its files go to ``folder``."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MILLRACE_", "PYTHON"))},
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [VENV / "bin" / "ministack"], cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + PATIENCE_S
        while not _answers(f"{address}/_ministack/health"):
            assert process.poll() is None, (folder / "emulator.log").read_text(errors="replace")[-2000:]
            assert time.monotonic() < end, "the emulator does not start"
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def deploy(endpoint: str, *, parameters: Mapping[str, str]) -> Deployed:
    """`sam build` for this machine, `sam deploy` to the emulator."""
    python = VENV / "bin" / "python"
    subprocess.run([sys.executable, ROOT / "tools" / "build_host.py", "--python", python], cwd=ROOT, check=True)
    given = [f"{name}={value}" for name, value in parameters.items()]
    command = [SAM, "deploy", "--template-file", ROOT / ".aws-sam" / "host" / "template.yaml", "--stack-name", STACK]
    command += ["--resolve-s3", "--region", REGION, "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    command += ["--no-confirm-changeset", "--no-progressbar", "--parameter-overrides", *given]
    done = subprocess.run(
        command,
        env={**os.environ, **KEYS, "AWS_ENDPOINT_URL": endpoint, "SAM_CLI_TELEMETRY": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 0 == done.returncode, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    half = Deployed(endpoint, "")
    (stack,) = half.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    url = next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "ApiUrl")
    host, _, path = url.removeprefix("https://").partition("/")
    return Deployed(endpoint, f"{endpoint}/_aws/execute-api/{host.split('.')[0]}/{path}")


def ready() -> bool:
    """Whether the emulator and the SAM CLI are installed."""
    return shutil.which("ministack", path=str(VENV / "bin")) is not None and SAM.is_file()
