"""Read the settings of network access: login, hosts, origins and proxies."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from infra.config.environment import Environment
from infra.errors import SettingsError

HOST = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:]+")
REQUIRED, NONE = "required", "none"
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True)
class NetworkAccess:
    """Hold the settings of network access.

    needs_login: users log in, programs send API keys. is_insecure: other machines have access without either.
    hosts: allowed in the Host header beside loopback names. origins: other web origins that may call the API.
    proxies: the number of trusted proxies in front, which report the client's address.
    """

    needs_login: bool
    is_insecure: bool
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    proxies: int

    def check(self, host: str) -> None:
        """Raise SettingsError when other machines could call without a login."""
        if not (self.needs_login or self.is_insecure or is_loopback(host)):
            raise SettingsError(
                f"HOST {host} is reachable from other machines, and LOCALFN_AUTH is none: anyone there could run code "
                "here. Set LOCALFN_AUTH=required or HOST=127.0.0.1, or allow it with LOCALFN_INSECURE=1."
            )

    def is_unprotected(self, host: str) -> bool:
        return not (self.needs_login or is_loopback(host))


def read_network_access(env: Environment, *, production: bool) -> NetworkAccess:
    return NetworkAccess(
        needs_login=env.choice("LOCALFN_AUTH", REQUIRED if production else NONE, (REQUIRED, NONE)) == REQUIRED,
        is_insecure=env.choice("LOCALFN_INSECURE", "0", ("0", "1")) == "1",
        hosts=tuple(_host(item) for item in _items(env, "LOCALFN_ALLOWED_HOSTS")),
        origins=tuple(_origin(item) for item in _items(env, "LOCALFN_ALLOWED_ORIGINS")),
        proxies=env.integer("LOCALFN_TRUSTED_PROXIES", 0, at_least=0, at_most=10),
    )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _items(env: Environment, name: str) -> tuple[str, ...]:
    return env.items(name, "", separator=",") if env.optional(name) else ()


def _host(text: str) -> str:
    host = text.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    if not HOST.fullmatch(host):
        raise SettingsError(
            f"LOCALFN_ALLOWED_HOSTS: {text!r} is not a valid host; write names without scheme and port, such as "
            "tools.example.org or *.example.org."
        )
    return host


def _origin(text: str) -> str:
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.netloc or text != f"{found.scheme}://{found.netloc}".lower():
        raise SettingsError(
            f"LOCALFN_ALLOWED_ORIGINS: {text!r} is not a valid origin; write, for example, https://example.org."
        )
    return text
