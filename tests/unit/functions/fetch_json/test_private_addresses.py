"""Check that fetch_json rejects private addresses in each spelling and step, unless the operator allows them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pytest

from examples.http_call.addresses import Allowance, is_public, read_allowance
from localfn import Fail
from tests.unit.functions.fetch_json.loopback_api import Api, answer

Fetch = Callable[..., dict[str, Any]]
VARIABLE = "FETCH_JSON_ALLOW_PRIVATE"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.100.100.200", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
        "192.0.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1",
        "168.63.129.16",
        "::", "::1", "fe80::1", "febf::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::7f00:1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::",
        "2001::1", "2001:0:7f00:1::", "2001:db8::1", "3fff::1", "100::1", "4000::1", "5f00::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_known(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "93.184.215.14", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1",
        "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "64:ff9b::808:808", "::ffff:8.8.8.8", "2002:808:808::1",
    ],
)  # fmt: skip
def test_a_public_address_is_known(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "LOCALHOST.", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001",
        "127.1", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "169.254.169.254", "[fe80::1]",
        "[64:ff9b::7f00:1]",
    ],
)  # fmt: skip
def test_every_spelling_of_a_private_address_is_rejected(
    api: Api, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(Fail, match=r"no public address|is not known"):
        fetch(f"http://{host}:{api.url.rpartition(':')[2]}/")
    assert api.calls == []


def test_a_redirect_to_a_private_address_is_rejected(api: Api, fetch: Fetch) -> None:
    for target in ("http://169.254.169.254/latest/meta-data/", "http://127.0.0.2:1/", "http://[::1]/"):
        api.answers = [answer(302, b"", Location=target)]
        with pytest.raises(Fail, match="no public address"):
            fetch(api.url)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Answer look-ups with these addresses in order; return the list of the names looked up."""
    asked: list[str] = []
    left = list(answers)

    def find(host: str, port: int, **_options: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", find)
    return asked


def test_the_checked_address_is_the_called_address(api: Api, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    api.answers = [answer(200, b"1"), answer(200, b"2")]
    url = api.url.replace("127.0.0.1", "rebinding.test")
    assert fetch(url)["json"] == 1
    assert asked == ["rebinding.test"]
    assert api.calls[0].headers["host"].startswith("rebinding.test:")
    with pytest.raises(Fail, match="no public address"):
        fetch(url)
    assert len(api.calls) == 1


def test_only_allowed_addresses_of_a_name_are_called(api: Api, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    api.answers = [answer(200, b"1")]
    assert fetch(api.url.replace("127.0.0.1", "two.test"))["json"] == 1


def test_an_address_that_rejects_makes_way_for_the_next(
    api: Api, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "two.test")
    resolving(monkeypatch, ["127.0.0.3", "127.0.0.1"])
    api.answers = [answer(200, b"1")]
    assert fetch(api.url.replace("127.0.0.1", "two.test"))["json"] == 1


@pytest.mark.parametrize(
    "allowed", ["1", "true", "127.0.0.0/8", "127.0.0.1", " 10.0.0.0/8 , 127.0.0.1", "::ffff:127.0.0.1"]
)
def test_the_operator_allows_networks(api: Api, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, allowed: str) -> None:
    monkeypatch.setenv(VARIABLE, allowed)
    api.answers = [answer(200, b"1")]
    host = "[::ffff:127.0.0.1]" if "ffff" in allowed else "127.0.0.1"
    if host == "127.0.0.1":
        assert fetch(api.url)["json"] == 1
    covered = read_allowance(allowed).covers("x", ipaddress.ip_address(host.strip("[]")))
    assert covered


def test_the_operator_allows_a_host_by_name(api: Api, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "LocalHost.,other.internal")
    api.answers = [answer(200, b"1")]
    assert fetch(api.url.replace("127.0.0.1", "localhost"))["json"] == 1
    with pytest.raises(Fail, match="no public address"):
        fetch(api.url)


@pytest.mark.parametrize("text", ["", "0", " ", "false", "OFF"])
def test_nothing_is_allowed_unless_the_operator_says_so(text: str) -> None:
    assert read_allowance(text) == Allowance()


@pytest.mark.parametrize("text", ["10.0.0.0/99", "10.0.0.300", "a b", "http://x/", "10.0.0.0/8;127.0.0.1"])
def test_an_unreadable_allowance_is_reported_and_allows_nothing(
    api: Api, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(Fail, match=f"{VARIABLE} cannot be read"):
        fetch(api.url)
    assert api.calls == []


def test_a_name_that_is_not_known_is_final(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Fail, match="not known"):
        fetch("http://a..b/")

    def unknown(*_args: Any, **_options: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Fail, match=r"the host nowhere\.test is not known"):
        fetch("http://nowhere.test/")
