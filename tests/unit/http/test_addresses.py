"""Which addresses a call may reach."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.http.addresses import judge_address

# Written by hand from the IANA registries, independently of the table under test.
NEVER_PUBLIC = [
    ip_network(text)
    for text in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "168.63.129.16/32",
        "::/8",
        "100::/8",
        "200::/7",
        "400::/6",
        "800::/5",
        "1000::/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "4000::/2",
        "8000::/1",
    ]
]
NAT64 = ip_network("64:ff9b::/96")

FORBIDDEN = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",
    "2001::1",
    "2001:0:a9fe:a9fe::1",
    "2001:10::1",
    "2001:db8::1",
    "3fff::1",
    "3ffe::1",
    "5f00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:0:a9fe:a9fe",
    "2620:4f:8000::1",
    "4000::1",
    "100::1",
    "fe80::1%eth0",
    "2606:4700:0:0:0:5efe:7f00:1",
    "2606:4700:0:0:200:5efe:7f00:1",
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "fd12:3456::1",
    "fc00::1",
    "::ffff:10.0.0.1",
]
LOOPBACK = ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "223.255.255.255",
    "192.0.1.0",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (kind, text)
        for kind, texts in (
            ("forbidden", FORBIDDEN), ("private", PRIVATE), ("loopback", LOOPBACK), ("public", PUBLIC),
        )
        for text in texts
    ],
)  # fmt: skip
def test_each_kind_of_address_is_told_apart(kind: str, text: str) -> None:
    assert kind == judge_address(text).kind


def test_a_mapped_address_is_connected_to_as_ipv4() -> None:
    assert IPv4Address("8.8.8.8") == judge_address("::ffff:8.8.8.8").address


def test_a_translated_address_is_connected_to_as_it_is() -> None:
    assert IPv6Address("64:ff9b::808:808") == judge_address("64:ff9b::808:808").address


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "0177.0.0.1", "1.2.3.4.5", "①②⑦.⓪.⓪.①"])
def test_what_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        judge_address(text)


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_outside_public_unicast_is_ever_public(address: IPv4Address | IPv6Address) -> None:
    verdict = judge_address(str(address))
    if verdict.kind == "public":
        assert not _inside(address)


@given(st.ip_addresses(v=4), st.sampled_from(["mapped", "nat64", "6to4", "compatible", "teredo"]))
def test_an_embedded_address_is_never_more_than_itself(inner: IPv4Address, form: str) -> None:
    number = int(inner)
    outer = {
        "mapped": 0xFFFF << 32 | number,
        "nat64": 0x0064FF9B << 96 | number,
        "6to4": 0x2002 << 112 | number << 80,
        "compatible": number,
        "teredo": 0x20010000 << 96 | (number ^ 0xFFFFFFFF),
    }[form]
    verdict = judge_address(str(IPv6Address(outer)))
    if verdict.kind == "public":
        assert form in ("mapped", "nat64")
        assert "public" == judge_address(str(inner)).kind


@given(st.sampled_from(NEVER_PUBLIC), st.data())
def test_no_address_of_a_reserved_range_is_public(network: IPv4Network | IPv6Network, data: st.DataObject) -> None:
    number = data.draw(st.integers(int(network[0]), int(network[-1])))
    address = IPv4Address(number) if network.version == 4 else IPv6Address(number)
    assert judge_address(str(address)).kind != "public" or not _inside(address)


def _inside(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _inside(address.ipv4_mapped)
        if address in NAT64:
            return _inside(IPv4Address(int(address) & 0xFFFFFFFF))
    return any(address in network for network in NEVER_PUBLIC if network.version == address.version)
