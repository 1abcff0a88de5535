"""The sockets that `serve` listens on, and how one process leaves them to the next."""

import argparse
import contextlib
import logging
import resource
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from proxy.admin.guard import is_loopback
from proxy.server.sockets import bind, steer_away

_LOG = logging.getLogger("proxy.serve")
# Handshakes that began before new connections were steered to the successor still end here: so long they may take.
SETTLE_S = 0.5


class Sockets(NamedTuple):
    """Of the listener, of the admin listener, and of the one that sends clients on to TLS."""

    listening: socket.socket
    admin: socket.socket
    redirecting: socket.socket | None = None

    @property
    def public(self) -> tuple[socket.socket, ...]:
        """Those that clients come to."""
        return (self.listening,) if self.redirecting is None else (self.listening, self.redirecting)


def open_sockets(arguments: argparse.Namespace) -> Sockets:
    """Bind them all, or none. Raises OSError."""
    wanted = [(arguments.host, arguments.port), (arguments.admin_host, arguments.admin_port)]
    if arguments.redirect_port is not None:
        wanted.append((arguments.host, arguments.redirect_port))
    opened: list[socket.socket] = []
    try:
        for host, port in wanted:
            opened.append(bind(host, port, shared=arguments.reuse_port))
    except OSError:
        for one in opened:
            one.close()
        raise
    return Sockets(*opened)


def say_where(sockets: Sockets, scheme: str) -> None:
    """Log the addresses."""
    where = (*sockets.listening.getsockname()[:2], *sockets.admin.getsockname()[:2])
    _LOG.info("listening on %s://%s:%d, admin on http://%s:%d", scheme, *where)
    if sockets.redirecting is not None:
        _LOG.info("redirecting from http://%s:%d", *sockets.redirecting.getsockname()[:2])


class NoToken(Exception):
    """The admin listener may not be opened so. The message says what to do."""


def admin_token(arguments: argparse.Namespace, environment: Mapping[str, str]) -> str | None:
    """What the admin listener demands; None on loopback unless there is one. Raises `NoToken`."""
    token = environment.get("PROXY_ADMIN_TOKEN", "")
    if arguments.admin_token_file is not None:
        try:
            token = Path(arguments.admin_token_file).read_text("utf-8")
        except (OSError, ValueError) as error:
            raise NoToken(f"{arguments.admin_token_file} cannot be read: {error}") from None
        if not token.strip():
            raise NoToken(f"{arguments.admin_token_file} holds no token")
    token = token.strip()
    if not token and not is_loopback(arguments.admin_host):
        raise NoToken(
            f"the admin listener on {arguments.admin_host} takes a token: set PROXY_ADMIN_TOKEN or --admin-token-file, "
            "or leave it on loopback"
        )
    return token or None


def leave_port(*listening: socket.socket) -> None:
    """Let new connections go to the process that shares the ports, if there is one."""
    for one in listening:
        with contextlib.suppress(OSError):  # a kernel without it: what is in the queue at the end is still taken
            steer_away(one)


def allow_files() -> int:
    """Let this process open as many files as it may; how many that is."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1 << 20 if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
