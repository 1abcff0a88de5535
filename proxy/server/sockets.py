"""Listening sockets: binding one, sharing its port with another process, and leaving that port without losing anybody.

A listening socket that is closed resets the connections that wait in its queue. Where two processes share a port by
SO_REUSEPORT, the kernel puts each new connection into the queue of one of the sockets; so before one of them is closed,
`steer_away` has the kernel choose the other, and `accept_waiting` empties the queue (docs/decisions/012).
"""

import ctypes
import socket
import struct
import sys

# <linux/socket.h>, which Python's socket module does not have.
_SO_ATTACH_REUSEPORT_CBPF = 51
_RETURN_CONSTANT = 0x06  # BPF_RET | BPF_K
BACKLOG = 1024


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening-to-be socket on an address; `shared`: other processes of this user may bind the same one.

    Raises OSError, which names what is wrong.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError:
        raise OSError(f"{host!r} is not a host") from None
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def can_share() -> bool:
    """Whether a port can be handed from one process to another here."""
    return sys.platform == "linux"


def steer_away(listening: socket.socket) -> None:
    """Have new connections go to the socket that began to listen second on a shared port.

    The kernel keeps the sockets of a port in the order in which they began to listen, and runs this program of one
    instruction, "the second", for each connection. Where there is no second one it falls back to what there is: nobody
    is turned away for want of a successor.
    """
    program = ctypes.create_string_buffer(struct.pack("=HBBI", _RETURN_CONSTANT, 0, 0, 1))
    described = struct.pack("@HP", 1, ctypes.addressof(program))
    listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, described)


def accept_waiting(listening: socket.socket) -> list[socket.socket]:
    """Every connection that waits in the socket's queue; it does not wait for one itself."""
    taken: list[socket.socket] = []
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:  # nothing waits, or it has gone again; what comes next shows at closing
            return taken
        connection.setblocking(False)
        taken.append(connection)
