"""A URL read once, strictly, so that what is judged and what is connected to cannot differ.

Resolvers, browsers and URL libraries disagree about ``127.1``, ``0x7f000001``, backslashes, ``user@host`` and
digits from other scripts. All of these are refused here instead of being interpreted.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Literal
from urllib.parse import quote

from msgspec import Struct

from millrace.adapters.http.refusals import Refused, blocked

Scheme = Literal["http", "https"]
URL_CHARS: Final = 8 * 1024  # what common servers accept as a request line

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?:#.*)?", re.DOTALL
)
_PORT: Final = re.compile(r"[0-9]{1,5}")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SCHEMES: Final[dict[str, Scheme]] = {"http": "http", "https": "https"}
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PATH_SAFE: Final = "/:@!$&'()*+,;=~-._%[]|"  # what may stand in a target as it is; everything else is encoded
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Url(Struct, frozen=True):
    """``host`` is a lower-case DNS name or the text of an IP address without brackets; ``target`` begins with a
    slash and is percent-encoded ASCII; there is no fragment and no userinfo."""

    scheme: Scheme
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The value of the Host header: brackets around IPv6, the port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_url(text: str) -> Url:
    """Raises Refused with kind ``blocked`` and code ``bad-url``, ``scheme``, ``userinfo``, ``bad-host`` or
    ``bad-port``."""
    if len(text) > URL_CHARS:
        raise blocked("bad-url", f"the URL is longer than {URL_CHARS} characters", "Send long values in the body.")
    if "\\" in text or any(ord(char) <= 32 or ord(char) == 127 for char in text.split("?", 1)[0]):
        raise blocked(
            "bad-url",
            "the URL holds a backslash, a space or a control character before its query",
            "Percent-encode it, or remove it.",
        )
    match = _URL.fullmatch(text)
    if match is None:
        raise blocked("bad-url", "the URL is not absolute", "Begin it with https:// and a host.")
    scheme = _SCHEMES.get(match["scheme"].lower())
    if scheme is None:
        raise blocked("scheme", f"the scheme {match['scheme'][:20]} is not allowed", "Use http or https.")
    authority = match["authority"]
    if "@" in authority:
        raise blocked("userinfo", "the URL holds a user name or password", "Use the auth block with a secretRef.")
    host, port = _split(authority)
    rest = match["rest"]
    target = _encode(rest if rest.startswith("/") else f"/{rest}")
    return Url(scheme, parse_host(host), _DEFAULT_PORTS[scheme] if port is None else port, target)


def join(base: Url, location: str) -> Url:
    """Where a redirect leads: ``location`` may be absolute, or relative to ``base`` (RFC 3986, section 5).
    Raises Refused like `parse_url`."""
    if _URL.fullmatch(location):
        return parse_url(location)
    if location.startswith("//"):
        return parse_url(f"{base.scheme}:{location}")
    root = f"{base.scheme}://{base.authority}"
    path = base.target.split("?", 1)[0]
    location = location.split("#", 1)[0]
    if location.startswith("/"):
        return parse_url(root + location)
    if not location or location.startswith("?"):
        return parse_url(root + (path + location if location else base.target))
    return parse_url(f"{root}{path.rsplit('/', 1)[0]}/{location}")


def parse_host(text: str) -> str:
    """A DNS name in lower case (IDNA-encoded where it holds other letters), or a canonical IP address.

    Raises Refused, code ``bad-host``, on everything else: a number that only some resolvers read as an address, a
    trailing dot, a percent sign, digits from other scripts, a zone.
    """
    if ":" in text:
        return _ipv6(text)
    name = text.lower()
    if not name.isascii():
        name = _idna(name)
    labels = name.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        return _ipv4(name)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _bad_host(text)
    return name


def _split(authority: str) -> tuple[str, int | None]:
    host, port = authority, ""
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        if not bracket or (port and not port.startswith(":")) or ":" not in host:
            raise _bad_host(authority)
        port = port[1:]
    elif ":" in authority:
        host, _, port = authority.partition(":")
    if not port and not authority.endswith(":"):
        return host, None
    if not (_PORT.fullmatch(port) and 0 < int(port) < 65536):
        raise blocked("bad-port", f"{port[:10]!r} is not a port", "Use a number from 1 to 65535.")
    return host, int(port)


def _ipv4(text: str) -> str:
    try:
        address = str(IPv4Address(text))
    except ValueError:
        address = ""
    if address != text:  # leading zeros, missing parts, hexadecimal: readers of these do not agree
        raise _bad_host(text)
    return address


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise _bad_host(text) from None
    if address.scope_id is not None:
        raise _bad_host(text)
    return str(address)


def _idna(name: str) -> str:
    import idna

    if any(dot in name for dot in "\u3002\uff0e\uff61"):  # other dots, which only some readers split at
        raise _bad_host(name)
    try:
        return idna.encode(name).decode("ascii")
    except idna.IDNAError:
        raise _bad_host(name) from None


def _encode(target: str) -> str:
    path, question, query = target.partition("?")
    for part in (path, query):
        if _BAD_ESCAPE.search(part):
            raise blocked("bad-url", "a percent sign is not followed by two hexadecimal digits", "Write %25.")
    try:
        return quote(path, safe=_PATH_SAFE) + question + quote(query, safe=_PATH_SAFE + "?")
    except UnicodeEncodeError:
        raise blocked("bad-url", "the URL holds a lone surrogate", "Remove it.") from None


def _bad_host(text: str) -> Refused:
    return blocked(
        "bad-host",
        f"{text[:80]!a} is neither a DNS name nor an IP address in its usual form",
        "Write the name, or the address as four decimal numbers or as IPv6 in brackets.",
    )
