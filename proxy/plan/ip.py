"""From where a route may be asked: model → plan."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from proxy.config.ip import IpRules
from proxy.problems import Place

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class IpPlan:
    """`deny` wins; without `allow` all others may."""

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    def lets_in(self, address: str) -> bool:
        """Whether a client with this address may ask. One that is no address (a Unix socket's) may not."""
        try:
            client = plain(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if any([client in network for network in self.deny if network.version == client.version]):
            return False
        return not self.allow or any([client in one for one in self.allow if one.version == client.version])


def plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for (RFC 4291 §2.5.5.2): a rule for one holds for both spellings."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def compile_ip(rules: IpRules | None, place: Place) -> IpPlan | None:
    """None where anybody may ask."""
    if rules is None or not (rules.allow or rules.deny):
        return None
    return IpPlan(_networks(rules.allow, place / "allow"), _networks(rules.deny, place / "deny"))


def _networks(texts: list[str], place: Place) -> tuple[Network, ...]:
    found: list[Network] = []
    for index, text in enumerate(texts):
        try:
            network = ip_network(text)
        except ValueError as error:
            hint = "write 10.0.0.0/8 or 2001:db8::/32"
            if "host bits" in str(error):
                hint = f"write {ip_network(text, strict=False)}"
            (place / index).problem("bad-address", f"{text!r} is no address and no network", hint)
            continue
        mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
        if mapped is not None and network.prefixlen >= 96:
            network = IPv4Network((mapped, network.prefixlen - 96))
        found.append(network)
    return tuple(found)
