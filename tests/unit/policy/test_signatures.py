"""The vectors are those of RFC 9421, appendix B.2."""

from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.policy.signatures import components_of, content_digest, field_values, hmac_sha256, signature_fields

SHARED = b64decode("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
ED25519 = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
"""
FIELDS = [
    ("Host", "example.com"),
    ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
    ("Content-Type", "application/json"),
    ("Content-Length", "18"),
]
KNOWN = {**field_values(FIELDS), **components_of("POST", "https", "example.com", "/foo?param=Value&Pet=dog")}
CREATED = 1618884473


def test_a_shared_secret_signs_as_in_b_2_5() -> None:
    covers = ["date", "@authority", "content-type"]
    sign = hmac_sha256(SHARED)
    assert signature_fields(
        covers, KNOWN, created=CREATED, key_id="test-shared-secret", sign=sign, label="sig-b25"
    ) == [
        (
            "Signature-Input",
            'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"',
        ),
        ("Signature", "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"),
    ]


def test_a_private_key_signs_as_in_b_2_6() -> None:
    key = load_pem_private_key(ED25519, None)
    assert isinstance(key, Ed25519PrivateKey)
    covers = ["date", "@method", "@path", "@authority", "content-type", "content-length"]
    fields = signature_fields(covers, KNOWN, created=CREATED, key_id="test-key-ed25519", sign=key.sign)
    assert fields[1] == (
        "Signature",
        "sig=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
    )


def test_what_is_not_there_is_not_covered() -> None:
    fields = signature_fields(["@method", "x-gone"], KNOWN, created=1, key_id="k", sign=lambda base: base)
    assert fields[0][1] == 'sig=("@method");created=1;keyid="k"'


def test_the_parts_of_a_request_as_section_2_2_has_them() -> None:
    assert components_of("GET", "https", "Example.COM:8443", "/a?b=c%20d") == {
        "@method": "GET",
        "@authority": "example.com:8443",
        "@path": "/a",
        "@query": "?b=c%20d",
        "@target-uri": "https://example.com:8443/a?b=c%20d",
        "@request-target": "/a?b=c%20d",
    }
    assert components_of("GET", "http", "a", "/")["@query"] == "?"


def test_fields_of_one_name_are_joined_and_stripped() -> None:
    assert field_values([("X-A", " 1 "), ("x-a", "2\t"), ("B", "")]) == {"x-a": "1, 2", "b": ""}


def test_a_digest_says_what_the_body_is() -> None:
    # RFC 9530, appendix D
    assert content_digest(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
