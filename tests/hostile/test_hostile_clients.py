"""What clients try: each attack over a real socket, and what the upstream has seen of it: nothing, or harmless."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BREAKS = ["%0d%0aX-Evil:%201", "%0aX-Evil:%201", "%0dX-Evil:%201", "a%00b", "%E5%98%8A%E5%98%8DX-Evil:1"]
ESCAPES = [
    *("..", "%2e%2e", "%2E%2E%2F", "..%2f..%2fadmin", "%2e%2e%2fadmin", "..%5cadmin", "%252e%252e%252fadmin", "..;"),
    *(
        "%2fadmin",
        "%2f%2f127.0.0.1",
        ".%2e",
        "%00",
        "..%00",
        "..%c0%af",
        "%u002e%u002e",
        "..%09",
        "x%2f..%2f..%2fadmin",
    ),
]
HOSTS = [
    *("@127.0.0.1:{p}", "127.0.0.1:{p}", "//127.0.0.1:{p}/", "http:%2f%2f127.0.0.1:{p}%2f", "%2f%2f127.0.0.1:{p}"),
    *(
        "x@127.0.0.1:{p}",
        "%40127.0.0.1:{p}",
        "%23@127.0.0.1:{p}",
        "?@127.0.0.1:{p}",
        "%5c%5c127.0.0.1:{p}",
        "[::1]:{p}",
    ),
]


def outside(path: str) -> bool:
    """Whether somebody who decodes a path again and again ends up above where the call points."""
    for _ in range(4):
        path = unquote(path)
    return "/../" in f"{path}/" or "\\" in path or "\0" in path or not path.startswith("/inside/")


@pytest.mark.parametrize("value", BREAKS)
@pytest.mark.parametrize("target", ["/header?v={v}", "/set?v={v}", "/path/{v}", "/query?v={v}", "/hole?v={v}"])
async def test_no_value_becomes_a_header_of_its_own(target: str, value: str, world: Any) -> None:
    await world.get(target.format(v=value))
    for _, path, headers in world.seen:
        assert "X-Evil" not in headers
        assert "\r" not in path
        assert "\n" not in path


@pytest.mark.parametrize("value", ["a\\r\\nX-Evil: 1", "a\\nX-Evil: 1", "a\\u0000"])
async def test_nor_does_one_out_of_a_body(value: str, world: Any) -> None:
    status, _, _ = await world.get(
        "/body", "Content-Type: application/json", method="POST", body=f'{{"v": "{value}"}}'.encode()
    )
    assert status == 400
    assert world.seen == []


@pytest.mark.parametrize("value", BREAKS)
@pytest.mark.parametrize("target", ["/echo?v={v}", "/redirect/{v}"])
async def test_no_answer_is_split(target: str, value: str, world: Any) -> None:
    _, head, _ = await world.get(target.format(v=value))
    assert b"\r\nX-Evil" not in head
    assert b"\nX-Evil" not in head
    assert head.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("value", ESCAPES)
@pytest.mark.parametrize("target", ["/path/{v}", "/rest/{v}", "/rest/a/{v}/b", "/passed/{v}", "/passed/a/{v}"])
async def test_no_value_leaves_its_place_in_a_path(target: str, value: str, world: Any) -> None:
    await world.get(target.format(v=value))
    assert [path for _, path, _ in world.seen if outside(path.partition("?")[0])] == []


@pytest.mark.parametrize("value", HOSTS)
@pytest.mark.parametrize(
    "target",
    ["/path/{v}", "/rest/{v}", "/query?v={v}", "/hole?v={v}", "/passed/{v}", "{v}", "http://127.0.0.1:{p}/passed/x"],
)
async def test_no_value_chooses_who_is_asked(target: str, value: str, world: Any, canary_port: int) -> None:
    await world.get(target.format(v=value.format(p=canary_port), p=canary_port))
    await world.get(
        "/split", f"X-Upstream: {value.format(p=canary_port)}", f"X-Forwarded-Host: 127.0.0.1:{canary_port}"
    )
    assert world.canary == []


@pytest.mark.parametrize("value", HOSTS)
async def test_no_redirect_leads_to_another_host(value: str, world: Any, canary_port: int) -> None:
    status, head, _ = await world.get(f"/redirect/{value.format(p=canary_port)}")
    locations = [line for line in head.split(b"\r\n") if line.lower().startswith(b"location:")]
    assert status in (302, 400, 404)
    assert all(line.startswith(b"Location: /there/") for line in locations)


@pytest.mark.parametrize(
    "fields,body",
    [
        (["X-Forwarded-Host: evil.example"], b""),
        (["X-Original-URL: /admin"], b""),
        (["X-Rewrite-URL: /admin"], b""),
        (["X-HTTP-Method-Override: DELETE"], b""),
        (["X-Forwarded-Scheme: http"], b""),
        (["X-Host: evil.example", "X-Forwarded-Server: evil.example"], b""),
        ([], b"fat"),
        (["Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("target", ["/kept", "/kept-composite"])
async def test_what_one_sends_is_not_in_what_another_gets(
    target: str, fields: list[str], body: bytes, world: Any
) -> None:
    if fields and fields[0].startswith("Transfer"):
        head = f"GET {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{fields[0]}\r\n\r\n"
        await world.talk(head.encode() + b"3\r\nfat\r\n0\r\n\r\n")
    else:
        await world.get(target, *fields, body=body)
    status, _, answer = await world.get(target)
    assert status == 200
    said = json.loads(answer)
    assert said["host"] in ("", "shop.example")
    assert (said["url"], said["body"]) == ("", "")


async def test_one_host_does_not_get_what_was_kept_for_another(world: Any) -> None:
    request = "GET /kept HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"
    await world.talk(request.format("evil.example").encode())
    answer = await world.talk(request.format("shop.example").encode())
    assert b"evil" not in answer


def part(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


CLAIMS = {"sub": "root", "aud": "shop", "exp": 4_000_000_000}


def forgeries(issuer: Any) -> list[str]:
    public = issuer.keys["k1"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good = issuer.token(aud="shop")
    head, _, signature = good.split(".")
    found = [
        f"{part({'alg': alg})}.{part(CLAIMS)}." for alg in ("none", "None", "NONE", "nOnE", "", "HS256", "ES256", None)
    ]
    for extra in (
        {},
        {"kid": "../../../dev/null"},
        {"kid": "k1' OR '1'='1"},
        {"kid": "k1", "jku": "http://127.0.0.1:1/"},
        {"kid": "k1", "x5u": "http://127.0.0.1:1/"},
        {"kid": "k1", "jwk": {"kty": "oct", "k": "AA"}},
        {"kid": "k1", "crit": ["x"]},
        {"kid": ["k1"]},
    ):
        for secret in (public, b"", b"\0"):
            message = f"{part({'alg': 'HS256', **extra})}.{part(CLAIMS)}"
            mac = hmac.new(secret, message.encode(), hashlib.sha256).digest()
            found.append(f"{message}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}")
    zeros = urlsafe_b64encode(bytes(64)).rstrip(b"=").decode()  # CVE-2022-21449
    found += [f"{head}.{part(CLAIMS)}.{one}" for one in (signature, zeros, "", "AA")]
    found += [
        good + "=",
        good + "A",
        good.replace(".", "..", 1),
        f"{good}.{good}",
        good[:-1],
        "a.b.c",
        "." * 1000,
        "x" * 20000,
    ]
    return found


async def test_no_forged_token_opens_a_door(world: Any) -> None:
    assert (await world.get("/by-header", f"Authorization: Bearer {world.issuer.token(aud='shop')}"))[0] == 200
    for token in forgeries(world.issuer):
        status, head, _ = await world.get("/by-header", f"Authorization: Bearer {token}")
        assert status in (401, 431), token
        assert status == 431 or b"WWW-Authenticate: Bearer" in head


async def test_of_two_cookies_none_is_believed(world: Any) -> None:
    good = world.issuer.token(aud="shop")
    assert (await world.get("/by-cookie", f"Cookie: token={good}"))[0] == 200
    for line in (f"token={good}; token={good}", f"token=x; token={good}", f"token={good}; token=x"):
        assert (await world.get("/by-cookie", f"Cookie: {line}"))[0] == 401
    assert (await world.get("/by-cookie", f"Cookie: token={good}", "Cookie: token=x"))[0] == 401


@pytest.mark.parametrize(
    "target", ["/x%0a%7b%22level%22:%22fake%22%7d", "/path/a%0d%0aevil", "/echo?v=%1b%5b2J", '/"},{"a":"', "/%ff%fe"]
)
async def test_nothing_writes_a_line_into_the_log(target: str, world: Any) -> None:
    await world.get(target, 'User-Agent: a"}\t{"level":"fake"}', "X-Request-Id: a\tb", "Referer: \x1b[2J")
    (line,) = world.log.getvalue().splitlines()
    record = json.loads(line)
    assert "level" not in record or record["level"] != "fake"
    assert b"\x1b" not in line


async def test_no_pattern_of_the_file_takes_for_ever(world: Any) -> None:
    evil = "a" * 7000 + "!"
    body = json.dumps({"v": evil * 10}).encode()
    kind = "Content-Type: application/json"
    status, _, _ = await world.get("/patterns?v=" + evil[-6000:], kind, f"User-Agent: {evil}", method="POST", body=body)
    assert status == 422
    assert (await world.get("/rewritten/" + evil))[0] in (200, 404)


async def test_a_compressed_body_is_not_unpacked(world: Any, a_bomb: bytes) -> None:
    fields = ["Content-Type: application/json", "Content-Encoding: gzip"]
    for target in ("/body", "/patterns"):
        status, _, _ = await world.get(target, *fields, method="POST", body=a_bomb)
        assert status in (400, 413, 415)
    assert world.seen == []


async def test_the_suite_would_see_it_if_something_came_through(world: Any) -> None:
    for target in ("/path/a", "/query?v=b", "/hole?v=c", "/header?v=d", "/set?v=e", "/passed/f"):
        assert (await world.get(target))[0] == 200
    seen = [(path, headers.get("X-V")) for _, path, headers in world.seen]
    assert seen == [
        ("/inside/users/a/orders", None),
        ("/inside/q?v=b", None),
        ("/inside/q?v=c", None),
        ("/inside/h", "d"),
        ("/inside/set?v=e", "e"),
        ("/inside/f", None),
    ]
    for path in ("/inside/../x", "/inside/%2e%2e/x", "/inside/a%252f..%252f..%252fx", "/inside/a%5cb", "/x"):
        assert outside(path)
