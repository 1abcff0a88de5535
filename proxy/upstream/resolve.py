"""Names that stand for several endpoints: resolved again and again, the last good answer kept."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import Random

from proxy.plan.nodes import Endpoint

_LOG = logging.getLogger("proxy.upstream")
# getaddrinfo does not tell how long an answer holds. Envoy's default is the same.
EVERY_S = 5.0
# So that many gateways do not ask all at the same moment.
JITTER = 0.1

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""A host and a port → its addresses. Raises `OSError`."""


async def resolve_name(host: str, port: int) -> Sequence[str]:
    """Every address of a name, IPv4 and IPv6, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


async def resolve_forever(
    upstream: str, name: Endpoint, resolve: Resolve, rng: Random, changed: Callable[[Sequence[Endpoint]], None]
) -> None:
    """Tell of the endpoints whenever they are others than before, until cancelled."""
    last: tuple[str, ...] = ()
    failing = False
    while True:
        try:
            addresses = tuple(sorted(set(await resolve(name.host, name.port))))
        except (OSError, UnicodeError) as error:
            addresses = ()
            if not failing:
                _LOG.warning("upstream %s: %s does not resolve (%s); what is known is kept", upstream, name.host, error)
        failing = not addresses
        if addresses and addresses != last:
            last = addresses
            changed([replace(name, address=address) for address in addresses])
        await asyncio.sleep(EVERY_S * (1 + JITTER * (2 * rng.random() - 1)))
