from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.server.proxyprotocol import BadHeader, HeaderReader, Origin

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
AFTER = b"GET / HTTP/1.1\r\n"


def binary(body: bytes, *, version: int = 2, command: int = 1, family: int = 0x11, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return SIGNATURE + bytes([version << 4 | command, family]) + size.to_bytes(2) + body


V4 = bytes([192, 0, 2, 7, 10, 0, 0, 1]) + (4711).to_bytes(2) + (443).to_bytes(2)
V6 = IPv6Address("2001:db8::7").packed + IPv6Address("::1").packed + (4711).to_bytes(2) + (443).to_bytes(2)
MAPPED = IPv6Address("::ffff:192.0.2.7").packed + IPv6Address("::1").packed + (4711).to_bytes(2) + (443).to_bytes(2)
TLS = b"\x20\x00\x05\x01\x00\x00\x00\x00"
NO_TLS = b"\x20\x00\x05\x00\x00\x00\x00\x00"
OTHER = b"\x02\x00\x03a.b"


def read(data: bytes, sizes: list[int] | None = None) -> tuple[Origin, bytes]:
    """Feed what has arrived as the socket would; the origin, and what is left for who comes next."""
    reader, steps = HeaderReader(), iter(sizes or [])
    while reader.origin is None:
        if not data:
            raise BadHeader("cut off")
        peeked = data[: min(reader.wanted, next(steps, 1 << 20))]
        taken = reader.ours(peeked)
        reader.feed(data[:taken])
        data = data[taken:]
    return reader.origin, data


GOOD = [
    (b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n", Origin("192.0.2.7", 4711)),
    (b"PROXY TCP6 2001:db8::7 ::1 4711 443\r\n", Origin("2001:db8::7", 4711)),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 4711 443\r\n", Origin("192.0.2.7", 4711)),
    (b"PROXY UNKNOWN\r\n", Origin()),
    (b"PROXY UNKNOWN ffff:f:f:f ::1 1 2\r\n", Origin()),
    (binary(V4), Origin("192.0.2.7", 4711)),
    (binary(V6, family=0x21), Origin("2001:db8::7", 4711)),
    (binary(MAPPED, family=0x21), Origin("192.0.2.7", 4711)),
    (binary(V4 + OTHER + TLS), Origin("192.0.2.7", 4711, secure=True)),
    (binary(V4 + NO_TLS), Origin("192.0.2.7", 4711)),
    (binary(b"", command=0), Origin()),
    (binary(V4, command=0), Origin()),
    (binary(b"xyz", family=0), Origin()),
]


@pytest.mark.parametrize("header,origin", GOOD)
def test_a_header_says_whose_the_connection_is_and_takes_nothing_else(header: bytes, origin: Origin) -> None:
    assert read(header + AFTER) == (origin, AFTER)


@given(st.sampled_from(GOOD), st.lists(st.integers(1, 20), max_size=60))
def test_it_may_come_in_any_pieces(good: tuple[bytes, Origin], sizes: list[int]) -> None:
    assert read(good[0] + AFTER, sizes) == (good[1], AFTER)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaa",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443 1\r\n",
        b"PROXY TCP4 2001:db8::7 ::1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.300 10.0.0.1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 70000 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 04711 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 -1 443\r\n",
        b"PROXY TCP4  192.0.2.7 10.0.0.1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\n\r\n",
        b"PROXY UDP4 192.0.2.7 10.0.0.1 4711 443\r\n",
        b"proxy tcp4 192.0.2.7 10.0.0.1 4711 443\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.\xff 4711 443\r\n",
        b"PROXY UNKNOWN " + b"a" * 200 + b"\r\n",
        b"PROXY \r\naaaaaaaaaaaaaaaa",
        SIGNATURE[:-1] + b"X" + b"\x21\x11\x00\x0c" + V4,
        binary(V4, version=1),
        binary(V4, command=2),
        binary(V4, family=0x12),
        binary(V4, family=0x31),
        binary(V4[:-1]),
        binary(V4, family=0x21),
        binary(V4 + b"\x20\x00"),
        binary(V4 + b"\x20\x00\x09\x01"),
        binary(b"", length=65535),
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(BadHeader):
        read(data)


@given(st.binary(max_size=200))
def test_nothing_that_arrives_is_more_than_refused(data: bytes) -> None:
    for start in (b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"):
        try:
            read(start + data)
        except BadHeader:
            continue


@given(st.ip_addresses(v=4), st.ip_addresses(v=6), st.integers(0, 65535))
def test_any_address_comes_through(four: IPv4Address, six: IPv6Address, port: int) -> None:
    assert read(f"PROXY TCP4 {four} {four} {port} 1\r\n".encode()) == (Origin(str(four), port), b"")
    assert read(binary(six.packed * 2 + port.to_bytes(2) * 2, family=0x21))[0].port == port
