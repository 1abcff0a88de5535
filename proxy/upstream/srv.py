"""SRV records (RFC 2782): the hosts, ports and weights of a service, by a name such as `_http._tcp.catalog.example`."""

from collections.abc import Iterable
from typing import Any

from proxy.plan.upstreams import Endpoint
from proxy.upstream.resolve import Resolve, Resolved

# What a record says of how long it holds is believed within these bounds.
_SHORTEST_S, _LONGEST_S = 1.0, 60.0


def srv_resolver(nameservers: Iterable[str] | None = None, port: int = 53) -> Resolve:
    """Resolves by the system's name servers, or by these. Of the records, those of the best priority are taken."""
    import dns.asyncresolver  # noqa: PLC0415 (an extra)
    import dns.exception  # noqa: PLC0415

    resolver = dns.asyncresolver.Resolver(configure=nameservers is None)
    if nameservers is not None:
        resolver.nameservers = list(nameservers)
        resolver.port = port

    async def resolve(name: Endpoint) -> Resolved:
        try:
            answer = await resolver.resolve(name.host, "SRV", lifetime=_LONGEST_S / 10)
        except dns.exception.DNSException as error:
            raise OSError(str(error)) from None
        return Resolved(_weights(name, list(answer)), min(max(answer.ttl, _SHORTEST_S), _LONGEST_S))

    return resolve


def _weights(name: Endpoint, records: list[Any]) -> dict[Endpoint, int]:
    best = min(record.priority for record in records)
    found: dict[Endpoint, int] = {}
    for record in records:
        host = record.target.to_text(omit_final_dot=True)
        if record.priority == best and host != ".":  # a target of "." says that the service is not here
            # A weight of 0 is "hardly ever", which one of a thousand is.
            found[Endpoint(name.scheme, host, record.port, name.base_path)] = record.weight * 1000 or 1
    return found
