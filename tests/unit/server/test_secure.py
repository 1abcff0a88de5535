from typing import Any

import pytest

from proxy.errors import BadRequest
from proxy.server.secure import to_https


@pytest.mark.parametrize(
    "host,target,port,location",
    [
        ("a.example", "/x?y=1", 443, "https://a.example/x?y=1"),
        ("a.example:8080", "/", 8443, "https://a.example:8443/"),
        ("[::1]:80", "/x", 443, "https://[::1]/x"),
        ("[::1]", "/x?", 8443, "https://[::1]:8443/x?"),
        ("a.example", "//evil.com/x", 443, "https://a.example/evil.com/x"),
        ("a.example", "http://evil.com/x", 443, "https://a.example/x"),
    ],
)
async def test_the_same_address_under_https(host: str, target: str, port: int, location: str, request_of: Any) -> None:
    response = await to_https(lambda: port)(request_of("/", raw_target=target, headers={"Host": host}))
    assert (response.status, response.headers["Location"]) == (308, location)


@pytest.mark.parametrize(
    "headers,target",
    [
        ([("Host", "a"), ("Host", "b")], "/"),
        ([("Host", "a@evil.com")], "/"),
        ([("Host", "")], "/"),
        ([("Host", "a/b")], "/"),
        ([], "/"),
        ([("Host", "a")], "*"),
        ([("Host", "a")], "/a\r\nSet-Cookie: x"),
        ([("Host", "a")], "/%2e%2e/"),
    ],
)
async def test_what_has_no_one_meaning_is_refused(headers: Any, target: str, request_of: Any) -> None:
    with pytest.raises(BadRequest):
        await to_https(lambda: 443)(request_of("/", raw_target=target, headers=headers))
