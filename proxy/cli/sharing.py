"""The sockets that `serve` listens on, and how one process leaves them to the next."""

import argparse
import contextlib
import resource
import socket
from collections.abc import Mapping
from pathlib import Path

from proxy.admin.guard import is_loopback
from proxy.server.sockets import bind, steer_away

# Handshakes that began before new connections were steered to the successor still end here: so long they may take.
SETTLE_S = 0.5


def open_sockets(arguments: argparse.Namespace) -> tuple[socket.socket, socket.socket]:
    """The listener's and the admin listener's. Raises OSError."""
    listening = bind(arguments.host, arguments.port, shared=arguments.reuse_port)
    try:
        return listening, bind(arguments.admin_host, arguments.admin_port, shared=arguments.reuse_port)
    except OSError:
        listening.close()
        raise


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
