import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from proxy.plan.upstreams import Endpoint
from proxy.upstream.resolve import Resolve
from proxy.upstream.srv import srv_resolver

NAME = Endpoint("http", "_http._tcp.catalog.example", 80, "/v1")


class NameServer(asyncio.DatagramProtocol):
    """Answers every question for SRV records with these."""

    def __init__(self, records: list[str], ttl: int) -> None:
        self.records = records
        self.ttl = ttl
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if self.records:
            name = question.question[0].name
            answer.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "SRV", *self.records))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), address)


@asynccontextmanager
async def asking(*records: str, ttl: int = 30) -> AsyncIterator[Resolve]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: NameServer(list(records), ttl), local_addr=("127.0.0.1", 0)
    )
    try:
        yield srv_resolver(["127.0.0.1"], transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


async def test_records_are_endpoints_with_their_ports_and_weights() -> None:
    async with asking("0 3 8002 one.example.", "0 1 8003 two.example.") as resolve:
        found = await resolve(NAME)
    assert found.weights == {
        Endpoint("http", "one.example", 8002, "/v1"): 3000,
        Endpoint("http", "two.example", 8003, "/v1"): 1000,
    }
    assert found.seconds == 30


async def test_only_the_best_priority_is_taken() -> None:
    async with asking("10 1 8002 backup.example.", "5 1 8003 main.example.") as resolve:
        assert [one.host for one in (await resolve(NAME)).weights] == ["main.example"]


async def test_a_weight_of_zero_is_hardly_ever() -> None:
    async with asking("0 0 8002 one.example.", "0 1 8003 two.example.") as resolve:
        assert sorted((await resolve(NAME)).weights.values()) == [1, 1000]


async def test_a_service_that_is_not_there_has_no_endpoints() -> None:
    async with asking("0 0 0 .") as resolve:
        assert not (await resolve(NAME)).weights


@pytest.mark.parametrize("ttl,seconds", [(0, 1.0), (7, 7), (86400, 60.0)])
async def test_how_long_it_holds_is_believed_within_bounds(ttl: int, seconds: float) -> None:
    async with asking("0 1 8002 one.example.", ttl=ttl) as resolve:
        assert (await resolve(NAME)).seconds == seconds


async def test_a_name_that_is_not_there_is_an_error() -> None:
    async with asking() as resolve:
        with pytest.raises(OSError, match="exist"):
            await resolve(NAME)
