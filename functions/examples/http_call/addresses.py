"""Decide which addresses may be called: public ones, and those that the operator allows.

The sender of an event chooses the URL. Without this check an event could read pages that only this machine can
reach: a cloud's metadata service, a database, an internal API.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

ALL_WORDS = ("1", "true", "yes", "on")
NONE_WORDS = ("", "0", "false", "no", "off")

_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Special networks that ipaddress takes for public, at least in some versions of Python.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # carrier-grade NAT
        "168.63.129.16/32",  # Azure's agent, seen only from its own virtual machines
        "192.0.0.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # Teredo and other protocols
        "2001:db8::/32",
        "3fff::/20",
    )
)


@dataclass(frozen=True)
class Allowance:
    """Name the addresses that may be called although they are not public.

    everything: no address is refused. networks: addresses within them. hosts: all addresses of these names.
    """

    everything: bool = False
    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    def covers(self, host: str, address: Address) -> bool:
        """Return whether `address`, found under the name `host`, is allowed."""
        addresses = (address, embedded_ipv4(address))
        return (
            self.everything
            or _plain(host) in self.hosts
            or any(one in network for one in addresses if one is not None for network in self.networks)
        )


def read_allowance(text: str) -> Allowance:
    """Read "10.0.0.0/8, 127.0.0.1, api.internal"; "1" allows everything, "" and "0" nothing.

    Raises ValueError for an item that is neither a network, an address nor a host name.
    """
    if text.strip().lower() in (*ALL_WORDS, *NONE_WORDS):
        return Allowance(everything=text.strip().lower() in ALL_WORDS)
    items = [item.strip() for item in text.split(",") if item.strip()]
    networks = {item: _network(item) for item in items}
    return Allowance(
        networks=tuple(network for network in networks.values() if network is not None),
        hosts=frozenset(_host(item) for item, network in networks.items() if network is None),
    )


def is_public(address: Address) -> bool:
    """Return whether the whole internet can reach `address`: no private, loopback, link-local or group address."""
    inner = embedded_ipv4(address)
    if inner is not None:
        return is_public(inner)
    if any(address in network for network in _NOT_PUBLIC):
        return False
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def embedded_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address to which a packet for this IPv6 address goes in the end: mapped, 6to4 or NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _network(item: str) -> Network | None:
    try:
        return ipaddress.ip_network(item, strict=False)
    except ValueError:
        return None


def _host(item: str) -> str:
    if not _HOST.fullmatch(_plain(item)) or item.replace(".", "").isdigit():
        raise ValueError(f"{item!r} is not a network, an address or a host name")
    return _plain(item)


def _plain(host: str) -> str:
    return host.lower().rstrip(".")
