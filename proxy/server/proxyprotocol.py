"""The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): whose a connection is, before its bytes.

Pure: it is fed with what arrives, and says how much more it wants, so that not one byte of what follows is taken.
"""

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_V1 = b"PROXY "
_V1_LONGEST = 107
# A header of version 1 is not shorter; of version 2 the next byte says the rest.
_FIRST = 15
_V2_FIXED = 16
_V2_LONGEST = 4096
_TLV_SSL, _CLIENT_SSL = 0x20, 0x01


class BadHeader(ValueError):
    """This does not begin as it must."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom a connection is of. `address` is empty where the proxy speaks for itself. `secure`: they came by TLS."""

    address: str = ""
    port: int = 0
    secure: bool = False


class HeaderReader:
    """One header. `wanted` bytes at most belong to it still; none once `origin` is there."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.wanted = _FIRST
        self.origin: Origin | None = None

    def ours(self, peeked: bytes) -> int:
        """How many of these bytes, which come next, are of the header. All of them, unless a line ends in them."""
        if self._data.startswith(_V1) and (end := peeked.find(b"\n")) >= 0:
            return end + 1
        return len(peeked)

    def feed(self, data: bytes) -> None:
        """Take bytes of the header, `wanted` at most. Raises `BadHeader`."""
        self._data += data
        known = bytes(self._data)
        if known.startswith(_V1):
            self._feed_line(known)
        elif known.startswith(_V2[: len(known)]):
            self._feed_binary(known)
        elif not _V1.startswith(known):
            raise BadHeader("there is no header")
        else:
            self.wanted = _FIRST - len(known)

    def _feed_line(self, known: bytes) -> None:
        if known.endswith(b"\r\n"):
            self.origin, self.wanted = _parse_line(known), 0
            return
        if b"\n" in known:
            raise BadHeader("the line ends wrongly")
        self.wanted = (_FIRST if len(known) < _FIRST else _V1_LONGEST) - len(known)
        if self.wanted <= 0:
            raise BadHeader("the line is too long")

    def _feed_binary(self, known: bytes) -> None:
        if len(known) < _V2_FIXED:
            self.wanted = _V2_FIXED - len(known)
            return
        length = _V2_FIXED + int.from_bytes(known[14:16])
        if length > _V2_LONGEST:
            raise BadHeader("it is too long")
        self.wanted = length - len(known)
        if not self.wanted:
            self.origin = _parse_binary(known)


def _parse_line(line: bytes) -> Origin:
    try:
        words = line[:-2].decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise BadHeader("it is not ASCII") from None
    if words[1] == "UNKNOWN":
        return Origin()
    kinds: dict[str, type[IPv4Address] | type[IPv6Address]] = {"TCP4": IPv4Address, "TCP6": IPv6Address}
    if len(words) != 6 or words[1] not in kinds:
        raise BadHeader("the line cannot be read")
    kind = kinds[words[1]]
    try:
        source, _ = kind(words[2]), kind(words[3])
    except AddressValueError:
        raise BadHeader("the line has no addresses") from None
    return Origin(_plain(source), _port(words[4], words[5]))


def _port(source: str, destination: str) -> int:
    for text in (source, destination):
        if not (text.isascii() and text.isdecimal()) or len(text) > 5 or int(text) > 65535 or text != str(int(text)):
            raise BadHeader("the line has no ports")
    return int(source)


def _parse_binary(data: bytes) -> Origin:
    version, command, family = data[12] >> 4, data[12] & 15, data[13]
    if version != 2 or command not in (0, 1):
        raise BadHeader("the version or the command is not known")
    if command == 0:  # LOCAL: a health check of the proxy's own
        return Origin()
    body = data[_V2_FIXED:]
    sizes = {0x11: 12, 0x21: 36}
    if family == 0:  # UNSPEC
        return Origin()
    size = sizes.get(family)
    if size is None or len(body) < size:
        raise BadHeader("it is no TCP connection, or the addresses are cut off")
    secure = _came_by_tls(body[size:])
    if family == 0x11:
        return Origin(str(IPv4Address(body[:4])), int.from_bytes(body[8:10]), secure)
    return Origin(_plain(IPv6Address(body[:16])), int.from_bytes(body[32:34]), secure)


def _came_by_tls(values: bytes) -> bool:
    """What the proxy says of its client's connection (type, length, value; §2.2.6), if it does."""
    secure = False
    while values:
        if len(values) < 3 or len(values) < 3 + (length := int.from_bytes(values[1:3])):
            raise BadHeader("a value is cut off")
        if values[0] == _TLV_SSL and length >= 5:
            secure = bool(values[3] & _CLIENT_SSL)
        values = values[3 + length :]
    return secure


def _plain(address: IPv4Address | IPv6Address) -> str:
    """One of IPv4 that comes as IPv6 is of IPv4 (RFC 4291 §2.5.5.2)."""
    return str(getattr(address, "ipv4_mapped", None) or address)
