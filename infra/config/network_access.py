"""Read the settings of network access: login, hosts, origins and proxies."""

import ipaddress
import re
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from infra.config.declaration import Source, flag, integer, setting, switch
from infra.errors import SettingsError

HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:]+")
REQUIRED, NONE = "required", "none"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def _hosts(source: Source, name: str, _: None) -> tuple[str, ...]:
    return tuple(_host(name, item) for item in _items(source, name))


def _origins(source: Source, name: str, _: None) -> tuple[str, ...]:
    return tuple(_origin(name, item) for item in _items(source, name))


def _items(source: Source, name: str) -> tuple[str, ...]:
    return source.env.items(name, "", separator=",") if source.env.optional(name) else ()


def _host(name: str, text: str) -> str:
    host = text.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    if not HOST.fullmatch(host):
        raise SettingsError(
            f"{name}: {text!r} is not a valid host; write names without scheme and port, such as "
            "tools.example.org or *.example.org."
        )
    return host


def _origin(name: str, text: str) -> str:
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.netloc or text != f"{found.scheme}://{found.netloc}".lower():
        raise SettingsError(f"{name}: {text!r} is not a valid origin; write, for example, https://example.org.")
    return text


access = partial(setting, section="Access")


@dataclass(frozen=True)
class NetworkAccess:
    """Hold the settings of network access.

    needs_login: users log in, programs send API keys. is_insecure: other machines have access without either.
    hosts: allowed in the Host header beside loopback names. origins: other web origins that may call the API.
    proxies: the number of trusted proxies in front, which report the client's address.
    """

    needs_login: bool = access(
        "LOCALFN_AUTH", flag(REQUIRED, NONE), NONE, production=REQUIRED,
        about="`required`: users log in, programs send API keys",
    )  # fmt: skip
    is_insecure: bool = access("LOCALFN_INSECURE", switch, "0", about="`1`: allow other machines without a login")
    hosts: tuple[str, ...] = access(
        "LOCALFN_ALLOWED_HOSTS",
        _hosts,
        separator=",",
        about="further allowed host names, separated by `,`; also `*.example.org`",
    )
    origins: tuple[str, ...] = access(
        "LOCALFN_ALLOWED_ORIGINS",
        _origins,
        separator=",",
        about="other origins that may call, such as `https://tools.example.org`",
    )
    proxies: int = access(
        "LOCALFN_TRUSTED_PROXIES",
        integer(0, 10),
        0,
        about="number of trusted proxies in front, which report the client",
    )

    def check(self, host: str) -> None:
        """Raise SettingsError when other machines could call without a login."""
        if not (self.needs_login or self.is_insecure or is_loopback(host)):
            raise SettingsError(
                f"HOST {host} is reachable from other machines, and LOCALFN_AUTH is none: anyone there could run code "
                "here. Set LOCALFN_AUTH=required or HOST=127.0.0.1, or allow it with LOCALFN_INSECURE=1."
            )

    def is_unprotected(self, host: str) -> bool:
        return not (self.needs_login or is_loopback(host))


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
