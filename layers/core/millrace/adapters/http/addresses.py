"""Which IP addresses a call may reach: our own table, since no library's idea of "public" is the one we need.

`ipaddress.is_global` lets NAT64, 6to4 and multicast forms through on some Python versions, and its registry ages
with the interpreter. Here an address is refused unless it lies in public unicast space and in none of the ranges
below. Source of the ranges: the IANA IPv4 and IPv6 special-purpose address registries (RFC 6890 and successors),
the IPv6 unicast allocation 2000::/3, and the addresses cloud providers keep for instance metadata.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal

from msgspec import Struct

Kind = Literal["public", "loopback", "private", "forbidden"]
"""``loopback`` and ``private`` may be opened by the operator, by name and port; ``forbidden`` never."""

Address = IPv4Address | IPv6Address


class Verdict(Struct, frozen=True):
    """``address`` is what to connect to: the IPv4 address inside a mapped one, otherwise what was judged."""

    kind: Kind
    why: str
    address: Address


# The first range that holds the address decides, so the metadata services stand before what surrounds them.
_V4_RANGES: Final[tuple[tuple[str, Kind, str], ...]] = (
    ("100.100.100.200/32", "forbidden", "a metadata service"),
    ("168.63.129.16/32", "forbidden", "a metadata service"),
    ("0.0.0.0/8", "forbidden", "this network"),
    ("10.0.0.0/8", "private", "private use"),
    ("100.64.0.0/10", "private", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback", "loopback"),
    ("169.254.0.0/16", "forbidden", "link-local, which holds the metadata services"),
    ("172.16.0.0/12", "private", "private use"),
    ("192.0.0.0/24", "forbidden", "protocol assignments"),
    ("192.0.2.0/24", "forbidden", "documentation"),
    ("192.31.196.0/24", "forbidden", "AS112"),
    ("192.52.193.0/24", "forbidden", "multicast tunnelling"),
    ("192.88.99.0/24", "forbidden", "6to4 relays"),
    ("192.168.0.0/16", "private", "private use"),
    ("192.175.48.0/24", "forbidden", "AS112"),
    ("198.18.0.0/15", "forbidden", "benchmarking"),
    ("198.51.100.0/24", "forbidden", "documentation"),
    ("203.0.113.0/24", "forbidden", "documentation"),
    ("224.0.0.0/4", "forbidden", "multicast"),
    ("240.0.0.0/4", "forbidden", "reserved"),
)

_V6_RANGES: Final[tuple[tuple[str, Kind, str], ...]] = (
    ("::/128", "forbidden", "the unspecified address"),
    ("::1/128", "loopback", "loopback"),
    ("fd00:ec2::/32", "forbidden", "a metadata service"),
    ("fd20:ce::/32", "forbidden", "a metadata service"),
    ("fc00::/7", "private", "private use"),
    ("fe80::/10", "forbidden", "link-local"),
    ("fec0::/10", "forbidden", "site-local"),
    ("ff00::/8", "forbidden", "multicast"),
    ("::/96", "forbidden", "an IPv4-compatible address"),
    ("64:ff9b:1::/48", "forbidden", "local NAT64"),
    ("2001::/32", "forbidden", "a Teredo tunnel"),
    ("2001::/23", "forbidden", "protocol assignments"),
    ("2001:db8::/32", "forbidden", "documentation"),
    ("2002::/16", "forbidden", "a 6to4 tunnel"),
    ("2620:4f:8000::/48", "forbidden", "AS112"),
    ("3ffe::/16", "forbidden", "the former 6bone"),
    ("3fff::/20", "forbidden", "documentation"),
)
_V4: Final = tuple((IPv4Network(network), kind, why) for network, kind, why in _V4_RANGES)
_V6: Final = tuple((IPv6Network(network), kind, why) for network, kind, why in _V6_RANGES)
_UNICAST: Final = IPv6Network("2000::/3")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)  # the upper half of an interface id that tunnels to IPv4 (RFC 5214)


def judge_address(text: str) -> Verdict:
    """What may be done with one address, as a resolver gives it.

    A mapped or NAT64 address is judged as the IPv4 address inside it: the host itself, or the network's translator,
    sends there. Compatible, 6to4, Teredo and ISATAP addresses are refused whatever is inside. An address with a
    zone (``fe80::1%eth0``) is refused. Raises ValueError on what is no address.
    """
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return _judge_v4(address, address)
    if address.scope_id is not None:
        return Verdict("forbidden", "an address bound to an interface", address)
    if address in _MAPPED:
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
        return _judge_v4(inner, inner)
    if address in _NAT64:
        verdict = _judge_v4(IPv4Address(int(address) & 0xFFFFFFFF), address)
        # Nobody's own service is behind the translator, so what is not public there is never allowed.
        return verdict if verdict.kind == "public" else Verdict("forbidden", f"NAT64 of {verdict.why}", address)
    for network, kind, why in _V6:
        if address in network:
            return Verdict(kind, why, address)
    if address not in _UNICAST:
        return Verdict("forbidden", "outside public unicast space", address)
    if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
        return Verdict("forbidden", "an ISATAP tunnel", address)
    return Verdict("public", "public", address)


def _judge_v4(address: IPv4Address, connect_to: Address) -> Verdict:
    for network, kind, why in _V4:
        if address in network:
            return Verdict(kind, why, connect_to)
    return Verdict("public", "public", connect_to)
