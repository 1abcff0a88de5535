from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.plan.identity import IdentityPlan

KEY = b64encode(b"k" * 32).decode()


def text(upstream: str, urls: str = "['http://u/base']") -> str:
    return (
        f"version: 1\nupstreams: {{u: {{urls: {urls}, {upstream}}}}}\nroutes: [{{name: r, match: GET /, proxy: u}}]\n"
    )


def identity(plan_of: Any, upstream: str) -> IdentityPlan:
    found: IdentityPlan = plan_of(text(upstream)).upstreams["u"].identity
    return found


def test_without_there_is_nothing(plan_of: Any) -> None:
    assert plan_of(text("host: a")).upstreams["u"].identity is None


def test_what_stays_the_same_is_headers(plan_of: Any) -> None:
    assert identity(plan_of, "headers: {X-Key: k}").headers == (("X-Key", "k"),)
    bearer = identity(plan_of, "headers: {X-Key: k}, identity: {type: bearer, token: abc}")
    assert bearer.headers == (("X-Key", "k"), ("Authorization", "Bearer abc"))
    basic = identity(plan_of, "identity: {type: basic, user: me, password: 'p:w'}")
    assert basic.headers == (("Authorization", "Basic bWU6cDp3"),)
    for plan in (bearer, basic):
        assert "abc" not in repr(plan)


def test_a_client_is_known_in_the_header_or_in_the_form(plan_of: Any) -> None:
    said = "type: client_credentials, token_url: 'https://idp/token', client_id: me, client_secret: s3cret"
    token = identity(plan_of, f"identity: {{{said}, scopes: [a, b], audience: shop}}").token
    assert token is not None
    assert token.client == ("me", "s3cret")
    assert dict(token.form) == {"grant_type": "client_credentials", "scope": "a b", "audience": "shop"}
    assert "s3cret" not in repr(token)
    token = identity(plan_of, f"identity: {{{said}, client_in: body}}").token
    assert token is not None
    assert token.client is None
    assert dict(token.form) == {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cret"}


def test_a_signature_covers_the_request_unless_said(plan_of: Any) -> None:
    signature = identity(plan_of, f"identity: {{type: signed, key: '{KEY}', key_id: us}}").signature
    assert signature is not None
    assert signature.covers == ("@method", "@path", "@query", "content-digest")
    assert (signature.authority, signature.base_path, signature.key_id) == ("u", "/base", "us")
    assert KEY not in repr(signature)


def test_a_private_key_signs_too(plan_of: Any) -> None:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().replace("\n", "\\n")
    signature = identity(plan_of, f'identity: {{type: signed, algorithm: ed25519, key: "{pem}", key_id: us}}').signature
    assert signature is not None
    key.public_key().verify(signature.sign(b"base"), b"base")


@pytest.mark.parametrize(
    "upstream,code",
    [
        ("headers: {'X Key': k}", "bad-header"),
        ("headers: {Host: k}", "bad-header"),
        ("headers: {Connection: k}", "bad-header"),
        ('headers: {X-A: "a\\r\\nb"}', "bad-header"),
        ("identity: {type: bearer}", "missing-key"),
        ("identity: {type: bearer, token: 'a b'}", "bad-header"),
        ("identity: {type: bearer, token: a, user: b}", "conflicting-keys"),
        ("identity: {type: basic, user: 'a:b', password: c}", "bad-name"),
        ("identity: {type: client_credentials, token_url: idp, client_id: a, client_secret: b}", "bad-url"),
        ("identity: {type: client_credentials, token_url: 'http://idp', client_id: a, client_secret: b}", "no-tls"),
        ("identity: {type: signed, key: short, key_id: a}", "bad-secret"),
        ("identity: {type: signed, algorithm: ed25519, key: x, key_id: a}", "bad-secret"),
        (f"identity: {{type: signed, key: '{KEY}', key_id: 'a\"b'}}", "bad-name"),
        (f"identity: {{type: signed, key: '{KEY}', key_id: a, covers: ['@status']}}", "bad-name"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_with_it(upstream: str, code: str, problems_of: Any) -> None:
    (problem,) = problems_of(text(upstream))
    assert problem.code == code
    assert KEY not in str(problem)


def test_several_endpoints_have_no_authority_in_common(codes_of: Any) -> None:
    signed = f"identity: {{type: signed, key: '{KEY}', key_id: a, covers: ['@authority']}}"
    assert codes_of(text(signed, "['http://a', 'http://b']")) == ["conflicting-keys"]
    assert codes_of(text(f"host: shop, {signed}", "['http://a', 'http://b']")) == []
    assert codes_of(text(signed.replace("@authority", "@path"), "['http://a/x', 'http://b/y']")) == ["conflicting-keys"]
