"""Names that stand for several endpoints: resolved again and again, the last good answer kept."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from proxy.plan.upstreams import Endpoint

_LOG = logging.getLogger("proxy.upstream")
# getaddrinfo does not tell how long an answer holds. Envoy's default is the same.
EVERY_S = 5.0
# So that many gateways do not ask all at the same moment.
JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name stands for: endpoints and their weights, and for how many seconds that holds."""

    weights: Mapping[Endpoint, int]
    seconds: float = EVERY_S


Resolve = Callable[[Endpoint], Awaitable[Resolved]]
"""The endpoint that a file names → what it stands for. Raises `OSError`."""


async def resolve_name(name: Endpoint) -> Resolved:
    """Every address of a name, IPv4 and IPv6, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(name.host, name.port, type=socket.SOCK_STREAM)
    return Resolved({replace(name, address=str(address[4][0])): 1 for address in found})


async def resolve_forever(
    upstream: str, name: Endpoint, resolve: Resolve, rng: Random, changed: Callable[[Mapping[Endpoint, int]], None]
) -> None:
    """Tell of the endpoints whenever they are others than before, until cancelled."""
    last: Mapping[Endpoint, int] = {}
    failing = False
    while True:
        try:
            found = await resolve(name)
        except (OSError, UnicodeError) as error:
            found = Resolved({})
            if not failing:
                _LOG.warning("upstream %s: %s does not resolve (%s); what is known is kept", upstream, name.host, error)
        failing = not found.weights
        if found.weights and found.weights != last:
            last = found.weights
            changed(last)
        await asyncio.sleep(found.seconds * (1 + JITTER * (2 * rng.random() - 1)))
