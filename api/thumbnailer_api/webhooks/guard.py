"""Where webhooks may go: callers must not make us their probe of networks that they cannot reach themselves.

An address is judged when it is given, as far as it can be without asking anybody: scheme, port, spelling, and an IP
address that stands in it. Its name is looked up when something is sent, once; every address that it has is judged, and
one of those is dialled, by its number: what the name leads to a moment later plays no part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

MAX_URL = 2000
MAX_HOST = 253
PLAIN = re.compile(r"[!-~]+")
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
BRACKETED = re.compile(r"\[[^\[\]]*\](:\d*)?")
PORTS = {"https": 443, "http": 80}

NEVER: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local: where clouds hand out credentials
        "168.63.129.16/32",  # Azure's own, in the middle of the public ones
        "100.100.100.200/32",  # Alibaba's
        "192.0.0.192/32",  # Oracle's
        "fd00:ec2::/32",  # Amazon's
        "fd20:ce::254/128",  # Google's
        "fe80::/10",
    )
)
"""Closed to everybody, also where a setting opens a network around them."""

CLOSED: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24"),
        *("192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15"),
        *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        # Of IPv6 only 2000::/3 is open at all: here is what is special in it, Teredo and 6to4 among that.
        *("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)
"""What IANA's registries of special addresses say is not for everybody, or leads elsewhere than it says."""

OPEN_IPV6 = IPv6Network("2000::/3")
TRANSLATED = IPv6Network("64:ff9b::/96")
"""NAT64: the last 32 bits are the IPv4 address that is reached by it."""


OWN_TRANSLATED = IPv6Network("64:ff9b:1::/48")
COMPATIBLE = IPv6Network("::/96")


class Forbidden(Exception):
    """We do not send there; the text says why and what is allowed."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings open: ports, addresses beyond the public ones, and `http://`."""

    ports: tuple[int, ...] = (443,)
    networks: tuple[Network, ...] = ()
    http: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address leads: `host` is a name in small letters, or an IP address without brackets."""

    host: str
    port: int


def place_of(url: str, rules: Rules) -> Place:
    """Judge an address as it is written; raises Forbidden."""
    if len(url) > MAX_URL or not PLAIN.fullmatch(url) or "\\" in url:
        raise Forbidden(f"an address has up to {MAX_URL} plain characters, without spaces: escape others with %")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Forbidden("that is no address: write it like https://example.com/thumbnails") from None
    if parts.scheme not in PORTS or (parts.scheme == "http" and not rules.http):
        raise Forbidden("it has to begin with https://" + (" or http://" if rules.http else ""))
    if "[" in parts.netloc and not BRACKETED.fullmatch(parts.netloc):
        raise Forbidden("nothing may stand around the brackets of an address but a port")
    if "@" in parts.netloc or "#" in url:
        raise Forbidden("it must hold neither a name and a password before an @, nor a #")
    port = PORTS[parts.scheme] if port is None else port
    if port not in rules.ports:
        raise Forbidden(f"port {port} is closed: open are {', '.join(map(str, rules.ports))}")
    judge_host(host, bracketed="[" in parts.netloc, rules=rules)
    return Place(host, port)


def judge_host(host: str, *, bracketed: bool, rules: Rules) -> None:
    if bracketed or is_number(host):
        judge_address(literal(host), rules)
    elif len(host) > MAX_HOST or not all(LABEL.fullmatch(label) for label in host.split(".")):
        raise Forbidden("its host is no name: write it in plain letters, digits and - (xn-- for others)")
    elif "." not in host and not rules.networks:
        raise Forbidden("its host is a name of a local network: name one that the whole internet knows")


def is_number(host: str) -> bool:
    """Whether some reader of it, though not every one, would take the host for an IPv4 address."""
    return NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def literal(host: str) -> Address:
    """An address in its one usual spelling: what is decimal, octal or short means different places to different
    programs.
    """
    try:
        return ip_address(host)
    except ValueError:
        raise Forbidden("its host is no IP address in the usual spelling, and no name either") from None


def judge_address(address: Address, rules: Rules) -> None:
    """Raises Forbidden where we do not go."""
    if not permitted(address, rules):
        raise Forbidden(f"{address} is closed: it belongs to a private or special network")


def permitted(address: Address, rules: Rules) -> bool:
    """Whether everybody can reach the address anyway, or a setting opens its network."""
    if isinstance(address, IPv6Address) and (inner := inside(address)):
        return permitted(inner, rules)
    if any(is_in(reached, NEVER) for reached in (address, *carried(address))) or getattr(address, "scope_id", None):
        return False
    if is_in(address, rules.networks):
        return True
    return (address.version == 4 or address in OPEN_IPV6) and not is_in(address, CLOSED)


def inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is really reached by it."""
    if address in TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def carried(address: Address) -> list[IPv4Address]:
    """IPv4 addresses that it leads to where a network is set up so: 6to4, NAT64 of one's own, the form of old."""
    if not isinstance(address, IPv6Address):
        return []
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    found = [last] if address in OWN_TRANSLATED or address in COMPATIBLE else []
    return [*found, *([address.sixtofour] if address.sixtofour else [])]


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
