"""Check network access settings: open access is logged, and unsafe settings stop the start."""

from pathlib import Path

import pytest

from infra.config import network_access
from infra.config.declaration import Source, read_fields
from infra.config.environment import Environment
from infra.errors import SettingsError


def read(mode: str = "local", /, **variables: str) -> network_access.NetworkAccess:
    return read_fields(network_access.NetworkAccess, Source(Environment(variables), Path("/"), {"env": mode}))


def test_production_requires_authentication_and_local_mode_does_not() -> None:
    assert read("production").needs_login
    assert not read().needs_login
    assert read(LOCALFN_AUTH="required").needs_login


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_outside_the_loopback_a_login_is_required(host: str) -> None:
    with pytest.raises(SettingsError, match="LOCALFN_INSECURE=1"):
        read().check(host)
    read(LOCALFN_AUTH="required").check(host)
    open_door = read(LOCALFN_INSECURE="1")
    open_door.check(host)
    assert open_door.is_unprotected(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "x.localhost"])
def test_the_loopback_is_open_without_a_login(host: str) -> None:
    read().check(host)
    assert not read().is_unprotected(host)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOCALFN_ALLOWED_HOSTS", "https://example.org"),
        ("LOCALFN_ALLOWED_HOSTS", "example.org:80"),
        ("LOCALFN_ALLOWED_HOSTS", "*"),
        ("LOCALFN_ALLOWED_ORIGINS", "example.org"),
        ("LOCALFN_ALLOWED_ORIGINS", "https://example.org/"),
        ("LOCALFN_ALLOWED_ORIGINS", "*"),
        ("LOCALFN_AUTH", "maybe"),
        ("LOCALFN_INSECURE", "yes"),
        ("LOCALFN_TRUSTED_PROXIES", "-1"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read(**{name: value})


def test_hosts_and_origins_are_read() -> None:
    found = read(
        LOCALFN_ALLOWED_HOSTS="Tools.example.org, *.example.com", LOCALFN_ALLOWED_ORIGINS="https://a.example:8443"
    )
    assert found.hosts == ("tools.example.org", "*.example.com")
    assert found.origins == ("https://a.example:8443",)
