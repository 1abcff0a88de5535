"""Opens connections: names are resolved anew for each, and their addresses tried as in Happy Eyeballs (RFC 8305)."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ssl import SSLContext

from aiohappyeyeballs import start_connection

from proxy.errors import ConnectTimeout, UpstreamUnreachable
from proxy.plan.upstreams import Endpoint
from proxy.upstream.http1.connection import Connection

# RFC 8305 §5: how long one address may take before the next is tried beside it, and that families take turns.
_DELAY_S = 0.25
_INTERLEAVE = 1


@dataclass(frozen=True, slots=True)
class Secure:
    """TLS as an endpoint is to be spoken to."""

    context: SSLContext
    server_name: str


async def connect(
    endpoint: Endpoint, secure: Secure | None, limit_s: float, make: Callable[[], Connection]
) -> Connection:
    """A connection, with its TLS handshake done. Raises `ConnectTimeout` or `UpstreamUnreachable`."""
    try:
        async with asyncio.timeout(limit_s):
            return await _connect(endpoint, secure, limit_s, make)
    except TimeoutError:
        raise ConnectTimeout(f"no connection within {limit_s:g} s") from None
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        raise UpstreamUnreachable("the upstream could not be reached", internal=str(error)) from None


async def _connect(
    endpoint: Endpoint, secure: Secure | None, limit_s: float, make: Callable[[], Connection]
) -> Connection:
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(endpoint.address or endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    # uvloop's own create_connection tries one address after the other.
    connected = await start_connection(addresses, happy_eyeballs_delay=_DELAY_S, interleave=_INTERLEAVE, loop=loop)
    if secure is None:
        _, connection = await loop.create_connection(make, sock=connected)
    else:
        _, connection = await loop.create_connection(
            make,
            sock=connected,
            ssl=secure.context,
            server_hostname=secure.server_name,
            ssl_handshake_timeout=limit_s,  # asyncio's own would be a minute
        )
    return connection
