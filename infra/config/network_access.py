"""The settings of the door: who may come in, from where, and what stands open."""

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
    """needs_login: users log in, programs have keys. is_insecure: beyond this machine without either.

    hosts: those that a Host header may name, beside the loopback ones. origins: of other web pages that may use the
    API. proxies: how many in front of us are trusted to say who called.
    """

    needs_login: bool
    is_insecure: bool
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    proxies: int

    def check(self, host: str) -> None:
        """Raises SettingsError when HOST would let anybody in."""
        if not (self.needs_login or self.is_insecure or is_loopback(host)):
            raise SettingsError(
                f"HOST {host} is reachable from other machines, and LOCALFN_AUTH is none: anybody there could run code "
                "here. Set LOCALFN_AUTH=required, or HOST=127.0.0.1; LOCALFN_INSECURE=1 opens the door all the same."
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
            f"LOCALFN_ALLOWED_HOSTS: {text!r} is no host; write names without scheme and port, such as "
            "tools.example.org or *.example.org."
        )
    return host


def _origin(text: str) -> str:
    found = urlsplit(text)
    if found.scheme not in ("http", "https") or not found.netloc or text != f"{found.scheme}://{found.netloc}".lower():
        raise SettingsError(f"LOCALFN_ALLOWED_ORIGINS: {text!r} is no origin; write, for example, https://example.org.")
    return text
