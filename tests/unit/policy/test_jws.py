import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from proxy.policy.jws import (
    ALGORITHMS,
    DEFAULT_ALGORITHMS,
    InvalidKeySet,
    TokenRefused,
    UnknownKey,
    open_token,
    parse_key_set,
)

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
R = {**RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "r"}
E = {**ECAlgorithm.to_jwk(EC.public_key(), as_dict=True), "kid": "e"}
O = {**OKPAlgorithm.to_jwk(ED.public_key(), as_dict=True), "kid": "o"}  # noqa: E741
KEYS = parse_key_set({"keys": [R, E, O]})
ALLOWED = frozenset(DEFAULT_ALGORITHMS)
CLAIMS = {"sub": "ann", "exp": 4_000_000_000}


def b64(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(key: Any = RSA, algorithm: str = "RS256", **header: Any) -> str:
    return jwt.encode(CLAIMS, key, algorithm, headers={"kid": "r", **header})


@pytest.mark.parametrize("key,algorithm,kid", [(RSA, "RS256", "r"), (EC, "ES256", "e"), (ED, "EdDSA", "o")])
def test_a_signed_token_opens(key: Any, algorithm: str, kid: str) -> None:
    assert open_token(signed(key, algorithm, kid=kid), KEYS, ALLOWED) == CLAIMS


def test_a_token_that_names_no_key_opens_by_any_that_fits() -> None:
    assert open_token(jwt.encode(CLAIMS, EC, "ES256"), KEYS, ALLOWED) == CLAIMS


@pytest.mark.parametrize("allowed", [ALLOWED, frozenset(ALGORITHMS)])
@pytest.mark.parametrize("form", [PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1])
@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_the_public_key_is_no_secret_to_sign_with(allowed: frozenset[str], form: Any, encoding: Any) -> None:
    message = f"{b64({'alg': 'HS256', 'kid': 'r'})}.{b64(CLAIMS)}"
    secret = RSA.public_key().public_bytes(encoding, form)
    token = f"{message}.{b64(hmac.new(secret, message.encode(), hashlib.sha256).digest())}"
    with pytest.raises(TokenRefused, match="algorithm"):
        open_token(token, KEYS, allowed)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 1, ["RS256"], {"RS256": 1}])
def test_no_algorithm_is_none(algorithm: Any) -> None:
    for signature in ("", "AAAA"):
        with pytest.raises(TokenRefused):
            open_token(f"{b64({'alg': algorithm, 'kid': 'r'})}.{b64(CLAIMS)}.{signature}", KEYS, ALLOWED)


def test_a_key_signs_by_the_algorithms_of_its_kind_only() -> None:
    with pytest.raises(TokenRefused, match="signature"):
        open_token(signed(EC, "ES256", kid="r"), KEYS, ALLOWED)
    only = parse_key_set({"keys": [{**R, "alg": "RS512"}]})
    with pytest.raises(TokenRefused, match="signature"):
        open_token(signed(), only, frozenset(ALGORITHMS))


def test_an_algorithm_that_is_not_in_the_list_is_refused() -> None:
    with pytest.raises(TokenRefused, match="algorithm"):
        open_token(signed(RSA, "RS512"), KEYS, ALLOWED)


def test_keys_that_a_token_brings_along_are_not_looked_at() -> None:
    mine = rsa.generate_private_key(65537, 2048)
    jwk = {**RSAAlgorithm.to_jwk(mine.public_key(), as_dict=True), "kid": "r"}
    for header in ({"jwk": jwk}, {"jku": "http://127.0.0.1/keys"}, {"x5u": "http://127.0.0.1/keys"}, {"x5c": ["AA=="]}):
        with pytest.raises(TokenRefused, match="signature"):
            open_token(signed(mine, **header), KEYS, ALLOWED)
        with pytest.raises(UnknownKey):
            open_token(signed(mine, kid="mine", **header), KEYS, ALLOWED)


@pytest.mark.parametrize("kid", ["../../dev/null", "r\0", "R", "", "' OR 1=1"])
def test_a_key_is_named_exactly(kid: str) -> None:
    with pytest.raises(UnknownKey):
        open_token(signed(kid=kid), KEYS, ALLOWED)


def test_what_a_token_demands_and_nobody_knows_is_refused() -> None:
    with pytest.raises(TokenRefused, match="extension"):
        open_token(signed(crit=["b64"], b64=False), KEYS, ALLOWED)


def test_every_changed_character_is_noticed() -> None:
    token = signed(EC, "ES256", kid="e")
    for index in range(0, len(token)):
        changed = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]
        with pytest.raises(TokenRefused):
            open_token(changed, KEYS, ALLOWED)


@pytest.mark.parametrize(
    "token",
    [
        *("", ".", "..", "...", "a.b", "a.b.c", "é.é.é", "e30.e30.", "e30.e30.e30", "W10.e30.AAAA", "AAAA.AAAA.AAAA"),
        b64(b"[" * 9000) + ".e30.AAAA",
        "A" * 20_000,
        b64({"alg": "RS256", "kid": 7}) + ".e30.AAAA",
    ],
)
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(TokenRefused):
        open_token(token, KEYS, ALLOWED)


@pytest.mark.parametrize("change", [lambda t: t + "=", lambda t: t + "\n", lambda t: " " + t, lambda t: t + ".x"])
def test_a_token_has_one_spelling(change: Any) -> None:
    with pytest.raises(TokenRefused):
        open_token(change(signed()), KEYS, ALLOWED)


def test_a_payload_that_is_no_object_is_refused_though_it_is_signed() -> None:
    token = jwt.api_jws.encode(b"[1]", RSA, "RS256", headers={"kid": "r"})
    with pytest.raises(TokenRefused):
        open_token(token, KEYS, ALLOWED)


def test_keys_of_no_use_are_passed_over() -> None:
    small = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)
    private = RSAAlgorithm.to_jwk(RSA, as_dict=True)
    useless = [
        {"kty": "oct", "k": "c2VjcmV0"},
        {**R, "use": "enc"},
        {**R, "key_ops": ["encrypt"]},
        {**R, "key_ops": "verify"},
        {**R, "kid": 7},
        {**R, "n": "!"},
        {**E, "x": "AA"},
        {**E, "crv": "secp256k1"},
        {"kty": ["RSA"]},
        small,
        private,
        "key",
    ]
    assert [key.kid for key in parse_key_set({"keys": [*useless, {**R, "key_ops": ["verify"]}]})] == ["r"]
    for one in useless:
        with pytest.raises(InvalidKeySet):
            parse_key_set({"keys": [one]})


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": []}, {"keys": [R] * 101}])
def test_what_is_no_set_of_keys(document: Any) -> None:
    with pytest.raises(InvalidKeySet):
        parse_key_set(document)
