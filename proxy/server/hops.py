"""The way a request came by: what trusted proxies say of it, and nobody else.

Trust is by the address of the peer (`server.trusted_proxies`). What stands left of the first address that is not
trusted, read from the right, anyone could have written, so it is left out.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from proxy.message import Headers, Way
from proxy.server.dispatch import is_host

Networks = tuple[IPv4Network | IPv6Network, ...]
# A longer way than this nobody comes; it bounds what is read, and what is sent on.
MAX_HOPS = 32
# A proxy may name the scheme of a WebSocket.
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


ReadWay = Callable[[str, Headers, Networks], Way]
"""Of the peer's address, the request's headers, and who is trusted."""


def parse_networks(addresses: tuple[str, ...]) -> Networks:
    """Addresses and networks as networks. Raises ValueError."""
    return tuple(ip_network(address, strict=False) for address in addresses)


def is_trusted(address: str, trusted: Networks) -> bool:
    """Whether an address is one of the proxies whose word is taken."""
    try:
        parsed = _plain_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)


def _plain_address(text: str) -> IPv4Address | IPv6Address:
    """An address; one of IPv4 that a listener for both families gives as IPv6 is of IPv4 (RFC 4291 §2.5.5.2)."""
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def _hop(text: str) -> str:
    """The address of a hop without its port: `[v6]:port`, `v4:port` (RFC 7239 §6)."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def chain_of(peer: str, hops: list[str], trusted: Networks) -> tuple[str, ...]:
    """The right-most address that no trusted proxy has, and those of the proxies behind it, the peer last."""
    chain = [peer]
    for hop in reversed(hops[-MAX_HOPS:]):
        try:
            address = str(_plain_address(_hop(hop)))
        except ValueError:
            break
        chain.append(address)
        if not is_trusted(address, trusted):
            break
    chain.reverse()
    return tuple(chain)


def read_x_forwarded(peer: str, headers: Headers, trusted: Networks) -> Way:
    """The way by X-Forwarded-For, -Proto, -Host and -Port."""
    chain = chain_of(peer, _members(headers, "X-Forwarded-For"), trusted)
    written = max(len(chain) - 1, 1)

    def said(name: str) -> str:
        # Proxies that append write one value each: the one beside the client's address is that of the first of them.
        values = _members(headers, name)
        return values[-min(len(values), written)] if values else ""

    return _way(chain, said("X-Forwarded-Proto"), said("X-Forwarded-Host"), said("X-Forwarded-Port"))


def _members(headers: Headers, name: str) -> list[str]:
    """The members of a list that may stand in several fields (RFC 9110 §5.3)."""
    return [part for value in headers.getall(name, ()) for member in value.split(",") if (part := member.strip())]


def read_forwarded(peer: str, headers: Headers, trusted: Networks) -> Way:
    """The way by Forwarded (RFC 7239). If it is malformed nothing of it is believed."""
    elements = parse_forwarded(headers.getall("Forwarded", ()))
    chain = chain_of(peer, [element.get("for", "unknown") for element in elements], trusted)
    if not elements:
        return Way(chain)
    first = elements[-min(len(elements), max(len(chain) - 1, 1))]
    return _way(chain, first.get("proto", ""), first.get("host", ""), "")


def _way(chain: tuple[str, ...], scheme: str, host: str, port: str) -> Way:
    return Way(
        chain,
        _SCHEMES.get(scheme.lower(), ""),
        host if is_host(host) else "",
        port if re.fullmatch(r"[0-9]{1,5}", port) else "",
    )


_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR = re.compile(rf'[ \t]*(?:({_NAME})=({_NAME}|"(?:[^"\\]|\\.)*")[ \t]*)?([;,]|\Z)')


def parse_forwarded(values: list[str] | tuple[str, ...]) -> list[dict[str, str]]:
    """The elements of Forwarded (RFC 7239 §4), names in lower case; none if any of it is malformed."""
    elements: list[dict[str, str]] = []
    for value in values:
        element: dict[str, str] = {}
        at = 0
        while at < len(value):
            found = _PAIR.match(value, at)
            if found is None:
                return []
            name, text, end = found.groups()
            if name is not None:
                if name.lower() in element:
                    return []  # §4: each once
                element[name.lower()] = re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
            at = found.end()
            if (end != ";" or at == len(value)) and element:
                elements.append(element)
                element = {}
    return elements
