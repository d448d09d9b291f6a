"""URLs and hosts: what is read, and what is refused before anything is resolved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.http.policy import parse_allow_hosts
from millrace.adapters.http.refusals import Refused
from millrace.adapters.http.urls import join, parse_host, parse_url
from millrace.base.errors import InvalidRequest

REFUSED = {
    "http://0177.0.0.1/": "bad-host",
    "http://127.1/": "bad-host",
    "http://2130706433/": "bad-host",
    "http://0x7f000001/": "bad-host",
    "http://0x7f.1/": "bad-host",
    "http://017700000001/": "bad-host",
    "http://127.0.0.0x1/": "bad-host",
    "http://1.2.3.256/": "bad-host",
    "http://①②⑦.⓪.⓪.①/": "bad-host",
    "http://１２７.0.0.1/": "bad-host",
    "http://localhost./": "bad-host",
    "http://127.0.0.1./": "bad-host",
    "http://a..b/": "bad-host",
    "http://-a.test/": "bad-host",
    "http://a-.test/": "bad-host",
    "http:///path": "bad-host",
    "http://%31%32%37.0.0.1/": "bad-host",
    "http://local%68ost/": "bad-host",
    "http://a.test%00.b.test/": "bad-host",
    "http://a.test,b.test/": "bad-host",
    "http://a。test/": "bad-host",
    "http://[::1/": "bad-host",
    "http://[127.0.0.1]/": "bad-host",
    "http://[::1]x/": "bad-host",
    "http://[fe80::1%25eth0]/": "bad-host",
    "http://[::ffff:127.1]/": "bad-host",
    f"http://{'a' * 64}.test/": "bad-host",
    f"http://{'a.' * 130}test/": "bad-host",
    "http://xn--\u2603.test/": "bad-host",
    "http://a.test@127.0.0.1/": "userinfo",
    "http://a@169.254.169.254@127.0.0.1/": "userinfo",
    "http://user:pass@a.test/": "userinfo",
    "http://@a.test/": "userinfo",
    "file:///etc/passwd": "scheme",
    "gopher://a.test/": "scheme",
    "ftp://a.test/": "scheme",
    "unix://a.test/": "scheme",
    "http://127.0.0.1\\@evil.test/": "bad-url",
    "http:\\\\a.test/": "bad-url",
    "http://a.test/\r\nHost: b.test": "bad-url",
    "http://a.test /": "bad-url",
    "http://a.test\t/": "bad-url",
    "http://a.test/\x00": "bad-url",
    "//a.test/": "bad-url",
    "/path": "bad-url",
    "a.test": "bad-url",
    "http:a.test": "bad-url",
    "": "bad-url",
    "http://a.test/%zz": "bad-url",
    "http://a.test/?q=%": "bad-url",
    "http://a.test/\ud800": "bad-url",
    f"http://a.test/{'x' * 9000}": "bad-url",
    "http://a.test:/": "bad-port",
    "http://a.test:0/": "bad-port",
    "http://a.test:65536/": "bad-port",
    "http://a.test:-1/": "bad-port",
    "http://a.test:８０/": "bad-port",
    "http://a.test:80:80/": "bad-port",
    "http://[::1]:x/": "bad-port",
}

READ = {
    "http://a.test": "http://a.test/",
    "HTTP://A.Test/Path": "http://a.test/Path",
    "https://a.test:443/x": "https://a.test/x",
    "https://a.test:8443/x": "https://a.test:8443/x",
    "http://127.0.0.1:8080": "http://127.0.0.1:8080/",
    "http://[2606:4700:0:0::1]/": "http://[2606:4700::1]/",
    "http://[::1]:8080/": "http://[::1]:8080/",
    "http://a.test?q=1": "http://a.test/?q=1",
    "http://a.test/x?q=a b": "http://a.test/x?q=a%20b",
    "http://a.test/é?q=é&b=[1]#part": "http://a.test/%C3%A9?q=%C3%A9&b=[1]",
    "http://a.test/%2e%2E/x": "http://a.test/%2e%2E/x",
    "http://bücher.test/": "http://xn--bcher-kva.test/",
    "http://_dmarc.a.test/": "http://_dmarc.a.test/",
    "http://a.test/?next=http://b.test/@x": "http://a.test/?next=http://b.test/@x",
}


@pytest.mark.parametrize(("text", "code"), REFUSED.items())
def test_an_ambiguous_url_is_refused_with_its_reason(text: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_url(text)
    assert ("blocked", code, False) == (
        caught.value.failure.kind, caught.value.failure.code, caught.value.failure.retryable,
    )  # fmt: skip


@pytest.mark.parametrize(("text", "read"), READ.items())
def test_a_plain_url_is_read_in_one_spelling(text: str, read: str) -> None:
    assert read == str(parse_url(text))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://b.test/y", "https://b.test/y"),
        ("//b.test/y", "http://b.test/y"),
        ("/y", "http://a.test:8080/y"),
        ("y", "http://a.test:8080/d/y"),
        ("?q=2", "http://a.test:8080/d/x?q=2"),
        ("", "http://a.test:8080/d/x?q=1"),
        ("#part", "http://a.test:8080/d/x?q=1"),
    ],
)
def test_a_location_is_joined_to_the_request_it_answers(location: str, target: str) -> None:
    assert target == str(join(parse_url("http://a.test:8080/d/x?q=1"), location))


@given(st.text(max_size=40))
def test_no_text_as_host_does_anything_but_pass_or_be_refused(text: str) -> None:
    try:
        host = parse_host(text)
    except Refused as refused:
        assert "bad-host" == refused.failure.code
    else:
        assert host == parse_host(host)
        assert host.isascii()


@given(st.text(max_size=60))
def test_what_a_url_was_read_as_is_read_the_same_again(text: str) -> None:
    try:
        url = parse_url("http://a.test/" + text)
    except Refused:
        return
    assert url == parse_url(str(url))
    assert "a.test" == url.host


def test_the_list_of_allowed_hosts_is_read_by_name_and_port() -> None:
    expected = {("localhost", 8322), ("::1", 80), ("10.0.0.1", 6379)}
    assert expected == parse_allow_hosts(" LOCALHOST:8322 ,[::1]:80,,10.0.0.1:6379")


@pytest.mark.parametrize("text", ["localhost", "localhost:0", "a b:80", "127.1:80", "http://a:80", "a:99999", ":80"])
def test_a_wrong_entry_in_the_list_of_allowed_hosts_is_named(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_allow_hosts(f"ok:1,{text}")
    assert {"entry": text} == caught.value.facts
