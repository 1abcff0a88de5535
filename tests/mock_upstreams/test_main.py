import asyncio
import re
import signal
import socket
import sys
from typing import Any

import pytest
from aiohttp import ClientSession

from mock_upstreams.__main__ import make_parser


async def start(*arguments: str) -> tuple[Any, list[str]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mock_upstreams", *arguments), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    count = 2 if arguments[0] == "all" else 1
    lines = [(await asyncio.wait_for(process.stdout.readline(), 20)).decode() for _ in range(count)]
    return process, [url for line in lines for url in re.findall(r"http://\S+", line)]


@pytest.mark.parametrize(
    "arguments,paths",
    [
        (("users", "--port", "0"), ["/users/1"]),
        (("all", "--users-port", "0", "--products-port", "0"), ["/users/1", "/products/1"]),
    ],
)
async def test_services_run_until_they_are_told_to_stop(arguments: tuple[str, ...], paths: list[str]) -> None:
    process, urls = await start(*arguments)
    async with ClientSession() as session:
        for url, path in zip(urls, paths, strict=True):
            async with session.get(url + path) as response:
                assert response.status == 200
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0


def test_the_ports_are_those_that_routes_yaml_expects() -> None:
    arguments = make_parser().parse_args(["all"])
    assert (arguments.users_port, arguments.products_port) == (9001, 9002)


async def test_a_port_in_use_is_exit_1_and_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mock_upstreams", "users", "--port", str(taken.getsockname()[1])),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, out) == (1, b"")
    assert err.startswith(b"mock_upstreams: ")
    assert err.count(b"\n") == 1
