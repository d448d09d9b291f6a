"""TLS to a pinned address: the certificate is checked against the name, and the name is sent."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from millrace.adapters.http import Gate, Policy
from millrace.adapters.http.refusals import Refused
from tests.unit.http.servers import Names, Rig, in_turn, reply, reply_json, serve, slug


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext, list[str | None]]:
    """A server's context with a certificate for a.test, a client's that trusts it, and the names clients sent."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.test")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("a.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = Path(folder) / "server.pem"
    file.write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    asked: list[str | None] = []
    server.sni_callback = lambda _socket, wanted, _context: asked.append(wanted)
    return server, ssl.create_default_context(cadata=pem.decode()), asked


Contexts = tuple[ssl.SSLContext, ssl.SSLContext, list[str | None]]


def test_a_call_over_tls_sends_the_name_and_reaches_the_pinned_address(contexts: Contexts) -> None:
    server, client, asked = contexts

    async def go() -> tuple[object, int, str]:
        async with serve(reply_json("safe"), ssl=server) as seen, Rig(seen.port, tls=client) as rig:
            config = {"url": f"https://a.test:{seen.port}/"}
            await rig.run(config)
            outcome = await rig.run(config)
            assert outcome.exchange is not None
            return outcome.output["body"], seen.connections, outcome.exchange.peer.split(":")[0]

    assert ("safe", 1, "127.0.0.1") == asyncio.run(go())
    assert "a.test" == asked[-1]


def test_a_certificate_of_another_name_is_a_permanent_failure(contexts: Contexts) -> None:
    server, client, _ = contexts

    async def go() -> tuple[tuple[str, str, bool], int]:
        async with serve(reply_json("safe"), ssl=server) as seen, Rig(seen.port, tls=client) as rig:
            return slug(await rig.fail({"url": f"https://b.test:{seen.port}/"})), len(seen.requests)

    assert (("network", "tls", False), 0) == asyncio.run(go())


def test_a_certificate_nobody_trusts_is_a_permanent_failure(contexts: Contexts) -> None:
    server, _, _ = contexts

    async def go() -> tuple[str, str, bool]:
        async with serve(reply_json("safe"), ssl=server) as seen, Rig(seen.port) as rig:
            return slug(await rig.fail({"url": f"https://a.test:{seen.port}/"}))

    assert ("network", "tls", False) == asyncio.run(go())


def test_a_server_without_tls_is_a_retryable_connect_failure(contexts: Contexts) -> None:
    _, client, _ = contexts

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async def go() -> tuple[str, str, bool]:
        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, Rig(port, tls=client) as rig:
            return slug(await rig.fail({"url": f"https://a.test:{port}/"}))

    assert ("network", "connect", True) == asyncio.run(go())


def test_a_redirect_from_https_to_http_is_refused(contexts: Contexts) -> None:
    server, client, _ = contexts

    async def go() -> tuple[str, str, bool]:
        away = reply(status="302 Found", headers=[("Location", "http://a.test/")])
        async with serve(in_turn(away), ssl=server) as seen, Rig(seen.port, tls=client) as rig:
            return slug(await rig.fail({"url": f"https://a.test:{seen.port}/", "followRedirects": True}))

    assert ("blocked", "redirect", False) == asyncio.run(go())


def test_a_handshake_that_hangs_ends_with_the_timeout(contexts: Contexts) -> None:
    _, client, _ = contexts

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def go() -> str:
        import httpcore

        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        gate = Gate(Policy(allow=frozenset({("a.test", port)})), resolver=Names(a_test=[["127.0.0.1"]]))
        async with server:
            with pytest.raises(httpcore.ConnectTimeout) as caught:
                await gate.connect("a.test", port, tls=client, timeout=0.1)
            await asyncio.sleep(0.01)
        return type(caught.value).__name__

    assert "ConnectTimeout" == asyncio.run(go())


def test_the_gate_speaks_tls_for_protocols_other_than_http(contexts: Contexts) -> None:
    server, client, _ = contexts

    async def go() -> tuple[bytes, str]:
        async with serve(reply(b"x"), ssl=server) as seen:
            names = Names(a_test=[["127.0.0.1"]], b_test=[["127.0.0.1"]])
            allow = frozenset({("a.test", seen.port), ("b.test", seen.port)})
            gate = Gate(Policy(allow=allow), resolver=names)
            stream = await gate.connect("a.test", seen.port, tls=client)
            await stream.write(b"GET / HTTP/1.1\r\n\r\n", timeout=5)
            got = await stream.read(12, timeout=5)
            await stream.aclose()
            with pytest.raises(Refused) as caught:
                await gate.connect("b.test", seen.port, tls=client)
            return got, caught.value.failure.code

    assert (b"HTTP/1.1 200", "tls") == asyncio.run(go())
