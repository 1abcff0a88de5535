from typing import Any

import pytest
from aiohttp import HttpVersion
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from proxy.server.framing import fault_of


def base(version: tuple[int, int], *codings: str) -> Any:
    headers = CIMultiDict([("Transfer-Encoding", coding) for coding in codings])
    return make_mocked_request("POST", "/", headers=headers, version=HttpVersion(*version))


@pytest.mark.parametrize(
    "version,codings", [((1, 1), ()), ((1, 0), ()), ((1, 1), ("chunked",)), ((1, 1), ("Chunked ",))]
)
def test_ordinary_requests_have_no_fault(version: tuple[int, int], codings: tuple[str, ...]) -> None:
    assert fault_of(base(version, *codings)) is None


@pytest.mark.parametrize(
    "version,codings,status",
    [
        ((2, 0), (), 505),
        ((0, 9), (), 505),
        ((1, 0), ("chunked",), 400),
        ((1, 1), ("gzip, chunked",), 501),
        ((1, 1), ("chunked", "chunked"), 501),
    ],
)
def test_what_two_parsers_could_read_differently_closes_the_connection(
    version: tuple[int, int], codings: tuple[str, ...], status: int
) -> None:
    fault = fault_of(base(version, *codings))
    assert fault is not None
    assert (fault.status, fault.close) == (status, True)
