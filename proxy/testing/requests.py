"""Requests made by hand: a route's path filled in, and a request that came over no socket."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from multidict import CIMultiDict, CIMultiDictProxy

from proxy.clock import monotonic
from proxy.message import Request
from proxy.plan.pattern import Literal, Param, parse_pattern


def fill_path(pattern: str, values: Mapping[str, str]) -> str:
    """A path that the pattern matches. Raises `KeyError` with the name of a parameter that has no value."""
    return "".join("/" + _piece(segment, values) for segment in parse_pattern(pattern).segments)


def _piece(segment: Literal | Param, values: Mapping[str, str]) -> str:
    if isinstance(segment, Literal):
        return segment.text
    return quote(values[segment.name], safe="/" if segment.kind == "path" else "")


def single_request(
    method: str,
    target: str,
    headers: Iterable[tuple[str, ...]],
    body: bytes,
    received_at: float | None = None,
    client_ip: str = "127.0.0.1",
) -> Request:
    """A request as an adapter would make it; from this machine, unless said."""
    given: CIMultiDict[Any] = CIMultiDict({"Host": "localhost"})
    for name, value in headers:
        given[name] = value
    if body:
        given.setdefault("Content-Type", "application/json")

    async def read_body(limit: int) -> bytes:
        return body

    return Request(
        method=method,
        raw_target=target,
        headers=CIMultiDictProxy(given),
        read_body=read_body,
        id="try",
        client_ip=client_ip,
        client_port=0,
        scheme="http",
        host=str(given["Host"]),
        received_at=monotonic() if received_at is None else received_at,
    )
